package bufring_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringnfs/ringnfs/bufring"
	"github.com/ringnfs/ringnfs/bufring/bufringtest"
	"github.com/ringnfs/ringnfs/uring"
)

func newGroup(t require.TestingT, count, size int, incremental bool) (*bufring.Group, *bufringtest.Provider) {
	g, err := bufring.NewGroup(bufring.GroupConfig{Count: count, Size: size, Incremental: incremental})
	require.NoError(t, err)
	p := &bufringtest.Provider{}
	g.Fill(p)
	return g, p
}

func TestBufferReturnsToTheRingWithItsLastHolder(t *testing.T) {
	g, p := newGroup(t, 2, 4096, false)
	mem, id, ok := p.Next()
	require.True(t, ok)
	copy(mem, "hello")
	segs, err := g.Consume(nil, id, 5, false)
	require.NoError(t, err)
	require.Len(t, segs, 1)
	require.Equal(t, "hello", string(segs[0].Data))
	require.Equal(t, 1, g.Available())
	second := bufring.Segment{Data: segs[0].Data, Owner: segs[0].Owner.Clone()}
	segs[0].Release()
	g.Publish()
	require.Equal(t, 1, p.Ready(), "the buffer came back although it is held")
	second.Release()
	g.Publish()
	require.Equal(t, 2, p.Ready())
	bufringtest.NoneHeld(t, g)
	require.NoError(t, g.Close())
}

func TestIncrementalBufferServesManyReceives(t *testing.T) {
	g, p := newGroup(t, 2, 4096, true)
	mem, id, _ := p.Next()
	copy(mem, "onetwothree")
	one, err := g.Consume(nil, id, 3, true)
	require.NoError(t, err)
	two, err := g.Consume(nil, id, 3, true)
	require.NoError(t, err)
	require.Equal(t, "one", string(one[0].Data))
	require.Equal(t, "two", string(two[0].Data))
	one[0].Release()
	two[0].Release()
	require.Equal(t, 2, g.Available(), "the kernel has not finished with the buffer")
	last, err := g.Consume(nil, id, 5, false)
	require.NoError(t, err)
	require.Equal(t, "three", string(last[0].Data))
	require.Equal(t, 1, g.Available())
	last[0].Release()
	require.Equal(t, 2, g.Available())
	bufringtest.NoneHeld(t, g)
	require.NoError(t, g.Close())
}

func TestWindowKeepsTheKernelInTheBuffersUsedLast(t *testing.T) {
	g, err := bufring.NewGroup(bufring.GroupConfig{Count: 16, Size: 4096, Window: 2})
	require.NoError(t, err)
	p := &bufringtest.Provider{}
	g.Fill(p)
	require.Equal(t, 2, p.Ready())
	require.Equal(t, 16, g.Available())
	seen := make(map[uring.BufferID]bool)
	receive := func() bufring.Segment {
		_, id, ok := p.Next()
		require.True(t, ok)
		seen[id] = true
		segs, err := g.Consume(nil, id, 1, false)
		require.NoError(t, err)
		return segs[0]
	}
	for range 100 { // a lane that keeps up
		s := receive()
		s.Release()
		g.Publish()
		require.Equal(t, 2, p.Ready())
	}
	require.Len(t, seen, 2)
	var held []bufring.Segment
	for n := 16; n > 0; n-- { // a holder that releases nothing gets all there are
		require.Equal(t, min(n, 2), g.Provided())
		require.Equal(t, n, g.Available())
		held = append(held, receive())
		g.Publish()
	}
	require.Len(t, seen, 16)
	require.Zero(t, p.Ready())
	for i := range held {
		held[i].Release()
	}
	g.Publish()
	require.Equal(t, 2, p.Ready())
	require.Equal(t, 16, g.Available())
	bufringtest.NoneHeld(t, g)
	require.NoError(t, g.Close())
}

func TestTheLastBuffersAreGivenOutByTheOwnerAlone(t *testing.T) {
	g, err := bufring.NewGroup(bufring.GroupConfig{Count: 8, Size: 4096, Window: 2, Floor: 3})
	require.NoError(t, err)
	p := &bufringtest.Provider{}
	g.Fill(p)
	var held []bufring.Segment
	for n := range 5 {
		require.True(t, g.Open())
		_, id, ok := p.Next()
		require.True(t, ok, "%d", n)
		segs, err := g.Consume(nil, id, 1, false)
		require.NoError(t, err)
		held = append(held, segs...)
		g.Publish()
	}
	require.Zero(t, p.Ready())
	require.False(t, g.Open())
	require.Equal(t, 3, g.Available())
	var taken []*bufring.Buffer
	for range 3 {
		require.True(t, g.Spare())
		taken = append(taken, g.Take())
	}
	require.False(t, g.Spare())
	require.Nil(t, g.Take())
	for i := range 3 { // they come back first
		held[i].Release()
		g.Publish()
		require.Zero(t, p.Ready())
	}
	held[3].Release()
	require.True(t, g.Open())
	g.Publish()
	require.Equal(t, 1, p.Ready())
	held[4].Release()
	for _, b := range taken {
		b.Release()
	}
	g.Publish()
	require.Equal(t, 2, p.Ready())
	bufringtest.NoneHeld(t, g)
	require.NoError(t, g.Close())

	_, err = bufring.NewGroup(bufring.GroupConfig{Count: 2, Size: 4096, Floor: 2})
	require.ErrorContains(t, err, "the kernel needs one")
}

