package loop

import (
	"fmt"
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/futex"
)

// Task is something to run on the loop's thread. A Task that is posted often
// should be a pointer to a long-lived object, so that posting does not allocate.
type Task interface{ Run() }

// TaskFunc makes a function a Task.
type TaskFunc func()

// Run calls f.
func (f TaskFunc) Run() { f() }

// mailbox is where other threads leave tasks. The loop's thread sleeps in the ring, and an eventfd
// that the ring reads wakes it. A post writes to the eventfd only when the loop has said that it is
// about to sleep.
type mailbox struct {
	asleep atomic.Bool
	// any is true when there are tasks, so that a turn without tasks need not take the lock. It
	// is set and cleared with mu held.
	any     atomic.Bool
	patient atomic.Bool // see Loop.Patient
	// waking is how many threads are about to write the eventfd.
	waking atomic.Int32

	mu     futex.Mutex
	tasks  []Task // guarded by mu
	closed bool   // guarded by mu

	taken   []Task // the loop's; swapped with tasks
	eventfd int
	count   []byte // what the eventfd is read into; off-heap
	armed   bool
}

// countBytes is the size of an eventfd's counter.
const countBytes = 8

func (m *mailbox) open() error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("loop: eventfd: %w", err)
	}
	count, err := unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		_ = unix.Close(fd)
		return fmt.Errorf("loop: mapping the wake-up counter: %w", err)
	}
	m.eventfd, m.count = fd, count
	return nil
}

// close waits for the threads that are writing to the eventfd, and closes it. It is called when the
// ring no longer reads the eventfd.
func (m *mailbox) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	for m.waking.Load() != 0 { // for the time of a write(2)
		runtime.Gosched()
	}
	_ = unix.Close(m.eventfd)
	_ = unix.Munmap(m.count)
}

func (m *mailbox) post(t Task) bool { return m.put(t, true) }

// leave is post without a wake-up if the loop is patient.
func (m *mailbox) leave(t Task) bool { return m.put(t, false) }

func (m *mailbox) put(t Task, urgent bool) bool {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return false
	}
	m.tasks = append(m.tasks, t)
	m.any.Store(true)
	// The loop sets patient before asleep, and asleep before it reads any.
	wake := (urgent || !m.patient.Load()) && m.asleep.CompareAndSwap(true, false)
	if wake {
		m.waking.Add(1)
	}
	m.mu.Unlock()
	if wake {
		// Write without the lock, which the loop takes as soon as it wakes up.
		m.wake()
		m.waking.Add(-1)
	}
	return true
}

// wake ends the read of the eventfd.
func (m *mailbox) wake() {
	one := [countBytes]byte{1}
	// The counter is far from its limit, so the write cannot block or fail.
	_, _ = unix.Write(m.eventfd, one[:])
}

// take returns the tasks posted since the last call. The slice is valid until
// the next call.
func (m *mailbox) take() []Task {
	clear(m.taken)
	if !m.any.Load() {
		m.taken = m.taken[:0]
		return nil
	}
	m.mu.Lock()
	m.tasks, m.taken = m.taken[:0], m.tasks
	m.any.Store(false)
	m.mu.Unlock()
	return m.taken
}

// empty reports that there are no tasks. It is exact for a loop that is about to sleep: a post sets
// any before it reads asleep, and the loop sets asleep before it calls empty.
func (m *mailbox) empty() bool { return !m.any.Load() }

// arm prepares the read that wakes the loop.
func (m *mailbox) arm(l *Loop) {
	if m.armed {
		return
	}
	_, sqe := l.Begin(m, 0)
	sqe.PrepRead(m.eventfd, m.count[:countBytes], 0, 0)
	m.armed = true
}

// Complete implements Handler. The loop is awake, and arms the read again before it next sleeps.
func (m *mailbox) Complete(ID, Kind, int32, uint32, bool) { m.armed = false }
