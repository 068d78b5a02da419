package posixfs

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
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
	atOnceMax = 16
	// pausesMax is how often it is made again after a pause of 1, 2, 4 ms and so on: for
	// a second in all.
	pausesMax = 10
)

// patience counts the tries of one system call. The zero value has made one.
type patience struct {
	atOnce, pauses int
}

// atOnceAgain reports whether a call that failed with e is to be made again. It does
// not sleep.
func (p *patience) atOnceAgain(e unix.Errno) bool {
	if e != unix.EINTR || p.atOnce == atOnceMax {
		return false
	}
	p.atOnce++
	return true
}

// again is atOnceAgain where waiting is allowed. It may sleep before it says yes.
func (p *patience) again(e unix.Errno) bool {
	switch e {
	case unix.EINTR:
		if p.atOnceAgain(e) {
			return true
		}
	case unix.ENOMEM, unix.EAGAIN, unix.ENOBUFS, unix.ENOLCK, unix.EDEADLK:
	default: // ETIMEDOUT as well: it has waited, and may have been done all the same
		return false
	}
	if p.pauses == pausesMax {
		return false
	}
	time.Sleep(time.Millisecond << p.pauses)
	p.pauses++
	return true
}

// mayPass reports whether e is one of those for which again is there.
func mayPass(e unix.Errno) bool {
	switch e {
	case unix.EINTR, unix.ENOMEM, unix.EAGAIN, unix.ENOBUFS, unix.ENOLCK, unix.EDEADLK:
		return true
	}
	return false
}

// status is the function of that name; on a lane, what may go well another time is
// for a worker to try.
func (v *View) status(e unix.Errno) vfs.Status {
	if v.lane && mayPass(e) {
		return vfs.Again
	}
	return v.fs.status(e)
}
