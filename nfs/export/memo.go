package export

import (
	"encoding/binary"
	"math/bits"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// memo remembers handles in both shapes, so that a lane need not verify and seal the same handles
// again and again. What it remembers stays right, since the sealed shape of a handle is the same as
// long as the table exists. Each place has a memo of its own.
type memo struct {
	slots [memoSlots]remembered
}

const (
	memoBits  = 9 // 60 KiB
	memoSlots = 1 << memoBits
	// memoMin is the length in bytes of the shortest back end's handle that is remembered.
	memoMin = 8
)

// remembered is one handle.
type remembered struct {
	x  *Export // nil when the slot is empty
	h  vfs.Handle
	n  uint8 // length of fh
	fh [WireMax]byte
}

// slot returns the slot for the back end's handle b. The tag has no part in the choice: how long
// the search takes must tell nothing about the right tag.
func (m *memo) slot(b []byte) *remembered {
	const odd = 0x9e3779b97f4a7c15
	sum := binary.LittleEndian.Uint64(b[len(b)-8:]) * odd
	for ; len(b) > 8; b = b[8:] {
		sum = (bits.RotateLeft64(sum, 32) ^ binary.LittleEndian.Uint64(b)) * odd
	}
	return &m.slots[sum>>(64-memoBits)]
}

// keep replaces r's handle with h, whose sealed shape is fh.
func (r *remembered) keep(x *Export, h *vfs.Handle, fh []byte) {
	*r = remembered{x: x, h: *h, n: uint8(len(fh))}
	copy(r.fh[:], fh)
}

// is reports whether fh is the sealed shape of r's handle. fh has at least wireMin bytes. is takes
// the same time whichever bytes differ.
func (r *remembered) is(fh []byte) bool {
	n := len(fh)
	if r.x == nil || int(r.n) != n {
		return false
	}
	var diff uint64
	for i := 0; i <= n-8; i += 8 {
		diff |= binary.LittleEndian.Uint64(r.fh[i:]) ^ binary.LittleEndian.Uint64(fh[i:])
	}
	diff |= binary.LittleEndian.Uint64(r.fh[n-8:]) ^ binary.LittleEndian.Uint64(fh[n-8:])
	return diff == 0
}

// OpenAt is [Table.Open] on the thread of an attached place. It fills in h when the status is OK.
func (t *Table) OpenAt(place int, fh []byte, h *vfs.Handle) (x *Export, s vfs.Status) {
	m := t.places[place].memo
	if m == nil || len(fh) < wireMin+memoMin || len(fh) > wireFull {
		x, *h, s = t.Open(fh)
		return x, s
	}
	r := m.slot(fh[wireHeader : len(fh)-tagLen])
	if r.is(fh) {
		*h = r.h
		return r.x, vfs.OK
	}
	if x, *h, s = t.Open(fh); s == vfs.OK {
		r.keep(x, h, fh)
	}
	return x, s
}

// SealAt is [Table.Seal] on the thread of an attached place.
func (t *Table) SealAt(place int, x *Export, h *vfs.Handle, dst []byte) []byte {
	m, b := t.places[place].memo, h.Bytes()
	if m == nil || len(b) < memoMin {
		return t.Seal(x, h, dst)
	}
	r := m.slot(b)
	if r.x == x && r.h == *h {
		return append(dst, r.fh[:r.n]...)
	}
	start := len(dst)
	dst = t.Seal(x, h, dst)
	r.keep(x, h, dst[start:])
	return dst
}
