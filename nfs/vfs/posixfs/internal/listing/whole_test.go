package listing

import (
	"hash/fnv"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// newUnplaced is newWorld with places that are made of names.
func newUnplaced(t *testing.T, names ...string) *world {
	w := newWorld(t, names...)
	w.m.unplaced.Store(true)
	return w
}

// A listing goes on behind a place, so no two entries may have the same place, whatever the sums of
// their names are.
func TestEntriesWithEqualSumsHavePlacesOfTheirOwn(t *testing.T) {
	w := &whole{}
	for _, name := range []string{"same", "a", "same", "b", "same"} {
		w.starts = append(w.starts, int32(len(w.dents)))
		w.dents = append(w.dents, dent(1, 1, 0, name)...)
	}
	w.sort()
	require.Len(t, w.places, 5)
	last := uint64(0)
	for _, p := range w.places {
		require.Greater(t, p, last)
		last = p
	}
	starts := slices.Clone(w.starts)
	slices.Sort(starts)
	require.Len(t, slices.Compact(starts), 5, "each is there once")
}

// A file system may list the names in another order each time. The two names of each pair have the
// same FNV-1a sum.
func TestNamesHaveTheSamePlacesInAnyOrder(t *testing.T) {
	pairs := []string{
		"8yn0iYCKYHlIj4-BwPqk", "GReLUrM4wMqfg9yzV3KQ",
		"gMPflVXtwGDXbIhP73TX", "LtHf1prlU1bCeYZEdqWf",
	}
	sum := func(name string) uint64 {
		h := fnv.New64a()
		_, _ = h.Write([]byte(name))
		return h.Sum64()
	}
	require.Equal(t, sum(pairs[0]), sum(pairs[1]), "the test shows nothing")
	require.Equal(t, sum(pairs[2]), sum(pairs[3]), "the test shows nothing")
	places := func(order ...int) map[string]uint64 {
		w := &whole{}
		seen := map[string]bool{}
		for _, i := range order {
			require.True(t, w.add(dent(uint64(i), 1, 0, pairs[i]), seen))
		}
		require.False(t, w.add(dent(9, 9, 0, pairs[order[0]]), seen), "it is there")
		w.sort()
		got := map[string]uint64{}
		for i, start := range w.starts {
			got[string(w.dents[start:].Name())] = w.places[i]
		}
		require.Len(t, got, 4)
		return got
	}
	want := places(0, 1, 2, 3)
	require.NotEqual(t, want[pairs[0]], want[pairs[1]])
	require.Equal(t, want, places(3, 2, 1, 0))
	require.Equal(t, want, places(1, 3, 0, 2))
	w := newUnplaced(t, pairs...)
	require.ElementsMatch(t, append([]string{".", ".."}, pairs...), w.list(1))
}

func TestAPieceHasAsManyEntriesAsFit(t *testing.T) {
	w := &whole{}
	w.add(append(dent(1, 1, 0, "a"), dent(2, 1, 0, "a longer name")...), map[string]bool{})
	w.sort()
	both := len(w.dents)
	require.Len(t, names(w.piece(make([]byte, both), 0)), 2)
	require.Len(t, names(w.piece(make([]byte, both-1), 0)), 1)
	first := w.piece(make([]byte, both-1), 0)
	require.Equal(t, w.places[0], first.Place())
	rest := w.piece(make([]byte, both), w.places[0])
	require.Len(t, names(rest), 1)
	require.Equal(t, w.places[1], rest.Place())
	require.Empty(t, w.piece(make([]byte, both), w.places[1]))
}

func TestAListingGoesOnWithWhatItBeganWith(t *testing.T) {
	w := newUnplaced(t, files(50)...)
	began, eof, s := w.call(20)
	require.Equal(t, vfs.OK, s)
	require.False(t, eof)
	for _, name := range files(50) {
		if slices.Contains(began, name) {
			w.remove(name)
		}
	}
	w.create("new")
	rest, eof, s := w.call(1000)
	require.Equal(t, vfs.OK, s)
	require.True(t, eof)
	require.ElementsMatch(t, append([]string{".", ".."}, files(50)...), append(began, rest...))
	require.Equal(t, 1, w.src.opens)
	require.Contains(t, w.list(7), "new", "another listing begins with what is there")
	require.Equal(t, 2, w.src.opens)
}

func TestAListingIsGoneOnWithByWhoBeganIt(t *testing.T) {
	w := newUnplaced(t, files(50)...)
	alice, again := &vfs.Cred{UID: 1, Groups: []uint32{2}}, &vfs.Cred{UID: 1, Groups: []uint32{2}}
	for i, x := range []struct {
		as   *vfs.Cred
		read bool
	}{
		{alice, true}, {again, false}, {nil, true}, {nil, false},
		{&vfs.Cred{UID: 2, Groups: []uint32{2}}, true},
		{&vfs.Cred{UID: 1, GID: 1, Groups: []uint32{2}}, true},
		{&vfs.Cred{UID: 1, Groups: []uint32{3}}, true}, {alice, false},
	} {
		w.ask.As, w.src.opens = x.as, 0
		_, _, s := w.call(5)
		require.Equal(t, vfs.OK, s)
		require.Equal(t, x.read, w.src.opens == 1, "%d", i)
	}
}

func TestDirectoriesThatAreReadAtATimeAreBounded(t *testing.T) {
	w := newUnplaced(t, files(10)...)
	// "." and ".." have 24 bytes each, "file000" to "file009" 32.
	const most, own = 128 << 20, 2*24 + 10*32
	w.m.wholes.reading.Store(most - own + 1)
	_, _, s := w.call(1)
	require.Equal(t, vfs.Delay, s)
	require.EqualValues(t, most-own+1, w.m.wholes.reading.Load(), "this one counts no more")
	require.Empty(t, w.m.wholes.list)
	w.m.wholes.reading.Store(most - own)
	require.Len(t, w.list(1000), 12)
	require.EqualValues(t, most-own, w.m.wholes.reading.Load())
}

// 24 ticks are 30 s.
func TestTheLogIsToldOfLargeDirectoriesNowAndThen(t *testing.T) {
	var ws wholes
	for _, x := range []struct {
		tick int64
		said bool
	}{{1, true}, {1, false}, {24, false}, {25, true}, {48, false}, {49, true}} {
		require.Equal(t, x.said, ws.say(x.tick), "tick %d", x.tick)
	}
}
