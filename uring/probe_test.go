package uring

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/uring/internal/abi"

	"golang.org/x/sys/unix"
)

// A ring belongs to the thread that made it. A goroutine that is not locked moves between threads,
// most of all when others are busy. The probe must not take the refusal that the kernel then gives
// for the answer of an old kernel.
func TestProbeStaysOnItsThread(t *testing.T) {
	moved := func(entries uint32, p *abi.Params) (int, unix.Errno) {
		before := unix.Gettid()
		fd, errno := sysSetup(entries, p)
		// Give the scheduler every reason to move this goroutine.
		done := make(chan struct{})
		for range 4 * runtime.GOMAXPROCS(0) {
			go func() { done <- struct{}{} }()
		}
		for range 4 * runtime.GOMAXPROCS(0) {
			<-done
			runtime.Gosched()
		}
		require.Equal(t, before, unix.Gettid(), "the probe was moved to another thread")
		return fd, errno
	}
	for range 200 {
		_, err := probeFresh(moved)
		require.NoError(t, err)
	}
}
