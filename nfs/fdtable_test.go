package nfs

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// fdSize returns how many descriptors the process's table has room for.
func fdSize(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(b), "FDSize:")
	require.True(t, ok)
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(t, err)
	return n
}

func TestTheTableOfDescriptorsGrowsOnce(t *testing.T) {
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	before := fdSize(t)
	want := before + 100
	if uint64(want) > limit.Cur {
		t.Skipf("the process may have %d descriptors, and its table has room for %d", limit.Cur,
			before)
	}
	growTable(want)
	require.GreaterOrEqual(t, fdSize(t), want)
	size := fdSize(t)
	growTable(10)
	require.Equal(t, size, fdSize(t))
	open, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	require.Less(t, len(open), before, "nothing stays open")
}
