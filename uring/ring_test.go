package uring

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

func TestNopsComeBackInOrderRoundTheRing(t *testing.T) {
	inEveryMode(t, Config{Entries: 4}, func(t *testing.T, r *Ring) {
		user, want := uint64(0), uint64(0)
		var got [16]CQE
		for batch := range 40 {
			for range 1 + batch%4 {
				entry(t, r, user, (*SQE).PrepNop)
				user++
			}
			n, err := r.Submit()
			require.NoError(t, err)
			require.Equal(t, 1+batch%4, n)
			require.Zero(t, r.Pending())
			for _, c := range got[:r.Harvest(got[:])] {
				require.Equal(t, CQE{UserData: want}, c)
				want++
			}
			require.Equal(t, user, want)
		}
	})
}

func TestFullQueueGivesNoEntryUntilSubmitted(t *testing.T) {
	r := newRing(t, Config{Entries: 4})
	require.Equal(t, uint32(4), r.Entries())
	for range 4 {
		entry(t, r, 0, (*SQE).PrepNop)
	}
	require.Nil(t, r.SQE())
	require.Equal(t, 4, r.Pending())
	n, err := r.Submit()
	require.NoError(t, err)
	require.Equal(t, 4, n)
	require.NotNil(t, r.SQE())
}

func TestEntriesAreZeroedBeforeReuse(t *testing.T) {
	r := newRing(t, Config{Entries: 1})
	f := file(t, "content")
	b := memory(t, 16)
	do(t, r, func(s *SQE) { s.PrepRead(int(f.Fd()), b, 3, unix.RWF_NOWAIT) })
	require.Equal(t, SQE{}, *r.SQE())
}

func TestHarvestTakesAsManyAsFit(t *testing.T) {
	r := newRing(t, Config{Entries: 8})
	for i := range 8 {
		entry(t, r, uint64(i), (*SQE).PrepNop)
	}
	_, err := r.Submit()
	require.NoError(t, err)
	require.Equal(t, 8, r.Ready())
	var c [5]CQE
	require.Equal(t, 0, r.Harvest(nil))
	require.Equal(t, 5, r.Harvest(c[:]))
	require.Equal(t, 3, r.Harvest(c[:]))
	require.Equal(t, uint64(7), c[2].UserData)
}

func TestOverflowedCompletionsAreFlushedInOrder(t *testing.T) {
	inEveryMode(t, Config{Entries: 4, CQEntries: 4}, func(t *testing.T, r *Ring) {
		for i := range 20 {
			if i%4 == 0 {
				_, err := r.Submit()
				require.NoError(t, err)
			}
			entry(t, r, uint64(i), (*SQE).PrepNop)
		}
		_, err := r.Submit()
		require.NoError(t, err)
		require.True(t, r.Overflowed())
		for i := range 20 {
			require.Equal(t, uint64(i), next(t, r).UserData)
		}
		require.False(t, r.Overflowed())
		nothing(t, r)
	})
}

func TestBadEntryDoesNotHoldUpTheRest(t *testing.T) {
	inEveryMode(t, Config{}, func(t *testing.T, r *Ring) {
		entry(t, r, 1, func(s *SQE) { s.prep(255, -1, 0, 0, 0) })
		entry(t, r, 2, (*SQE).PrepNop)
		n, err := r.Submit()
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.Equal(t, CQE{UserData: 1, Res: -int32(unix.EINVAL)}, next(t, r))
		require.Equal(t, CQE{UserData: 2}, next(t, r))
	})
}

func TestChainStopsAtTheFirstFailure(t *testing.T) {
	inEveryMode(t, Config{}, func(t *testing.T, r *Ring) {
		b := memory(t, 8)
		entry(t, r, 1, func(s *SQE) { s.PrepNop(); s.AddFlags(Link) })
		entry(t, r, 2, func(s *SQE) { s.PrepRead(-1, b, 0, 0); s.AddFlags(Link) })
		entry(t, r, 3, func(s *SQE) { s.PrepNop() })
		entry(t, r, 4, func(s *SQE) { s.PrepNop() })
		got := map[uint64]unix.Errno{}
		for range 4 {
			c := next(t, r)
			got[c.UserData] = c.Errno()
		}
		require.Equal(t, map[uint64]unix.Errno{1: 0, 2: unix.EBADF, 3: unix.ECANCELED, 4: 0}, got)
	})
}

