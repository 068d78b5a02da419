package table

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// own is the state that the tests keep with an entry.
type own struct{ costly bool }

type ent = Entry[own]

func number(n uint64) vfs.Handle {
	h, _ := vfs.MakeHandle(binary.BigEndian.AppendUint64(nil, n+1))
	return h
}

func make1(n uint64) *ent { return New[own](number(n), kernel.ObjectKey{Ino: n}, 0, int(n)) }

func costly(e *ent) bool { return e.Own.costly }

func newTable(max int) *Table[own] {
	t := new(Table[own])
	t.Init(max, func(old *ent) *ent { return New[own](old.Handle, old.Key, old.Kind, old.FD) })
	return t
}

func TestTheFirstEntryOfAnObjectStays(t *testing.T) {
	tab, u := newTable(10), new(Uses[own])
	e := make1(1)
	require.Same(t, e, tab.Add(e, u, 0))
	require.Same(t, e, u.At(0))
	again := make1(1)
	require.Same(t, e, tab.Add(again, u, 1))
	require.Same(t, e, u.At(1))
	require.Equal(t, 1, tab.Open(), "the second one is the caller's")
	other := make1(2)
	tab.Add(other, u, 2)
	require.NotEqual(t, e.ID, other.ID)
	h, k := number(2), kernel.ObjectKey{Ino: 2}
	require.Same(t, other, tab.Find(&h, u, 3))
	require.Same(t, other, tab.FindObject(&k, u, 3))
	h = number(3)
	require.Nil(t, tab.Find(&h, u, 3))
	require.Same(t, other, u.At(3), "what is not found changes nothing")
	u.Done()
	for slot := range UsesMax {
		require.Nil(t, u.At(slot))
	}
}

func TestARetiredEntryIsHandedOutOnceWhenNobodyUsesIt(t *testing.T) {
	tab, u := newTable(10), new(Uses[own])
	e := make1(1)
	tab.Add(e, u, 2)
	tab.Retire(e)
	tab.Retire(e)
	require.True(t, e.Dead())
	h := number(1)
	require.Nil(t, tab.Find(&h, new(Uses[own]), 0))
	require.Equal(t, Counts{Retired: 1, Going: 1}, tab.Counts())
	free, later := tab.Reap(u.Has, costly)
	require.Empty(t, free)
	require.False(t, later)
	require.False(t, new(Uses[own]).Hold(e, 0))

	u.Done()
	e.Own.costly = true
	free, later = tab.Reap(u.Has, costly)
	require.Empty(t, free)
	require.True(t, later)
	e.Own.costly = false
	free, _ = tab.Reap(u.Has, costly)
	require.Equal(t, []*ent{e}, free)
	free, _ = tab.Reap(u.Has, costly)
	require.Empty(t, free)
	require.Equal(t, []*ent{e}, tab.Olders(&h))
	require.Equal(t, 1, tab.Open())
	tab.Gone(e)
	tab.Closed(e.FDs())
	require.Zero(t, tab.Open())
	require.Equal(t, Counts{}, tab.Counts())
}

func TestEvictTakesWhatIsCheapAndUnused(t *testing.T) {
	tab := newTable(4)
	var all []*ent
	for n := range uint64(4) {
		e := make1(n)
		tab.Add(e, new(Uses[own]), 0)
		all = append(all, e)
	}
	all[0].Own.costly = true
	u := new(Uses[own])
	require.True(t, u.Hold(all[1], 0))
	require.True(t, tab.Full())
	dead := func() (list []int) {
		for i, e := range all {
			if e.Dead() {
				list = append(list, i)
			}
		}
		return list
	}
	tab.Evict(0, costly, u.Has)
	require.Empty(t, dead(), "all fit")
	tab.Evict(2, costly, u.Has)
	require.Equal(t, []int{2, 3}, dead())
	tab.Evict(3, costly, u.Has)
	require.Equal(t, []int{0, 2, 3}, dead(), "costly when nothing else is left")
	tab.Evict(4, costly, u.Has)
	require.Equal(t, []int{0, 2, 3}, dead(), "what is used never")
}

