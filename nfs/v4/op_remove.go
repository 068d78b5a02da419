package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// remove is REMOVE (RFC 8881, section 18.25), of whatever the name leads to.
func (k *compound) remove() nfs4.Nfsstat4 {
	name := decodeName(&k.c.Args)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	if st := checkName(name); st != nfs4.NFS4_OK {
		return st
	}
	if st := k.mayUnlink(); st != nfs4.NFS4_OK {
		return st
	}
	o, st := k.changeable(&k.current)
	if st != nfs4.NFS4_OK {
		return st
	}
	if k.isCovered(&o, name) {
		return nfs4.NFS4ERR_NOTEMPTY
	}
	w := k.w
	w.wcc = vfs.WCC{}
	s := o.View.Remove(o.Cred(k.c), o.Handle, name, &w.wcc)
	if s == vfs.IsDir {
		w.wcc = vfs.WCC{}
		if s = o.View.Rmdir(o.Cred(k.c), o.Handle, name, &w.wcc); s == vfs.Exist {
			s = vfs.NotEmpty
		}
	}
	if s != vfs.OK {
		return k.status(s)
	}
	k.changeInfo(&w.wcc)
	return nfs4.NFS4_OK
}

// mayUnlink says no in grace, when the name's object may be what somebody is to reclaim.
func (k *compound) mayUnlink() nfs4.Nfsstat4 {
	r := files.Recovery{InGrace: k.s.cfg.State.InGrace()}
	return r.Judge(files.OpUnlink, uint8(k.minor))
}

// rename is RENAME (section 18.26), from the saved directory to the current one.
func (k *compound) rename() nfs4.Nfsstat4 {
	from, to := decodeName(&k.c.Args), decodeName(&k.c.Args)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	for _, name := range [2][]byte{from, to} {
		if st := checkName(name); st != nfs4.NFS4_OK {
			return st
		}
	}
	if st := k.mayUnlink(); st != nfs4.NFS4_OK {
		return st
	}
	source, target, st := k.pair()
	if st != nfs4.NFS4_OK {
		return st
	}
	dir := object.Object{Export: target.Export, View: target.View, Handle: source}
	if k.isCovered(&dir, from) {
		return nfs4.NFS4ERR_ACCESS
	}
	if k.isCovered(&target, to) {
		return nfs4.NFS4ERR_EXIST
	}
	w := k.w
	w.wcc, w.wccTo = vfs.WCC{}, vfs.WCC{}
	w.rename = vfs.RenameArgs{From: source, FromName: from, To: target.Handle, ToName: to}
	if s := target.View.Rename(target.Cred(k.c), &w.rename, &w.wcc, &w.wccTo); s != vfs.OK {
		if s == vfs.NotEmpty {
			return nfs4.NFS4ERR_EXIST
		}
		return k.status(s)
	}
	k.changeInfo(&w.wcc)
	k.changeInfo(&w.wccTo)
	return nfs4.NFS4_OK
}
