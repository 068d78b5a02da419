package load

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

// Phases of a run.
const (
	warming int32 = iota
	measuring
	stopping
)

// thread makes the calls of its connections. Its goroutine owns all fields but the phase and those
// that mu guards.
type thread struct {
	epfd   int
	conns  []*conn
	events []unix.EpollEvent
	phase  *atomic.Int32
	begin  time.Time // when the run's clock begins
	under  int       // calls under way
	left   int       // calls that may still be made

	// of a given rate
	gap  float64 // nanoseconds between two calls; 0 for no rate
	due  float64 // when the next call is due
	next int     // the connection that is asked first for a free slot

	resting int   // calls that the server wants later
	wake    int64 // when they are made again

	seen    int32 // phase
	latency [callsMax]*hdrhistogram.Histogram
	heard   int64 // when the last reply came
	opsDone uint64
	moved   uint64
	unsent  uint64
	cpu0    usage
	cpu     usage

	mu         sync.Mutex // guards all below
	ops, bytes uint64     // opsDone and moved, for other threads to see together
}

func newThread(
	conns []*conn,
	phase *atomic.Int32,
	begin time.Time,
	rate float64,
	used []uint32,
) (*thread, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	t := &thread{epfd: epfd, conns: conns, phase: phase, begin: begin, left: unlimited,
		events: make([]unix.EpollEvent, 256)}
	if rate > 0 {
		t.gap = 1e9 / rate
	}
	for _, i := range used {
		t.latency[i] = newHistogram()
	}
	for i, c := range conns {
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
		if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, c.fd, &ev); err != nil {
			_ = unix.Close(epfd) // an epoll instance holds no data
			return nil, fmt.Errorf("epoll_ctl: %w", err)
		}
	}
	return t, nil
}

// used3 are the procedures of version 3 that tasks call.
var used3 = []uint32{
	nfs3.NFSPROC3_NULL, nfs3.NFSPROC3_GETATTR, nfs3.NFSPROC3_LOOKUP, nfs3.NFSPROC3_ACCESS, nfs3.NFSPROC3_READ,
	nfs3.NFSPROC3_WRITE, nfs3.NFSPROC3_CREATE, nfs3.NFSPROC3_MKDIR, nfs3.NFSPROC3_REMOVE, nfs3.NFSPROC3_RMDIR,
	nfs3.NFSPROC3_READDIRPLUS, nfs3.NFSPROC3_COMMIT, nfs3.NFSPROC3_SETATTR, nfs3.NFSPROC3_RENAME,
}

func (t *thread) clock() int64 { return int64(time.Since(t.begin)) }

// run makes calls until the phase tells it to stop, and waits for the last replies.
func (t *thread) run() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	now := t.clock()
	t.heard, t.due = now, float64(now)
	t.cpu0 = threadUsage()
	if t.gap == 0 {
		for _, c := range t.conns {
			if err := t.refill(c); err != nil {
				return err
			}
		}
	}
	for {
		if err := t.notice(); err != nil {
			return err
		}
		if t.resting > 0 {
			if err := t.rest(); err != nil {
				return err
			}
		}
		if t.seen == stopping && t.under == 0 {
			return nil
		}
		if t.gap > 0 && t.seen != stopping {
			if err := t.issueDue(); err != nil {
				return err
			}
		}
		n, err := t.wait()
		if err != nil {
			return err
		}
		for _, ev := range t.events[:n] {
			if err := t.serve(t.conns[ev.Fd], ev.Events); err != nil {
				return err
			}
		}
		t.mu.Lock()
		t.ops, t.bytes = t.opsDone, t.moved
		t.mu.Unlock()
		if now := t.clock(); n == 0 && t.under > 0 && now-t.heard > int64(patience) {
			return fmt.Errorf("no reply within %v, with %d calls under way", patience, t.under)
		}
	}
}

// notice acts on a change of the phase.
func (t *thread) notice() error {
	phase := t.phase.Load()
	if phase == t.seen {
		return nil
	}
	if phase == measuring {
		t.cpu0 = threadUsage()
	}
	if t.seen == measuring {
		u := threadUsage()
		t.cpu = usage{
			total:  u.total - t.cpu0.total,
			user:   u.user - t.cpu0.user,
			system: u.system - t.cpu0.system,
		}
	}
	t.seen = phase
	if phase == stopping && t.gap > 0 {
		if late := float64(t.clock()) - t.due; late > 0 {
			t.unsent = uint64(late / t.gap)
		}
	}
	return nil
}

