package table

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// Entries come and go at random, more of them than there are chains. Each is found by its handle
// and by its object as long as it is there.
func TestWhatIsThereIsFoundByHandleAndByObject(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for _, room := range []int{0, 16, 17, 1000} {
		var l living[own]
		l.init(room)
		there := map[uint64]*ent{}
		for range 4000 {
			n := rnd.Uint64N(200)
			if e := there[n]; e == nil {
				there[n] = make1(n)
				l.add(there[n])
			} else {
				l.remove(e)
				require.Equal(t, -1, e.at)
				delete(there, n)
			}
			n = rnd.Uint64N(200)
			h, k := number(n), kernel.ObjectKey{Ino: n}
			require.Same(t, there[n], l.find(&h))
			require.Same(t, there[n], l.findObject(&k))
			require.Len(t, l.list, len(there))
		}
		for n, e := range there {
			h, k := number(n), kernel.ObjectKey{Ino: n}
			require.Same(t, e, l.find(&h))
			require.Same(t, e, l.findObject(&k))
			require.Same(t, e, l.list[e.at])
		}
	}
}

func TestThereAreAsManyChainsAsEntriesButNotTooMany(t *testing.T) {
	for room, want := range map[int]int{
		0: 16, 16: 16, 17: 32, 65536: 65536, 65537: 131072, 262144: 262144, 1 << 24: 262144,
	} {
		var l living[own]
		l.init(room)
		require.Len(t, l.byHandle, want)
		require.Len(t, l.byObject, want)
	}
}

// An object may have two entries, if its handle has changed. The later one is found, and the
// earlier one when the later one has gone.
func TestOfTwoEntriesOfAnObjectTheLaterIsFound(t *testing.T) {
	var l living[own]
	l.init(1)
	a, b := make1(1), make1(2)
	b.Key = a.Key
	for _, first := range []*ent{a, b} {
		l.add(a)
		l.add(b)
		require.Same(t, b, l.findObject(&a.Key))
		require.Same(t, a, l.find(&a.Handle))
		l.remove(first)
		other := map[*ent]*ent{a: b, b: a}[first]
		require.Same(t, other, l.findObject(&a.Key))
		require.Nil(t, l.find(&first.Handle))
		l.remove(other)
		require.Nil(t, l.findObject(&a.Key))
	}
}

func TestASimilarHashIsNoMatch(t *testing.T) {
	var l living[own]
	l.init(1)
	a, b := make1(1), make1(2)
	a.Hash = b.Hash
	l.add(a)
	require.Nil(t, l.find(&b.Handle))
	k := a.Key
	k.Major++
	require.Nil(t, l.findObject(&k))
	b.Key = k
	l.add(b)
	require.Same(t, b, l.find(&b.Handle))
	require.Same(t, b, l.findObject(&k))
	require.Same(t, a, l.findObject(&a.Key))
}

func TestAddingAnEntryAllocatesNothing(t *testing.T) {
	var l living[own]
	l.init(64)
	var list []*ent
	for n := range uint64(64) {
		list = append(list, make1(n))
	}
	cycle := func() {
		for _, e := range list {
			l.add(e)
		}
		for _, e := range list {
			l.remove(e)
		}
	}
	cycle()
	require.Zero(t, testing.AllocsPerRun(10, cycle))
	require.Nil(t, l.find(&vfs.Handle{}))
}
