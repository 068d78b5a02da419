package sample_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/cmd/xdrgen/internal/sample"
	"github.com/ringnfs/ringnfs/nfs/xdr"
	"github.com/ringnfs/ringnfs/nfs/xdr/xdrtest"
)

func everything() xdrtest.Message { return new(sample.Everything) }

func TestEverythingComesBack(t *testing.T) { xdrtest.Check(t, everything) }

func TestEachKindOfTypeComesBack(t *testing.T) {
	for _, make := range []func() xdrtest.Message{
		func() xdrtest.Message { return new(sample.Scalars) },
		func() xdrtest.Message { return new(sample.Ring) },
		func() xdrtest.Message { return new(sample.Labels) },
		func() xdrtest.Message { return new(sample.Digest) },
		func() xdrtest.Message { return new(sample.OtherLabel) },
		func() xdrtest.Message { return new(sample.Maybe) },
		func() xdrtest.Message { return new(sample.Painted) },
		func() xdrtest.Message { return new(sample.Palette) },
	} {
		xdrtest.Check(t, make)
	}
	for _, v := range []sample.Strict{
		{}, {Edition: 1, First: sample.Digest{1, 2}},
		{Edition: sample.LIMIT, Second: sample.AZURE}, {Edition: math.MaxUint32, Third: true},
	} {
		var got sample.Strict
		var d xdr.Decoder
		d.Reset(xdrtest.Encode(t, &v))
		got.Decode(&d)
		require.NoError(t, d.Err())
		require.Equal(t, v, got)
	}
}

func TestKnownBytes(t *testing.T) {
	v := sample.Ring{
		{Chains: []sample.Chain{{Value: -2, Name: []byte("ab")}}},
		{},
	}
	require.Equal(t, []byte{
		0, 0, 0, 1, // a node
		0, 0, 0, 1, 255, 255, 255, 254, 0, 0, 0, 2, 'a', 'b', 0, 0, // its chain: one element
		0, 0, 0, 0,
		0, 0, 0, 1, // another node
		0, 0, 0, 0,
		0, 0, 0, 0,
	}, xdrtest.Encode(t, &v))
}

func TestBoundsAreCheckedBothWays(t *testing.T) {
	for _, c := range []struct {
		name string
		v    sample.Tight
		wire []uint32
	}{
		{"opaque", sample.Tight{Bytes: make([]byte, 6)}, []uint32{6, 0, 0}},
		{"string", sample.Tight{Text: []byte("abcd")}, []uint32{0, 4, 0}},
		{"array", sample.Tight{Numbers: make([]int32, 3)}, []uint32{0, 0, 3, 0, 0, 0}},
		{"array of strings", sample.Tight{Names: make([]sample.Label, 3)}, []uint32{0, 0, 0, 3, 0, 0, 0}},
		{"element", sample.Tight{Names: []sample.Label{make([]byte, 33)}}, []uint32{0, 0, 0, 1, 33, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var e xdr.Encoder
			e.Reset(make([]byte, 100))
			c.v.Encode(&e)
			require.ErrorIs(t, e.Err(), xdr.ErrTooLong)
			e.Truncate(0)
			for _, w := range c.wire {
				e.Uint32(w)
			}
			var d xdr.Decoder
			d.Reset(e.Bytes())
			c.v.Decode(&d)
			require.ErrorIs(t, d.Err(), xdr.ErrTooLong)
		})
	}
}

func TestUnknownEnumeratorsAndTagsAreRefusedBothWays(t *testing.T) {
	for _, c := range []struct {
		name string
		v    xdrtest.Message
		wire uint32
	}{
		{"enumerator in a gap", &sample.Scalars{I: 3, J: sample.PLUS}, 0},
		{"enumerator below", &sample.Painted{With: 0}, 0},
		{"tag without a case", &sample.Strict{Edition: 2}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			var e xdr.Encoder
			e.Reset(make([]byte, 200))
			c.v.Encode(&e)
			require.ErrorIs(t, e.Err(), xdr.ErrValue)
			if _, ok := c.v.(*sample.Scalars); ok {
				return
			}
			e.Truncate(0)
			e.Uint32(c.wire)
			var d xdr.Decoder
			d.Reset(e.Bytes())
			c.v.Decode(&d)
			require.ErrorIs(t, d.Err(), xdr.ErrValue)
		})
	}
	require.Equal(t, "sign(-7)", sample.Sign(-7).String())
	require.Equal(t, "BLUE", sample.AZURE.String())
}

func TestDecodedBytesAreViews(t *testing.T) {
	b := xdrtest.Encode(t, &sample.Tight{Text: []byte("abc")})
	var v sample.Tight
	var d xdr.Decoder
	d.Reset(b)
	v.Decode(&d)
	require.NoError(t, d.Err())
	b[bytes.IndexByte(b, 'b')] = 'X'
	require.Equal(t, []byte("aXc"), v.Text)
}

func TestProgramNumbers(t *testing.T) {
	require.Equal(t, 0x20000001, sample.SAMPLE_PROG)
	require.Equal(t, []string{"NULL", "TURN"}, sample.SAMPLEV1Names[:])
	require.Equal(t, []string{"NULL", "", "", "NAME"}, sample.SAMPLEV2Names[:])
	require.Equal(t, uint64(math.MaxUint64), uint64(sample.BIG))
	require.Equal(t, 511, sample.MASK)
	require.Equal(t, -5, sample.LOWEST)
}

func FuzzEverything(f *testing.F) { xdrtest.Fuzz(f, everything) }
