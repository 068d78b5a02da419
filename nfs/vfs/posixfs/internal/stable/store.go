package stable

import (
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/uring/futex"
)

// Calls are the system calls that tell of write-back failures. Tests replace them. Each is made
// once, because every error may be a failure that the kernel does not report again.
type Calls struct {
	Fsync     func(fd int) unix.Errno
	Syncfs    func(fd int) unix.Errno
	Close     func(fd int) unix.Errno // closes a descriptor that somebody may have written to
	WaitRange func(fd int, off, n uint64) unix.Errno
}

// Kernel returns c with the kernel's own call in place of each call that c lacks.
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

// Store makes a file system's changes stable.
type Store struct {
	Calls // immutable

	verifier atomic.Uint64
	leaving  atomic.Int32 // how many Leave calls are flushing
	_        [64]byte     // keeps what each WRITE reads off the cache line of the lock in all
	all      Flushes      // of the whole file system, for changes without a flush of their own
}

// Init makes s ready. seed is the first verifier; no earlier run may have had it.
func (s *Store) Init(c Calls, seed uint64) {
	s.Calls = c.Kernel()
	s.verifier.Store(seed)
}

// Verifier returns the write verifier. Every failure changes it.
func (s *Store) Verifier() uint64 { return s.verifier.Load() }

// Lost changes the verifier, because data that was acknowledged as unstable may be gone.
func (s *Store) Lost() { s.verifier.Add(1) }

// Leaving returns how many files Leave is flushing now.
func (s *Store) Leaving() int { return int(s.leaving.Load()) }

// told makes a call that flushes and tells of failures. Each failure changes the verifier before
// anybody is told of it. told repeats a call that was interrupted; even such a call may have used
// up a failure.
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

// MarkAll returns a mark for SyncAll. A caller takes it before a change.
func (s *Store) MarkAll() uint64 { return s.all.Failures() }

// SyncAll puts everything on the file system of the descriptor root on stable storage. It also
// fails if a flush of the whole file system has failed since the caller took mark.
func (s *Store) SyncAll(root int, mark uint64) unix.Errno {
	if errno := s.all.Do(func() unix.Errno { return s.told(s.Syncfs, root) }); errno != 0 {
		return errno
	}
	return s.all.Since(mark)
}

// File is the unstable data of an open object.
type File struct {
	Flushes

	dirty atomic.Uint32 // counts unstable writes; 0 if all are committed

	leaving futex.Mutex // held while Leave flushes the file
	left    bool        // flushed for the last time: the descriptors are about to be closed
}

// Wrote notes that unstable data was written. The caller calls it after the write, and not before:
// an fsync that runs during the write has not seen all of the data, and must not take the file for
// clean.
func (f *File) Wrote() { f.dirty.Add(1) }

// Dirty reports whether f has unstable data.
func (f *File) Dirty() bool { return f.dirty.Load() != 0 }

// Flush puts f's data and attributes on stable storage. At most one fsync of f runs at a time.
// Flush uses the descriptor in writer, which learns of all failures since it was opened. If writer
// is negative, Flush uses fd.
func (s *Store) Flush(f *File, writer *atomic.Int32, fd int) unix.Errno {
	return f.Do(func() unix.Errno {
		dirty := f.dirty.Load() // first: a caller of Wrote has stored the descriptor
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

// Leave flushes the unstable data of a file to which nobody writes any more. The file's descriptors
// must still be open. Only the verifier tells of a failure. last says that the descriptors are
// about to be closed; a later Leave then does nothing.
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

// CloseWritten closes a descriptor that somebody may have written to. FUSE and file systems of
// other machines write back at that moment, and report the result once.
func (s *Store) CloseWritten(fd int) {
	if s.Close(fd) != 0 { // the descriptor is closed even then
		s.Lost()
	}
}
