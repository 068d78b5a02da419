package xdr

import (
	"encoding/binary"
	"math"
)

// Decoder reads XDR values from a record that lies in one or more segments of memory. It borrows
// the segments until the next Reset. Byte slices that it returns are views of them and live as
// long.
//
// The first error sticks: from then on every read returns the zero value and leaves nothing to
// read. So a caller decodes a whole message and asks Err once.
//
// The zero value is an empty record. A Decoder may be copied by assignment, to come back to the
// same place later. The copy reads on independently. A view that crosses a segment boundary is
// overwritten when the other of the two reads such a view. A Decoder is for one goroutine at a
// time.
type Decoder struct {
	b    []byte   // the unread part of the current segment
	rest [][]byte // the segments after b
	more int      // bytes in rest
	err  error
	// scratch is the memory for opaques that cross a boundary. Between two Resets it only
	// grows, so that all views of one message stay apart.
	scratch []byte
}

// Reset starts reading b, which is borrowed until the next Reset.
func (d *Decoder) Reset(b []byte) {
	d.b = b
	d.rest = nil
	d.more = 0
	d.err = nil
	d.scratch = d.scratch[:0]
}

// ResetSegments starts reading the record that is first followed by rest. Both
// are borrowed until the next Reset; segments may be empty and of any length.
func (d *Decoder) ResetSegments(first []byte, rest [][]byte) {
	d.Reset(first)
	d.rest = rest
	for _, s := range rest {
		d.more += len(s)
	}
}

// Move makes the Decoder read on in record, which ends with a copy of the unread bytes and is
// borrowed until the next Reset. Views that were returned before still point into the old memory.
func (d *Decoder) Move(record []byte) {
	d.b = record[len(record)-d.Left():]
	d.rest = nil
	d.more = 0
}

// Left returns how many bytes have not been read. It is 0 after an error.
func (d *Decoder) Left() int { return len(d.b) + d.more }

// Err returns the first error, or nil.
func (d *Decoder) Err() error { return d.err }

// Fail makes err the Decoder's error, unless it has one already or err is nil. Decoders of whole
// types call it for values that the Decoder cannot judge.
func (d *Decoder) Fail(err error) {
	if err == nil || d.err != nil {
		return
	}
	d.err = err
	d.b = nil
	d.rest = nil
	d.more = 0
}

// Uint32 reads an unsigned integer (RFC 4506, section 4.2).
func (d *Decoder) Uint32() (v uint32) {
	// Written in this way the compiler inlines it; in many other ways it does not.
	if len(d.b) < 4 {
		return d.slow32()
	}
	v, d.b = binary.BigEndian.Uint32(d.b), d.b[4:]
	return
}

// Int32 reads an integer (section 4.1).
func (d *Decoder) Int32() int32 { return int32(d.Uint32()) }

// Uint64 reads an unsigned hyper integer (section 4.5).
func (d *Decoder) Uint64() (v uint64) {
	if len(d.b) < 8 {
		return d.slow64()
	}
	v, d.b = binary.BigEndian.Uint64(d.b), d.b[8:]
	return
}

// Int64 reads a hyper integer (section 4.5).
func (d *Decoder) Int64() int64 { return int64(d.Uint64()) }

// Bool reads a boolean (section 4.4). Only 0 and 1 are legal.
func (d *Decoder) Bool() bool { return d.Truth(d.Uint32()) }

// Truth returns the boolean that the word v of a [Decoder.Run] stands for. Only 0 and 1 are legal.
func (d *Decoder) Truth(v uint32) bool {
	if v > 1 {
		d.Fail(ErrValue)
	}
	return v == 1
}

// RunMax is the most bytes that [Decoder.Run] reads.
const RunMax = 256

// zeros is what Run returns after an error. Nobody writes to it.
var zeros [RunMax]byte

// Run reads n bytes, at most RunMax, without padding: fields of fixed size that follow one another,
// which the caller takes apart. The result is a view that is valid until the next read, and nobody
// may write to it. After an error it is n zero bytes.
func (d *Decoder) Run(n int) (b []byte) {
	if len(d.b) < n {
		return d.slowRun(n)
	}
	b, d.b = d.b[:n], d.b[n:]
	return
}

// Ahead returns the next n bytes without reading them, or nil if there are not so many or they do
// not lie in one piece. The result is a view that is valid until the next read.
func (d *Decoder) Ahead(n int) []byte {
	if len(d.b) < n {
		return nil
	}
	return d.b[:n]
}

// Fixed reads n bytes of fixed-length opaque data and the padding after them
// (section 4.9). The result is a view. Padding of any value is accepted.
func (d *Decoder) Fixed(n int) []byte {
	b := d.b
	if uint(n) <= uint(len(b)) { // also false for a negative n
		if padded := (n + 3) &^ 3; padded <= len(b) {
			d.b = b[padded:]
			return b[:n:n]
		}
	}
	return d.slowFixed(n)
}

// Opaque reads variable-length opaque data or a string of at most max bytes (sections 4.10 and
// 4.11). It first checks the length against max and against the number of unread bytes. The result
// is a view.
func (d *Decoder) Opaque(max uint32) []byte {
	// Most lie in one segment with all that belongs to them.
	if b := d.b; len(b) >= 4 {
		n := binary.BigEndian.Uint32(b)
		if end := 4 + (uint64(n)+3)&^3; n <= max && end <= uint64(len(b)) {
			d.b = b[end:]
			return b[4 : 4+n : 4+n]
		}
	}
	n, ok := d.length(max)
	if !ok {
		return nil
	}
	return d.Fixed(n)
}

