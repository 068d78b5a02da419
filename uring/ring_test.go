package uring

import (
	"runtime"
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
		require.True(t, r.kernelWork())
		for i := range 20 {
			require.Equal(t, uint64(i), next(t, r).UserData)
		}
		require.False(t, r.kernelWork())
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
