package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// allocate is ALLOCATE (RFC 7862, section 15.1).
func (k *compound) allocate() nfs4.Nfsstat4 { return k.shape(vfs.Ranges.Allocate) }

// deallocate is DEALLOCATE (section 15.4).
func (k *compound) deallocate() nfs4.Nfsstat4 { return k.shape(vfs.Ranges.Deallocate) }

// shape has act work on a range of the current file. No COMMIT follows: what it does is on stable
// storage.
func (k *compound) shape(
	act func(vfs.Ranges, *vfs.Cred, vfs.Handle, *vfs.RangeArgs, *vfs.WCC) vfs.Status,
) nfs4.Nfsstat4 {
	d := &k.c.Args
	id := decodeStateid(d)
	args := vfs.RangeArgs{Off: d.Uint64(), Len: d.Uint64()}
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	o, st := k.file(id, files.Write)
	if st != nfs4.NFS4_OK {
		return st
	}
	x, w := o.View.Abilities().Ranges, k.w
	switch {
	case x == nil:
		return nfs4.NFS4ERR_NOTSUPP
	case args.Len == 0:
		return nfs4.NFS4ERR_INVAL
	}
	w.wcc = vfs.WCC{}
	return k.dataFailed(&o, act(x, o.Cred(k.c), o.Handle, &args, &w.wcc))
}
