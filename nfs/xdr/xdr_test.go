package xdr_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// value is one XDR value of a message that the tests make up.
type value struct {
	kind byte // one of "uihlbfos": see put and get
	n    uint64
	b    []byte
}

const kinds = "uihlbfos"

func put(e *xdr.Encoder, v value) {
	switch v.kind {
	case 'u':
		e.Uint32(uint32(v.n))
	case 'i':
		e.Int32(int32(v.n))
	case 'h':
		e.Uint64(v.n)
	case 'l':
		e.Int64(int64(v.n))
	case 'b':
		e.Bool(v.n&1 == 1)
	case 'f':
		e.Fixed(v.b)
	case 'o':
		e.Opaque(v.b)
	case 's':
		e.String(string(v.b))
	}
}

// get reads a value of v's kind, and with v's length for fixed opaques.
func get(d *xdr.Decoder, v value) value {
	got := value{kind: v.kind}
	switch v.kind {
	case 'u':
		got.n = uint64(d.Uint32())
	case 'i':
		got.n = uint64(uint32(d.Int32()))
	case 'h':
		got.n = d.Uint64()
	case 'l':
		got.n = uint64(d.Int64())
	case 'b':
		if d.Bool() {
			got.n = 1
		}
	case 'f':
		got.b = d.Fixed(len(v.b))
	case 'o', 's':
		got.b = d.Opaque(math.MaxUint32)
	}
	return got
}

// normal is what v reads back as.
func normal(v value) value {
	switch v.kind {
	case 'u', 'i':
		v.n = uint64(uint32(v.n))
	case 'b':
		v.n &= 1
	}
	if v.kind == 'f' || v.kind == 'o' || v.kind == 's' {
		v.n = 0
	} else {
		v.b = nil
	}
	return v
}

func encode(t require.TestingT, vs []value) []byte {
	var e xdr.Encoder
	e.Reset(make([]byte, 1<<16))
	for _, v := range vs {
		put(&e, v)
	}
	require.NoError(t, e.Err())
	require.Zero(t, e.Len()%4)
	return e.Bytes()
}

func equal(a, b value) bool {
	return a.kind == b.kind && a.n == b.n && bytes.Equal(a.b, b.b)
}

func sample() []value {
	return []value{
		{kind: 'u', n: 0xdeadbeef}, {kind: 'o', b: []byte("a")}, {kind: 'i', n: math.MaxUint32},
		{kind: 'h', n: 0x0102030405060708}, {kind: 'f', b: []byte("abcdef")}, {kind: 'b', n: 1},
		{kind: 'o', b: []byte{}}, {kind: 'l', n: 1 << 63}, {kind: 's', b: []byte("name")},
		{kind: 'f', b: []byte("1234")}, {kind: 'o', b: []byte("abc")},
	}
}

func drawValues(t *rapid.T) []value {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) value {
		return value{
			kind: kinds[rapid.IntRange(0, len(kinds)-1).Draw(t, "kind")],
			n:    rapid.Uint64().Draw(t, "n"),
			b:    rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "b"),
		}
	}), 0, 20).Draw(t, "values")
}

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

func TestValuesComeBackAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		vs := drawValues(t)
		b := encode(t, vs)
		var d xdr.Decoder
		d.Reset(b)
		for _, v := range vs {
			require.Equal(t, true, equal(normal(v), get(&d, v)), "%+v", v)
		}
		require.NoError(t, d.Err())
		require.Zero(t, d.Left())
	})
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
		// Compared at the end: views must not disturb each other.
		for i, v := range vs {
			require.Equal(t, true, equal(normal(v), got[i]), "%+v", v)
		}
		require.NoError(t, d.Err())
		require.Zero(t, d.Left())
	})
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

