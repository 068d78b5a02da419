package xdrtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// Message is what can be encoded and decoded. Decode borrows from the record.
type Message interface {
	Encode(e *xdr.Encoder)
	Decode(d *xdr.Decoder)
}

// rounds is how many random messages of a type Check tries.
const rounds = 60

// Check tests the codec of one type. make returns a new zero message. The name of a failed test has
// the seed of its random messages.
func Check(t *testing.T, make func() Message) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	dirty := make()
	for range rounds {
		m := make()
		Fill(r, m)
		b := Encode(t, m)
		if err := check(r, b, make, dirty); err != nil {
			t.Fatalf("seed %d: %+v\n% x: %v", seed, m, b, err)
		}
	}
}

// Encode returns m's bytes.
func Encode(t testing.TB, m Message) []byte {
	t.Helper()
	for room := 1 << 12; ; room <<= 4 {
		b, err := encoded(m, used(room, 0xaa))
		if err == nil {
			return b
		}
		if err != xdr.ErrShort || room >= 1<<20 {
			t.Fatalf("%+v: %v", m, err)
		}
	}
}

// Decode reads m from b, all of it. A nil m has no bytes.
func Decode(t testing.TB, b []byte, m Message) {
	t.Helper()
	var d xdr.Decoder
	d.Reset(b)
	if m != nil {
		m.Decode(&d)
	}
	if d.Err() != nil || d.Left() != 0 {
		t.Fatalf("%+v: %v, and %d bytes are left", m, d.Err(), d.Left())
	}
}

func check(r *rand.Rand, b []byte, make func() Message, dirty Message) error {
	if err := same(b, make, dirty, r.IntN(len(b)+1), true); err != nil {
		return err
	}
	for n := range len(b) {
		var d xdr.Decoder
		d.Reset(b[:n:n])
		if make().Decode(&d); d.Err() != xdr.ErrShort {
			return errors.New("a proper prefix is not too short")
		}
	}
	for range 8 {
		noisy := bytes.Clone(b)
		for range min(len(b), 1+r.IntN(3)) {
			noisy[r.IntN(len(b))] = byte(r.Uint32())
		}
		if err := same(noisy, make, dirty, r.IntN(len(b)+1), false); err != nil {
			return err
		}
	}
	return lies(r, b, make)
}

// same decodes b in one piece and cut in two, into a new message and into a used one, and compares
// the results by encoding them. With strict the results must also equal b.
func same(b []byte, make func() Message, dirty Message, cut int, strict bool) error {
	var whole, parts xdr.Decoder
	whole.Reset(b)
	fresh := make()
	fresh.Decode(&whole)
	parts.ResetSegments(b[:cut:cut], [][]byte{nil, b[cut:]})
	dirty.Decode(&parts)
	switch {
	case whole.Err() != parts.Err():
		return errors.New("segments do not read like one piece")
	case strict && (whole.Err() != nil || whole.Left() != 0):
		return errors.New("it is not read to its end")
	case whole.Err() != nil:
		return nil
	case whole.Left() != parts.Left():
		return errors.New("segments leave another rest")
	}
	read := len(b) - whole.Left()
	x, err := encoded(fresh, used(len(b), 0x55))
	if err != nil {
		return err
	}
	y, err := encoded(dirty, used(len(b), 0x55))
	switch {
	case err != nil:
		return err
	case !bytes.Equal(x, y):
		return errors.New("a message that was used before reads otherwise than a new one")
	case len(x) > read, len(x) < read && read <= keptLeast:
		return errors.New("what was decoded has another length")
	case strict && !bytes.Equal(x, b):
		return errors.New("it does not come back")
	}
	return nil
}

// used returns memory that is full of was, so that bytes which an encoder leaves out show.
func used(n int, was byte) []byte { return bytes.Repeat([]byte{was}, n) }

// keptLeast is how many bytes of a long string a decoder keeps at least. A longer string need not
// come back whole.
const keptLeast = 250

func encoded(m Message, room []byte) ([]byte, error) {
	var e xdr.Encoder
	e.Reset(room)
	m.Encode(&e)
	return e.Bytes(), e.Err()
}

// lies replaces each word of b in turn with the largest number, and measures how much the decoder
// then allocates.
func lies(r *rand.Rand, b []byte, make func() Message) error {
	if len(b) == 0 || r.IntN(8) > 0 {
		return nil
	}
	// Go's structures are wider than their encoding, but by less than this factor.
	limit := uint64(1<<13 + 64*len(b))
	var before, after runtime.MemStats
	for at := 0; at+4 <= len(b); at += 4 {
		lie := bytes.Clone(b)
		binary.BigEndian.PutUint32(lie[at:], 1<<32-1)
		m := make()
		var d xdr.Decoder
		d.Reset(lie)
		runtime.ReadMemStats(&before)
		m.Decode(&d)
		runtime.ReadMemStats(&after)
		if after.TotalAlloc-before.TotalAlloc > limit {
			return errors.New("a false length makes it allocate")
		}
	}
	return nil
}
