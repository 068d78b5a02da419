package posixfs

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
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

func (f *flushes) init() { f.ended.L = &f.mu }

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
		s = fs.status(e.Own.flush.flushes.failedSince(mark))
	}
	return s
}

// flush puts e's data and attributes on stable storage. Only one fsync of an entry
// runs at a time and all that wait for it hear how it ended, since the kernel
// reports a failure once per descriptor. fd is for an entry that is not open for
// writing.
func (fs *FS) flush(e *entry, fd int) (verf uint64, s vfs.Status) {
	if errno := e.Own.flush.flushes.do(func() unix.Errno { return fs.fsyncEntry(e, fd) }); errno != 0 {
		return 0, fs.status(errno)
	}
	if fs.tab.Going() != 0 {
		// The data may have been written by way of an entry that was retired since.
		// Its descriptor knows of failures that e's, opened later, does not: of those
		// that another process has been told before.
		for _, x := range fs.tab.Olders(&e.Handle) {
			x.Own.flush.leaving.Lock()
			fs.flushLeft(x)
			x.Own.flush.leaving.Unlock()
		}
	}
	// A verifier that changed meanwhile makes the client write again. That is
	// never wrong.
	return fs.verifier.Load(), vfs.OK
}

// fsyncEntry is an fsync of e by the descriptor that it was written to, since that
// one knows of all failures from then on. Without one it is by fd.
func (fs *FS) fsyncEntry(e *entry, fd int) unix.Errno {
	dirty := e.Own.flush.dirty.Load() // first: who has counted has the descriptor in place
	if w := e.Write.Load(); w >= 0 {
		fd = int(w)
	}
	if errno := fs.told(fs.fsync, fd); errno != 0 {
		return errno
	}
	e.Own.flush.dirty.CompareAndSwap(dirty, 0)
	return 0
}

// told makes a call that flushes and tells of failures. Each changes the verifier,
// before anybody hears of it. One that was interrupted is made again, and may have
// used up a failure all the same.
func (fs *FS) told(flush func(fd int) unix.Errno, fd int) unix.Errno {
	for p := (kernel.Patience{}); ; {
		errno := flush(fd)
		if errno == 0 {
			return 0
		}
		fs.lost()
		if errno != unix.EINTR || !p.Again(errno) {
			return errno
		}
	}
}

// flushLeft flushes what is unstable of an entry that is retired and not closed yet.
// Its lock leaving is held. That it failed is told by the verifier.
func (fs *FS) flushLeft(e *entry) {
	if e.Own.flush.left || e.Own.flush.dirty.Load() == 0 {
		return
	}
	fs.closing.Add(1)
	_ = e.Own.flush.flushes.do(func() unix.Errno { return fs.fsyncEntry(e, -1) })
	fs.closing.Add(-1)
}

// mark returns what stabilize is to be given for a change of e that is about to be made.
func (fs *FS) mark(e *entry, fd int) uint64 {
	if fd < 0 {
		return fs.whole.failures()
	}
	return e.Own.flush.flushes.failures()
}

// stabilize puts a change of e on stable storage. fd is -1 for an object that cannot be
// opened (a link, a device, a socket; not as root, what may not be read): only
// flushing the file system reaches those. mark is from before the change.
func (fs *FS) stabilize(e *entry, fd int, mark uint64) vfs.Status {
	if fs.is.memory {
		return vfs.OK
	}
	if fd < 0 {
		return fs.flushAll(mark)
	}
	return fs.flushSince(e, fd, mark)
}

// flushAll puts everything on the file system on stable storage. mark is whole's
// failures from before the change that this is for.
func (fs *FS) flushAll(mark uint64) vfs.Status {
	errno := fs.whole.do(func() unix.Errno { return fs.told(fs.syncfs, fs.root) })
	if errno == 0 {
		errno = fs.whole.failedSince(mark)
	}
	return fs.status(errno)
}
