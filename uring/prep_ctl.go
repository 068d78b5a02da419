package uring

import "github.com/ringnfs/ringnfs/uring/internal/abi"

// Timespec is the kernel's time in seconds and nanoseconds.
type Timespec = abi.Timespec

// PrepNop does nothing and completes with zero. It is for tests and measurements of what
// drives a ring.
func (s *SQE) PrepNop() { s.prep(abi.OpNop, -1, 0, 0, 0) }

// PrepTimeout completes with -ETIME when ts has passed.
func (s *SQE) PrepTimeout(ts *Timespec) { s.prep(abi.OpTimeout, -1, pointer(ts), 1, 0) }

// PrepCancel cancels the operation with that user data, the first that is found. The
// cancelled one still completes, most with -ECANCELED. -ENOENT: none was found;
// -EALREADY: it is running on a worker and will complete by itself.
func (s *SQE) PrepCancel(userData uint64) { s.prep(abi.OpAsyncCancel, -1, userData, 0, 0) }

// PrepPollAdd waits for events (unix.POLL*); the result is those that came.
// With multishot each further event completes again, until one without More.
func (s *SQE) PrepPollAdd(fd int, events uint32, multishot bool) {
	s.prep(abi.OpPollAdd, fd, 0, 0, 0)
	s.e.OpFlags = events
	if multishot {
		s.e.Len = abi.PollAddMulti
	}
}
