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
		func() xdrtest.Message { return new(sample.LongName) },
		func() xdrtest.Message { return new(sample.Either) },
		func() xdrtest.Message { return new(sample.Runs) },
		func() xdrtest.Message { return new(sample.WideToo) },
		func() xdrtest.Message { return new(sample.LongSet) },
		func() xdrtest.Message { return new(sample.LongSeries) },
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

func TestEnumeratorsAreCasesOfNumbers(t *testing.T) {
	for _, c := range []struct {
		name string
		v    interface{ Encode(*xdr.Encoder) }
		make func() xdrtest.Message
	}{
		{"unsigned", &sample.Numbered{Number: 5, B: 7}, func() xdrtest.Message { return new(sample.Numbered) }},
		{"unsigned, default", &sample.Numbered{Number: 6, C: []byte("c")}, func() xdrtest.Message { return new(sample.Numbered) }},
		{"with a sign", &sample.SignedOne{Number: -1, A: 3}, func() xdrtest.Message { return new(sample.SignedOne) }},
		{"a boolean", &sample.SignedOne{Number: 1, B: sample.Digest{4}}, func() xdrtest.Message { return new(sample.SignedOne) }},
		{"by a typedef", &sample.Counted{Number: 2, Name: []byte("abcde")}, func() xdrtest.Message { return new(sample.Counted) }},
		{"of a type of its own", &sample.NumberedBy{Number: 7, There: new(int32)}, func() xdrtest.Message { return new(sample.NumberedBy) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := xdrtest.Encode(t, c.v.(xdrtest.Message))
			got := c.make()
			xdrtest.Decode(t, b, got)
			require.Equal(t, c.v, got)
		})
	}
}

func TestOfALongValueOnlyTheBeginningIsKept(t *testing.T) {
	for _, n := range []int{0, 249, 250, 251, 252, 253, 254, 255, 500} {
		text := bytes.Repeat([]byte("x"), n)
		b := xdrtest.Encode(t, &sample.Counted{Number: 2, Name: text})
		for cut := range len(b) {
			var d xdr.Decoder
			d.ResetSegments(b[:cut], [][]byte{b[cut:], {0, 0, 0, 9}})
			var v sample.Counted
			v.Decode(&d)
			require.EqualValues(t, text[:min(n, 251)], v.Name, "%d bytes, cut at %d", n, cut)
			require.EqualValues(t, 9, d.Uint32())
			require.NoError(t, d.Err())
		}
	}
}

func TestOfManyNumbersOnlyTheFirstAreKept(t *testing.T) {
	for _, n := range []int{0, 1, 62, 63, 64, 65, 66, 500} {
		var set sample.LongSet
		var series sample.LongSeries
		for i := range n {
			set, series = append(set, uint32(i)), append(series, sample.Serial(i))
		}
		b := append(xdrtest.Encode(t, &set), xdrtest.Encode(t, &series)...)
		for _, cut := range []int{0, 3, len(b) / 3, len(b) / 2, len(b)} {
			var d xdr.Decoder
			d.ResetSegments(b[:cut], [][]byte{b[cut:], {0, 0, 0, 9}})
			var gotSet sample.LongSet
			var gotSeries sample.LongSeries
			gotSet.Decode(&d)
			gotSeries.Decode(&d)
			require.EqualValues(t, 9, d.Uint32())
			require.NoError(t, d.Err())
			require.EqualValues(t, set[:min(n, 64)], append(sample.LongSet(nil), gotSet...),
				"%d, cut at %d", n, cut)
			require.EqualValues(t, series[:min(n, 33)],
				append(sample.LongSeries(nil), gotSeries...), "%d, cut at %d", n, cut)
		}
	}
}

func TestNumbersThatAreNotThereAreNotPassedOver(t *testing.T) {
	var d xdr.Decoder
	d.Reset(append([]byte{0, 0, 1, 0}, make([]byte, 4*255)...))
	var v sample.LongSet
	v.Decode(&d)
	require.ErrorIs(t, d.Err(), xdr.ErrShort)
	require.Empty(t, v)
}

