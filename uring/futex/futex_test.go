package futex

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// locked runs n copies of f, each on a thread of its own, and waits for them.
func locked(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			runtime.LockOSThread() // the thread ends with the goroutine
			f(i)
		})
	}
	all.Wait()
}

func TestOneAtATimeHoldsTheLock(t *testing.T) {
	var m Mutex
	var inside atomic.Int32
	n, most := 0, int32(0)
	locked(8, func(int) {
		for i := range 2000 {
			m.Lock()
			n++
			most = max(most, inside.Add(1))
			if i%64 == 0 {
				runtime.Gosched() // others find the lock held
			}
			inside.Add(-1)
			m.Unlock()
		}
	})
	require.Equal(t, 8*2000, n)
	require.EqualValues(t, 1, most)
	require.EqualValues(t, free, m.word.Load())
}

func TestTryLockDoesNotWait(t *testing.T) {
	var m Mutex
	require.True(t, m.TryLock())
	require.False(t, m.TryLock())
	m.Unlock()
	require.True(t, m.TryLock())
	m.Unlock()
	require.PanicsWithValue(t, "futex: Unlock of a Mutex that is not locked", m.Unlock)
}

// A lock whose holder sleeps is waited for in the kernel, and its Unlock wakes who waits.
func TestUnlockWakesWhoWaits(t *testing.T) {
	var m Mutex
	m.Lock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		locked(3, func(int) {
			m.Lock()
			m.Unlock() //nolint:staticcheck // to have had it is all
		})
	}()
	for m.word.Load() != awaited {
		runtime.Gosched()
	}
	m.Unlock()
	<-done
	require.EqualValues(t, free, m.word.Load())
}

// Numbers are handed on from thread to thread: each waits for its own.
func TestAGateLosesNobody(t *testing.T) {
	for _, wake := range []func(*Gate){(*Gate).All, func(g *Gate) {
		for range 4 { // the right one is among them
			g.One()
		}
	}} {
		var g Gate
		var turn atomic.Int32
		const threads, rounds = 4, 500
		locked(threads, func(i int) {
			for r := range int32(rounds) {
				for {
					seen := g.Seen()
					if turn.Load() == r*threads+int32(i) {
						break
					}
					g.Wait(seen)
				}
				turn.Add(1)
				wake(&g)
			}
		})
		require.EqualValues(t, threads*rounds, turn.Load())
	}
}

func TestASleeperWakesOnceForEachWakeOrMore(t *testing.T) {
	var s Sleeper
	s.Wake()
	s.Wake()
	s.Sleep(0) // at once
	require.Zero(t, s.word.Load(), "the next Sleep waits")
	s.Sleep(time.Nanosecond)
	var awake atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		locked(1, func(int) {
			for range 1000 {
				s.Sleep(0)
				awake.Add(1)
			}
		})
	}()
	for i := range int32(1000) {
		s.Wake()
		for awake.Load() <= i {
			runtime.Gosched()
		}
	}
	<-done
}
