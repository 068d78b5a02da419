package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// setattr is SETATTR (RFC 8881, section 18.30). Its result says which attributes were set, also
// when it fails: none then.
func (k *compound) setattr() nfs4.Nfsstat4 {
	id := decodeStateid(&k.c.Args)
	given, st := k.decodeSet(&k.c.Args, &settable[k.minor])
	switch {
	case k.bad():
		st = nfs4.NFS4ERR_BADXDR
	case st == nfs4.NFS4_OK && given.has(nfs4.FATTR4_MODE_UMASK): // it is for new objects
		st = nfs4.NFS4ERR_INVAL
	}
	if st == nfs4.NFS4_OK {
		st = k.set(id)
	}
	if st != nfs4.NFS4_OK {
		given = bitmap{}
	}
	k.body = true
	given.encode(&k.c.Reply)
	return st
}

// set sets the attributes in k.w.set on the current object.
func (k *compound) set(id files.Stateid) nfs4.Nfsstat4 {
	o, st := k.changeable(&k.current)
	if st != nfs4.NFS4_OK {
		return st
	}
	w := k.w
	if w.set.HasSize {
		if st = k.mayUse(id, files.Write); st != nfs4.NFS4_OK {
			return st
		}
	}
	w.wcc = vfs.WCC{}
	var s vfs.Status
	if w.modes.kept != 0 {
		s = k.setKept(&o)
	} else {
		s = o.View.SetAttr(o.Cred(k.c), o.Handle, &w.set, &w.wcc)
	}
	if s != vfs.OK {
		return k.status(s)
	}
	k.learn(&w.wcc.After)
	return nfs4.NFS4_OK
}
