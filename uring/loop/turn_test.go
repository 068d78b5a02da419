package loop_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/loop"
	"github.com/ringnfs/ringnfs/uring/uringtest"
)

func TestTurnRunsTasksThenCompletionsThenTheOwnerThenSubmits(t *testing.T) {
	leakCheck(t)
	var log []string
	var l *loop.Loop
	o := &owner{turn: func() { log = append(log, "turn") }}
	note := func(s string) loop.Task { return loop.TaskFunc(func() { log = append(log, s) }) }
	nop := func(s string, then func()) {
		_, sqe := l.Begin(handler(func(loop.ID, loop.Kind, int32, uint32, bool) {
			log = append(log, s)
			then()
		}), 0)
		sqe.PrepNop()
	}
	l, _ = scripted(t, o, uringtest.Options{Script: func(op *uringtest.Op) bool {
		if op.Code == "NOP" {
			log = append(log, "submitted")
		}
		return false
	}})
	require.NoError(t, l.Post(note("task 1")))
	require.NoError(t, l.Post(loop.TaskFunc(func() {
		log = append(log, "task 2")
		nop("done 1", func() {
			// Neither tasks that are posted here nor operations that begin here run
			// within this list.
			require.NoError(t, l.Post(note("task 3")))
			nop("done 3", l.Stop)
		})
		nop("done 2", func() {})
	})))
	require.NoError(t, l.Run())
	require.Equal(t, []string{
		"task 1", "task 2", "turn", "submitted", "submitted",
		"done 1", "done 2", "turn", "submitted",
		"task 3", "done 3", "turn",
	}, log)
}

func TestAgainBringsAnotherTurnWithoutWaiting(t *testing.T) {
	leakCheck(t)
	var l *loop.Loop
	turns, slept := 0, false
	o := &owner{}
	o.turn = func() {
		if turns++; turns < 10 {
			l.Again()
			return
		}
		require.False(t, slept)
		l.Stop()
	}
	l, _ = scripted(t, o, uringtest.Options{Idle: func(*uringtest.Ring) bool {
		slept = true
		return false
	}})
	require.NoError(t, l.Run())
	require.Equal(t, 10, turns)
}

func TestASpinningLoopSeesPostsWithoutHavingSlept(t *testing.T) {
	leakCheck(t)
	slept := false
	r := &looked{
		Ring: uringtest.New(
			t,
			uringtest.Options{Idle: func(*uringtest.Ring) bool { slept = true; return false }},
		),
	}
	l, err := loop.New(r, &owner{}, never)
	require.NoError(t, err)
	l.Spin = never
	stopped := make(chan error)
	r.at = func(look int) {
		if look == 100 {
			go func() { stopped <- l.Post(loop.TaskFunc(l.Stop)) }()
		}
	}
	require.NoError(t, l.Run())
	require.NoError(t, <-stopped)
	require.False(t, slept, "it slept")
}

// looked counts how often a loop has looked for completions.
type looked struct {
	*uringtest.Ring
	looks int
	at    func(look int)
}

func (r *looked) Harvest(dst []uring.CQE) int {
	r.looks++
	r.at(r.looks)
	return r.Ring.Harvest(dst)
}

func TestASpinningLoopSleepsInTheEnd(t *testing.T) {
	leakCheck(t)
	var l *loop.Loop
	var r *uringtest.Ring
	slept := false
	l, r = scripted(t, &owner{}, uringtest.Options{Idle: func(*uringtest.Ring) bool {
		if !slept {
			slept = true
			require.NoError(t, l.Post(loop.TaskFunc(l.Stop)))
		}
		return answerWakeUp(r)
	}})
	l.Spin = 100 * time.Microsecond
	require.NoError(t, l.Run())
	require.True(t, slept)
}

