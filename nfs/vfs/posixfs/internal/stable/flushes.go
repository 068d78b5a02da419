package stable

import (
	"sync"

	"golang.org/x/sys/unix"
)

// Flushes lets the calls that wait for one file to be flushed share an fsync. A call that
// arrives while an fsync is running cannot join it: that fsync may already have passed the
// call's data. It waits for the next one, together with all others that arrived meanwhile.
type Flushes struct {
	mu      sync.Mutex
	ended   sync.Cond // of mu: an fsync has ended
	running bool
	begun   uint64 // number of fsyncs so far, the running one included
	done    uint64 // number of the last one that has ended
	failed  uint64 // number of the last one that failed
	errno   unix.Errno
}

// Init makes f ready. It must be called before all other methods.
func (f *Flushes) Init() { f.ended.L = &f.mu }

// Do returns the result of an fsync that began after Do was called. If another one has failed
// since, Do returns the error of the last failure. It blocks.
func (f *Flushes) Do(fsync func() unix.Errno) unix.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	mine := f.begun + 1
	for f.running && f.done < mine {
		f.ended.Wait()
	}
	if f.done < mine {
		f.running, f.begun = true, mine
		f.mu.Unlock()
		errno := fsync()
		f.mu.Lock()
		f.running, f.done = false, mine
		if errno != 0 {
			f.failed, f.errno = mine, errno
		}
		f.ended.Broadcast()
	}
	// The kernel reports a failure once, so a later success proves nothing.
	if f.failed >= mine {
		return f.errno
	}
	return 0
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
