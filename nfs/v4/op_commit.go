package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// commit is COMMIT (RFC 8881, section 18.3).
func (k *compound) commit() nfs4.Nfsstat4 {
	off, count := k.c.Args.Uint64(), k.c.Args.Uint32()
	switch {
	case k.bad():
		return nfs4.NFS4ERR_BADXDR
	case off+uint64(count) < off:
		return nfs4.NFS4ERR_INVAL
	case k.current.node != nil:
		return nfs4.NFS4ERR_ISDIR
	}
	o, st := k.changeable(&k.current)
	if st != nfs4.NFS4_OK {
		return st
	}
	w := k.w
	w.wcc, w.commit = vfs.WCC{}, vfs.CommitArgs{Off: off, Count: count}
	verf, s := o.View.Commit(o.Cred(k.c), o.Handle, &w.commit, &w.wcc)
	if s != vfs.OK {
		return k.dataFailed(&o, s)
	}
	k.c.Reply.Uint64(verf)
	return nfs4.NFS4_OK
}
