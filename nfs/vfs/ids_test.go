package vfs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIDsHaveTheirRangesAndNoMore(t *testing.T) {
	m := IDs{{First: 5, Count: 1}, {First: 1000, Count: 1000}, {First: 4294967290, Count: 5}}
	for id, want := range map[uint32]bool{
		0: false, 4: false, 5: true, 6: false, 999: false, 1000: true, 1999: true, 2000: false,
		4294967289: false, 4294967290: true, 4294967294: true, 4294967295: false,
	} {
		require.Equal(t, want, m.Has(id), id)
		require.True(t, IDs(nil).Has(id))
		require.False(t, IDs{}.Has(id))
	}
	require.Equal(t, "5, 1000-1999, 4294967290-4294967294", m.String())
	require.Equal(t, "none", IDs{}.String())
	require.Equal(t, "all", IDs(nil).String())
}
