package iopath

import (
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopolicy"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/pace"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/stable"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/table"
)

// Shared is what the Paths of one file system share.
type Shared struct {
	// Immutable.
	Policy     iopolicy.Policy
	Store      *stable.Store
	Status     func(unix.Errno) vfs.Status
	Memory     bool   // files live in memory: plain reads and writes do not wait for a disc
	PlainRead  bool   // preadv2(2) is refused: pread(2) where that does not wait
	NoPwritev2 bool   // pwritev2(2) is refused
	Block      uint64 // bytes: a block of which only a part is written is read before
	StillPages bool   // writers wait for pages under writeback (checksums): see StillPages

	Pace pace.Pace

	noReadNow atomic.Bool // reads with RWF_NOWAIT are not supported
}

// An entry has a descriptor past the page cache for each direction.
var _ [table.Directions]struct{} = [iopolicy.Directions]struct{}{}

// File is what this package keeps with an open object. The zero value is ready after Init.
type File struct {
	// Immutable.
	fd    int // O_PATH
	fds   *table.Descriptors
	flush *stable.File

	// Locking counts workers that may have the inode locked: lanes would wait for them.
	Locking atomic.Int32

	// Atomic.
	align     atomic.Uint32 // see directAlign; 0 as long as nobody has asked
	streams   atomic.Pointer[iopolicy.Streams]
	undropped atomic.Uint64 // where the last dropping write ended, 0 after a flush: see trail
}

// Init binds f to its object: an O_PATH descriptor, the descriptors for I/O, and what is
// unstable of it.
func (f *File) Init(fd int, fds *table.Descriptors, flush *stable.File) {
	f.fd, f.fds, f.flush = fd, fds, flush
}

// Owner opens files for a Path: the rest of posixfs, on the Path's thread.
type Owner interface {
	// OpenMore opens the file that the present operation is about with flags of open(2), and
	// keeps the descriptor in to. It makes the thread act for the process itself. It may
	// block; on a lane it is vfs.Again.
	OpenMore(to *atomic.Int32, flags int) (fd int, s vfs.Status)
	// ActFor makes the thread act for c. With false the thread must not go on.
	ActFor(c *vfs.Cred) bool
}

const iovMax = 256

// Path is one thread's.
type Path struct {
	*Shared
	owner Owner
	lane  bool

	writer pace.Writer

	// What the kernel reads and writes. It is here and not on the stack, so that no
	// operation allocates.
	iov       [iovMax]unix.Iovec
	parts     [][]byte // of a WRITE, while writeDirect works on it
	asked     kernel.CacheRange
	pages     kernel.CachePages
	spliceOff int64
	byte1     [1]byte
}

// Init makes p the Path of a thread, which must not sleep if it is a lane's.
func (p *Path) Init(sh *Shared, owner Owner, lane bool) { p.Shared, p.owner, p.lane = sh, owner, lane }

// status is Shared.Status, but what may go well another time is vfs.Again on a lane.
func (p *Path) status(e unix.Errno) vfs.Status {
	if p.lane && kernel.MayPass(e) {
		return vfs.Again
	}
	return p.Shared.Status(e)
}

// way decides for a request of n bytes. It neither waits nor allocates.
func (s *Shared) way(f *File, d iopolicy.Direction, off uint64, n int) iopolicy.Way {
	if s.Policy.Mode == iopolicy.Buffered {
		return iopolicy.Keeping
	}
	return s.Policy.Of(f.streams.Load(), d, off, n)
}

// passed notes that n bytes at off have passed. Size is the file's. A lane does not make
// what it takes to remember.
func (p *Path) passed(f *File, d iopolicy.Direction, off uint64, n int, size uint64) {
	if !p.Policy.Follows(n, size) {
		return
	}
	t := f.streams.Load()
	if t == nil {
		if p.lane {
			return
		}
		f.streams.CompareAndSwap(nil, new(iopolicy.Streams))
		t = f.streams.Load()
	}
	p.Policy.Pass(t, d, off, uint64(n))
}

// rwFlag is what preadv2(2) and pwritev2(2) are given for a way.
func rwFlag(w iopolicy.Way) uintptr {
	if w == iopolicy.Dropping {
		return unix.RWF_DONTCACHE
	}
	return 0
}
