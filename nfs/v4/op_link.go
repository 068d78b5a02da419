package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// link is LINK (RFC 8881, section 18.9): one more name for the saved object in the current
// directory.
func (k *compound) link() nfs4.Nfsstat4 {
	name := decodeName(&k.c.Args)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	if st := checkName(name); st != nfs4.NFS4_OK {
		return st
	}
	source, dir, st := k.pair()
	if st != nfs4.NFS4_OK {
		return st
	}
	w := k.w
	w.wcc = vfs.WCC{}
	w.link = vfs.LinkArgs{Object: source, Dir: dir.Handle, Name: name}
	if s := dir.View.Link(dir.Cred(k.c), &w.link, &w.attr, &w.wcc); s != vfs.OK {
		return k.status(s)
	}
	k.changeInfo(&w.wcc)
	return nfs4.NFS4_OK
}

// pair returns the saved and the current file handle of an operation that changes both: they
// must be of one export.
func (k *compound) pair() (saved vfs.Handle, current object.Object, st nfs4.Nfsstat4) {
	if current, st = k.changeable(&k.current); st != nfs4.NFS4_OK {
		return saved, current, st
	}
	if k.saved.export != k.current.export {
		return saved, current, nfs4.NFS4ERR_XDEV
	}
	return k.saved.handle, current, nfs4.NFS4_OK
}
