package pace

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Writer times the writes of one lane. Only the lane's thread uses it, except for Since and Tell.
type Writer struct {
	written int          // bytes that the lane has written since it last had memory looked at
	begun   int64        // when May was last called
	writing atomic.Int64 // when the present write began, 0 for none
	told    atomic.Int64 // when the write began for which Tell was last called

	// stood is how the thread stood when the lane last asked the kernel. askedAt is the turn in
	// which it asked.
	stood   standing
	askedAt uint64
	asked   bool
	usage   unix.Rusage
}

// standing is how a thread stands with its processor: what the thread has had of it so far.
type standing struct {
	slept     int64 // how often the thread waited for something (ru_nvcsw of getrusage(2))
	preempted int64 // how often the kernel put another thread in its place (ru_nivcsw)
	ran       int64 // ns of processor time, as of the timer's last tick (1 to 10 ms)
	at        int64 // ns of Pace.Clock
}

// heldUp reports whether something long held up a thread that was at s before it and is at now
// after it. The thread was held up if it slept, or if it was busy, for example because the kernel
// reclaimed memory or span for a lock. Otherwise another thread had the processor, or the
// hypervisor took it away and reports so. The second shows only once it lasts longer than a tick.
func (s standing) heldUp(now standing) bool {
	if now.slept != s.slept {
		return true
	}
	all := now.at - s.at
	return now.preempted == s.preempted && (all < slowWrite || 2*(now.ran-s.ran) >= all)
}

// May reports whether the lane may write now, and notes the time for Begin.
func (w *Writer) May(p *Pace) bool {
	w.begun = p.Clock()
	return p.may(w.begun)
}

// Begin begins the write for which the lane has called May. epoch is the lane's present turn
// (vfs.Thread). The lane does not sleep between the writes of one turn, so only the first of them
// asks the kernel how the thread stands.
func (w *Writer) Begin(epoch uint64) {
	if !w.asked || w.askedAt != epoch {
		w.asked, w.askedAt = true, epoch
		w.stood = w.standing(w.begun)
	}
	w.writing.Store(w.begun)
}

// standing asks the kernel how the thread stands. The call cannot fail, because its arguments are
// right.
func (w *Writer) standing(now int64) standing {
	_, _, _ = unix.RawSyscall(unix.SYS_GETRUSAGE, unix.RUSAGE_THREAD, uintptr(unsafe.Pointer(&w.usage)), 0)
	return standing{w.usage.Nvcsw, w.usage.Nivcsw, w.usage.Utime.Nano() + w.usage.Stime.Nano(), now}
}

// End ends the write of n bytes.
func (w *Writer) End(p *Pace, n int) {
	w.writing.Store(0)
	if end := p.Clock(); beyond(w.begun, end, n) > longWrite {
		now := w.standing(end)
		if w.stood.heldUp(now) {
			p.took(w.begun, end, n)
		}
		w.stood = now
	}
	if !p.memory { // data in memory stays dirty and makes nobody wait
		w.count(p, n)
	}
}

// count adds to the bytes that the lane has written, and has memory looked at after each dirtyEvery
// of them.
func (w *Writer) count(p *Pace, n int) {
	if w.written += n; w.written >= dirtyEvery {
		w.written = 0
		select {
		case p.soiled <- struct{}{}:
		default: // somebody is about to look at memory
		}
	}
}

// Since returns when the lane's present write began, 0 if there is none. Any goroutine may call it.
func (w *Writer) Since() int64 { return w.writing.Load() }

// Tell reports whether this is its first call for the write that began at since. Any goroutine may
// call it.
func (w *Writer) Tell(since int64) (first bool) { return w.told.Swap(since) != since }