func TestProperPrefixesAreTooShort(t *testing.T) {
	vs := sample()
	b := encode(t, vs)
	for n := range len(b) {
		for _, cut := range []int{0, n / 2, n} {
			var d xdr.Decoder
			d.ResetSegments(b[:cut], [][]byte{b[cut:n]})
			for _, v := range vs {
				get(&d, v)
			}
			require.ErrorIs(t, d.Err(), xdr.ErrShort, "prefix of %d", n)
			require.Zero(t, d.Left())
		}
	}
}

func TestFirstErrorSticksAndZeroValuesFollow(t *testing.T) {
	var d xdr.Decoder
	d.ResetSegments([]byte{0, 0, 0, 2}, [][]byte{{0, 0, 0, 1, 0, 0, 0, 0}})
	require.False(t, d.Bool())
	require.ErrorIs(t, d.Err(), xdr.ErrValue)
	require.Zero(t, d.Uint32())
	require.Zero(t, d.Uint64())
	require.Nil(t, d.Opaque(100))
	require.Nil(t, d.Fixed(4))
	require.Nil(t, d.OpaqueSegments(8, nil))
	require.Zero(t, d.Count(9, 4))
	d.Skip(4)
	d.Fail(errors.New("later"))
	require.ErrorIs(t, d.Err(), xdr.ErrValue)
	d.Reset([]byte{0, 0, 0, 7})
	require.Equal(t, uint32(7), d.Uint32())
	require.NoError(t, d.Err())
}

func TestLengthsAreCheckedBeforeUse(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		max  uint32
		err  error
	}{
		{"above the bound", []byte{0, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0}, 4, xdr.ErrTooLong},
		{"beyond the record", []byte{0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8}, 100, xdr.ErrShort},
		{"padding beyond the record", []byte{0, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0}, 100, xdr.ErrShort},
		{"all ones", []byte{255, 255, 255, 255, 1, 2, 3, 4}, math.MaxUint32, xdr.ErrShort},
		{"all ones but padding", []byte{255, 255, 255, 253, 1, 2, 3, 4}, math.MaxUint32, xdr.ErrShort},
		{"sign bit", []byte{128, 0, 0, 0, 1, 2, 3, 4}, math.MaxUint32, xdr.ErrShort},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d xdr.Decoder
			d.Reset(c.in)
			require.Nil(t, d.Opaque(c.max))
			require.ErrorIs(t, d.Err(), c.err)
			d.Reset(c.in)
			require.Empty(t, d.OpaqueSegments(c.max, nil))
			require.ErrorIs(t, d.Err(), c.err)
			d.Reset(c.in)
			require.Zero(t, d.Count(c.max, 4))
			require.ErrorIs(t, d.Err(), c.err)
		})
	}
}

func TestNegativeAndHugeCountsFail(t *testing.T) {
	for _, n := range []int{-1, -4, math.MinInt, math.MinInt + 3} {
		var d xdr.Decoder
		d.Reset(make([]byte, 16))
		d.Uint32()
		require.Nil(t, d.Fixed(n))
		require.ErrorIs(t, d.Err(), xdr.ErrValue)
		d.Reset(make([]byte, 16))
		d.Skip(n)
		require.ErrorIs(t, d.Err(), xdr.ErrValue)
	}
	for _, n := range []int{17, math.MaxInt, math.MaxInt - 2} {
		var d xdr.Decoder
		d.Reset(make([]byte, 16))
		require.Nil(t, d.Fixed(n))
		require.ErrorIs(t, d.Err(), xdr.ErrShort)
		d.Reset(make([]byte, 16))
		d.Skip(n)
		require.ErrorIs(t, d.Err(), xdr.ErrShort)
	}
}

