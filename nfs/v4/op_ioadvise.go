package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// ioAdvise is IO_ADVISE (RFC 7862, section 15.5). Clients share the page cache and the file's
// descriptors, so of the hints only the one is followed that does the others no harm.
func (k *compound) ioAdvise() nfs4.Nfsstat4 {
	d := &k.c.Args
	id := decodeStateid(d)
	args := vfs.RangeArgs{Off: d.Uint64(), Len: d.Uint64()}
	var hints bitmap
	hints.decode(d)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	o, st := k.file(id, files.Read)
	if st != nfs4.NFS4_OK {
		return st
	}
	if st = k.isFile(); st != nfs4.NFS4_OK {
		return st
	}
	var followed bitmap
	if x := o.View.Abilities().Ranges; x != nil && hints.has(int(nfs4.IO_ADVISE4_WILLNEED)) {
		if s := x.WillNeed(o.Cred(k.c), o.Handle, &args); s != vfs.OK {
			return k.status(s)
		}
		followed.add(int(nfs4.IO_ADVISE4_WILLNEED))
	}
	followed.encode(&k.c.Reply)
	return nfs4.NFS4_OK
}
