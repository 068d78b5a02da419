package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// setxattr is SETXATTR (RFC 8276, section 8.4.2).
func (k *compound) setxattr() nfs4.Nfsstat4 {
	d := &k.c.Args
	how := nfs4.SetxattrOption4(d.Uint32())
	args := vfs.XattrArgs{Name: decodeXattr(d), Value: d.Clipped(vfs.XattrValueMax), How: vfs.XattrHow(how)}
	if k.bad() || !how.Valid() {
		return nfs4.NFS4ERR_BADXDR
	}
	if st := checkXattr(args.Name); st != nfs4.NFS4_OK {
		return st
	}
	if len(args.Value) > vfs.XattrValueMax {
		return nfs4.NFS4ERR_XATTR2BIG
	}
	o, x, st := k.xattrs(true)
	if st != nfs4.NFS4_OK {
		return st
	}
	if s := x.SetXattr(o.Cred(k.c), o.Handle, &args, &k.w.wcc); s != vfs.OK {
		return k.status(s)
	}
	k.changeInfo(&k.w.wcc)
	return nfs4.NFS4_OK
}

// removexattr is REMOVEXATTR (section 8.4.4).
func (k *compound) removexattr() nfs4.Nfsstat4 {
	name := decodeXattr(&k.c.Args)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	if st := checkXattr(name); st != nfs4.NFS4_OK {
		return st
	}
	o, x, st := k.xattrs(true)
	if st != nfs4.NFS4_OK {
		return st
	}
	if s := x.RemoveXattr(o.Cred(k.c), o.Handle, name, &k.w.wcc); s != vfs.OK {
		return k.status(s)
	}
	k.changeInfo(&k.w.wcc)
	return nfs4.NFS4_OK
}
