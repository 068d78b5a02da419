package bufring_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/bufring"
	"github.com/ringnfs/ringnfs/bufring/bufringtest"
)

func TestSharesLeaveSomethingForThoseWhoComeLater(t *testing.T) {
	for _, c := range []struct {
		free, all, own, above int
		want                  bool
	}{
		{0, 48, 0, 0, false}, {1, 48, 0, 0, true}, {1, 1, 0, 0, true}, {1, 2, 1, 1, false},
		{24, 48, 24, 24, false}, {25, 48, 23, 23, true}, {24, 48, 23, 23, true}, // half
		{7, 48, 0, 41, true}, {7, 48, 1, 41, false}, {6, 48, 0, 42, false}, // the last eighth
		{6, 48, 1, 1, true}, {4, 48, 3, 3, true}, {3, 48, 1, 1, false}, // fewer than are left
		{2, 3, 0, 1, true}, {2, 3, 1, 1, true}, {1, 3, 0, 2, false},
	} {
		require.Equal(t, c.want, bufring.Share{Free: c.free, All: c.all}.Allows(c.own, c.above), "%+v", c)
	}
}

// A household that gives back what it has comes down to its part when another household wants its
// own, even if it has many connections.
func TestHouseholdsComeToHoldEqualParts(t *testing.T) {
	const all = 48
	var held [3]int
	free := all
	take := func(i int) {
		if (bufring.Share{Free: free, All: all}).Allows(held[i], held[i]) {
			held[i]++
			free--
		}
	}
	for range all {
		take(0)
	}
	require.Equal(t, all/2, held[0])
	for range 4 * all {
		for i := range held {
			if held[i] > 0 && i == 0 {
				held[i]--
				free++
			}
			take(i)
			take(i)
		}
	}
	for i := range held {
		require.InDelta(t, all/4, held[i], 1, "%v", held)
	}
	// If the connections of one household hold all that they can, another household can still
	// have more than one.
	held, free = [3]int{all - 6, 0, 0}, 6
	for range 6 {
		take(1)
	}
	require.Equal(t, 3, held[1])
	take(2)
	require.Equal(t, 1, held[2])
}

func TestSlabsAreChargedUntilTheLastHolderReleasesThem(t *testing.T) {
	s, err := bufring.NewSlabs(arena, 1<<20, nil)
	require.NoError(t, err)
	all := s.Free(bufring.Large)
	var house, other bufring.Account
	conns := make([]bufring.Account, all)
	var held []*bufring.Buffer
	// One connection takes half, which is all that it gets. Others of its household get one
	// each, except from the last eighth.
	for i := range conns {
		conns[i].Above = &house
		for b := s.TakeFor(&conns[i], bufring.Large); b != nil; b = s.TakeFor(&conns[i], bufring.Large) {
			held = append(held, b)
		}
	}
	require.Equal(t, all-all/2, conns[0].Held(bufring.Large))
	require.Equal(t, 1, conns[1].Held(bufring.Large))
	require.Equal(t, all-max(1, all/8), house.Held(bufring.Large))
	b := s.TakeFor(&other, bufring.Large)
	require.NotNil(t, b, "another household finds some")
	held[0].Clone().Release()
	require.Equal(t, all-all/2, conns[0].Held(bufring.Large))
	for _, b := range append(held, b) {
		b.Release()
	}
	for i := range conns {
		require.True(t, conns[i].Idle())
	}
	require.True(t, house.Idle() && other.Idle())
	bufringtest.NoneHeld(t, s)
	require.NoError(t, s.Close())
}
