package ranges_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
)

// The greatest numbers of 63 and of 64 bits.
const (
	max63 = 9223372036854775807
	max64 = 18446744073709551615
)

func TestParseFollowsTheRulesOfLock(t *testing.T) {
	for _, c := range []struct {
		offset, length uint64
		want           ranges.Range
		ok             bool
	}{
		{0, 1, ranges.Range{Start: 0, End: 0}, true},
		{0, 0, ranges.Range{}, false},
		{7, 0, ranges.Range{}, false},
		{max64, 0, ranges.Range{}, false},
		{7, 3, ranges.Range{Start: 7, End: 9}, true},
		{0, max64, ranges.Range{Start: 0, End: max64}, true},
		{7, max64, ranges.Range{Start: 7, End: max64}, true},
		{max64, max64, ranges.Range{Start: max64, End: max64}, true},
		{0, max64 - 1, ranges.Range{Start: 0, End: max64 - 2}, true},
		{1, max64 - 1, ranges.Range{Start: 1, End: max64 - 1}, true},
		{2, max64 - 1, ranges.Range{}, false},
		{max64 - 1, 1, ranges.Range{Start: max64 - 1, End: max64 - 1}, true},
		{max64 - 1, 2, ranges.Range{}, false},
		{max64, 1, ranges.Range{}, false},
		{max63, 1, ranges.Range{Start: max63, End: max63}, true},
		{1 << 63, 1 << 63, ranges.Range{}, false},
		{1 << 63, 1<<63 - 1, ranges.Range{Start: 1 << 63, End: max64 - 1}, true},
	} {
		r, ok := ranges.Parse(c.offset, c.length)
		require.Equal(t, c.ok, ok, "offset %d, length %d", c.offset, c.length)
		require.Equal(t, c.want, r, "offset %d, length %d", c.offset, c.length)
	}
}

func TestARangeHasTheOffsetAndTheLengthThatItWasParsedFrom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		offset, length := rapid.Uint64().Draw(t, "offset"), rapid.Uint64().Draw(t, "length")
		r, ok := ranges.Parse(offset, length)
		if !ok {
			return
		}
		o, l := r.Wire()
		require.Equal(t, offset, o)
		require.Equal(t, length, l)
		require.LessOrEqual(t, r.Start, r.End)
	})
	o, l := ranges.Range{Start: 9, End: max64}.Wire()
	require.Equal(t, [2]uint64{9, max64}, [2]uint64{o, l})
	o, l = ranges.Range{Start: 0, End: max64 - 1}.Wire() // has no length of its own
	require.Equal(t, [2]uint64{0, max64}, [2]uint64{o, l})
}

func TestTheKernelGetsTheOffsetsThatItKnows(t *testing.T) {
	for _, c := range []struct {
		r             ranges.Range
		start, length int64
		ok            bool
	}{
		{ranges.Range{Start: 0, End: 0}, 0, 1, true},
		{ranges.Range{Start: 5, End: 9}, 5, 5, true},
		{ranges.Range{Start: 0, End: max63 - 1}, 0, max63, true},
		{ranges.Range{Start: 0, End: max63}, 0, 0, true},
		{ranges.Range{Start: 0, End: max64}, 0, 0, true},
		{ranges.Range{Start: 5, End: max63 - 1}, 5, max63 - 5, true},
		{ranges.Range{Start: 5, End: max63 + 1}, 5, 0, true},
		{ranges.Range{Start: max63 - 1, End: max63 - 1}, max63 - 1, 1, true},
		{ranges.Range{Start: max63, End: max63}, max63, 0, true},
		{ranges.Range{Start: max63 + 1, End: max63 + 1}, 0, 0, false},
		{ranges.Range{Start: max64, End: max64}, 0, 0, false},
	} {
		start, length, ok := c.r.Kernel()
		require.Equal(t, c.ok, ok, "%v", c.r)
		require.Equal(t, [2]int64{c.start, c.length}, [2]int64{start, length}, "%v", c.r)
	}
	require.Equal(t, ranges.Range{Start: 5, End: 9}, ranges.FromKernel(5, 5))
	require.Equal(t, ranges.Range{Start: 5, End: max64}, ranges.FromKernel(5, 0))
	require.Equal(t, ranges.Range{Start: 0, End: max63 - 1}, ranges.FromKernel(0, max63))
	require.Equal(t, ranges.Range{Start: max63, End: max63}, ranges.FromKernel(max63, 1))
}

func TestRangesOverlapWhereTheyShareAByte(t *testing.T) {
	r := ranges.Range{Start: 5, End: 9}
	for _, c := range []struct {
		o    ranges.Range
		want bool
	}{
		{ranges.Range{Start: 0, End: 4}, false},
		{ranges.Range{Start: 0, End: 5}, true},
		{ranges.Range{Start: 6, End: 7}, true},
		{ranges.Range{Start: 9, End: 20}, true},
		{ranges.Range{Start: 10, End: 20}, false},
		{ranges.All, true},
	} {
		require.Equal(t, c.want, r.Overlaps(c.o), "%v", c.o)
		require.Equal(t, c.want, c.o.Overlaps(r), "%v", c.o)
	}
}

func TestKindsHaveNames(t *testing.T) {
	require.Equal(t, "none read write unknown kind", ranges.None.String()+" "+ranges.Read.String()+
		" "+ranges.Write.String()+" "+(ranges.Write+1).String())
}