// Clipped reads like Opaque, but takes a value of any length. Of a value longer than keep bytes it
// returns the first keep+1, so that the length of the result tells, and skips the others. So it
// does not put together a long value that lies in several segments.
func (d *Decoder) Clipped(keep uint32) []byte {
	n, ok := d.length(math.MaxUint32)
	if !ok {
		return nil
	}
	if uint64(n) <= uint64(keep) {
		return d.Fixed(n)
	}
	kept := int(keep) + 1
	v := d.bytes(kept)
	d.Skip((n+3)&^3 - kept)
	return v
}

// OpaqueSegments reads like Opaque but never copies: for each segment that the data lies in it
// appends one view to dst, and returns dst. After an error dst is unchanged.
func (d *Decoder) OpaqueSegments(max uint32, dst [][]byte) [][]byte {
	n, ok := d.length(max)
	if !ok {
		return dst
	}
	pad := -n & 3
	for n > 0 {
		if len(d.b) == 0 {
			d.next()
			continue
		}
		m := min(n, len(d.b))
		dst = append(dst, d.b[:m:m])
		d.b = d.b[m:]
		n -= m
	}
	d.Skip(pad)
	return dst
}

// Skip skips n bytes. The caller must count padding.
func (d *Decoder) Skip(n int) {
	if n < 0 {
		d.Fail(ErrValue)
		return
	}
	if n > d.Left() {
		d.Fail(ErrShort)
		return
	}
	for n > len(d.b) {
		n -= len(d.b)
		d.next()
	}
	d.b = d.b[n:]
}

// Count reads the number of elements of a variable-length array of at most max elements (section
// 4.13). It checks that the record can hold so many elements of at least size bytes each, so the
// caller can reserve memory for them. After an error it returns 0.
func (d *Decoder) Count(max uint32, size int) int {
	n := d.Uint32()
	if n > max {
		d.Fail(ErrTooLong)
		return 0
	}
	if uint64(n)*uint64(size) > uint64(d.Left()) {
		d.Fail(ErrShort)
		return 0
	}
	return int(n)
}

// More reads the flag that says whether a linked list goes on (RFC 4506, section 4.19). If it does,
// More checks that the record can hold an element of at least size bytes with the flag after it.
// After an error it returns false.
func (d *Decoder) More(size int) bool {
	if !d.Bool() {
		return false
	}
	if d.Left() < size {
		d.Fail(ErrShort)
		return false
	}
	return true
}

// Extend returns s with one more element: the one that s has behind its end, in its capacity, if
// any. Decoding into that element uses its slices again.
func Extend[T any](s []T) []T {
	if n := len(s); n < cap(s) {
		return s[:n+1]
	}
	var zero T
	return append(s, zero)
}

// length reads and checks the length of an opaque.
func (d *Decoder) length(max uint32) (int, bool) {
	n := d.Uint32()
	if n > max {
		d.Fail(ErrTooLong)
		return 0, false
	}
	// Compute in 64 bits, because padding may carry a length near 2^32 over the limit.
	if (uint64(n)+3)&^3 > uint64(d.Left()) {
		d.Fail(ErrShort)
		return 0, false
	}
	return int(n), d.err == nil
}

// next goes to the next segment, which must exist.
func (d *Decoder) next() {
	d.b = d.rest[0]
	d.rest = d.rest[1:]
	d.more -= len(d.b)
}

// gather copies the next len(dst) bytes, which must exist, across segments.
func (d *Decoder) gather(dst []byte) {
	for {
		n := copy(dst, d.b)
		d.b = d.b[n:]
		dst = dst[n:]
		if len(dst) == 0 {
			return
		}
		d.next()
	}
}

func (d *Decoder) slow32() uint32 {
	if d.Left() < 4 {
		d.Fail(ErrShort)
		return 0
	}
	var b [4]byte
	d.gather(b[:])
	return binary.BigEndian.Uint32(b[:])
}

func (d *Decoder) slow64() uint64 {
	if d.Left() < 8 {
		d.Fail(ErrShort)
		return 0
	}
	var b [8]byte
	d.gather(b[:])
	return binary.BigEndian.Uint64(b[:])
}

func (d *Decoder) slowFixed(n int) []byte {
	if n < 0 {
		d.Fail(ErrValue)
		return nil
	}
	if left := d.Left(); n > left || -n&3 > left-n {
		d.Fail(ErrShort)
		return nil
	}
	v := d.bytes(n)
	d.Skip(-n & 3)
	return v
}

// bytes takes the next n bytes, which must exist, without padding.
func (d *Decoder) bytes(n int) (v []byte) {
	for len(d.b) == 0 && len(d.rest) > 0 {
		d.next()
	}
	if n <= len(d.b) {
		v = d.b[:n:n]
		d.b = d.b[n:]
		return v
	}
	v = d.room(n)
	d.gather(v)
	return v
}

func (d *Decoder) slowRun(n int) []byte {
	if d.Left() < n {
		d.Fail(ErrShort)
		return zeros[:n]
	}
	used := len(d.scratch)
	v := d.bytes(n)
	if len(d.scratch) > used {
		d.scratch = d.scratch[:len(d.scratch)-n] // no view keeps it
	}
	return v
}

// scratchMin is the least scratch memory in bytes: enough for the handles and names of any NFSv3
// call, so that most Decoders allocate once.
const scratchMin = 1024

// room takes n bytes of scratch. Growing leaves earlier views where they are.
func (d *Decoder) room(n int) []byte {
	at := len(d.scratch)
	if n > cap(d.scratch)-at {
		d.scratch = make([]byte, 0, max(n, 2*cap(d.scratch), scratchMin))
		at = 0
	}
	d.scratch = d.scratch[:at+n]
	return d.scratch[at : at+n : at+n]
}
