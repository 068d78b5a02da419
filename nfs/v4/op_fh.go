package v4

import (
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// putfh is PUTFH (RFC 8881, section 18.19).
func (k *compound) putfh() nfs4.Nfsstat4 {
	fh := k.c.Args.Opaque(nfs4.NFS4_FHSIZE)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	if export.IsNode(fh) {
		id, s := k.s.Table.OpenNode(fh)
		if s != vfs.OK {
			return k.status(s)
		}
		n := k.s.tree.byID[id]
		if n == nil || n.parent != nil && !n.shows(k.c) { // of another configuration
			return nfs4.NFS4ERR_STALE
		}
		k.become(position{node: n})
		return nfs4.NFS4_OK
	}
	var o object.Object
	if s := k.s.Open(k.c, fh, &o, &k.w.served); s != vfs.OK {
		return k.status(s)
	}
	k.at(o.Export, &o.Handle)
	return nfs4.NFS4_OK
}

// putrootfh is PUTROOTFH and PUTPUBFH, which means the same (sections 18.21 and 18.20). Who is
// served by no export does not get in: a mount then fails, which says more than an empty directory.
func (k *compound) putrootfh() nfs4.Nfsstat4 {
	root := k.s.tree.root
	if k.hides(root) {
		return nfs4.NFS4ERR_ACCESS
	}
	k.enter(root)
	return nfs4.NFS4_OK
}

// getfh is GETFH (section 18.8).
func (k *compound) getfh() nfs4.Nfsstat4 {
	if k.knownFor == k.next {
		k.knownFor++ // nothing has changed
	}
	k.c.Reply.Opaque(k.sealed(&k.current))
	return nfs4.NFS4_OK
}

// savefh is SAVEFH (section 18.29).
func (k *compound) savefh() nfs4.Nfsstat4 {
	k.saved, k.savedState = k.current, k.stateid
	return nfs4.NFS4_OK
}

// restorefh is RESTOREFH (section 18.27).
func (k *compound) restorefh() nfs4.Nfsstat4 {
	if k.saved.none() {
		if k.minor == 0 {
			return nfs4.NFS4ERR_RESTOREFH
		}
		return nfs4.NFS4ERR_NOFILEHANDLE
	}
	k.current, k.stateid = k.saved, k.savedState
	return nfs4.NFS4_OK
}
