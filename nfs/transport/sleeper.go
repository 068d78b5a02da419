package transport

import (
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sleeper is where one worker's thread waits. It waits in the kernel, not in Go's scheduler. To
// wake a goroutine that is locked to its thread, the scheduler changes threads three times; the
// kernel does once.
type sleeper struct {
	word atomic.Uint32 // 1: wake up
	next *sleeper
	// limit is where the kernel reads the timeout.
	limit unix.Timespec
}

const (
	futexWait = 0 | futexPrivate // FUTEX_WAIT
	futexWake = 1 | futexPrivate // FUTEX_WAKE

	futexPrivate = 128 // FUTEX_PRIVATE_FLAG
)

// sleep waits until wake has been called since the last sleep. If d is not 0, it waits at most d.
func (s *sleeper) sleep(d time.Duration) {
	s.limit = unix.NsecToTimespec(int64(d))
	var limit unsafe.Pointer
	if d > 0 {
		limit = unsafe.Pointer(&s.limit)
	}
	for s.word.Load() == 0 {
		_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&s.word)), futexWait, 0, uintptr(limit), 0, 0)
		if errno == unix.ETIMEDOUT {
			return
		}
		// The thread was woken or interrupted, or the word had changed already: look again.
	}
	s.word.Store(0)
}

// wake ends sleep for all sleepers of a chain. It does not block.
func (s *sleeper) wake() {
	for s != nil {
		next := s.next
		s.next = nil
		s.word.Store(1)
		_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&s.word)), futexWake, 1, 0, 0, 0)
		s = next
	}
}
