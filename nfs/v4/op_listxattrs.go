package v4

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// xattrsAround is what a LISTXATTRS4resok has beside its names: the cookie, their number and eof.
const xattrsAround = 8 + 4 + 4

// listxattrs is LISTXATTRS (RFC 8276, section 8.4.3). Names are listed in the order of a hash, and
// a cookie is the hash of the last one that was listed. So a name that is there throughout is
// listed once, whatever others come and go between two pages. Of names with one hash only those of
// one page would be listed; with 64 bits of SHA-256 nobody has two such names by chance.
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
	var names []hashedName
	s := x.ListXattrs(o.Cred(k.c), o.Handle, func(name []byte) bool {
		if n := hashName(name); n.hash > cookie {
			n.name = bytes.Clone(name)
			names = append(names, n)
		}
		return true
	})
	if s != vfs.OK {
		return k.status(s)
	}
	slices.SortFunc(names, func(a, b hashedName) int { return cmp.Compare(a.hash, b.hash) })
	e := &k.c.Reply
	at, room, n := e.Len(), size-xattrsAround, 0
	e.Uint64(0)
	e.Uint32(0)
	for ; n < len(names); n++ {
		need := 4 + (len(names[n].name)+3)&^3
		if need > room {
			break
		}
		e.Opaque(names[n].name)
		room -= need
		cookie = names[n].hash
	}
	full := n < len(names)
	switch {
	case full && n == 0 && int(most) > size && size < int(k.s.cfg.ReadDirMax):
		return k.tooBig()
	case full && n == 0:
		return nfs4.NFS4ERR_TOOSMALL
	}
	e.SetUint32(at, uint32(cookie>>32))
	e.SetUint32(at+4, uint32(cookie))
	e.SetUint32(at+8, uint32(n))
	e.Bool(!full)
	return nfs4.NFS4_OK
}

// hashedName is the name of an extended attribute, and its place in the list.
type hashedName struct {
	hash uint64 // not 0, which is the cookie of the beginning
	name []byte
}

// hashName borrows the name, and leaves it out.
func hashName(name []byte) hashedName {
	sum := sha256.Sum256(name)
	return hashedName{hash: max(1, binary.BigEndian.Uint64(sum[:]))}
}
