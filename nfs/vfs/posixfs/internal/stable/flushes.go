package stable

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/futex"
)

// Flushes lets the calls that wait for one file to be flushed share an fsync. A call that
// arrives while an fsync is running cannot join it: that fsync may already have passed the
// call's data. It waits for the next one, together with all others that arrived meanwhile.
// The zero value is ready.
type Flushes struct {
	mu      futex.Mutex
	running bool
	begun   uint64 // number of fsyncs so far, the running one included
	done    uint64 // number of the last one that has ended
	failed  uint64 // number of the last one that failed
	errno   unix.Errno

	// Where calls wait for the end of an fsync, by whether its number is even or odd, and how many
	// there are. While one runs, others wait for the next one, and one of them will make it.
	gates   [2]futex.Gate
	waiting [2]int
}

// Do returns the result of an fsync that began after Do was called. If another one has failed
// since, Do returns the error of the last failure. It blocks.
func (f *Flushes) Do(fsync func() unix.Errno) unix.Errno {
	f.mu.Lock()
	mine := f.begun + 1
	for f.running && f.done < mine {
		f.wait(mine)
	}
	if f.done < mine {
		return f.lead(mine, fsync)
	}
	defer f.mu.Unlock()
	return f.result(mine)
}

// lead makes fsync n. mu is held, and is not when lead returns.
func (f *Flushes) lead(n uint64, fsync func() unix.Errno) unix.Errno {
	f.running, f.begun = true, n
	f.mu.Unlock()
	errno := fsync()
	f.mu.Lock()
	f.running, f.done = false, n
	if errno != 0 {
		f.failed, f.errno = n, errno
	}
	all, next := f.waiting[n&1] > 0, f.waiting[(n+1)&1] > 0
	errno = f.result(n)
	f.mu.Unlock()
	if all {
		f.gates[n&1].All()
	}
	if next { // of those that wait for the next one, one makes it
		f.gates[(n+1)&1].One()
	}
	return errno
}

// result returns what became of fsync n. The kernel reports a failure once, so a later success
// proves nothing. mu is held.
func (f *Flushes) result(n uint64) unix.Errno {
	if f.failed >= n {
		return f.errno
	}
	return 0
}

// wait waits until something may have changed for a call that needs fsync n. mu is held, and
// released meanwhile.
func (f *Flushes) wait(n uint64) {
	g := n & 1
	seen := f.gates[g].Seen()
	f.waiting[g]++
	f.mu.Unlock()
	f.gates[g].Wait(seen)
	f.mu.Lock()
	f.waiting[g]--
}

// Failures returns a mark for Since.
func (f *Flushes) Failures() (mark uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// Since returns the error of the last fsync that has failed since the caller took mark, 0 if none
// has. A caller that promises stable storage takes the mark before the change. An fsync that began
// before the change may have met the change's data, too. The kernel may then have reported the
// failure to that fsync instead of the caller's. A client that commits notices such a failure by
// the verifier. A client that was promised stable storage does not look at the verifier.
func (f *Flushes) Since(mark uint64) unix.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed > mark {
		return f.errno
	}
	return 0
}
