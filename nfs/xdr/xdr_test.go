package xdr_test

import (
	"bytes"
	"math"
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
