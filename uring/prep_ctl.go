package uring

import "github.com/ringnfs/ringnfs/uring/internal/abi"

// Timespec is the kernel's time in seconds and nanoseconds.
type Timespec = abi.Timespec

// PrepNop does nothing and completes with zero. It serves tests and measurements of code that
// drives a ring.
func (s *SQE) PrepNop() { s.prep(abi.OpNop, -1, 0, 0, 0) }

// PrepTimeout completes with -ETIME when the time ts has passed.
func (s *SQE) PrepTimeout(ts *Timespec) { s.prep(abi.OpTimeout, -1, pointer(ts), 1, 0) }

// PrepCancel cancels an operation with that user data, the first one that the kernel finds. The
// cancelled operation still completes, usually with -ECANCELED. The cancel itself completes with
// zero, with -ENOENT when there is no such operation, or with -EALREADY when a kernel worker is
// running the operation, which then completes in its own time.
func (s *SQE) PrepCancel(userData uint64) { s.prep(abi.OpAsyncCancel, -1, userData, 0, 0) }

// PrepPollAdd waits for events (unix.POLL*); its result is the events that came. With multishot
// each further event makes a further completion, until one comes without More.
func (s *SQE) PrepPollAdd(fd int, events uint32, multishot bool) {
	s.prep(abi.OpPollAdd, fd, 0, 0, 0)
	s.e.OpFlags = events
	if multishot {
		s.e.Len = abi.PollAddMulti
	}
}
