package loop_test

import (
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// There is no tick, so a lost wake-up leaves a poster waiting.
func TestPostsFromManyGoroutinesAllRunOnce(t *testing.T) {
	leakCheck(t)
	v := start(t, &owner{}, never, nil)
	const posters, each = 4, 1500
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	counts := make([][each]int32, posters) // the loop's
	var wg sync.WaitGroup
	for p := range posters {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(p)))
			for i := range each {
				task := loop.TaskFunc(func() { counts[p][i]++ })
				switch rng.IntN(4) {
				case 0: // a wake-up each
					v.on(t, task)
				case 1:
					runtime.Gosched()
					fallthrough
				default:
					if v.Post(task) != nil {
						t.Error("post refused")
					}
				}
			}
		})
	}
	wg.Wait()
	v.end(t)
	for p := range counts {
		for i, n := range counts[p] {
			require.Equal(t, int32(1), n, "task %d of poster %d", i, p)
		}
	}
}

func TestTasksOfOneGoroutineRunInOrder(t *testing.T) {
	leakCheck(t)
	v := start(t, &owner{}, never, nil)
	var got []int
	for i := range 2000 {
		require.NoError(t, v.Post(loop.TaskFunc(func() { got = append(got, i) })))
	}
	v.end(t)
	require.Len(t, got, 2000)
	require.IsIncreasing(t, got)
}

// Posters race with the end. A task that was accepted runs once; one that was refused never runs.
func TestPostsThatRaceWithTheEndRunOnceOrAreRefused(t *testing.T) {
	leakCheck(t)
	for range 30 {
		v := start(t, &owner{}, never, nil)
		var accepted, ran atomic.Int32
		var wg sync.WaitGroup
		for p := range 4 {
			wg.Go(func() {
				for {
					if v.Post(loop.TaskFunc(func() { ran.Add(1) })) != nil {
						return
					}
					accepted.Add(1)
					if p%2 == 0 {
						runtime.Gosched()
					}
				}
			})
		}
		v.end(t)
		wg.Wait()
		require.Equal(t, accepted.Load(), ran.Load())
		require.ErrorIs(t, v.Post(loop.TaskFunc(func() { t.Error("ran after the end") })), loop.ErrStopped)
	}
}

func TestSleepingLoopDoesNotTurn(t *testing.T) {
	leakCheck(t)
	turns := 0 // the loop's
	v := start(t, &owner{turn: func() { turns++ }}, never, nil)
	var before, after int
	v.on(t, func() { before = turns })
	for range 100 { // chances to turn, if it did
		asleep(v.tid)
	}
	v.on(t, func() { after = turns })
	v.end(t)
	require.LessOrEqual(t, after-before, 4)
}

// What is left for a patient loop that sleeps runs when the loop wakes for something else. A loop that
// is not patient wakes for it.
func TestAPatientLoopSleepsOn(t *testing.T) {
	leakCheck(t)
	turns := 0 // the loop's
	v := start(t, &owner{turn: func() { turns++ }}, never, nil)
	ran := make(chan struct{}, 2)
	left := loop.TaskFunc(func() { ran <- struct{}{} })
	require.NoError(t, v.Leave(left))
	<-ran
	var before, after int
	v.on(t, func() { v.Patient(true); before = turns })
	asleep(v.tid)
	require.NoError(t, v.Leave(left))
	for range 100 { // chances to run, if it did
		asleep(v.tid)
	}
	require.Empty(t, ran)
	v.on(t, func() { after = turns })
	require.Len(t, ran, 1, "it runs before what wakes the loop")
	require.LessOrEqual(t, after-before, 4)
	<-ran
	v.on(t, func() { v.Patient(false) })
	asleep(v.tid)
	require.NoError(t, v.Leave(left))
	<-ran
	v.on(t, func() { v.Patient(true) })
	require.NoError(t, v.Leave(left)) // an end is no reason to lose it
	v.end(t)
	require.Len(t, ran, 1)
	require.ErrorIs(t, v.Leave(left), loop.ErrStopped)
}

// Signals end a wait early, and nothing else.
func TestSignalsDisturbNothing(t *testing.T) {
	leakCheck(t)
	v := start(t, &owner{}, never, nil)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Tgkill(os.Getpid(), v.tid, unix.SIGURG)
				time.Sleep(50 * time.Microsecond)
			}
		}
	})
	for range 300 {
		v.on(t, func() {
			for range 70 {
				nopWhoseResultIs(t, v.Loop, 0)
			}
		})
	}
	close(stop)
	wg.Wait()
	v.end(t)
}

