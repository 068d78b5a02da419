package stable

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// atRest waits until n calls wait for an fsync that has not begun, and as many as running run.
func (f *Flushes) atRest(n int, running bool) {
	for {
		f.mu.Lock()
		ok := f.waiting[0]+f.waiting[1] == n && f.running == running
		f.mu.Unlock()
		if ok {
			return
		}
		runtime.Gosched()
	}
}

func TestFlushesThatWaitTogetherAreOne(t *testing.T) {
	var f Flushes
	steps := make(chan unix.Errno) // a value ends the running fsync with this result
	begun := make(chan int, 16)    // the numbers of the fsyncs that have begun
	n := 0
	results := make(chan string, 16)
	ask := func(who string) {
		go func() {
			runtime.LockOSThread()
			errno := f.Do(func() unix.Errno { n++; begun <- n; return <-steps })
			results <- fmt.Sprint(who, " ", int(errno))
		}()
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
	require.Equal(t, 1, <-begun)
	for _, who := range []string{"a", "b", "c"} {
		ask(who)
	}
	f.atRest(3, true)
	require.Empty(t, begun, "who comes later waits for the next")
	steps <- 0
	heard("first 0")
	require.Equal(t, 2, <-begun, "one for all who waited")
	f.atRest(2, true)
	ask("d")
	ask("e")
	f.atRest(4, true)
	steps <- unix.EIO
	heard("a 5", "b 5", "c 5")
	require.Equal(t, 3, <-begun)
	steps <- 0
	heard("d 0", "e 0")
	f.atRest(0, false)
	require.Empty(t, begun, "nobody is left")
	ask("alone")
	require.Equal(t, 4, <-begun, "what has ended is not shared")
	steps <- unix.ENOSPC
	heard("alone 28")
}

// Whatever the order, each call returns after an fsync that began after it was made, with the error
// of that one if it has failed; at most one runs at a time, and nobody waits for ever.
func TestEveryCallGetsAnFsyncThatBeganAfterIt(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var f Flushes
	var mu sync.Mutex
	began, running := 0, false
	fails := map[int]unix.Errno{}
	rnd := rand.New(rand.NewPCG(seed, 0))
	fsync := func() unix.Errno {
		mu.Lock()
		began++
		n := began
		if running {
			t.Error("two run at once")
		}
		running = true
		if rnd.IntN(4) == 0 {
			fails[n] = unix.EIO
		}
		yields := rnd.IntN(4)
		mu.Unlock()
		for range yields {
			runtime.Gosched()
		}
		mu.Lock()
		defer mu.Unlock()
		running = false
		return fails[n]
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			runtime.LockOSThread()
			for range 300 {
				mu.Lock()
				before := began
				mu.Unlock()
				errno := f.Do(fsync)
				mu.Lock()
				if began == before {
					t.Error("no fsync has begun since")
				}
				// The first of those that began later is the call's, if others did not
				// come between.
				if errno != 0 && errno != unix.EIO {
					t.Errorf("an error from nowhere: %v", errno)
				}
				if fails[before+1] == 0 && fails[began] == 0 && before+1 == began &&
					errno != 0 {
					t.Error("an error that the call's fsync did not have")
				}
				if fails[before+1] != 0 && before+1 == began && errno == 0 {
					t.Error("the call's fsync has failed, and it was not told")
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	f.atRest(0, false)
}

// The kernel reports a failure once: a call that hears of its fsync late hears of a later failure, too.
// What was changed after a failure is not concerned.
func TestAFailureIsOfAllThatCameBeforeIt(t *testing.T) {
	f := Flushes{begun: 4, done: 4, failed: 3, errno: unix.EIO}
	for n, want := range []unix.Errno{unix.EIO, unix.EIO, unix.EIO, unix.EIO, 0, 0} {
		require.Equal(t, want, f.result(uint64(n)), n)
	}
	for mark, want := range []unix.Errno{unix.EIO, unix.EIO, unix.EIO, 0, 0} {
		require.Equal(t, want, f.Since(uint64(mark)), mark)
	}
	require.EqualValues(t, 3, f.Failures())
}
