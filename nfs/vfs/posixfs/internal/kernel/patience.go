package kernel

import (
	"time"

	"golang.org/x/sys/unix"
)

// Some errors say that the same call may go well another time. A client that is told
// so (Delay) asks for ever, and its program hangs with it. So a worker tries by itself,
// a bounded number of times, and what fails all the same is an error that programs
// understand (IO). Delay is left for what has an end of its own: a lease that the
// kernel takes back, a walk for a handle, descriptors that others give back.

const (
	// atOnceMax is how often a call is made again at once. A signal of Go's scheduler
	// interrupts one now and then; a file system that always answers EINTR does so for
	// ever.
	AtOnceMax = 16
	// PausesMax is how often it is made again after a pause of 1, 2, 4 ms and so on: for
	// a second in all.
	PausesMax = 10
)

// Patience counts the tries of one system call. The zero value has made one.
type Patience struct {
	atOnce, pauses int
}

// AtOnceAgain reports whether a call that failed with e is to be made again. It does
// not sleep.
func (p *Patience) AtOnceAgain(e unix.Errno) bool {
	if e != unix.EINTR || p.atOnce == AtOnceMax {
		return false
	}
	p.atOnce++
	return true
}

// Again is AtOnceAgain where waiting is allowed. It may sleep before it says yes.
func (p *Patience) Again(e unix.Errno) bool {
	switch e {
	case unix.EINTR:
		if p.AtOnceAgain(e) {
			return true
		}
	case unix.ENOMEM, unix.EAGAIN, unix.ENOBUFS, unix.ENOLCK, unix.EDEADLK:
	default: // ETIMEDOUT as well: it has waited, and may have been done all the same
		return false
	}
	if p.pauses == PausesMax {
		return false
	}
	time.Sleep(time.Millisecond << p.pauses)
	p.pauses++
	return true
}

// MayPass reports whether e is one of those for which again is there.
func MayPass(e unix.Errno) bool {
	switch e {
	case unix.EINTR, unix.ENOMEM, unix.EAGAIN, unix.ENOBUFS, unix.ENOLCK, unix.EDEADLK:
		return true
	}
	return false
}
