package xdrtest

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// message is a codec made of two functions, for a number and some bytes.
type message struct {
	N    uint32
	B    []byte
	enc  func(m *message, e *xdr.Encoder)
	dec  func(m *message, d *xdr.Decoder)
	junk []byte
}

func (m *message) Encode(e *xdr.Encoder) { m.enc(m, e) }
func (m *message) Decode(d *xdr.Decoder) { m.dec(m, d) }

func TestBrokenCodecsAreFound(t *testing.T) {
	enc := func(m *message, e *xdr.Encoder) { e.Uint32(m.N); e.Opaque(m.B) }
	dec := func(m *message, d *xdr.Decoder) { m.N = d.Uint32(); m.B = d.Opaque(64) }
	for _, c := range []struct {
		name, want string
		dec        func(m *message, d *xdr.Decoder)
	}{
		{"nothing is wrong", "", dec},
		{"order", "does not come back", func(m *message, d *xdr.Decoder) { m.N = d.Uint32() + 1; m.B = d.Opaque(64) }},
		{"rest", "not read to its end", func(m *message, d *xdr.Decoder) { m.N = d.Uint32() }},
		{"no view of the end", "a proper prefix is not too short", func(m *message, d *xdr.Decoder) {
			if d.Left() >= 8 {
				dec(m, d)
			}
		}},
		{"stale", "reads otherwise than a new one", func(m *message, d *xdr.Decoder) {
			n := d.Uint32()
			if m.N == 0 {
				m.N = n
			}
			m.B = d.Opaque(64)
		}},
		{"trust", "a false length makes it allocate", func(m *message, d *xdr.Decoder) {
			peek := *d
			peek.Uint32()
			m.junk = make([]byte, peek.Uint32()>>8)
			dec(m, d)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			make := func() Message { return &message{enc: enc, dec: c.dec} }
			r := rand.New(rand.NewPCG(1, 1))
			dirty := make()
			var err error
			for range 100 {
				b := []byte{1, 2, byte(r.Uint32()), 4, 0, 0, 0, 2, 'x', byte(r.Uint32()), 0, 0}
				if err = check(r, b, make, dirty); err != nil {
					break
				}
			}
			if c.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.want)
			}
		})
	}
}

func TestFillMakesOnlyWhatCanBeEncoded(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var v struct {
		A uint32
		B []byte
		C [3]int64
		D *bool
		E float32
	}
	seen := map[bool]int{}
	for range 100 {
		Fill(r, &v)
		require.LessOrEqual(t, len(v.B), bytesMax)
		seen[v.D != nil]++
	}
	require.Len(t, seen, 2)
	require.Panics(t, func() { Fill(r, &struct{ A map[int]int }{}) })
}

// narrow is a union of two cases with a list of at most one element.
type narrow struct {
	Tag  uint32
	List []uint32
}

func (v *narrow) Encode(e *xdr.Encoder) {
	if v.Tag != 1 && v.Tag != 6 {
		e.Fail(xdr.ErrValue)
	}
	if len(v.List) > 1 {
		e.Fail(xdr.ErrTooLong)
	}
}

func (v *narrow) Decode(*xdr.Decoder) {}

// never is nothing that can be encoded.
type never struct{ narrow }

func (v *never) Encode(e *xdr.Encoder) { e.Fail(xdr.ErrValue) }

func TestFillKeepsToBoundsAndCases(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	seen := map[[2]int]int{}
	for range 100 {
		var v struct{ Many []narrow }
		Fill(r, &v)
		for _, n := range v.Many {
			seen[[2]int{int(n.Tag), len(n.List)}]++
		}
	}
	require.Len(t, seen, 4)
	require.Panics(t, func() { Fill(r, new(never)) })
}
