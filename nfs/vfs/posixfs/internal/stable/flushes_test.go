package stable

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func newFlushes() *Flushes {
	f := &Flushes{}
	f.Init()
	return f
}

func TestFlushesThatWaitTogetherAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlushes()
		steps := make(chan unix.Errno) // a value ends the running fsync with this result
		begun := 0                     // read only while all goroutines are blocked
		results := make(chan string, 16)
		ask := func(who string) {
			go func() {
				errno := f.Do(func() unix.Errno { begun++; return <-steps })
				results <- fmt.Sprint(who, " ", int(errno))
			}()
			synctest.Wait()
		}
		heard := func(want ...string) {
			t.Helper()
			var got []string
			for range want {
				got = append(got, <-results)
			}
			require.ElementsMatch(t, want, got)
			require.Empty(t, results)
		}
		ask("first")
		require.Equal(t, 1, begun)
		for _, who := range []string{"a", "b", "c"} {
			ask(who)
		}
		require.Equal(t, 1, begun, "who comes later waits for the next")
		steps <- 0
		synctest.Wait()
		heard("first 0")
		require.Equal(t, 2, begun, "one for all who waited")
		ask("d")
		ask("e")
		steps <- unix.EIO
		synctest.Wait()
		heard("a 5", "b 5", "c 5")
		require.Equal(t, 3, begun)
		steps <- 0
		synctest.Wait()
		heard("d 0", "e 0")
		require.Equal(t, 3, begun, "nobody is left")
		ask("alone")
		require.Equal(t, 4, begun, "what has ended is not shared")
		steps <- unix.ENOSPC
		synctest.Wait()
		heard("alone 28")
	})
}
