package loop

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// Zero is never an operation, even after a slot has been used 2^32 times.
func TestTheGenerationsOfASlotLeaveZeroOut(t *testing.T) {
	var table slotTable
	id := table.take(quiet{}, 0)
	require.Equal(t, ID(1<<32), id)
	table.put(id)
	table.slots[0].generation = math.MaxUint32
	id = table.take(quiet{}, 0)
	require.Equal(t, ID(1<<32), id)
	_, err := table.find(0)
	require.Error(t, err)
	s, err := table.find(id)
	require.NoError(t, err)
	require.Equal(t, Handler(quiet{}), s.handler)
	table.put(id)
	require.Zero(t, table.inUse)
}

// Slots come back in any order. None is given out twice or forgotten.
func TestSlotsThatComeBackAreGivenOutAgain(t *testing.T) {
	var table slotTable
	var ids []ID
	for range 8 {
		ids = append(ids, table.take(quiet{}, 0))
	}
	for _, i := range []int{3, 0, 7, 4} {
		table.put(ids[i])
	}
	var again []uint32
	for range 4 {
		again = append(again, uint32(table.take(quiet{}, 0)))
	}
	require.ElementsMatch(t, []uint32{3, 0, 7, 4}, again)
	require.Len(t, table.slots, 8)
	require.Equal(t, 8, table.inUse)
}
