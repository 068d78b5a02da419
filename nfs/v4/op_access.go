package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// The rights that ACCESS asks for, by what the kernel knows: of a directory and of other
// objects. The first that grants something decides.
const (
	accessKnown = nfs4.ACCESS4_READ | nfs4.ACCESS4_LOOKUP | nfs4.ACCESS4_MODIFY | nfs4.ACCESS4_EXTEND |
		nfs4.ACCESS4_DELETE | nfs4.ACCESS4_EXECUTE
	accessWrite = nfs4.ACCESS4_MODIFY | nfs4.ACCESS4_EXTEND
	// Those of extended attributes (RFC 8276, section 8.5), which minor version 2 has.
	accessXread  = nfs4.ACCESS4_XAREAD | nfs4.ACCESS4_XALIST
	accessXattrs = accessXread | nfs4.ACCESS4_XAWRITE
)

// access is ACCESS (RFC 8881, section 18.1).
func (k *compound) access() nfs4.Nfsstat4 {
	want := k.c.Args.Uint32()
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	if k.minor >= 2 {
		want &= accessKnown | accessXattrs
	} else {
		want &= accessKnown
	}
	if k.current.node != nil {
		known := want & (nfs4.ACCESS4_READ | nfs4.ACCESS4_LOOKUP | accessWrite | nfs4.ACCESS4_DELETE)
		k.c.Reply.Uint32(known)
		k.c.Reply.Uint32(known & (nfs4.ACCESS4_READ | nfs4.ACCESS4_LOOKUP))
		return nfs4.NFS4_OK
	}
	o, st := k.object(&k.current)
	if st != nfs4.NFS4_OK {
		return st
	}
	ask := vfs.Permission(0)
	if want&(nfs4.ACCESS4_READ|accessXread) != 0 {
		ask |= vfs.MayRead
	}
	if want&(nfs4.ACCESS4_LOOKUP|nfs4.ACCESS4_EXECUTE) != 0 {
		ask |= vfs.MayExec
	}
	if want&(accessWrite|nfs4.ACCESS4_DELETE|nfs4.ACCESS4_XAWRITE) != 0 {
		ask |= vfs.MayWrite
	}
	got, s := o.View.Access(o.Cred(k.c), o.Handle, ask, &k.w.attr)
	if s != vfs.OK {
		return k.status(s)
	}
	k.learn(&k.w.attr)
	if o.Export.ReadOnly {
		got &^= vfs.MayWrite
	}
	// What makes no sense for the type is not supported: LOOKUP and DELETE are of directories,
	// EXECUTE is of files.
	known := want &^ (nfs4.ACCESS4_LOOKUP | nfs4.ACCESS4_DELETE)
	if k.w.attr.Type == vfs.TypeDir {
		known = want &^ nfs4.ACCESS4_EXECUTE
	}
	if t := k.w.attr.Type; t != vfs.TypeReg && t != vfs.TypeDir ||
		want&accessXattrs != 0 && !o.Export.FS.Limits().Xattrs {
		known &^= accessXattrs
	}
	granted := uint32(0)
	if got&vfs.MayRead != 0 {
		granted |= nfs4.ACCESS4_READ | accessXread
	}
	if got&vfs.MayExec != 0 {
		granted |= nfs4.ACCESS4_LOOKUP | nfs4.ACCESS4_EXECUTE
	}
	if got&vfs.MayWrite != 0 {
		granted |= accessWrite | nfs4.ACCESS4_DELETE | nfs4.ACCESS4_XAWRITE
	}
	k.c.Reply.Uint32(known)
	k.c.Reply.Uint32(known & granted)
	return nfs4.NFS4_OK
}
