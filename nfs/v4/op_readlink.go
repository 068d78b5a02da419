package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// readlink is READLINK (RFC 8881, section 18.24).
func (k *compound) readlink() nfs4.Nfsstat4 {
	if k.current.node != nil {
		return nfs4.NFS4ERR_ISDIR
	}
	o, st := k.object(&k.current)
	if st != nfs4.NFS4_OK {
		return st
	}
	n, s := o.View.ReadLink(o.Cred(k.c), o.Handle, k.w.target[:], &k.w.attr)
	switch {
	case s == vfs.OK && n > targetMax:
		return nfs4.NFS4ERR_IO
	case s == vfs.OK:
		if !k.c.Room(4 + n + 3) {
			return stGrow
		}
		k.c.Reply.Opaque(k.w.target[:n])
		return nfs4.NFS4_OK
	case s == vfs.Inval && k.minor > 0:
		return nfs4.NFS4ERR_WRONG_TYPE
	}
	return k.status(s)
}
