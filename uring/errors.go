package uring

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"
)

// The causes of a SetupError; compare with errors.Is.
var (
	// ErrForbidden: kernel.io_uring_disabled keeps this process from io_uring.
	ErrForbidden = errors.New("io_uring is switched off by sysctl")
	// ErrFiltered: a system call filter, such as a container's, refuses io_uring.
	ErrFiltered = errors.New("io_uring is refused by a system call filter")
	// ErrKernelOld: the kernel is older than the floor.
	ErrKernelOld = errors.New("kernel is too old")
	// ErrNotBuilt: the kernel was built without io_uring.
	ErrNotBuilt = errors.New("kernel has no io_uring")
	// ErrMemory: no memory, or the limit of locked memory is reached.
	ErrMemory = errors.New("not enough memory for io_uring")
	// ErrDescriptors: the limit of open files is reached.
	ErrDescriptors = errors.New("too many open files")
)

// The errors of a working ring.
var (
	// ErrBusy: the kernel cannot take entries or wait just now. Nothing is
	// lost: harvest, then submit again.
	ErrBusy = errors.New("uring: busy, harvest first")
	// ErrLost: the kernel had no memory to keep a completion. The ring's state is unknown from
	// then on; the caller can only close it.
	ErrLost = errors.New("uring: completions were lost")
	// ErrThread: the calling thread does not own this SingleIssuer ring.
	ErrThread = errors.New("uring: called on a foreign thread")
	// ErrFeature: the call needs a feature that is missing or switched off.
	ErrFeature = errors.New("uring: feature is not available")
	// ErrClosed: the ring is closed.
	ErrClosed = errors.New("uring: ring is closed")
)

// SetupError says why there is no ring, and what would help. errors.Is finds its Kind and its
// Errno.
type SetupError struct {
	Op     string     // the step that failed
	Errno  unix.Errno // zero when the kernel works but lacks something
	Kind   error      // one of the sentinels above, or nil
	Cause  string     // the likely cause, one sentence
	Remedy string     // what to do, one sentence; may be empty
}

func (e *SetupError) Error() string {
	var b strings.Builder
	b.WriteString("uring: " + e.Op)
	if e.Errno != 0 {
		b.WriteString(": " + e.Errno.Error())
	}
	if e.Cause != "" {
		b.WriteString(": " + e.Cause)
	}
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return b.String()
}

// Unwrap lets errors.Is and errors.As see the kind and the errno.
func (e *SetupError) Unwrap() []error {
	var list []error
	if e.Kind != nil {
		list = append(list, e.Kind)
	}
	if e.Errno != 0 {
		list = append(list, e.Errno)
	}
	return list
}