func nopWhoseResultIs(t testing.TB, l *loop.Loop, want int32) {
	_, sqe := l.Begin(handler(func(_ loop.ID, _ loop.Kind, res int32, _ uint32, last bool) {
		if res != want || !last {
			t.Errorf("no-op: result %d, last %v", res, last)
		}
	}), 0)
	sqe.PrepNop()
}

func TestStopWaitsForTheLastCompletion(t *testing.T) {
	leakCheck(t)
	var p [2]int
	require.NoError(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
	buf, err := uring.Map(4096)
	require.NoError(t, err)
	got := int32(-1)
	v := start(t, &owner{}, never, nil)
	var id loop.ID
	v.on(t, func() {
		var sqe *uring.SQE
		id, sqe = v.Begin(handler(func(_ loop.ID, _ loop.Kind, res int32, _ uint32, last bool) { got = res }), 0)
		sqe.PrepRead(p[0], buf[:16], 0, 0)
		v.Stop()
	})
	for range 20 {
		v.on(t, func() { require.Equal(t, 1, v.InFlight()) }) // it still turns
	}
	select {
	case err := <-v.done:
		t.Fatal("the loop ended with a read in flight", err)
	default:
	}
	_, err = unix.Write(p[1], []byte("late"))
	require.NoError(t, err)
	require.NoError(t, v.join(t))
	require.EqualValues(t, 4, got)
	require.NoError(t, unix.Close(p[0]))
	require.NoError(t, unix.Close(p[1]))
	require.NoError(t, uring.Unmap(buf))
	require.NotZero(t, id)
}

func TestCancelEndsAnOperationAndIsHarmlessAfterwards(t *testing.T) {
	leakCheck(t)
	var p [2]int
	require.NoError(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
	buf, err := uring.Map(4096)
	require.NoError(t, err)
	v := start(t, &owner{}, never, nil)
	var results []int32
	var first loop.ID
	v.on(t, func() {
		id, sqe := v.Begin(handler(func(_ loop.ID, _ loop.Kind, res int32, _ uint32, _ bool) {
			results = append(results, res)
		}), 0)
		sqe.PrepRead(p[0], buf[:16], 0, 0)
		first = id
		v.Cancel(id)
		v.Cancel(id)
	})
	for n := 1; n > 0; {
		v.on(t, func() { n = v.InFlight() })
	}
	v.on(t, func() {
		// Another operation uses the slot again; the old ID must not hit it.
		_, sqe := v.Begin(handler(func(_ loop.ID, _ loop.Kind, res int32, _ uint32, _ bool) {
			results = append(results, res)
		}), 0)
		sqe.PrepRead(p[0], buf[:16], 0, 0)
		v.Cancel(first)
	})
	_, err = unix.Write(p[1], []byte("kept"))
	require.NoError(t, err)
	v.end(t)
	require.Equal(t, []int32{-int32(unix.ECANCELED), 4}, results)
	require.NoError(t, unix.Close(p[0]))
	require.NoError(t, unix.Close(p[1]))
	require.NoError(t, uring.Unmap(buf))
}

// The loop never waits for a ring that always has completions, and the clock goes on.
func TestBusyLoopStillTicksAndTakesPosts(t *testing.T) {
	leakCheck(t)
	var ticks atomic.Int32
	var v *live
	var again handler
	busy := true
	again = func(loop.ID, loop.Kind, int32, uint32, bool) {
		if busy {
			_, sqe := v.Begin(again, 0)
			sqe.PrepNop()
		}
	}
	v = start(t, &owner{tick: func() { ticks.Add(1) }}, time.Millisecond, nil)
	v.on(t, func() { again(0, 0, 0, 0, true) })
	for ticks.Load() <= 3 {
		runtime.Gosched()
	}
	v.on(t, func() { busy = false })
	v.end(t)
}

func TestOverflowedCompletionsAllArrive(t *testing.T) {
	leakCheck(t)
	done := 0
	v := start(t, &owner{}, never, nil) // 64 entries, room for 256 completions
	v.on(t, func() {
		for range 2000 {
			_, sqe := v.Begin(handler(func(loop.ID, loop.Kind, int32, uint32, bool) { done++ }), 0)
			sqe.PrepNop()
		}
	})
	v.end(t)
	require.Equal(t, 2000, done)
}