func TestWhatIsWrittenToRestsAfterOneRoundWithout(t *testing.T) {
	for _, replace := range []bool{false, true} {
		tab := newTable(10)
		e := make1(1)
		tab.Add(e, new(Uses[own]), 0)
		e.Write.Store(7)
		tab.Opened()
		tab.Writable(e)
		tab.Rest(replace, costly) // used since
		e.Own.costly = true
		tab.Rest(replace, costly)
		require.False(t, e.Dead())
		e.Own.costly = false
		e.Wrote()
		tab.Rest(replace, costly)
		require.False(t, e.Dead())
		tab.Rest(replace, costly)
		require.True(t, e.Dead())
		h := number(1)
		n := tab.Find(&h, new(Uses[own]), 0)
		require.Equal(t, replace, n != nil)
		if replace {
			require.EqualValues(t, -1, n.Write.Load())
			require.Equal(t, 1, n.FDs())
		}
		require.Zero(t, tab.Counts().Writing)
	}
}

func TestSweepRetiresWhatIsIdleAndShowsWhatIsDue(t *testing.T) {
	tab := newTable(1 << 20)
	const n = 2*batch + 3
	for i := range uint64(n) {
		e := make1(i)
		e.Own.costly = i%2 == 0
		tab.Add(e, new(Uses[own]), 0)
	}
	const rounds = 3
	for round := range rounds + 1 {
		seen := 0
		h := number(5)
		require.NotNil(t, tab.Find(&h, new(Uses[own]), 0))
		tab.Sweep(rounds, false, costly, func(e *ent) {
			require.True(t, e.Own.costly)
			seen++
		})
		require.Equal(t, (n+1)/2, seen, "round %d", round)
	}
	require.Equal(t, 1, tab.Counts().Living, "the one that was used")
	tab.Sweep(0, true, costly, func(*ent) {})
	require.Equal(t, 1, tab.Counts().Living)
	tab.RetireAll()
	require.Zero(t, tab.Counts().Living)
}

// Threads hold, retire and close at random. Nothing is closed while somebody holds it, and every
// retired entry is handed out exactly once.
func TestNothingIsClosedUnderItsUser(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	tab := newTable(8)
	const threads = 4
	uses := make([]*Uses[own], threads)
	for i := range uses {
		uses[i] = new(Uses[own])
	}
	used := func(e *ent) bool { return slices.ContainsFunc(uses, func(u *Uses[own]) bool { return u.Has(e) }) }
	var mu sync.Mutex
	closed := map[*ent]bool{}
	var wg sync.WaitGroup
	for i := range threads {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(i)))
			u := uses[i]
			for range 3000 {
				n := rnd.Uint64N(12)
				h := number(n)
				e := tab.Find(&h, u, 0)
				if e == nil {
					e = tab.Add(make1(n), u, 0)
				}
				if rnd.IntN(3) == 0 {
					tab.Retire(e)
				}
				mu.Lock()
				if closed[e] {
					t.Errorf("%d is closed and in use", n)
				}
				mu.Unlock()
				u.Done()
				if rnd.IntN(4) == 0 {
					tab.Evict(rnd.IntN(4), costly, used)
				}
				free, _ := tab.Reap(used, costly)
				for _, e := range free {
					mu.Lock()
					if closed[e] {
						t.Errorf("handed out twice")
					}
					closed[e] = true
					mu.Unlock()
					tab.Gone(e)
					tab.Closed(e.FDs())
				}
			}
		})
	}
	wg.Wait()
	tab.RetireAll()
	free, _ := tab.Reap(used, costly)
	for _, e := range free {
		tab.Gone(e)
		tab.Closed(e.FDs())
	}
	require.Zero(t, tab.Open())
	require.Equal(t, Counts{}, tab.Counts())
}
