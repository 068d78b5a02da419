package stable

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// Calls are the system calls that tell of write-back failures. Tests put others in their
// place. Each is made once: whatever it returns may be a failure that it will not tell again.
type Calls struct {
	Fsync     func(fd int) unix.Errno
	Syncfs    func(fd int) unix.Errno
	Close     func(fd int) unix.Errno // of what may have been written to
	WaitRange func(fd int, off, n uint64) unix.Errno
}

// Kernel returns c with the kernel's own calls where c has none.
func (c Calls) Kernel() Calls {
	if c.Fsync == nil {
		c.Fsync = kernel.Fsync
	}
	if c.Syncfs == nil {
		c.Syncfs = kernel.Syncfs
	}
	if c.Close == nil {
		c.Close = kernel.CloseWritten
	}
	if c.WaitRange == nil {
		c.WaitRange = kernel.WaitRange
	}
	return c
}

// Store is where a file system's changes become stable.
type Store struct {
	Calls // immutable

	verifier atomic.Uint64
	all      Flushes      // of the file system, for what cannot be flushed on its own
	leaving  atomic.Int32 // Leave calls that are flushing
}

// Init makes s ready. Its verifier begins with seed, which no run before had.
func (s *Store) Init(c Calls, seed uint64) {
	s.Calls = c.Kernel()
	s.all.Init()
	s.verifier.Store(seed)
}

// Verifier returns the write verifier. It changes with every failure.
func (s *Store) Verifier() uint64 { return s.verifier.Load() }

// Lost changes the verifier: data that was acknowledged as unstable may be gone.
func (s *Store) Lost() { s.verifier.Add(1) }

// Leaving returns how many files are being flushed by Leave right now.
func (s *Store) Leaving() int { return int(s.leaving.Load()) }

// Sync flushes fd by itself, for nobody else.
func (s *Store) Sync(fd int) unix.Errno { return s.told(s.Fsync, fd) }

// told makes a call that flushes and tells of failures. Each failure changes the verifier,
// before anybody hears of it. A call that was interrupted is made again, and may have used
// up a failure all the same.
func (s *Store) told(flush func(fd int) unix.Errno, fd int) unix.Errno {
	for p := (kernel.Patience{}); ; {
		errno := flush(fd)
		if errno == 0 {
			return 0
		}
		s.Lost()
		if errno != unix.EINTR || !p.Again(errno) {
			return errno
		}
	}
}

// MarkAll returns a mark for SyncAll, from before a change.
func (s *Store) MarkAll() uint64 { return s.all.Failures() }

// SyncAll puts everything on the file system of the descriptor root on stable storage. It
// fails, too, if a flush has failed since mark was taken.
func (s *Store) SyncAll(root int, mark uint64) unix.Errno {
	if errno := s.all.Do(func() unix.Errno { return s.told(s.Syncfs, root) }); errno != 0 {
		return errno
	}
	return s.all.Since(mark)
}

// File is what is unstable of an open object.
type File struct {
	Flushes

	dirty atomic.Uint32 // counts unstable writes; 0 when all are committed

	leaving sync.Mutex // held while the file is flushed before its descriptors are closed
	left    bool       // flushed for the last time: the descriptors are about to be closed
}

// Wrote notes that data was written that is not stable yet. It is called when the data is
// written, and not before: an fsync that runs meanwhile has not seen all of it, and must
// not take the file for clean.
func (f *File) Wrote() { f.dirty.Add(1) }

// Dirty reports whether f has unstable data.
func (f *File) Dirty() bool { return f.dirty.Load() != 0 }

// Flush puts f's data and attributes on stable storage. At most one fsync of f runs at a
// time. It is by the descriptor in writer, which knows of all failures since it was opened,
// and without one, when writer is negative, by fd.
func (s *Store) Flush(f *File, writer *atomic.Int32, fd int) unix.Errno {
	return f.Do(func() unix.Errno {
		dirty := f.dirty.Load() // first: who has counted has the descriptor in place
		if w := writer.Load(); w >= 0 {
			fd = int(w)
		}
		if errno := s.told(s.Fsync, fd); errno != 0 {
			return errno
		}
		f.dirty.CompareAndSwap(dirty, 0)
		return 0
	})
}

// Leave flushes what is unstable of a file that nobody writes to any more and whose
// descriptors are still open, and only the verifier tells of a failure. Last says that they
// are about to be closed; then nothing comes after it.
func (s *Store) Leave(f *File, writer *atomic.Int32, last bool) {
	f.leaving.Lock()
	defer f.leaving.Unlock()
	if !f.left && f.Dirty() {
		s.leaving.Add(1)
		_ = s.Flush(f, writer, -1)
		s.leaving.Add(-1)
	}
	f.left = f.left || last
}

// CloseWritten closes a descriptor that may have been written to. FUSE and file systems of
// other machines write back then, and report once what became of it.
func (s *Store) CloseWritten(fd int) {
	if s.Close(fd) != 0 { // it is closed all the same
		s.Lost()
	}
}
