package uring

import "github.com/ringnfs/ringnfs/uring/internal/abi"

// Timespec is the kernel's time in seconds and nanoseconds.
type Timespec = abi.Timespec

// PrepNop does nothing and completes with zero.
func (s *SQE) PrepNop() { s.prep(abi.OpNop, -1, 0, 0, 0) }

// TimeoutFlags say what the time of a timeout means.
type TimeoutFlags uint32

const (
	// TimeoutAbs: the time is a point, not a distance.
	TimeoutAbs TimeoutFlags = abi.TimeoutAbs
	// TimeoutBoottime: on CLOCK_BOOTTIME instead of CLOCK_MONOTONIC.
	TimeoutBoottime TimeoutFlags = abi.TimeoutBoottime
	// TimeoutRealtime: on CLOCK_REALTIME.
	TimeoutRealtime TimeoutFlags = abi.TimeoutRealtime
	// TimeoutSuccess: running out is not an error for a chain of links; the
	// result is still -ETIME.
	TimeoutSuccess TimeoutFlags = abi.TimeoutETimeSuccess
	// TimeoutMultishot: again each time it has passed (Linux 6.4).
	TimeoutMultishot TimeoutFlags = abi.TimeoutMultishot
)

// PrepTimeout completes with -ETIME when ts has passed, or with zero when
// count other completions were posted before it, if count is not zero.
func (s *SQE) PrepTimeout(ts *Timespec, count uint32, flags TimeoutFlags) {
	s.prep(abi.OpTimeout, -1, pointer(ts), 1, uint64(count))
	s.e.OpFlags = uint32(flags)
}

// PrepTimeoutRemove cancels the timeout with that user data.
func (s *SQE) PrepTimeoutRemove(userData uint64) {
	s.prep(abi.OpTimeoutRemove, -1, userData, 0, 0)
}

// PrepTimeoutUpdate gives the timeout with that user data a new time.
func (s *SQE) PrepTimeoutUpdate(userData uint64, ts *Timespec, flags TimeoutFlags) {
	s.prep(abi.OpTimeoutRemove, -1, userData, 0, pointer(ts))
	s.e.OpFlags = uint32(flags) | abi.TimeoutUpdate
}

// PrepLinkTimeout cancels the operation that it is linked behind when ts has
// passed. That one must have Link.
func (s *SQE) PrepLinkTimeout(ts *Timespec, flags TimeoutFlags) {
	s.prep(abi.OpLinkTimeout, -1, pointer(ts), 1, 0)
	s.e.OpFlags = uint32(flags)
}

// PrepCancel cancels the operation with that user data: the first found, or
// with all every one, the result being their number. The cancelled ones still
// complete, most with -ECANCELED. -ENOENT: none was found; -EALREADY: it is
// running on a worker and will complete by itself.
func (s *SQE) PrepCancel(userData uint64, all bool) {
	s.prep(abi.OpAsyncCancel, -1, userData, 0, 0)
	if all {
		s.e.OpFlags = abi.AsyncCancelAll
	}
}

// PrepCancelFD cancels every operation on a descriptor; the result is their
// number. With fixed it is a slot of the registered files.
func (s *SQE) PrepCancelFD(fd int, fixed bool) {
	s.prep(abi.OpAsyncCancel, fd, 0, 0, 0)
	s.e.OpFlags = abi.AsyncCancelFD | abi.AsyncCancelAll
	if fixed {
		s.e.OpFlags |= abi.AsyncCancelFDFixed
	}
}

// PrepCancelAll cancels everything that is pending in the ring.
func (s *SQE) PrepCancelAll() {
	s.prep(abi.OpAsyncCancel, -1, 0, 0, 0)
	s.e.OpFlags = abi.AsyncCancelAny | abi.AsyncCancelAll
}

// PrepPollAdd waits for events (unix.POLL*); the result is those that came.
// With multishot each further event completes again, until one without More.
func (s *SQE) PrepPollAdd(fd int, events uint32, multishot bool) {
	s.prep(abi.OpPollAdd, fd, 0, 0, 0)
	s.e.OpFlags = events
	if multishot {
		s.e.Len = abi.PollAddMulti
	}
}

// PrepPollRemove cancels the poll with that user data.
func (s *SQE) PrepPollRemove(userData uint64) {
	s.prep(abi.OpPollRemove, -1, userData, 0, 0)
}

// PrepMsgRing posts a completion with result res and user data data to the
// ring whose descriptor is fd. The entry's own completion says whether it
// arrived: -EOVERFLOW when the other ring had no room.
func (s *SQE) PrepMsgRing(fd int, res int32, data uint64) {
	s.prep(abi.OpMsgRing, fd, abi.MsgData, uint32(res), data)
}
