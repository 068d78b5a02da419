package table

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
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

// joined returns a Uses of tab.
func joined(tab *Table[own]) *Uses[own] {
	u := new(Uses[own])
	tab.Join(u)
	return u
}

func TestTheFirstEntryOfAnObjectStays(t *testing.T) {
	tab := newTable(10)
	u := joined(tab)
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
	tab := newTable(10)
	u := joined(tab)
	e := make1(1)
	tab.Add(e, u, 2)
	tab.Retire(e)
	tab.Retire(e)
	require.True(t, e.Dead())
	h := number(1)
	require.Nil(t, tab.Find(&h, new(Uses[own]), 0))
	require.Equal(t, Counts{Retired: 1, Going: 1}, tab.Counts())
	free, later := tab.Reap(costly)
	require.Empty(t, free)
	require.False(t, later)
	require.False(t, u.Hold(e, 0))
	require.False(t, joined(tab).Hold(e, 0))

	u.Done()
	e.Own.costly = true
	free, later = tab.Reap(costly)
	require.Empty(t, free)
	require.True(t, later)
	e.Own.costly = false
	free, _ = tab.Reap(costly)
	require.Equal(t, []*ent{e}, free)
	free, _ = tab.Reap(costly)
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
	require.True(t, joined(tab).Hold(all[1], 0))
	require.True(t, tab.Full())
	dead := func() (list []int) {
		for i, e := range all {
			if e.Dead() {
				list = append(list, i)
			}
		}
		return list
	}
	free, later := tab.Evict(0, costly, costly)
	require.Empty(t, free, "all fit")
	require.False(t, later)
	require.Empty(t, dead())
	free, later = tab.Evict(2, costly, costly)
	require.ElementsMatch(t, []*ent{all[2], all[3]}, free)
	require.False(t, later)
	require.Equal(t, []int{2, 3}, dead())
	require.Equal(t, 4, tab.Open(), "until the caller has closed them")
	tab.Closed(2)
	free, later = tab.Evict(3, costly, costly)
	require.Empty(t, free)
	require.True(t, later)
	require.Equal(t, []int{0, 2, 3}, dead(), "costly when nothing else is left")
	require.Equal(t, Counts{Living: 1, Retired: 1, Going: 1}, tab.Counts())
	free, later = tab.Evict(4, costly, costly)
	require.Empty(t, free)
	require.False(t, later)
	require.Equal(t, []int{0, 2, 3}, dead(), "what is used never")
}

func TestSpareTakesWhatNobodyHasUsedLately(t *testing.T) {
	tab := newTable(100)
	u := joined(tab)
	var all []*ent
	for n := range uint64(8) {
		e := make1(n)
		tab.Add(e, u, 0)
		all = append(all, e)
	}
	u.Done()
	require.Empty(t, tab.Spare(5, costly), "all have been used")
	tab.Sweep(3, false, costly, func(*ent) {})
	all[0].Own.costly = true
	require.True(t, tab.Pin(all[1]))
	require.True(t, u.Hold(all[2], 0))
	u.Done()
	u.Keep(all[3], 0) // without a mark
	all[3].who.Or(u.mark &^ fresh)
	one := tab.Spare(1, costly)
	require.Len(t, one, 1, "that is enough")
	require.Empty(t, tab.Spare(0, costly))
	require.ElementsMatch(t, all[4:], append(one, tab.Spare(100, costly)...))
	for i, e := range all {
		require.Equal(t, i >= 4, e.Dead(), "%d", i)
	}
	all[0].Own.costly = false
	tab.Unpin(all[1])
	u.Unkeep(0)
	require.ElementsMatch(t, []*ent{all[0], all[1], all[3]}, tab.Spare(100, costly))
	tab.Retire(all[2])
	require.Empty(t, tab.Spare(1, costly), "there is none")
}

func TestReleaseHandsOutAtOnceWhatNobodyUses(t *testing.T) {
	tab := newTable(10)
	u := joined(tab)
	for _, x := range []struct {
		name                          string
		retired, pinned, held, costly bool
		free, later, dead, left       bool
	}{
		{name: "unused", free: true, dead: true},
		{name: "used", held: true, dead: true, left: true},
		{name: "costly", costly: true, later: true, dead: true, left: true},
		{name: "used and costly", held: true, costly: true, dead: true, left: true},
		{name: "pinned", pinned: true},
		{name: "retired", retired: true, free: true, dead: true},
		{name: "retired and used", retired: true, held: true, dead: true, left: true},
		{name: "retired and costly", retired: true, costly: true, later: true, dead: true,
			left: true},
	} {
		t.Run(x.name, func(t *testing.T) {
			e, other := make1(1), make1(2)
			for _, e := range []*ent{e, other} {
				tab.Add(e, u, 0)
			}
			u.Done()
			tab.Retire(other)
			require.Equal(t, x.held, x.held && u.Hold(e, 3))
			e.Own.costly = x.costly
			if x.retired {
				tab.Retire(e)
			}
			require.Equal(t, x.pinned, x.pinned && tab.Pin(e))
			free, later := tab.Release(e, costly)
			require.Equal(t, x.free, free)
			require.Equal(t, x.later, later)
			require.Equal(t, x.dead, e.Dead())
			if !x.dead {
				tab.Unpin(e)
				tab.Retire(e)
				x.left = true
			} else {
				again, _ := tab.Release(e, costly)
				require.False(t, again, "once")
			}
			u.Done()
			e.Own.costly = false
			rest, later := tab.Reap(costly)
			require.False(t, later)
			want := []*ent{other}
			if x.left {
				want = append(want, e)
			}
			require.ElementsMatch(t, want, rest)
			again, _ := tab.Release(e, costly)
			require.False(t, again, "once")
			for _, e := range []*ent{e, other} {
				tab.Gone(e)
				tab.Closed(e.FDs())
			}
			require.Zero(t, tab.Open())
			require.Zero(t, tab.Going())
			require.Equal(t, Counts{}, tab.Counts())
		})
	}
}

