package posixfs

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// flushes lets the calls that wait for one file to be flushed share an fsync. A
// call that comes while one is running must not share that one, which may have
// passed by what the call wants on disc: it waits for the next, with all others
// that came meanwhile.
type flushes struct {
	mu      sync.Mutex
	ended   sync.Cond // of mu: an fsync has
	running bool
	begun   uint64 // fsyncs so far, the running one included
	done    uint64 // the last that has ended
	failed  uint64 // the last that failed,
	errno   unix.Errno
}

// do returns the result of an fsync of the file that began after do was called,
// or of the last that failed since. It blocks.
func (f *flushes) do(fsync func() unix.Errno) unix.Errno {
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
	// The kernel reports a failure once, so a later success makes up for nothing.
	if f.failed >= mine {
		return f.errno
	}
	return 0
}

// failures returns a mark for failedSince.
func (f *flushes) failures() (mark uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// failedSince returns the error of the last fsync that has failed since mark was
// taken, 0 if none has.
func (f *flushes) failedSince(mark uint64) unix.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed > mark {
		return f.errno
	}
	return 0
}

// flushSince is flush for a change that is to be on stable storage when the caller
// answers. mark is failures from before the change: an fsync that began before it
// may have met its data, too, and have been told of the failure in our place. Who
// commits sees that by the verifier; who was promised stable storage does not look
// at it.
func (fs *FS) flushSince(e *entry, fd int, mark uint64) vfs.Status {
	_, s := fs.flush(e, fd)
	if s == vfs.OK {
		s = status(e.flushes.failedSince(mark))
	}
	return s
}

// flush puts e's data and attributes on stable storage. Only one fsync of an entry
// runs at a time and all that wait for it hear how it ended, since the kernel
// reports a failure once per descriptor.
func (fs *FS) flush(e *entry, fd int) (verf uint64, s vfs.Status) {
	errno := e.flushes.do(func() unix.Errno {
		dirty := e.dirty.Load()
		if errno := fs.fsync(fd); errno != 0 {
			fs.lost() // before anybody hears of it
			return errno
		}
		e.dirty.CompareAndSwap(dirty, 0)
		return 0
	})
	if errno != 0 {
		return 0, status(errno)
	}
	if fs.closing.Load() != 0 {
		// The janitor may be flushing this very file through an older descriptor
		// and hear of the failure in our place.
		fs.closingMu.Lock()
		fs.closingMu.Unlock() //nolint:staticcheck // only waits
	}
	// A verifier that changed meanwhile makes the client write again. That is
	// never wrong.
	return fs.verifier.Load(), vfs.OK
}
