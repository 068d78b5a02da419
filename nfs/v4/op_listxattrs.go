package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// xattrsAround is what a LISTXATTRS4resok has beside its names: the cookie, their number and eof.
const xattrsAround = 8 + 4 + 4

// listxattrs is LISTXATTRS (RFC 8276, section 8.4.3). A cookie is the number of names before it, in
// their order.
func (k *compound) listxattrs() nfs4.Nfsstat4 {
	cookie, most := k.c.Args.Uint64(), k.c.Args.Uint32()
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	o, x, st := k.xattrs(false)
	if st != nfs4.NFS4_OK {
		return st
	}
	size := min(int(min(most, k.s.cfg.ReadDirMax)), k.left())
	switch {
	case most < xattrsAround:
		return nfs4.NFS4ERR_TOOSMALL
	case size < xattrsAround:
		return k.tooBig()
	case !k.c.Room(size):
		return stGrow
	}
	e := &k.c.Reply
	at, room := e.Len(), size-xattrsAround
	e.Uint64(0)
	e.Uint32(0)
	seen, n, full := uint64(0), uint32(0), false
	s := x.ListXattrs(o.Cred(k.c), o.Handle, func(name []byte) bool {
		if seen < cookie {
			seen++
			return true
		}
		need := 4 + (len(name)+3)&^3
		if full = need > room; full {
			return false
		}
		e.Opaque(name)
		room -= need
		seen++
		n++
		return true
	})
	switch {
	case s != vfs.OK:
		return k.status(s)
	case full && n == 0 && int(most) > size && size < int(k.s.cfg.ReadDirMax):
		return k.tooBig()
	case full && n == 0:
		return nfs4.NFS4ERR_TOOSMALL
	}
	e.SetUint32(at, uint32(seen>>32))
	e.SetUint32(at+4, uint32(seen))
	e.SetUint32(at+8, n)
	e.Bool(!full)
	return nfs4.NFS4_OK
}
