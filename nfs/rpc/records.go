package rpc

import "encoding/binary"

// EmptyMax is a good limit for the empty fragments of one record. Clients send a record in one
// fragment, or in a few of their buffer size, and some end it with an empty one. Fragments that are
// not empty are bounded by the bytes in them.
const EmptyMax = 1024

// MarkLen is the length in bytes of a fragment's header (RFC 5531, section 11).
const MarkLen = 4

// lastFragment is the bit that says that the record ends with this fragment.
const lastFragment = 1 << 31

// Mark returns, in host order, the fragment header of a record that is sent as one fragment of n
// bytes. n is at most 2^31-1.
func Mark(n int) uint32 { return lastFragment | uint32(n) }

// Records takes the record marking (RFC 5531, section 11) off one direction of one byte stream. It
// is a push parser without memory of its own: bytes go in as they arrive, views of the records'
// bodies come out. It copies nothing and keeps nothing. Init must be called before use. It is for
// one goroutine at a time.
type Records struct {
	sizeMax  int
	emptyMax int

	err   error
	size  int    // bytes of the present record that have been handed out
	left  int    // bytes of the present fragment that are still to come
	empty int    // empty fragments of the present record
	mark  uint32 // the bytes of an incomplete fragment header
	have  uint8  // how many bytes are in mark
	last  bool   // the present fragment is the record's last
	done  bool   // the record that size belongs to is complete
}

// Init makes r ready for a new stream. Next will refuse a record of more than sizeMax bytes, or
// with more than emptyMax empty fragments.
func (r *Records) Init(sizeMax, emptyMax int) {
	*r = Records{sizeMax: sizeMax, emptyMax: emptyMax}
}

// Next consumes the beginning of chunk, at most up to the end of one fragment, and returns what it
// found: seg, the next bytes of the present record; rest, the part of chunk that it has not looked
// at; and complete, whether seg ends the record. The views borrow chunk. The caller repeats until
// rest is empty:
//
//	for len(chunk) > 0 {
//		seg, rest, complete, err := r.Next(chunk)
//		...
//		chunk = rest
//	}
//
// seg may be empty: when chunk ends within a fragment header, and when a record ends with an empty
// fragment. A record of no bytes at all completes with Size 0.
//
// The error is [ErrTooBig] or [ErrFragments]. Next returns it as soon as a fragment header
// announces too much, and accepts nothing of that fragment. The error sticks: the stream cannot be
// followed any more and must be closed.
func (r *Records) Next(chunk []byte) (seg, rest []byte, complete bool, err error) {
	if r.err != nil {
		return nil, nil, false, r.err
	}
	if r.done && len(chunk) > 0 {
		r.done, r.size, r.empty = false, 0, 0
	}
	for r.left == 0 {
		var announced bool
		if chunk, announced = r.header(chunk); !announced {
			return nil, nil, false, r.err
		}
		if r.left == 0 && r.last {
			r.done = true
			return nil, chunk, true, nil
		}
	}
	n := min(r.left, len(chunk))
	seg, rest = chunk[:n:n], chunk[n:]
	r.left -= n
	r.size += n
	r.done = r.left == 0 && r.last
	return seg, rest, r.done, nil
}

// header consumes the bytes of a fragment header from chunk. It reports whether
// the header is complete and acceptable.
func (r *Records) header(chunk []byte) (rest []byte, announced bool) {
	if r.have == 0 && len(chunk) >= MarkLen {
		r.mark = binary.BigEndian.Uint32(chunk)
		chunk = chunk[MarkLen:]
	} else {
		for r.have < MarkLen {
			if len(chunk) == 0 {
				return nil, false
			}
			r.mark = r.mark<<8 | uint32(chunk[0])
			r.have++
			chunk = chunk[1:]
		}
		r.have = 0
	}
	n := int64(r.mark &^ lastFragment)
	r.last = r.mark&lastFragment != 0
	if n == 0 {
		r.empty++
	}
	switch {
	case n > int64(r.sizeMax)-int64(r.size):
		r.err = ErrTooBig
	case r.empty > r.emptyMax:
		r.err = ErrFragments
	default:
		r.left = int(n)
		return chunk, true
	}
	return nil, false
}

// Size returns how many bytes of the present record have been handed out. After a record's end it
// returns that record's size, until Next sees the first byte of another record.
func (r *Records) Size() int { return r.size }

// Pending returns how many bytes of the present fragment are still to come. A receive of at most so
// many bytes gets nothing else.
func (r *Records) Pending() int { return r.left }

// Between reports whether the stream stands between two records. A peer that closes it there has
// lost nothing.
func (r *Records) Between() bool {
	begun := r.size > 0 || r.left > 0 || r.empty > 0
	return r.err == nil && r.have == 0 && (r.done || !begun)
}