func TestAWideUnionKeepsNothingOfItsLastUse(t *testing.T) {
	number := new(int32)
	used := sample.Wide{
		One: 1, Two: []byte("two"), Three: sample.Digest{3}, Four: 4, Five: make([]sample.Label, 5),
		Six:   number,
		Seven: make(sample.LongSet, 7), Eight: sample.RED, Nine: make([]sample.Chain, 9),
	}
	for _, c := range []sample.Wide{
		{}, {Which: sample.ARM_1, One: 7}, {Which: sample.ARM_2, Two: []byte("x")}, {Which: sample.ARM_3},
		{Which: sample.ARM_4}, {Which: sample.ARM_5, Five: make([]sample.Label, 0)},
		{Which: sample.ARM_6, Six: new(int32)},
		{Which: sample.ARM_7, Seven: sample.LongSet{1}}, {Which: sample.ARM_8, Eight: sample.BLUE},
		{Which: sample.ARM_9, Nine: []sample.Chain{{Value: 4, Name: []byte("n")}}}, {Which: sample.ARM_10},
	} {
		b := xdrtest.Encode(t, &c)
		v := used
		xdrtest.Decode(t, b, &v)
		require.Equal(t, c, v)
	}
	v := used
	var d xdr.Decoder
	d.Reset([]byte{0, 0, 0, 11})
	v.Decode(&d)
	require.ErrorIs(t, d.Err(), xdr.ErrValue)
	require.Equal(t, sample.Wide{Which: 11}, v)

	for _, c := range []sample.WideToo{{Which: sample.ARM_10}, {Which: sample.ARM_7, A7: 5}, {Which: sample.ARM_9, Others: sample.LongSet{6}}} {
		v := sample.WideToo{A0: 1, A7: 2, Eight: used, Others: make(sample.LongSet, 3)}
		xdrtest.Decode(t, xdrtest.Encode(t, &c), &v)
		c.Others, v.Others = append(sample.LongSet{}, c.Others...), append(sample.LongSet{}, v.Others...)
		require.Equal(t, c, v)
	}

	v = used
	xdrtest.Decode(t, xdrtest.Encode(t, &sample.Wide{Which: sample.ARM_6, Six: new(int32)}), &v)
	require.Same(t, number, v.Six, "the arm in use has its memory still")
}

func TestWhatWasDecodedBeforeGivesTheRoom(t *testing.T) {
	v := &sample.Everything{
		Optional: &sample.Scalars{I: sample.RED},
		Number:   new(uint32),
		Counter:  new(sample.Serial),
		Bytes:    []byte("some bytes"),
		Around:   sample.Ring{{Chains: []sample.Chain{{Value: 1, Name: []byte("name")}}}, {}},
		Nothings: make([]sample.EmptyNode, 3),
	}
	pointer := new(int32)
	v.Pointer, v.Few = &pointer, [2]*int32{new(int32), new(int32)}
	v.Many.Hypers, v.Many.Names, v.Many.Pairs = make(
		[]int64,
		4,
	), []sample.Label{
		[]byte("a"),
		[]byte("b"),
	}, make(
		[]sample.Pair,
		4,
	)
	v.Many.Structs, v.Many.Bools, v.Many.Colors = []sample.Scalars{
		{I: sample.RED},
	}, make(
		[]bool,
		9,
	), sample.Palette{
		sample.RED,
	}
	for _, s := range []*sample.Scalars{v.Optional, &v.Many.Structs[0], &v.Many.Two[0], &v.Many.Two[1]} {
		s.I, s.Q = sample.RED, sample.GREEN
	}
	v.Many.Direction, v.One.Which, v.Fence.With = sample.UP, sample.RED, sample.BLUE
	v.InPieces.Second.Paint = sample.RED
	v.Range.Which, v.Range.Seven = sample.ARM_7, make(sample.LongSet, 9)
	v.Ranges, v.Series = []sample.WideToo{{Which: sample.ARM_8},
		{Which: sample.ARM_9}}, make(sample.LongSeries, 9)
	v.Ranges[0].Eight = sample.Wide{Which: sample.ARM_9, Nine: []sample.Chain{{}}}
	b := xdrtest.Encode(t, v)
	var d xdr.Decoder
	var e xdr.Encoder
	room := make([]byte, len(b))
	got := new(sample.Everything)
	turn := func() {
		d.Reset(b)
		got.Decode(&d)
		e.Reset(room)
		got.Encode(&e)
	}
	turn()
	require.NoError(t, d.Err())
	require.NoError(t, e.Err())
	require.Equal(t, b, e.Bytes())
	require.Zero(t, testing.AllocsPerRun(100, turn))
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
		{"element", sample.Tight{Names: []sample.Label{make([]byte, 33)}},
			[]uint32{0, 0, 0, 1, 33, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
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
