package cli

import (
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// goal returns at how many bytes of heap the collector runs next.
func goal() uint64 {
	runtime.GC()
	list := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	metrics.Read(list)
	return list[0].Value.Uint64()
}

// resident returns how many bytes of the process are in memory.
func resident(t *testing.T) int {
	text, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	n, err := strconv.Atoi(strings.Fields(string(text))[1])
	require.NoError(t, err)
	return n * os.Getpagesize()
}

func TestTheHeapMayGrowByAnEighthOfTheBuffers(t *testing.T) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if os.Getenv(name) != "" {
			t.Skip(name + " is set")
		}
	}
	const mib = 1 << 20
	for memory, want := range map[int64]uint64{
		16 * mib: 8 * mib, 64 * mib: 8 * mib, 72 * mib: 9 * mib, 256 * mib: 32 * mib,
		512 * mib: 64 * mib,
		1 << 40:   64 * mib,
	} {
		before, was := goal(), resident(t)
		end := spareHeap(memory)
		after := goal()
		require.InDelta(t, before+2*want, after, 8*mib, "memory %d", memory)
		require.Less(t, resident(t)-was, 8*mib, "nobody touches it")
		end()
		require.InDelta(t, before, goal(), 8*mib)
	}
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		t.Setenv(name, "100")
		before := goal()
		end := spareHeap(256 * mib)
		require.InDelta(t, before, goal(), 8*mib, name)
		end()
		require.NoError(t, os.Unsetenv(name))
	}
}
