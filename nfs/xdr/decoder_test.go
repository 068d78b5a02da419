package xdr_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/xdr"
)

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

func TestARunReadsLikeItsParts(t *testing.T) {
	b := []byte("0123456789abcdefghij")
	for cut := range len(b) + 1 {
		for n := 0; n <= len(b); n += 4 {
			var d xdr.Decoder
			d.ResetSegments(b[:cut], [][]byte{nil, b[cut:]})
			require.Equal(t, b[:n], d.Run(n))
			require.Equal(t, len(b)-n, d.Left())
			require.Equal(t, string(b[n:]), string(d.Run(len(b)-n)))
			require.NoError(t, d.Err())
			require.Equal(t, make([]byte, 8), d.Run(8), "zeros after the end")
			require.ErrorIs(t, d.Err(), xdr.ErrShort)
		}
	}
}

func TestARunTakesNoMemoryForLong(t *testing.T) {
	b := make([]byte, 1<<20)
	var segs [][]byte
	for at := 2; at < len(b); at += 4 {
		segs = append(segs, b[at:min(at+4, len(b))])
	}
	allocs := testing.AllocsPerRun(3, func() {
		var d xdr.Decoder
		d.ResetSegments(b[:2], segs)
		for d.Left() > 0 {
			d.Run(16)
		}
	})
	require.LessOrEqual(t, allocs, 1.0)
}

func TestOfALongOpaqueTheBeginningIsKept(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 9, 10, 11, 12, 13, 1 << 16} {
		var e xdr.Encoder
		e.Reset(make([]byte, n+16))
		e.Opaque(bytes.Repeat([]byte("x"), n))
		e.Uint32(77)
		for _, cut := range []int{0, 2, 4, 9, 13, e.Len()} {
			cut = min(cut, e.Len())
			var d xdr.Decoder
			d.ResetSegments(e.Bytes()[:cut], [][]byte{e.Bytes()[cut:]})
			require.Equal(t, strings.Repeat("x", min(n, 9)), string(d.Clipped(8)))
			require.EqualValues(t, 77, d.Uint32())
			require.NoError(t, d.Err())
		}
		var d xdr.Decoder
		d.Reset(e.Bytes()[:e.Len()-4-1])
		d.Clipped(8)
		require.ErrorIs(t, d.Err(), xdr.ErrShort, "%d", n)
	}
}

func TestLookingAheadReadsNothing(t *testing.T) {
	var d xdr.Decoder
	d.ResetSegments([]byte("abcd"), [][]byte{[]byte("efgh")})
	require.Equal(t, "abc", string(d.Ahead(3)))
	require.Equal(t, "abcd", string(d.Ahead(4)))
	require.Nil(t, d.Ahead(5), "it does not lie in one piece")
	require.Equal(t, 8, d.Left())
	require.Equal(t, "abcdefgh", string(d.Run(8)))
	require.Nil(t, d.Ahead(1))
	require.NoError(t, d.Err())
}
