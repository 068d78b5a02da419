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

func TestTimeoutsCompleteAndAreCancelled(t *testing.T) {
	r := newRing(t, Config{})
	ts := one[Timespec](t)
	ts.Nsec = 1
	require.Equal(t, unix.ETIME, errnoOf(do(t, r, func(s *SQE) { s.PrepTimeout(ts) })))
	ts.Sec = 3600
	entry(t, r, 1, func(s *SQE) { s.PrepTimeout(ts) })
	entry(t, r, 2, func(s *SQE) { s.PrepCancel(1) })
	got := map[uint64]int32{}
	for range 2 {
		c := next(t, r)
		got[c.UserData] = c.Res
	}
	require.Equal(t, map[uint64]int32{1: -int32(unix.ECANCELED), 2: 0}, got)
}

func TestErrorsOfEnterHaveNames(t *testing.T) {
	for errno, want := range map[unix.Errno]error{
		unix.EAGAIN: ErrBusy, unix.EBUSY: ErrBusy, unix.EBADR: ErrLost,
		unix.EEXIST: ErrThread, unix.EFAULT: unix.EFAULT,
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
