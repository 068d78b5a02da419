package v4

import (
	"encoding/binary"

	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// words is how many words of a bitmap4 have attributes that the server knows.
const words = 3

// bitmap is a set of attributes (bitmap4 of RFC 8881, section 3.2).
type bitmap [words]uint32

func (b *bitmap) has(n int) bool { return b[n/32]&(1<<(n%32)) != 0 }
func (b *bitmap) add(n int)      { b[n/32] |= 1 << (n % 32) }
func (b *bitmap) remove(n int)   { b[n/32] &^= 1 << (n % 32) }

// any reports whether b and o have an attribute in common.
func (b *bitmap) any(o *bitmap) bool { return (b[0]&o[0] | b[1]&o[1] | b[2]&o[2]) != 0 }

// and leaves in b what is in o, too.
func (b *bitmap) and(o *bitmap) {
	for i := range b {
		b[i] &= o[i]
	}
}

// within reports whether all of b are in o.
func (b *bitmap) within(o *bitmap) bool {
	return (b[0]&^o[0] | b[1]&^o[1] | b[2]&^o[2]) == 0
}

// decode reads a bitmap4. Attributes beyond those that the server knows are dropped; more
// says that there were some.
func (b *bitmap) decode(d *xdr.Decoder) (more bool) {
	const two = 4 + 2*4
	if v := d.Ahead(two); v != nil && binary.BigEndian.Uint32(v) == 2 { // as nearly all have
		d.Run(two)
		*b = bitmap{binary.BigEndian.Uint32(v[4:]), binary.BigEndian.Uint32(v[8:])}
		return false
	}
	*b = bitmap{}
	n := d.Count(bitmapMax, 4)
	for i := range n {
		w := d.Uint32()
		if i < words {
			b[i] = w
		} else if w != 0 {
			more = true
		}
	}
	return more
}

// bitmapMax is how many words of a client's bitmap4 are read.
const bitmapMax = 64

// encode writes b as a bitmap4 without trailing words that are zero.
func (b *bitmap) encode(e *xdr.Encoder) {
	n := words
	for n > 0 && b[n-1] == 0 {
		n--
	}
	e.Uint32(uint32(n))
	for i := range n {
		e.Uint32(b[i])
	}
}