// Whoever has never held an entry is not asked whether it uses the entry, however many there are.
func TestOnlyThoseWhoHaveHeldAnEntryAreAsked(t *testing.T) {
	tab := newTable(10)
	u, other := joined(tab), joined(tab)
	e := make1(1)
	tab.Add(e, u, 0)
	u.Done()
	other.slots[0].Store(e) // nobody may do this: it is not Hold
	free, _ := tab.Release(e, costly)
	require.True(t, free)
}

func TestEachOfManyKeepsOpenWhatItHolds(t *testing.T) {
	const many = 3*usesBits + 5 // several have the same bit
	tab := newTable(many)
	first := joined(tab)
	var uses []*Uses[own]
	for range many {
		uses = append(uses, joined(tab))
	}
	for i := range uses {
		require.LessOrEqual(t, len(tab.users[i%usesBits]), 4)
	}
	for how, hold := range map[string]func(e *ent, u *Uses[own]) bool{
		"Hold":       func(e *ent, u *Uses[own]) bool { return u.Hold(e, 1) },
		"Find":       func(e *ent, u *Uses[own]) bool { return tab.Find(&e.Handle, u, 1) == e },
		"FindObject": func(e *ent, u *Uses[own]) bool { return tab.FindObject(&e.Key, u, 1) == e },
		"Add": func(e *ent, u *Uses[own]) bool {
			return tab.Add(make1(uint64(e.FD)), u,
				1) == e
		},
		"Keep": func(e *ent, u *Uses[own]) bool {
			ok := u.Hold(e, 1)
			u.Keep(e, 0)
			u.Drop(1)
			return ok
		},
	} {
		for i, u := range uses {
			e := make1(uint64(i))
			require.Same(t, e, tab.Add(e, first, 0))
			first.Done()
			require.True(t, hold(e, u), how)
			free, _ := tab.Release(e, costly)
			require.False(t, free, "%s by number %d", how, i)
			u.Done()
			u.Unkeep(0)
			free, _ = tab.Release(e, costly)
			require.True(t, free, how)
			tab.Gone(e)
		}
	}
	for _, u := range append(uses, first) {
		tab.Leave(u)
	}
	for _, list := range tab.users {
		require.Empty(t, list)
	}
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

// Threads hold, retire and close at random, some entries without the table's lock. Nothing is
// closed while somebody holds it, and every retired entry is handed out exactly once.
func TestNothingIsClosedUnderItsUser(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	tab := newTable(8)
	const threads, objects = 4, 12
	uses := make([]*Uses[own], threads)
	for i := range uses {
		uses[i] = joined(tab)
	}
	var shown [objects]atomic.Pointer[ent] // where threads find entries that they have never held
	var mu sync.Mutex
	closed := map[*ent]bool{}
	leave := func(free ...*ent) {
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
	var wg sync.WaitGroup
	for i := range threads {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(i)))
			u := uses[i]
			for range 3000 {
				n := rnd.Uint64N(objects)
				h := number(n)
				e := shown[n].Load()
				if e == nil || rnd.IntN(2) == 0 || !u.Hold(e, 0) {
					if e = tab.Find(&h, u, 0); e == nil {
						e = tab.Add(make1(n), u, 0)
					}
					shown[n].Store(e)
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
				switch rnd.IntN(4) {
				case 0:
					free, _ := tab.Evict(rnd.IntN(4), costly, costly)
					leave(free...)
				case 1:
					if free, _ := tab.Release(e, costly); free {
						leave(e)
					}
				case 2:
					free, _ := tab.Reap(costly)
					leave(free...)
				}
			}
		})
	}
	wg.Wait()
	tab.RetireAll()
	free, _ := tab.Reap(costly)
	leave(free...)
	require.Zero(t, tab.Open())
	require.Equal(t, Counts{}, tab.Counts())
}