// wait returns the number of events. It sleeps only when there are none.
func (t *thread) wait() (int, error) {
	n, err := epollWait(t.epfd, t.events, 0, false)
	if n > 0 || err != nil {
		return n, err
	}
	sleep := 50 * time.Millisecond // short enough to see the phase change
	if t.resting > 0 {
		sleep = restTime
	}
	if t.gap > 0 && t.seen != stopping && t.anyFree() {
		sleep = min(sleep, max(0, time.Duration(t.due)-time.Duration(t.clock())))
		if sleep == 0 {
			return 0, nil
		}
	}
	return epollWait(t.epfd, t.events, sleep, true)
}

// serve reads replies, makes new calls and sends them.
func (t *thread) serve(c *conn, events uint32) error {
	if events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		before := len(c.resting)
		if _, err := c.receive(t.done); err != nil {
			return err
		}
		if n := len(c.resting) - before; n > 0 {
			if t.resting == 0 {
				t.wake = t.clock() + int64(restTime)
			}
			t.resting += n
			t.heard = c.now
		}
	}
	return t.refill(c)
}

// restTime is how long calls rest that the server wants later.
const restTime = 20 * time.Millisecond

// rest makes the resting calls again when it is time. At the end nobody waits for them.
func (t *thread) rest() error {
	if t.seen != stopping && t.clock() < t.wake {
		return nil
	}
	for _, c := range t.conns {
		switch {
		case len(c.resting) == 0:
		case t.seen == stopping:
			t.under -= len(c.resting)
			c.resting = c.resting[:0]
		default:
			c.rested()
			if err := t.send(c); err != nil {
				return err
			}
		}
	}
	t.resting = 0
	return nil
}

// done records a reply's time, which is the time of the read that brought the reply's end.
func (t *thread) done(c *conn, s *slot, _ []byte, _ int) error {
	t.under--
	t.opsDone++
	t.moved += uint64(s.bytes)
	t.heard = c.now
	if t.seen != warming { // calls that are late at the end count, too
		// Values beyond the histogram's range count as its largest.
		_ = t.latency[s.proc].RecordValue(min(max(t.heard-s.start, 1), int64(latencyMax)))
	}
	return nil
}

// refill lets every free slot make its next call, unless a rate decides, and sends the calls.
func (t *thread) refill(c *conn) error {
	if t.gap == 0 && t.seen != stopping {
		for len(c.free) > 0 && t.left > 0 {
			c.issue(0)
			t.under++
			t.left--
		}
	}
	return t.send(c)
}

func (t *thread) send(c *conn) error {
	if len(c.queue) == 0 {
		return nil
	}
	before := c.blocked
	if err := c.flush(t.clock()); err != nil {
		return err
	}
	if c.blocked == before {
		return nil
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.place)}
	if c.blocked {
		ev.Events |= unix.EPOLLOUT
	}
	if err := unix.EpollCtl(t.epfd, unix.EPOLL_CTL_MOD, c.fd, &ev); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// issueDue makes the calls that are due, as far as slots are free.
func (t *thread) issueDue() error {
	now := float64(t.clock())
	for t.due <= now {
		c := t.freeConn()
		if c == nil {
			break // the rest stays late: their latency began when they were due
		}
		c.issue(max(int64(t.due), 1))
		t.under++
		t.due += t.gap
	}
	for _, c := range t.conns {
		if !c.blocked {
			if err := t.send(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// freeConn returns the next connection with a free slot, in turn.
func (t *thread) freeConn() *conn {
	for range t.conns {
		c := t.conns[t.next]
		if t.next++; t.next == len(t.conns) {
			t.next = 0
		}
		if len(c.free) > 0 {
			return c
		}
	}
	return nil
}

func (t *thread) anyFree() bool {
	for _, c := range t.conns {
		if len(c.free) > 0 {
			return true
		}
	}
	return false
}

func (t *thread) close() { _ = unix.Close(t.epfd) } // an epoll instance holds no data

// epollWait waits for events, at most for d. Go's scheduler does not hear of a call that does not
// wait, because telling the scheduler would cost more than the call.
func epollWait(epfd int, events []unix.EpollEvent, d time.Duration, mayWait bool) (int, error) {
	ts := unix.NsecToTimespec(int64(d))
	var (
		r     uintptr
		errno unix.Errno
	)
	if mayWait {
		r, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epfd),
			uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	} else {
		r, _, errno = unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epfd),
			uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	}
	switch errno {
	case 0:
		return int(r), nil
	case unix.EINTR:
		return 0, nil
	}
	return 0, fmt.Errorf("epoll_pwait2: %w", errno)
}
