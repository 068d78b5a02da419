package uring

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// The kernel refuses a ring with fewer places for completions than for entries.
func TestARingHasAtLeastAsManyPlacesForCompletionsAsForEntries(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, c := range []struct{ entries, cqEntries, want uint32 }{
		{64, 0, 256}, {64, 1, 64}, {64, 64, 64}, {64, 65, 128}, {0, 1, 256}, {0, 0, 1024},
	} {
		r, err := New(Config{Entries: c.entries, CQEntries: c.cqEntries})
		if err != nil && c.cqEntries == 0 {
			t.Skipf("io_uring: %v", err)
		}
		require.NoError(t, err, "%+v", c)
		require.Equal(t, c.want, r.CQEntries(), "%+v", c)
		require.NoError(t, r.Close())
	}
}