func TestScrapsAreUsedAgainAndNeverRunOut(t *testing.T) {
	var s bufring.Scraps
	var held []*bufring.Buffer
	for range 100 {
		b := s.Take()
		require.Len(t, b.Bytes(), bufring.ScrapSize)
		require.False(t, b.Provided())
		held = append(held, b)
	}
	require.Equal(t, 100, s.Outstanding())
	require.Error(t, s.Close())
	last := held[99]
	for _, b := range held {
		b.Release()
	}
	require.Zero(t, s.Outstanding())
	var again []*bufring.Buffer
	kept := 0
	for range 100 {
		b := s.Take()
		require.NotSame(t, last, b, "only some are kept")
		if slices.Contains(held, b) {
			kept++
		}
		again = append(again, b)
	}
	require.Equal(t, 64, kept)
	for _, b := range again {
		b.Release()
	}
	require.NoError(t, s.Close())
}

func TestBundleCoversTheBuffersThatFollow(t *testing.T) {
	g, p := newGroup(t, 4, 4096, false)
	var first uring.BufferID
	for i := range 3 {
		mem, id, _ := p.Next()
		if i == 0 {
			first = id
		}
		mem[0] = byte('a' + i)
	}
	segs, err := g.Consume(nil, first, 2*4096+10, false)
	require.NoError(t, err)
	require.Len(t, segs, 3)
	for i, want := range []int{4096, 4096, 10} {
		require.Len(t, segs[i].Data, want)
		require.Equal(t, byte('a'+i), segs[i].Data[0])
		segs[i].Release()
	}
	require.NoError(t, g.Close())
}

func TestCompletionOfABufferThatTheKernelDoesNotHaveIsRefused(t *testing.T) {
	g, p := newGroup(t, 2, 4096, false)
	_, id, _ := p.Next()
	segs, err := g.Consume(nil, id, 1, false)
	require.NoError(t, err)
	_, err = g.Consume(nil, id, 1, false)
	require.Error(t, err)
	_, err = g.Consume(nil, 77, 1, false)
	require.Error(t, err)
	require.Error(t, g.Close(), "closed although a buffer is held")
	segs[0].Release()
	require.NoError(t, g.Close())
}

// The kernel hands buffers out in ring order and holders release them in any
// order: whatever the order, every received byte is seen once and all buffers
// come back.
func TestAnyOrderOfReleaseBringsAllBuffersBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const size = 4096
		incremental := rapid.Bool().Draw(t, "incremental")
		g, err := bufring.NewGroup(
			bufring.GroupConfig{
				Count:       8,
				Size:        size,
				Incremental: incremental,
				Window:      rapid.IntRange(1, 8).Draw(t, "window"),
				Floor:       rapid.IntRange(0, 7).Draw(t, "floor"),
			},
		)
		require.NoError(t, err)
		p := &bufringtest.Provider{}
		g.Fill(p)
		var held []bufring.Segment
		var cur struct {
			mem  []byte
			id   uring.BufferID
			fill int
			ok   bool
		}
		stamp := byte(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			g.Publish()
			if len(held) > 0 && rapid.Bool().Draw(t, "release") {
				i := rapid.IntRange(0, len(held)-1).Draw(t, "which")
				held[i].Release()
				held = append(held[:i], held[i+1:]...)
				continue
			}
			if rapid.IntRange(0, 5).Draw(t, "take") == 0 {
				if b := g.Take(); b != nil {
					require.True(t, b.Sole())
					held = append(held, bufring.Segment{Data: b.Bytes(), Owner: b})
				}
				continue
			}
			if !cur.ok {
				if cur.mem, cur.id, cur.ok = p.Next(); !cur.ok {
					require.False(t, g.Open())
					require.Positive(t, len(held), "no buffer is left although none is held")
					continue
				}
				cur.fill = 0
			}
			n := rapid.IntRange(1, size-cur.fill).Draw(t, "bytes")
			stamp++
			for i := range n {
				cur.mem[cur.fill+i] = stamp
			}
			cur.fill += n
			more := incremental && cur.fill < size
			segs, err := g.Consume(nil, cur.id, n, more)
			require.NoError(t, err)
			require.Len(t, segs, 1)
			require.Len(t, segs[0].Data, n)
			require.Equal(t, stamp, segs[0].Data[0])
			require.Equal(t, stamp, segs[0].Data[n-1])
			held = append(held, segs...)
			cur.ok = more
		}
		for i := range held {
			held[i].Release()
		}
		bufringtest.NoneHeld(t, g)
		require.Equal(t, 8, g.Available())
		require.NoError(t, g.Close())
	})
}
