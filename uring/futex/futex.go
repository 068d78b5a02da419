// Package futex has a lock and a place to wait for goroutines that are locked to their threads.
//
// When a goroutine that is locked to its thread waits for a sync.Mutex, a sync.Cond or a channel,
// Go's scheduler stops the thread. To go on, another thread finds the goroutine, wakes its thread
// and hands over: three thread switches and four futex calls. With this package the thread itself
// waits in the kernel, for a word in memory (futex(2)): one switch and two calls. The wait is a
// system call that the scheduler knows of, so other goroutines and the garbage collector go on.
//
// Goroutines that are not locked to a thread may use the same locks and gates. Each of them keeps a
// thread while it waits. Nothing here may be copied after its first use.
package futex

import (
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	opWait = 0 | opPrivate // FUTEX_WAIT
	opWake = 1 | opPrivate // FUTEX_WAKE

	opPrivate = 128 // FUTEX_PRIVATE_FLAG: only threads of this process wait

	everybody = 1<<31 - 1
)

// wait blocks while word is v, at most as long as limit says if it is not nil. It also returns for
// no reason (EINTR), so that callers look again.
func wait(word *atomic.Uint32, v uint32, limit *unix.Timespec) unix.Errno {
	_, _, errno := unix.Syscall6(
		unix.SYS_FUTEX,
		uintptr(unsafe.Pointer(word)),
		opWait,
		uintptr(v),
		uintptr(unsafe.Pointer(limit)),
		0,
		0,
	)
	return errno
}

// wake ends the wait of up to n threads. It does not block.
func wake(word *atomic.Uint32, n uint32) {
	_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), opWake, uintptr(n), 0, 0, 0)
}

// Mutex is a lock. The zero value is unlocked. Who waits is not served in order: it is for sections
// that are short, or where it does not matter who is next.
type Mutex struct {
	word atomic.Uint32 // free, held or awaited
}

// The values of Mutex.word.
const (
	free    = iota
	held    // and nobody waits
	awaited // held, and somebody may wait
)

// spins is how often Lock looks again before it waits, about as long as a short section takes.
const spins = 50

// Lock blocks until the lock is free, and takes it.
func (m *Mutex) Lock() {
	if !m.word.CompareAndSwap(free, held) {
		m.lockSlow()
	}
}

// TryLock takes the lock if it is free, and reports whether it has. It does not block.
func (m *Mutex) TryLock() bool { return m.word.CompareAndSwap(free, held) }

func (m *Mutex) lockSlow() {
	for range spins {
		if m.word.Load() == free && m.word.CompareAndSwap(free, held) {
			return
		}
	}
	// From here on this thread cannot know whether others wait, too.
	for m.word.Swap(awaited) != free {
		wait(&m.word, awaited, nil)
	}
}

// Unlock frees the lock. It does not block. Like a sync.Mutex, a lock need not be freed by the
// goroutine that has taken it. Unlock panics if the lock is free.
func (m *Mutex) Unlock() {
	switch m.word.Swap(free) {
	case free:
		panic("futex: Unlock of a Mutex that is not locked")
	case awaited:
		wake(&m.word, 1)
	}
}

// Gate is where threads wait for something that others bring about. Whoever waits calls Seen,
// checks that it has to wait, and calls Wait. Whoever brings it about does so, and then calls One
// or All. The zero value is ready.
type Gate struct {
	word atomic.Uint32 // counts One and All
}

// Seen returns what Wait is to be called with.
func (g *Gate) Seen() uint32 { return g.word.Load() }

// Wait blocks until One or All has been called since Seen. It may also return early, so the caller
// checks again.
func (g *Gate) Wait(seen uint32) {
	if g.word.Load() == seen {
		wait(&g.word, seen, nil)
	}
}

// One ends the wait of at least one caller of Wait, if there is any. It does not block.
func (g *Gate) One() {
	g.word.Add(1)
	wake(&g.word, 1)
}

// All ends the wait of all callers of Wait. It does not block.
func (g *Gate) All() {
	g.word.Add(1)
	wake(&g.word, everybody)
}

// Sleeper is where one thread sleeps. The zero value is ready.
type Sleeper struct {
	word atomic.Uint32 // 1: wake up
	// limit is where the kernel reads the timeout.
	limit unix.Timespec
	sched Rescheduler
}

// Sleep blocks until Wake has been called since the last Sleep. If d is not 0, it blocks for d at
// most.
func (s *Sleeper) Sleep(d time.Duration) {
	var limit *unix.Timespec
	if d > 0 {
		s.limit = unix.NsecToTimespec(int64(d))
		limit = &s.limit
	}
	if s.word.Load() == 0 {
		s.sched.Before(time.Now())
	}
	for s.word.Load() == 0 {
		if wait(&s.word, 0, limit) == unix.ETIMEDOUT {
			return
		}
	}
	s.word.Store(0)
}

// Wake ends Sleep. Any goroutine may call it. It does not block.
func (s *Sleeper) Wake() {
	s.word.Store(1)
	wake(&s.word, 1)
}
