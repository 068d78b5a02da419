package uring

import (
	"math"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

// SQE returns the next free entry, zeroed. It returns nil when the queue is full: then the caller
// must Submit first. The next Submit or Wait submits the entry, whatever it then contains.
func (r *Ring) SQE() *SQE {
	r.owner.check()
	if r.tail-r.room >= r.sq.entries {
		// The kernel releases places by moving the head.
		r.room = atomic.LoadUint32(r.sq.head)
		if r.tail-r.room >= r.sq.entries {
			return nil
		}
	}
	s := &r.sq.sqes[r.tail&r.sq.mask]
	r.tail++
	*s = SQE{}
	return s
}

// Pending returns how many entries wait for Submit.
func (r *Ring) Pending() int { return int(r.tail - atomic.LoadUint32(r.sq.head)) }

// Ready returns how many completions Harvest would give at once.
func (r *Ring) Ready() int { return int(atomic.LoadUint32(r.cq.tail) - r.head) }

// publish shows all entries to the kernel. It returns how many entries the kernel has not taken
// yet.
func (r *Ring) publish() uint32 {
	atomic.StoreUint32(r.sq.tail, r.tail)
	return r.tail - atomic.LoadUint32(r.sq.head)
}

// kernelWork says that the kernel holds completions back, deferred or overflowed ones, which enter
// the ring only by an enter with GETEVENTS.
func (r *Ring) kernelWork() bool {
	return atomic.LoadUint32(r.sq.flags)&(abi.SQTaskrun|abi.SQCQOverflow) != 0
}

// Submit passes the queued entries to the kernel, runs deferred completions and flushes overflowed
// ones, without waiting. It returns how many entries the kernel took; the rest stay queued. When
// there is nothing to do, Submit makes no system call.
//
// The kernel takes an entry that it refuses, and completes it with its error. Submit is a raw
// system call: the kernel executes operations that complete inline (a cached read, a send) within
// it.
func (r *Ring) Submit() (int, error) {
	r.owner.check()
	n := r.publish()
	if n == 0 && !r.kernelWork() {
		return 0, nil
	}
	for {
		got, errno := enterNow(r.enterFD, n, r.enterFlags|abi.EnterGetEvents)
		if errno == 0 {
			return got, nil
		}
		if errno != unix.EINTR {
			return 0, enterError(errno)
		}
	}
}

// Forever as a timeout of Wait means no timeout.
const Forever time.Duration = -1

// Wait submits what is queued, then blocks until min completions can be harvested or timeout has
// passed. Forever and zero are allowed; of min, at most CQEntries count. Wait returns nil in both
// cases, and also after a signal, so the caller looks at what Harvest gives. While Wait blocks,
// other goroutines use its processor.
func (r *Ring) Wait(min uint32, timeout time.Duration) error {
	r.owner.check()
	if min > r.cq.entries {
		min = r.cq.entries
	}
	var deadline time.Time
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	for {
		n := r.publish()
		ready := uint32(r.Ready())
		if timeout == 0 || ready >= min {
			// Nothing to wait for: only submit.
			_, err := r.Submit()
			return err
		}
		flags := r.enterFlags | abi.EnterGetEvents
		arg, size := r.waitFor(timeout, &flags)
		_, errno := enterWait(r.enterFD, n, min, flags, arg, size)
		switch errno {
		case 0, unix.EINTR:
			// The kernel also returns zero when it submitted entries and the wait after
			// that was interrupted or timed out: look again.
		case unix.ETIME:
			return nil
		case unix.EAGAIN, unix.EBUSY:
			if r.Ready() > 0 {
				return nil // harvesting is what the kernel asks for
			}
			return ErrBusy
		default:
			return enterError(errno)
		}
		if timeout > 0 {
			// Zero would mean not to wait. At least 1 lets the kernel answer ETIME,
			// which ends the loop.
			timeout = max(time.Until(deadline), 1)
		}
	}
}

// waitFor puts the timeout where the kernel finds it. It returns the last two arguments of the
// enter.
func (r *Ring) waitFor(timeout time.Duration, flags *uint32) (arg, size uintptr) {
	if timeout < 0 {
		return 0, 0
	}
	r.wait.ts.Sec = int64(timeout / time.Second)
	r.wait.ts.Nsec = int64(timeout % time.Second)
	*flags |= abi.EnterExtArg
	return uintptr(pointer(&r.wait.arg)), unsafe.Sizeof(r.wait.arg)
}

// Harvest copies completions to dst, gives their places back to the kernel and returns their
// number. It makes no system call. A number below len(dst) means that the ring is empty.
// Completions that the kernel still holds back come with the next Submit or Wait.
func (r *Ring) Harvest(dst []CQE) int {
	r.owner.check()
	ready := atomic.LoadUint32(r.cq.tail) - r.head
	n := min(uint32(min(len(dst), math.MaxInt32)), ready)
	if n == 0 {
		return 0
	}
	at := r.head & r.cq.mask
	first := copy(dst[:n], r.cq.cqes[at:])
	copy(dst[first:n], r.cq.cqes)
	r.head += n
	atomic.StoreUint32(r.cq.head, r.head)
	return int(n)
}

// enterError turns the errno of an enter into the ring's errors.
func enterError(errno unix.Errno) error {
	switch errno {
	case unix.EAGAIN, unix.EBUSY:
		return ErrBusy
	case unix.EBADR:
		return ErrLost
	case unix.EEXIST:
		return ErrThread
	}
	return os.NewSyscallError("io_uring_enter", errno)
}
