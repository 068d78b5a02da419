package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// seek is SEEK (RFC 7862, section 15.11). Where no data follows it says NXIO, as other servers do.
func (k *compound) seek() nfs4.Nfsstat4 {
	d := &k.c.Args
	id := decodeStateid(d)
	args := vfs.SeekArgs{Off: d.Uint64()}
	what := nfs4.DataContent4(d.Uint32())
	if k.bad() || !what.Valid() {
		return nfs4.NFS4ERR_BADXDR
	}
	o, st := k.file(id, files.Read)
	if st != nfs4.NFS4_OK {
		return st
	}
	x := o.View.Abilities().Ranges
	if x == nil {
		return nfs4.NFS4ERR_NOTSUPP
	}
	args.Hole = what == nfs4.NFS4_CONTENT_HOLE
	at, s := x.Seek(o.Cred(k.c), o.Handle, &args, &k.w.attr)
	if s != vfs.OK {
		return k.dataFailed(&o, s)
	}
	k.c.Reply.Bool(at >= k.w.attr.Size)
	k.c.Reply.Uint64(at)
	return nfs4.NFS4_OK
}

// file returns the current file handle's object for an operation on its content, for which it may
// be used with id: read, or written.
func (k *compound) file(id files.Stateid, want files.Share) (o object.Object, st nfs4.Nfsstat4) {
	if k.current.node != nil {
		return o, nfs4.NFS4ERR_ISDIR
	}
	if want == files.Write {
		o, st = k.changeable(&k.current)
	} else {
		o, st = k.object(&k.current)
	}
	if st == nfs4.NFS4_OK {
		st = k.mayUse(id, want)
	}
	return o, st
}