func TestHandlerSeesTheLastCompletionOnceAndTheSlotIsKeptUntilThen(t *testing.T) {
	leakCheck(t)
	type seen struct {
		res  int32
		last bool
	}
	var got, zc []seen
	var l *loop.Loop
	var multi, send, other loop.ID
	step := 0
	idle := func(r *uringtest.Ring) bool {
		step++
		switch step {
		case 1:
			r.Find("ACCEPT").More(11)
			r.Find("SEND_ZC").Complete(3) // the notification is owed
		case 2:
			r.Find("ACCEPT").More(12)
		case 3:
			require.Equal(t, 2, l.InFlight())
			var third loop.ID
			third, sqe := l.Begin(handler(func(loop.ID, loop.Kind, int32, uint32, bool) {}), 0)
			sqe.PrepNop()
			require.NotContains(
				t,
				[]uint32{uint32(multi), uint32(send)},
				uint32(third),
				"a slot in use was given out",
			)
			_, _ = r.Submit()
		case 4:
			r.Find("SEND_ZC").Notify(false)
			r.Find("ACCEPT").Complete(13)
		default:
			return false
		}
		return true
	}
	o := &owner{turn: func() {
		if n := len(got); n > 0 && got[n-1].last && len(zc) == 2 && other == 0 {
			require.Zero(t, l.InFlight())
			var sqe *uring.SQE
			other, sqe = l.Begin(handler(func(loop.ID, loop.Kind, int32, uint32, bool) { l.Stop() }), 0)
			require.NotEqual(t, multi, other)
			require.NotEqual(t, send, other, "an ID came twice")
			sqe.PrepNop()
		}
	}}
	l, _ = scripted(t, o, uringtest.Options{Idle: idle})
	var sqe *uring.SQE
	multi, sqe = l.Begin(handler(func(id loop.ID, kind loop.Kind, res int32, _ uint32, last bool) {
		require.Equal(t, multi, id)
		require.Equal(t, loop.Kind(7), kind)
		got = append(got, seen{res, last})
	}), 7)
	sqe.PrepAcceptMultishot(3, 0)
	data, err := uring.Map(4096)
	require.NoError(t, err)
	send, sqe = l.Begin(handler(func(_ loop.ID, _ loop.Kind, res int32, _ uint32, last bool) {
		zc = append(zc, seen{res, last})
	}), 0)
	sqe.PrepSendZC(4, data[:3], 0)
	require.NoError(t, l.Run())
	require.Equal(t, []seen{{11, false}, {12, false}, {13, true}}, got)
	require.Equal(t, []seen{{3, false}, {0, true}}, zc)
	require.NoError(t, uring.Unmap(data))
}

func TestCompletionOfNoOperationFailsTheLoop(t *testing.T) {
	for name, forge := range map[string]func(loop.ID) uint64{
		"an older generation":           func(id loop.ID) uint64 { return uint64(id) - 1<<32 },
		"a younger generation":          func(id loop.ID) uint64 { return uint64(id) + 2<<32 },
		"a slot that was never used":    func(loop.ID) uint64 { return 1<<32 | 9999 },
		"user data that was never set":  func(loop.ID) uint64 { return 0 },
		"an operation that is finished": func(id loop.ID) uint64 { return uint64(id) },
	} {
		t.Run(name, func(t *testing.T) {
			leakCheck(t)
			var l *loop.Loop
			ran := false
			l, r := scripted(t, &owner{}, uringtest.Options{})
			_, sqe := l.Begin(handler(func(id loop.ID, _ loop.Kind, _ int32, _ uint32, _ bool) {
				r.Post(uring.CQE{UserData: forge(id)})
				_, sqe := l.Begin(handler(func(loop.ID, loop.Kind, int32, uint32, bool) { ran = true }), 0)
				sqe.PrepNop()
			}), 0)
			sqe.PrepNop()
			require.NoError(t, l.Post(loop.TaskFunc(func() {})))
			err := l.Run()
			require.ErrorContains(t, err, "loop: completion for slot")
			require.Equal(t, err, l.Err())
			require.False(t, ran, "a completion was handled after the failure")
			require.ErrorIs(t, l.Post(loop.TaskFunc(func() {})), loop.ErrStopped)
			r.CancelAll() // the kernel does so when the ring is closed
			for r.Harvest(make([]uring.CQE, 8)) > 0 {
			}
		})
	}
}

func TestNothingIsHandledServedOrSubmittedAfterFail(t *testing.T) {
	leakCheck(t)
	boom := errors.New("boom")
	turns, submitted, second := 0, 0, false
	var l *loop.Loop
	l, r := scripted(t, &owner{turn: func() { turns++ }}, uringtest.Options{Script: func(*uringtest.Op) bool {
		submitted++
		return false
	}})
	for i := range 2 {
		_, sqe := l.Begin(handler(func(loop.ID, loop.Kind, int32, uint32, bool) {
			if second = i == 1; !second {
				l.Fail(boom)
				l.Fail(errors.New("later"))
				_, sqe := l.Begin(nil, 0)
				sqe.PrepNop()
			}
		}), 0)
		sqe.PrepNop()
	}
	late := 0
	require.NoError(t, l.Post(loop.TaskFunc(func() {
		require.NoError(t, l.Post(loop.TaskFunc(func() { late++ })))
	})))
	require.ErrorIs(t, l.Run(), boom)
	require.Equal(t, []any{1, 2, false, 1}, []any{turns, submitted, second, late})
	require.Equal(t, 1, r.Pending())
}