func TestSkippedSuccessPostsNothing(t *testing.T) {
	r := newRing(t, Config{})
	entry(t, r, 1, func(s *SQE) { s.PrepNop(); s.AddFlags(SkipSuccess) })
	entry(t, r, 2, func(s *SQE) { s.PrepClose(-1); s.AddFlags(SkipSuccess) })
	require.Equal(t, CQE{UserData: 2, Res: -int32(unix.EBADF)}, next(t, r))
	nothing(t, r)
}

func TestWaitReturnsWhenTimeHasPassed(t *testing.T) {
	inEveryMode(t, Config{}, func(t *testing.T, r *Ring) {
		fd := eventFD(t)
		entry(t, r, 1, func(s *SQE) { s.PrepPollAdd(fd, unix.POLLIN, false) })
		require.NoError(t, r.Wait(1, time.Millisecond))
		require.NoError(t, r.Wait(1, 0))
		require.Zero(t, r.Ready())
		_, err := unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		require.NoError(t, err)
		require.NoError(t, r.Wait(1, Forever))
		require.Equal(t, CQE{UserData: 1, Res: unix.POLLIN}, next(t, r))
	})
}

// asleepInEnter returns once the thread is within io_uring_enter.
func asleepInEnter(tid int) {
	path := fmt.Sprintf("/proc/self/task/%d/syscall", tid)
	for {
		b, err := os.ReadFile(path)
		if err == nil && strings.HasPrefix(string(b), fmt.Sprint(unix.SYS_IO_URING_ENTER)) {
			return
		}
		runtime.Gosched()
	}
}

func TestWaitGoesOnAfterASignal(t *testing.T) {
	if _, err := os.ReadFile("/proc/self/syscall"); err != nil {
		t.Skip("kernel feature /proc/PID/syscall:", err)
	}
	inEveryMode(t, Config{}, func(t *testing.T, r *Ring) {
		signals := make(chan os.Signal, 10)
		signal.Notify(signals, unix.SIGUSR1)
		defer signal.Stop(signals)
		fd := eventFD(t)
		tid := unix.Gettid()
		done := make(chan error, 1)
		go func() {
			for range 3 {
				asleepInEnter(tid)
				if err := unix.Tgkill(unix.Getpid(), tid, unix.SIGUSR1); err != nil {
					done <- err
					return
				}
				<-signals
			}
			asleepInEnter(tid)
			_, err := unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0})
			done <- err
		}()
		entry(t, r, 1, func(s *SQE) { s.PrepPollAdd(fd, unix.POLLIN, false) })
		require.NoError(t, r.Wait(1, time.Hour))
		require.Equal(t, 1, r.Ready())
		require.NoError(t, <-done)
		require.Equal(t, uint64(1), next(t, r).UserData)
	})
}

func TestForeignThreadIsRefused(t *testing.T) {
	r := newRing(t, Config{Without: RegisteredRing})
	errs := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: a thread of its own
		_, errno := enterNow(r.fd, 0, abi.EnterGetEvents)
		errs <- enterError(errno)
		_, errno = sysRegister(r.fd, abi.RegisterPersonality, nil, 0)
		errs <- enterError(errno)
	}()
	require.ErrorIs(t, <-errs, ErrThread)
	require.ErrorIs(t, <-errs, ErrThread)
}

func TestDisabledRingStartsWithEnable(t *testing.T) {
	made := make(chan *Ring)
	go func() {
		r, err := New(Config{Disabled: true})
		if err != nil {
			t.Error(err)
		}
		made <- r
	}()
	r := <-made
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := r.SQE()
	s.PrepNop()
	_, err := r.Submit()
	require.ErrorIs(t, err, ErrNotEnabled)
	require.NoError(t, r.Enable())
	_, err = r.Submit()
	require.NoError(t, err)
	require.Equal(t, 1, r.Ready())
	require.NoError(t, r.Close())
	require.ErrorIs(t, r.Close(), ErrClosed)
}

