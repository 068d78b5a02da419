package bufring_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/bufring"
	"github.com/ringnfs/ringnfs/bufring/bufringtest"
)

// In a pool of few slabs one slab is only for Take, in a pool of four or more a quarter.
func TestTheLastSlabIsNeverASpareOne(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct{ arena, large, all, spare int }{
		{12 * mib, 4 * mib, 1, 0}, {12 * mib, 2 * mib, 2, 1}, {14 * mib, 2 * mib, 3, 2},
		{12 * mib, 1 * mib, 4, 3}, {16 * mib, 1 * mib, 8, 6}, {24 * mib, 1 * mib, 14, 11},
	} {
		s, err := bufring.NewSlabs(c.arena, c.large, nil)
		require.NoError(t, err)
		require.Equal(t, c.all, s.Free(bufring.Large), "%+v", c)
		var held []*bufring.Buffer
		for s.HasSpare(bufring.Large) {
			held = append(held, s.TakeSpare(bufring.Large))
		}
		require.Len(t, held, c.spare, "%+v", c)
		require.Nil(t, s.TakeSpare(bufring.Large))
		for b := s.Take(bufring.Large); b != nil; b = s.Take(bufring.Large) {
			held = append(held, b)
		}
		require.Len(t, held, c.all, "%+v", c)
		for _, b := range held {
			b.Release()
		}
		bufringtest.NoneHeld(t, s)
		require.NoError(t, s.Close())
	}
}

// A bundle fills the buffers before its last one to their ends, also if the kernel then goes on
// filling the last one.
func TestABundleOverIncrementalBuffersEndsAllButTheLast(t *testing.T) {
	g, p := newGroup(t, 4, 4096, true)
	first, id, _ := p.Next()
	second, _, _ := p.Next()
	third, last, _ := p.Next()
	one, err := g.Consume(nil, id, 100, true)
	require.NoError(t, err)
	first[100], second[0], third[0] = 'a', 'b', 'c'
	segs, err := g.Consume(nil, id, 4096-100+4096+50, true)
	require.NoError(t, err)
	require.Len(t, segs, 3)
	for i, want := range []int{4096 - 100, 4096, 50} {
		require.Len(t, segs[i].Data, want)
		require.Equal(t, byte('a'+i), segs[i].Data[0])
	}
	require.Equal(t, 2, g.Provided(), "the third, which goes on, and the fourth")
	_, err = g.Consume(nil, id, 1, true)
	require.Error(t, err, "the kernel has finished with the first")
	third[50] = 'd'
	more, err := g.Consume(nil, last, 10, false)
	require.NoError(t, err)
	require.Equal(t, byte('d'), more[0].Data[0])
	require.Equal(t, 1, g.Available())
	for _, s := range append(append(segs, one...), more...) {
		s.Release()
	}
	require.Equal(t, 4, g.Available())
	bufringtest.NoneHeld(t, g)
	require.NoError(t, g.Close())
}

// The largest READ fits a large slab, whatever its size.
func TestALargeSlabHoldsWhatThePoolWasMadeForInWholePages(t *testing.T) {
	for large, want := range map[int]int{1 << 20: 1 << 20, 1<<20 + 1: 1<<20 + 4096, 1<<20 + 4096: 1<<20 + 4096, 1: 68 << 10} {
		s, err := bufring.NewSlabs(16<<20, large, nil)
		require.NoError(t, err)
		require.Equal(t, want, s.Size(bufring.Large), "%d bytes", large)
		require.NoError(t, s.Close())
	}
}