// stubborn is a ring that has no free entries.
type stubborn struct {
	err     error
	submits int
}

func (*stubborn) SQE() *uring.SQE                  { return nil }
func (*stubborn) Wait(uint32, time.Duration) error { return nil }
func (*stubborn) Harvest([]uring.CQE) int          { return 0 }
func (s *stubborn) Submit() (int, error) {
	s.submits++
	return 0, s.err
}

func TestRingThatTakesNoEntriesEndsTheLoop(t *testing.T) {
	for name, err := range map[string]error{"silent": nil, "busy": uring.ErrBusy, "broken": unix.EBADF} {
		t.Run(name, func(t *testing.T) {
			leakCheck(t)
			r := &stubborn{err: err}
			l, e := loop.New(r, &owner{}, never)
			require.NoError(t, e)
			_, sqe := l.Begin(handler(func(loop.ID, loop.Kind, int32, uint32, bool) {}), 0)
			sqe.PrepNop() // goes nowhere
			require.Error(t, l.Err())
			n := r.submits
			l.Begin(handler(func(loop.ID, loop.Kind, int32, uint32, bool) {}), 0)
			require.Equal(t, n, r.submits, "a failed ring was used")
			require.Error(t, l.Run())
			if err != nil && !errors.Is(err, uring.ErrBusy) {
				require.ErrorIs(t, l.Err(), err)
			}
		})
	}
}

// Each operation completes once and with its own result, whatever the ring does: a queue of 4
// entries that is submitted in between, 4 places for completions, busy submissions, reordered
// completions, early returns.
func TestStormyRingLosesAndDoublesNothing(t *testing.T) {
	leakCheck(t)
	base := rand.Uint64()
	t.Logf("seeds from %d", base)
	for i := range uint64(150) {
		faults := uringtest.Storm()
		faults.Busy = 0.3
		stormOnce(t, base+i, faults)
	}
}

func stormOnce(t *testing.T, seed uint64, faults *uringtest.Faults) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	const total = 100
	begun, over := 0, 0
	seen := make([]int, total)
	var l *loop.Loop
	begin := func(n int) {
		for ; n > 0 && begun < total; n-- {
			i := begun
			begun++
			_, sqe := l.Begin(handler(func(_ loop.ID, kind loop.Kind, res int32, _ uint32, last bool) {
				require.Equal(t, loop.Kind(i), kind)
				require.EqualValues(t, i, res)
				if last {
					seen[i]++
					over++
				}
			}), loop.Kind(i))
			if i%3 == 0 {
				sqe.PrepAcceptMultishot(i, 0)
			} else {
				sqe.PrepPollAdd(i, 1, false)
			}
		}
	}
	o := &owner{turn: func() {
		begin(1 + rng.IntN(12))
		if over == total {
			l.Stop()
		}
	}}
	answer := func(op *uringtest.Op) {
		if op.Code == "ACCEPT" {
			for range rng.IntN(4) {
				if !op.More(int32(op.FD)) {
					return
				}
			}
		}
		op.Complete(int32(op.FD))
	}
	ours := func(op *uringtest.Op) bool { return op.Code == "ACCEPT" || op.Code == "POLL_ADD" }
	l, _ = scripted(t, o, uringtest.Options{
		Entries: 4, CQEntries: 4, Seed: seed, Faults: faults,
		Script: func(op *uringtest.Op) bool {
			if ours(op) && rng.IntN(2) == 0 {
				answer(op)
				return true
			}
			return false
		},
		Idle: func(r *uringtest.Ring) bool {
			some := false
			for _, op := range r.Ops() {
				if ours(op) && (!some || rng.IntN(2) == 0) {
					answer(op)
					some = true
				}
			}
			return some
		},
	})
	require.NoError(t, l.Run(), "seed %d", seed)
	for i, n := range seen {
		require.Equal(t, 1, n, "operation %d, seed %d", i, seed)
	}
}
