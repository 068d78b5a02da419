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
)

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

func TestTimeoutIsGivenANewTime(t *testing.T) {
	r := newRing(t, Config{})
	times, err := MapSlice[Timespec](2)
	require.NoError(t, err)
	defer func() { require.NoError(t, UnmapSlice(times)) }()
	times[0].Sec, times[1].Nsec = 3600, 1
	entry(t, r, 1, func(s *SQE) { s.PrepTimeout(&times[0], 0, 0) })
	entry(t, r, 2, func(s *SQE) { s.PrepTimeoutUpdate(1, &times[1], 0) })
	got := map[uint64]int32{}
	for range 2 {
		c := next(t, r)
		got[c.UserData] = c.Res
	}
	require.Equal(t, map[uint64]int32{1: -int32(unix.ETIME), 2: 0}, got)
}

func TestErrorsOfEnterHaveNames(t *testing.T) {
	for errno, want := range map[unix.Errno]error{
		unix.EAGAIN: ErrBusy, unix.EBUSY: ErrBusy, unix.EBADR: ErrLost,
		unix.EEXIST: ErrThread, unix.EBADFD: ErrNotEnabled, unix.EFAULT: unix.EFAULT,
	} {
		require.ErrorIs(t, enterError(errno), want)
	}
}

func TestWaitForMoreThanFitsIsWaitForAFullRing(t *testing.T) {
	r := newRing(t, Config{Entries: 4, CQEntries: 4})
	require.Equal(t, uint32(4), r.CQEntries())
	for i := range 4 {
		entry(t, r, uint64(i), (*SQE).PrepNop)
	}
	require.NoError(t, r.Wait(100, Forever))
	require.Equal(t, 4, r.Ready())
}
