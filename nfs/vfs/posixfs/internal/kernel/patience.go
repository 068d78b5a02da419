package kernel

import (
	"time"

	"golang.org/x/sys/unix"
)

// Some errors mean that the same call may succeed another time. If the server answers such an error
// with Delay, the client asks again without end, and its program hangs with it. So a worker repeats
// the call itself, a bounded number of times. If the call still fails, the client gets an error
// that programs understand (IO). Delay is only for conditions that end by themselves: a lease that
// the kernel takes back, a walk for a handle, descriptors that others give back.

const (
	// AtOnceMax is how often a call is repeated at once. A signal of Go's scheduler interrupts
	// a call now and then. A file system that always answers EINTR never stops doing so.
	AtOnceMax = 16
	// PausesMax is how often a call is repeated after a pause of 1, 2, 4 ms and so on: for one
	// second in all.
	PausesMax = 10
)

// Patience counts the tries of one system call. The zero value stands for the first try.
type Patience struct {
	atOnce, pauses int
}

// AtOnceAgain reports whether the caller should repeat, at once, a call that failed with e. It does
// not sleep.
func (p *Patience) AtOnceAgain(e unix.Errno) bool {
	if e != unix.EINTR || p.atOnce == AtOnceMax {
		return false
	}
	p.atOnce++
	return true
}

// Again reports whether the caller should repeat a call that failed with e. It may sleep before it
// returns true.
func (p *Patience) Again(e unix.Errno) bool {
	switch e {
	case unix.EINTR:
		if p.AtOnceAgain(e) {
			return true
		}
	case unix.ENOMEM, unix.EAGAIN, unix.ENOBUFS, unix.ENOLCK, unix.EDEADLK:
	default: // ETIMEDOUT, too: the call has waited, and may have taken effect
		return false
	}
	if p.pauses == PausesMax {
		return false
	}
	time.Sleep(time.Millisecond << p.pauses)
	p.pauses++
	return true
}

// MayPass reports whether e is one of the errors after which [Patience.Again] may repeat a call.
func MayPass(e unix.Errno) bool {
	switch e {
	case unix.EINTR, unix.ENOMEM, unix.EAGAIN, unix.ENOBUFS, unix.ENOLCK, unix.EDEADLK:
		return true
	}
	return false
}