func TestPaddingOfAnyValueIsAccepted(t *testing.T) {
	var d xdr.Decoder
	d.Reset([]byte{0, 0, 0, 1, 'x', 1, 2, 3, 0, 0, 0, 9})
	require.Equal(t, []byte("x"), d.Opaque(1))
	require.Equal(t, uint32(9), d.Uint32())
	require.NoError(t, d.Err())
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

func TestEncoderStopsAtItsRoom(t *testing.T) {
	vs := sample()
	want := encode(t, vs)
	for room := range len(want) {
		buf := bytes.Repeat([]byte{0xaa}, len(want)+8)
		var e xdr.Encoder
		e.Reset(buf[:room])
		for _, v := range vs {
			put(&e, v)
		}
		require.ErrorIs(t, e.Err(), xdr.ErrShort)
		require.LessOrEqual(t, e.Len(), room)
		require.Zero(t, e.Free())
		require.Equal(t, want[:e.Len()], e.Bytes())
		require.Equal(t, bytes.Repeat([]byte{0xaa}, len(buf)-room), buf[room:])
	}
}

func TestTruncateClearsTheErrorAndGivesRoomBack(t *testing.T) {
	var e xdr.Encoder
	e.Reset(make([]byte, 12))
	e.Uint32(1)
	e.Opaque([]byte("too long a text"))
	require.ErrorIs(t, e.Err(), xdr.ErrShort)
	require.Equal(t, 4, e.Len(), "an opaque is written whole or not at all")
	e.Uint32(2)
	require.Equal(t, 4, e.Len(), "nothing is written after an error")
	require.Nil(t, e.Reserve(0))
	e.Truncate(0)
	require.NoError(t, e.Err())
	require.Equal(t, 12, e.Free())
	e.Uint64(3)
	e.Uint32(4)
	require.NoError(t, e.Err())
	e.SetUint32(8, 5)
	require.Equal(t, []byte{0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 5}, e.Bytes())
	require.Panics(t, func() { e.Truncate(13) })
	require.Panics(t, func() { e.SetUint32(9, 0) })
}

func TestReserveLeavesPaddingToTheCaller(t *testing.T) {
	buf := bytes.Repeat([]byte{0xaa}, 12)
	var e xdr.Encoder
	e.Reset(buf)
	e.Uint32(5)
	dst := e.Reserve(5)
	require.Equal(t, 5, cap(dst))
	copy(dst, "hello")
	e.Pad(5)
	require.Equal(t, []byte("\x00\x00\x00\x05hello\x00\x00\x00"), e.Bytes())
	require.Nil(t, e.Reserve(1))
	require.ErrorIs(t, e.Err(), xdr.ErrShort)
	e.Truncate(4)
	require.Nil(t, e.Reserve(-1))
}

func TestExtendUsesCapacityAgain(t *testing.T) {
	s := [][]int{{1}, {2}}
	s = xdr.Extend(s[:0])
	require.Equal(t, [][]int{{1}}, s)
	s = xdr.Extend(xdr.Extend(s))
	require.Equal(t, [][]int{{1}, {2}, nil}, s)
}

func TestNothingIsAllocated(t *testing.T) {
	vs := sample()
	b := encode(t, vs)
	buf := make([]byte, len(b))
	views := make([][]byte, 0, 8)
	rest := [][]byte{b[11:30], b[30:]}
	var d xdr.Decoder
	var e xdr.Encoder
	require.Zero(t, testing.AllocsPerRun(100, func() {
		d.Reset(b)
		for _, v := range vs {
			get(&d, v)
		}
		d.ResetSegments(b[:11], rest)
		for _, v := range vs {
			get(&d, v)
		}
		d.Reset(b[4:])
		views = d.OpaqueSegments(1, views[:0])
		e.Reset(buf)
		for _, v := range vs {
			if v.kind != 's' { // the test's own conversion
				put(&e, v)
			}
		}
	}))
	require.NoError(t, e.Err())
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

func BenchmarkDecoder(b *testing.B) {
	msg := encode(b, sample())
	var d xdr.Decoder
	var sum uint32
	b.ReportAllocs()
	for b.Loop() {
		d.Reset(msg)
		sum += d.Uint32() + uint32(len(d.Opaque(8))) + d.Uint32() + uint32(d.Uint64())
		sum += uint32(len(d.Fixed(6)))
	}
	_ = sum
}
