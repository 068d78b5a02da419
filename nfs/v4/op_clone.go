package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// copying is a CLONE or COPY from the saved file to the current one.
type copying struct {
	fromID, toID files.Stateid
	from, to     object.Object
	args         vfs.CopyArgs
}

// decodeCopying reads what the arguments of both begin with.
func (k *compound) decodeCopying(x *copying) {
	d := &k.c.Args
	x.fromID, x.toID = decodeStateid(d), decodeStateid(d)
	x.args = vfs.CopyArgs{FromOff: d.Uint64(), Off: d.Uint64(), Len: d.Uint64()}
}

// begin finds both files. The source is read with the saved file handle's stateid, where one stands
// for that.
func (k *compound) begin(x *copying) (st nfs4.Nfsstat4) {
	if k.saved.node != nil || k.current.node != nil {
		return nfs4.NFS4ERR_ISDIR
	}
	if x.from, st = k.object(&k.saved); st != nfs4.NFS4_OK {
		return st
	}
	if x.to, st = k.file(x.toID, files.Write); st != nfs4.NFS4_OK {
		return st
	}
	if st = k.mayUseOf(&k.saved, &k.savedState, x.fromID, files.Read); st != nfs4.NFS4_OK {
		return st
	}
	x.args.From, x.args.FromHandle = x.from.View.Abilities().Copy, x.from.Handle
	x.args.FromCred = x.from.Cred(k.c)
	return nfs4.NFS4_OK
}

// copyStatus is k.status for a status that may be about either file.
func (k *compound) copyStatus(x *copying, s vfs.Status) nfs4.Nfsstat4 {
	if st := k.dataFailed(&x.from, s); st != nfs4.NFS4ERR_INVAL {
		return st
	}
	return k.dataFailed(&x.to, s)
}

// clone is CLONE (RFC 7862, section 15.13).
func (k *compound) clone() nfs4.Nfsstat4 {
	var x copying
	k.decodeCopying(&x)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	if st := k.begin(&x); st != nfs4.NFS4_OK {
		return st
	}
	by := x.to.View.Abilities().Copy
	if by == nil {
		return nfs4.NFS4ERR_NOTSUPP
	}
	return k.copyStatus(&x, by.Clone(x.to.Cred(k.c), x.to.Handle, &x.args, &k.w.wcc))
}
