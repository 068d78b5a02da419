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

// SQE returns the next free entry, zeroed, or nil when the queue is full and
// Submit must come first. The entry is submitted by the next Submit or Wait,
// whatever it then contains.
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

// publish shows all entries to the kernel and returns how many it has not
// taken yet.
func (r *Ring) publish() uint32 {
	atomic.StoreUint32(r.sq.tail, r.tail)
	return r.tail - atomic.LoadUint32(r.sq.head)
}

// kernelWork says that the kernel holds back completions which only an enter
// with GETEVENTS brings into the ring: deferred ones, or an overflow.
func (r *Ring) kernelWork() bool {
	return atomic.LoadUint32(r.sq.flags)&(abi.SQTaskrun|abi.SQCQOverflow) != 0
}

// Submit passes the queued entries to the kernel, runs deferred completions
// and flushes overflowed ones, without waiting. It returns how many entries
// the kernel took; the rest stay queued. When there is nothing to do it makes
// no system call. An entry that the kernel refuses is taken, and completes
// with its error. It is a raw system call: an operation that completes inline
// (a cached read, a send) is executed within it.
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

// Forever as a timeout of Wait means none.
const Forever time.Duration = -1

// Wait submits what is queued and then blocks until min completions can be
// harvested or timeout has passed; Forever and zero are allowed. It returns
// nil in both cases, also when a signal arrived in between, so the caller
// looks at what Harvest gives. The goroutine's processor is handed to others
// meanwhile. More than CQEntries are not waited for.
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
			// Zero is also the answer when entries were submitted and the wait
			// behind them was interrupted or ran out: look again.
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
			// Never zero, which would mean not to wait: ETIME ends the loop.
			timeout = max(time.Until(deadline), 1)
		}
	}
}

// waitFor puts the timeout where the kernel finds it, and returns the last two
// arguments of the enter.
func (r *Ring) waitFor(timeout time.Duration, flags *uint32) (arg, size uintptr) {
	if timeout < 0 {
		return 0, 0
	}
	r.wait.ts.Sec = int64(timeout / time.Second)
	r.wait.ts.Nsec = int64(timeout % time.Second)
	*flags |= abi.EnterExtArg
	return uintptr(pointer(&r.wait.arg)), unsafe.Sizeof(r.wait.arg)
}

// Harvest copies completions to dst, gives their places back to the kernel and
// returns their number. It makes no system call. Fewer than len(dst) means
// that the ring is empty; completions that the kernel still holds back come
// with the next Submit or Wait.
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
