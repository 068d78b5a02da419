package xdr

import (
	"encoding/binary"
	"math"
)

// Encoder writes XDR values into memory of fixed size that the caller owns. It never grows that
// memory.
//
// The first error sticks: from then on the Encoder writes nothing, until Truncate or Reset. So a
// caller encodes a whole message and asks Err once. The bytes that were written before the error
// stay; the caller can truncate and replace them.
//
// The zero value has no room. An Encoder is for one goroutine at a time.
type Encoder struct {
	b    []byte // the room; b[:n] is written
	n    int
	full int // length of the room; len(b) is n after an error
	err  error
}

// Reset starts encoding into b[0:len(b)], which is borrowed until the next
// Reset.
func (e *Encoder) Reset(b []byte) {
	e.b = b
	e.n = 0
	e.full = len(b)
	e.err = nil
}

// Len returns how many bytes have been written.
func (e *Encoder) Len() int { return e.n }

// Free returns how many more bytes can be written. It is 0 after an error.
func (e *Encoder) Free() int { return len(e.b) - e.n }

// Bytes returns the bytes that have been written, a view of the memory given to Reset.
func (e *Encoder) Bytes() []byte { return e.b[:e.n] }

// Err returns the first error, ErrShort when the memory did not suffice.
func (e *Encoder) Err() error { return e.err }

// Fail makes err the Encoder's error, unless it has one already or err is nil. Encoders of whole
// types call it for values that the protocol cannot express.
func (e *Encoder) Fail(err error) {
	if err == nil || e.err != nil {
		return
	}
	e.err = err
	e.b = e.b[:e.n]
}

// Truncate goes back to the first n written bytes and clears the error. n must not be more than
// Len.
func (e *Encoder) Truncate(n int) {
	e.n = len(e.b[:e.n][:n])
	e.b = e.b[:e.full]
	e.err = nil
}

// SetUint32 overwrites four bytes that have been written already, at offset at.
func (e *Encoder) SetUint32(at int, v uint32) {
	binary.BigEndian.PutUint32(e.b[:e.n][at:], v)
}

// Uint32 writes an unsigned integer (RFC 4506, section 4.2).
func (e *Encoder) Uint32(v uint32) {
	if b := e.b[e.n:]; len(b) >= 4 {
		binary.BigEndian.PutUint32(b, v)
		e.n += 4
		return
	}
	e.Fail(ErrShort)
}

// Int32 writes an integer (section 4.1).
func (e *Encoder) Int32(v int32) { e.Uint32(uint32(v)) }

// Uint64 writes an unsigned hyper integer (section 4.5).
func (e *Encoder) Uint64(v uint64) {
	if b := e.b[e.n:]; len(b) >= 8 {
		binary.BigEndian.PutUint64(b, v)
		e.n += 8
		return
	}
	e.Fail(ErrShort)
}

// Int64 writes a hyper integer (section 4.5).
func (e *Encoder) Int64(v int64) { e.Uint64(uint64(v)) }

// Bool writes a boolean (section 4.4).
func (e *Encoder) Bool(v bool) { e.Uint32(Word(v)) }

// Word returns the word that stands for a boolean.
func Word(v bool) (n uint32) {
	if v {
		n = 1
	}
	return n
}

// Fixed writes b as fixed-length opaque data and pads it (section 4.9).
func (e *Encoder) Fixed(b []byte) {
	if dst := e.padded(len(b)); dst != nil {
		copy(dst, b)
	}
}

// Opaque writes b as variable-length opaque data: its length, its bytes and
// padding (section 4.10). It writes all of it or nothing.
func (e *Encoder) Opaque(b []byte) {
	// Write data that fits here, with no call but that of copy.
	if size, dst := 4+(len(b)+3)&^3, e.b[e.n:]; size <= len(dst) && uint64(len(b)) <= math.MaxUint32 {
		binary.BigEndian.PutUint32(dst[size-4:], 0) // the padding, or the place of the length
		binary.BigEndian.PutUint32(dst, uint32(len(b)))
		copy(dst[4:], b)
		e.n += size
		return
	}
	e.counted(len(b)) // sets the error
}

// String writes s like Opaque (section 4.11).
func (e *Encoder) String(s string) {
	if dst := e.counted(len(s)); dst != nil {
		copy(dst, s)
	}
}

// Reserve takes n bytes that the caller fills, without padding. It returns nil when there are not
// so many. It does not clear the memory.
func (e *Encoder) Reserve(n int) []byte {
	at := e.n
	if n < 0 || n > len(e.b)-at || e.err != nil {
		e.Fail(ErrShort)
		return nil
	}
	e.n = at + n
	return e.b[at:e.n:e.n]
}

// Pad writes the zero bytes, three at most, that follow n bytes of opaque data.
func (e *Encoder) Pad(n int) {
	clear(e.Reserve(-n & 3))
}

// counted writes the length n and takes n bytes, whose padding it clears. If there is no room it
// only sets the error.
func (e *Encoder) counted(n int) []byte {
	if uint64(n) > 1<<32-1 {
		e.Fail(ErrTooLong)
		return nil
	}
	if n > e.Free()-4-(-n&3) {
		e.Fail(ErrShort)
		return nil
	}
	e.Uint32(uint32(n))
	return e.padded(n)
}

// padded takes n bytes with their padding, which it clears, and returns the n.
func (e *Encoder) padded(n int) []byte {
	b := e.Reserve(n + -n&3)
	if b == nil {
		return nil
	}
	for i := n; i < len(b); i++ {
		b[i] = 0
	}
	return b[:n]
}
