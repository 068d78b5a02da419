package recall

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnItemHasThePlacesOfItsHashOnly(t *testing.T) {
	const sets, ways = 8, 4
	m := NewOwn[int](sets, ways)
	require.True(t, m.Ready())
	require.False(t, new(Own[int]).Ready())
	seen := map[*int]uint64{}
	for hash := range uint64(3 * sets) {
		set := m.Set(hash)
		require.Len(t, set, ways)
		require.Equal(t, ways, cap(set), "appending to a set reaches no other one")
		for i := range set {
			if other, ok := seen[&set[i]]; ok {
				require.Equal(t, other, hash%sets, "two sets have no place in common")
			}
			seen[&set[i]] = hash % sets
		}
	}
	require.Len(t, seen, sets*ways)
}

func TestEveryWayGoesInTurn(t *testing.T) {
	m := NewOwn[int](2, 4)
	set := m.Set(1)
	gone := map[*int]bool{}
	for range 4 {
		gone[m.Victim(set)] = true
	}
	require.Len(t, gone, 4)
}

func TestOneWayIsOnePlace(t *testing.T) {
	m := NewOwn[int](16, 1)
	*m.At(3) = 7
	require.Equal(t, 7, *m.At(3 + 16))
	require.Zero(t, *m.At(4))
	require.Same(t, m.At(3), &m.Set(3)[0])
}

func TestSharedItemsReplaceTheirLikeThenTheNextInTurn(t *testing.T) {
	m := NewShared[int](4, 2)
	put := func(n int) { m.Put(5, &n, func(old *int) bool { return *old == n }) }
	held := func() (list []int) {
		set := m.Set(1) // 5 has the same set
		for i := range set {
			if x := set[i].Load(); x != nil {
				list = append(list, *x)
			}
		}
		return list
	}
	put(1)
	put(1)
	require.Equal(t, []int{1}, held())
	put(2)
	require.Equal(t, []int{1, 2}, held())
	put(3)
	put(4)
	require.ElementsMatch(t, []int{3, 4}, held())
	empty := m.Set(0)
	require.Nil(t, empty[0].Load())
}

func TestSharedMemoryTakesNoLock(t *testing.T) {
	m := NewShared[int](2, 2)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 1000 {
				n := g*1000 + i
				m.Put(uint64(i), &n, func(old *int) bool { return *old == n })
				set := m.Set(uint64(i))
				for w := range set {
					if x := set[w].Load(); x != nil && (*x < 0 || *x >= 4000) {
						t.Error("an item that nobody put in")
					}
				}
			}
		})
	}
	wg.Wait()
}
