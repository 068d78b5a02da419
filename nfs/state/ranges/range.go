package ranges

import "math"

// Owner names who holds a lock. Any number is an owner; two locks are of the same owner if the
// numbers are equal.
type Owner uint64

// Kind says how bytes are locked. Greater kinds exclude more.
type Kind uint8

// The kinds. As the kind of a change, None unlocks.
const (
	None  Kind = iota
	Read       // shared: READ_LT and READW_LT (RFC 8881, section 18.10.1), F_RDLCK
	Write      // exclusive: WRITE_LT and WRITEW_LT, F_WRLCK
)

// String returns a short English name, for logs and test failures.
func (k Kind) String() string {
	switch k {
	case None:
		return "none"
	case Read:
		return "read"
	case Write:
		return "write"
	}
	return "unknown kind"
}

// Range is the bytes from Start to End, both included. Start is not greater than End.
type Range struct{ Start, End uint64 }

// All is the range of all bytes.
var All = Range{0, math.MaxUint64}

// ToEnd is the length on the wire of a range that ends with the last byte of all
// (NFS4_UINT64_MAX; RFC 8881, section 18.10.3).
const ToEnd uint64 = math.MaxUint64

// kernelEnd is the last byte that the kernel can lock: the greatest off_t.
const kernelEnd uint64 = math.MaxInt64

// Parse returns the range that a call names by its offset and its length in bytes. It reports
// false where the answer is NFS4ERR_INVAL: the length is 0, or it is not [ToEnd] and its sum
// with the offset does not fit 64 bits (RFC 8881, section 18.10.3; RFC 7530, section 16.10.4).
// Only a range of length ToEnd can have the last byte of all.
func Parse(offset, length uint64) (Range, bool) {
	switch {
	case length == ToEnd:
		return Range{offset, math.MaxUint64}, true
	case length == 0 || length > math.MaxUint64-offset:
		return Range{}, false
	}
	return Range{offset, offset + length - 1}, true
}

// Wire returns the offset and the length by which a reply names the range, in LOCK4denied for
// instance. All bytes but the last one of all, which an unlock can leave, have no length of
// their own on the wire: it is that of All.
func (r Range) Wire() (offset, length uint64) {
	if r.End == math.MaxUint64 {
		return r.Start, ToEnd
	}
	return r.Start, r.End - r.Start + 1
}

// Kernel returns the part of the range that the kernel can lock, as l_start and l_len of a
// struct flock with SEEK_SET. A length of 0 means to the end. It reports false if the kernel
// can lock none of it: its last byte is that at 2^63-1, and it refuses more with EOVERFLOW.
func (r Range) Kernel() (start, length int64, ok bool) {
	if r.Start > kernelEnd {
		return 0, 0, false
	}
	if r.End >= kernelEnd {
		return int64(r.Start), 0, true
	}
	return int64(r.Start), int64(r.End - r.Start + 1), true
}

// FromKernel returns the range of a struct flock that the kernel has filled in: l_start and
// l_len, neither of them negative. What goes to the kernel's end goes to ours.
func FromKernel(start, length int64) Range {
	if length == 0 {
		return Range{uint64(start), math.MaxUint64}
	}
	return Range{uint64(start), uint64(start) + uint64(length) - 1}
}

// Overlaps reports whether the two ranges have a byte in common.
func (r Range) Overlaps(o Range) bool { return r.Start <= o.End && o.Start <= r.End }

// within returns the part of the range that is also in o, and whether there is one.
func (r Range) within(o Range) (Range, bool) {
	return Range{max(r.Start, o.Start), min(r.End, o.End)}, r.Overlaps(o)
}

// near returns the range with the byte before it and the byte behind it, where there are such.
func (r Range) near() Range {
	if r.Start > 0 {
		r.Start--
	}
	if r.End < math.MaxUint64 {
		r.End++
	}
	return r
}

// hull is the smallest range that has all those that were added to it.
type hull struct {
	Range
	some bool // a range was added
}

func (h *hull) add(r Range) {
	if h.some {
		r = Range{min(h.Start, r.Start), max(h.End, r.End)}
	}
	h.Range, h.some = r, true
}