func TestTimeoutsCompleteAndAreRemoved(t *testing.T) {
	r := newRing(t, Config{})
	ts := one[Timespec](t)
	ts.Nsec = 1
	require.Equal(t, unix.ETIME, errnoOf(do(t, r, func(s *SQE) { s.PrepTimeout(ts, 0, 0) })))
	ts.Sec = 3600
	entry(t, r, 1, func(s *SQE) { s.PrepTimeout(ts, 0, 0) })
	entry(t, r, 2, func(s *SQE) { s.PrepTimeoutRemove(1) })
	got := map[uint64]int32{}
	for range 2 {
		c := next(t, r)
		got[c.UserData] = c.Res
	}
	require.Equal(t, map[uint64]int32{1: -int32(unix.ECANCELED), 2: 0}, got)

	ts.Sec, ts.Nsec = 0, 1
	entry(t, r, 1, func(s *SQE) { s.PrepPollAdd(eventFD(t), unix.POLLIN, false); s.AddFlags(Link) })
	entry(t, r, 2, func(s *SQE) { s.PrepLinkTimeout(ts, 0) })
	for range 2 {
		c := next(t, r)
		got[c.UserData] = c.Res
	}
	require.Equal(t, map[uint64]int32{1: -int32(unix.ECANCELED), 2: -int32(unix.ETIME)}, got)
}

func TestTimeoutIsMultishot(t *testing.T) {
	r := newRing(t, Config{})
	ts := one[Timespec](t)
	ts.Nsec = 1
	entry(t, r, 1, func(s *SQE) { s.PrepTimeout(ts, 2, TimeoutMultishot) })
	require.True(t, moreOf(next(t, r)))
	require.False(t, moreOf(next(t, r)))
}

func TestMessagePassesBetweenRings(t *testing.T) {
	a := newRing(t, Config{})
	b := newRing(t, Config{})
	entry(t, a, 1, func(s *SQE) { s.PrepMsgRing(b.Fd(), 77, 0xabcdef0123) })
	require.Equal(t, CQE{UserData: 1}, next(t, a))
	require.Equal(t, CQE{UserData: 0xabcdef0123, Res: 77}, next(t, b))
}

func TestEveryFeatureCanBeSwitchedOff(t *testing.T) {
	for f := Feature(1); f < featureEnd; f <<= 1 {
		t.Run(f.String(), func(t *testing.T) {
			r := newRing(t, Config{Without: f})
			require.False(t, r.Features().Has(f))
			s := r.Features().State(f)
			if s.Presence == Missing {
				t.Skipf("kernel feature %v: %s", f, s.Reason)
			}
			require.Equal(t, Disabled, s.Presence)
			require.Equal(t, "switched off", s.Reason)
			ok(t, r, (*SQE).PrepNop)
		})
	}
	r := newRing(t, Config{Without: SingleIssuer})
	require.Equal(t, FeatureState{DeferTaskrun, Disabled, "useless without SINGLE_ISSUER"},
		r.Features().State(DeferTaskrun))
	if s := r.Features().State(NoSQArray); s.Presence != Missing {
		require.Equal(t, Found, s.Presence)
	}
	n := 0
	for s := range r.Features().All() {
		require.NotEmpty(t, s.Feature.String())
		require.NotEmpty(t, s.Feature.Since())
		require.Equal(t, s.Presence == Found, s.Reason == "")
		n++
	}
	require.Equal(t, len(featureText), n)
}

func TestRingsBeyondTheRegisteredOnesStillWork(t *testing.T) {
	first := newRing(t, Config{})
	need(t, first, RegisteredRing)
	last := first
	for range 17 {
		last = newRing(t, Config{Entries: 1})
	}
	require.Equal(t, Missing, last.Features().State(RegisteredRing).Presence)
	ok(t, last, (*SQE).PrepNop)
}

func TestWorkersAreLimitedAndShared(t *testing.T) {
	a := newRing(t, Config{})
	b := newRing(t, Config{WorkersOf: a})
	_, _, err := a.SetWorkersMax(3, 5)
	require.NoError(t, err)
	bounded, unbounded, err := a.SetWorkersMax(0, 0)
	require.NoError(t, err)
	require.Equal(t, []int{3, 5}, []int{bounded, unbounded})
	fd := int(file(t, "x").Fd())
	ok(t, b, func(s *SQE) { s.PrepFsync(fd, true); s.AddFlags(Async) })
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	r := newRing(t, Config{})
	var got [64]CQE
	allocs := testing.AllocsPerRun(100, func() {
		for range 32 {
			s := r.SQE()
			s.PrepNop()
			s.SetUserData(1)
		}
		if _, err := r.Submit(); err != nil {
			t.Fatal(err)
		}
		if err := r.Wait(32, time.Second); err != nil {
			t.Fatal(err)
		}
		if r.Harvest(got[:]) != 32 {
			t.Fatal("completions are missing")
		}
	})
	require.Zero(t, allocs)
}

func errnoOf(c CQE) unix.Errno { return c.Errno() }
func moreOf(c CQE) bool        { return c.More() }
