package xdr_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// split cuts b at the given places, which may repeat.
func split(b []byte, cuts ...int) [][]byte {
	slices.Sort(cuts)
	var segs [][]byte
	from := 0
	for _, c := range cuts {
		segs = append(segs, b[from:c:c])
		from = c
	}
	return append(segs, b[from:])
}

func TestSegmentsReadLikeOnePiece(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		vs := drawValues(t)
		b := encode(t, vs)
		cuts := rapid.SliceOfN(rapid.IntRange(0, len(b)), 0, 8).Draw(t, "cuts")
		segs := split(b, cuts...)
		var d xdr.Decoder
		d.ResetSegments(segs[0], segs[1:])
		left := len(b)
		got := make([]value, len(vs))
		for i, v := range vs {
			require.Equal(t, left, d.Left())
			got[i] = get(&d, v)
			left = d.Left()
		}
		// The views are compared at the end, because they must not disturb each other.
		for i, v := range vs {
			require.Equal(t, true, equal(normal(v), got[i]), "%+v", v)
		}
		require.NoError(t, d.Err())
		require.Zero(t, d.Left())
	})
}

func TestADecoderReadsOnInACopy(t *testing.T) {
	vs := sample()
	b := encode(t, vs)
	for i := range len(b) + 1 {
		for n := range vs {
			segs := split(slices.Clone(b), i)
			var d xdr.Decoder
			d.ResetSegments(segs[0], segs[1:])
			var got []value
			for _, v := range vs[:n] {
				got = append(got, get(&d, v))
			}
			left := d.Left()
			d.Move(append([]byte("before"), b...))
			require.Equal(t, left, d.Left())
			for _, s := range segs {
				clear(s)
			}
			got = got[:0]
			for _, v := range vs[n:] {
				got = append(got, get(&d, v))
			}
			for k, v := range vs[n:] {
				require.True(t, equal(normal(v), got[k]), "split at %d, moved before %d: %+v", i, n, v)
			}
			require.NoError(t, d.Err())
		}
	}
	var d xdr.Decoder
	d.Reset(b)
	d.Fail(xdr.ErrShort)
	d.Move(b)
	require.Zero(t, d.Left())
	require.ErrorIs(t, d.Err(), xdr.ErrShort)
}

func TestEverySplitReadsLikeOnePiece(t *testing.T) {
	vs := sample()
	b := encode(t, vs)
	for i := range len(b) + 1 {
		for j := i; j <= len(b); j++ {
			segs := split(b, i, j)
			var d xdr.Decoder
			d.ResetSegments(segs[0], segs[1:])
			var got []value
			for _, v := range vs {
				got = append(got, get(&d, v))
			}
			for k, v := range vs {
				require.True(t, equal(normal(v), got[k]), "split at %d and %d: %+v", i, j, v)
			}
			require.NoError(t, d.Err())
		}
	}
}

func TestOpaqueSegmentsAreViewsOfTheRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "data")
		b := encode(t, []value{{kind: 'o', b: data}, {kind: 'u', n: 7}})
		segs := split(b, rapid.SliceOfN(rapid.IntRange(0, len(b)), 0, 8).Draw(t, "cuts")...)
		var d xdr.Decoder
		d.ResetSegments(segs[0], segs[1:])
		views := d.OpaqueSegments(60, nil)
		require.Equal(t, uint32(7), d.Uint32())
		require.NoError(t, d.Err())
		for i := range b {
			b[i] ^= 0xff // a copy would not see this
		}
		got := slices.Concat(views...)
		for i := range got {
			got[i] ^= 0xff
			require.Equal(t, data[i], got[i])
		}
		require.Len(t, got, len(data))
		for _, v := range views {
			require.NotEmpty(t, v)
			require.Equal(t, len(v), cap(v))
		}
	})
}

func TestViewsCannotReachTheirNeighbours(t *testing.T) {
	b := encode(t, sample())
	for cut := range len(b) + 1 {
		var d xdr.Decoder
		d.ResetSegments(b[:cut], [][]byte{b[cut:]})
		for _, v := range sample() {
			got := get(&d, v)
			require.Equal(t, len(got.b), cap(got.b))
		}
	}
}

func TestCopyReadsOnFromWhereItWasMade(t *testing.T) {
	vs := sample()
	b := encode(t, vs)
	for cut := range len(b) + 1 {
		var d xdr.Decoder
		d.ResetSegments(b[:cut], [][]byte{b[cut:]})
		get(&d, vs[0])
		saved := d
		for range 3 {
			d = saved
			for _, v := range vs[1:] {
				require.True(t, equal(normal(v), get(&d, v)))
			}
			require.NoError(t, d.Err())
		}
	}
}

// FuzzDecoder reads noise by a program made of noise, in one piece and in
// segments: both must see the same values, errors and ends.
func FuzzDecoder(f *testing.F) {
	f.Add(encode(f, sample()), []byte("uoihfbolsfo"), uint16(5), uint16(17))
	f.Add([]byte{255, 255, 255, 255}, []byte("o"), uint16(1), uint16(3))
	f.Add([]byte{0, 0, 0, 3, 1, 2, 3}, []byte("so"), uint16(4), uint16(6))
	f.Fuzz(func(t *testing.T, b, program []byte, c1, c2 uint16) {
		segs := split(b, int(c1)%(len(b)+1), int(c2)%(len(b)+1))
		var whole, parts xdr.Decoder
		whole.Reset(b)
		parts.ResetSegments(segs[0], segs[1:])
		for _, p := range program {
			v := value{kind: kinds[int(p)%len(kinds)], b: make([]byte, p>>4)}
			if x, y := get(&whole, v), get(&parts, v); !equal(x, y) {
				t.Fatalf("%c: %+v in one piece, %+v in segments", v.kind, x, y)
			}
			if whole.Err() != parts.Err() || whole.Left() != parts.Left() {
				t.Fatalf("%c: %v, %d left in one piece; %v, %d left in segments",
					v.kind, whole.Err(), whole.Left(), parts.Err(), parts.Left())
			}
		}
	})
}
