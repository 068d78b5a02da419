package pace

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Writer times the writes of one lane. The lane's thread alone uses it, but for Stuck.
type Writer struct {
	written int          // bytes that the lane has written since it had memory looked at
	begun   int64        // when Begin last said yes
	writing atomic.Int64 // when the present write began, or 0
	told    atomic.Int64 // the write that Tell was last called for

	// How the thread stood when the kernel was asked last, in which of its turns.
	stood   standing
	askedAt uint64
	asked   bool
	usage   unix.Rusage
}

// standing is how a thread stands with its processor.
type standing struct {
	slept     int64 // how often it has given it up to wait for something (ru_nvcsw of getrusage(2))
	preempted int64 // how often another was put in its place (ru_nivcsw)
	ran       int64 // ns for which it has had it, as of the timer's last tick (1 to 10 ms)
	at        int64 // ns of Pace.Clock
}

// heldUp reports whether something long held up the thread that was s before it and is now
// after it. The thread was held up if it slept, or was busy, as when the kernel reclaims
// memory or spins for a lock. Otherwise another thread had the processor, or the hypervisor
// took it away and says so, which shows once that lasts longer than a tick.
func (s standing) heldUp(now standing) bool {
	if now.slept != s.slept {
		return true
	}
	all := now.at - s.at
	return now.preempted == s.preempted && (all < slowWrite || 2*(now.ran-s.ran) >= all)
}

// May reports whether the lane may write now, and notes the time.
func (w *Writer) May(p *Pace) bool {
	w.begun = p.Clock()
	return p.may(w.begun)
}

// Begin begins the write for which May was asked. Epoch is the lane's present turn
// (vfs.Thread). The lane does not sleep between the writes of one turn, so only the first
// of them asks the kernel how the thread stands.
func (w *Writer) Begin(epoch uint64) {
	if !w.asked || w.askedAt != epoch {
		w.asked, w.askedAt = true, epoch
		w.stood = w.standing(w.begun)
	}
	w.writing.Store(w.begun)
}

// standing asks the kernel, which cannot fail: the arguments are right.
func (w *Writer) standing(now int64) standing {
	_, _, _ = unix.RawSyscall(unix.SYS_GETRUSAGE, unix.RUSAGE_THREAD, uintptr(unsafe.Pointer(&w.usage)), 0)
	return standing{w.usage.Nvcsw, w.usage.Nivcsw, w.usage.Utime.Nano() + w.usage.Stime.Nano(), now}
}

// End ends the write, of n bytes.
func (w *Writer) End(p *Pace, n int) {
	w.writing.Store(0)
	if end := p.Clock(); beyond(w.begun, end, n) > longWrite {
		now := w.standing(end)
		if w.stood.heldUp(now) {
			p.took(w.begun, end, n)
		}
		w.stood = now
	}
	if !p.memory { // what is in memory stays dirty, and makes nobody wait
		w.count(p, n)
	}
}

// count counts what the lane has written, and has memory looked at from time to time.
func (w *Writer) count(p *Pace, n int) {
	if w.written += n; w.written >= dirtyEvery {
		w.written = 0
		select {
		case p.soiled <- struct{}{}:
		default: // memory is about to be looked at
		}
	}
}

// Since returns when the lane's present write began, 0 if it is in none. Any goroutine may
// call it.
func (w *Writer) Since() int64 { return w.writing.Load() }

// Tell reports whether it is called for the first time for the write that began at since.
// Any goroutine may call it.
func (w *Writer) Tell(since int64) (first bool) { return w.told.Swap(since) != since }
