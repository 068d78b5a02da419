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

// Shared is the state that the Paths of one file system share.
type Shared struct {
	// Immutable.
	Policy     iopolicy.Policy
	Store      *stable.Store
	Status     func(unix.Errno) vfs.Status
	Memory     bool   // files live in memory: plain reads and writes wait for no disc
	PlainRead  bool   // preadv2(2) is refused: use pread(2) if it does not wait
	NoPwritev2 bool   // pwritev2(2) is refused
	Block      uint64 // bytes: a block that a write covers only in part is read first
	StillPages bool   // writers wait for pages under writeback (checksums): see StillPages

	Pace pace.Pace

	noReadNow atomic.Bool // the file system does not support reads with RWF_NOWAIT
}

// An entry has one descriptor past the page cache for each direction.
var _ [table.Directions]struct{} = [iopolicy.Directions]struct{}{}

// File is the state that this package keeps with an open object. Init makes the zero value ready.
type File struct {
	// Immutable.
	fd    int // O_PATH, or the descriptor that made the file
	fds   *table.Descriptors
	flush *stable.File

	// Locking counts workers that may have the inode locked. A lane would wait for them.
	Locking atomic.Int32

	// Atomic.
	align     atomic.Uint32 // see directAlign; 0 until somebody asks
	streams   atomic.Pointer[iopolicy.Streams]
	undropped atomic.Uint64 // where the last dropping write ended, 0 after a flush: see trail
}

// Init binds f to its object: a descriptor with which to ask for attributes, the descriptors for
// I/O, and the state of its unstable data.
func (f *File) Init(fd int, fds *table.Descriptors, flush *stable.File) {
	f.fd, f.fds, f.flush = fd, fds, flush
}

// Owner opens files for a Path and switches rights, on the Path's thread. Package posixfs
// implements it.
type Owner interface {
	// OpenMore opens the present operation's file with flags of open(2), and stores the
	// descriptor in to. It makes the thread act for the process itself. It may block; on a lane
	// it returns vfs.Again instead.
	OpenMore(to *atomic.Int32, flags int) (fd int, s vfs.Status)
	// ActFor makes the thread act for c. If it returns false the thread must not go on.
	ActFor(c *vfs.Cred) bool
}

const iovMax = 256

// Path moves data on one thread.
type Path struct {
	*Shared
	owner Owner
	lane  bool

	writer pace.Writer

	// Memory that the kernel reads and writes. It is here and not on the stack, so that no
	// operation allocates.
	iov       [iovMax]unix.Iovec
	parts     [][]byte // parts of a WRITE while writeDirect works on it
	asked     kernel.CacheRange
	pages     kernel.CachePages
	spliceOff int64
	byte1     [1]byte
}

// Init makes p the Path of a thread. A lane's thread must not sleep.
func (p *Path) Init(sh *Shared, owner Owner, lane bool) { p.Shared, p.owner, p.lane = sh, owner, lane }

// status is Shared.Status. On a lane it returns vfs.Again for an error that may not happen at the
// next try.
func (p *Path) status(e unix.Errno) vfs.Status {
	if p.lane && kernel.MayPass(e) {
		return vfs.Again
	}
	return p.Shared.Status(e)
}

// way decides which way the data of a request of n bytes goes. It neither waits nor allocates.
func (s *Shared) way(f *File, d iopolicy.Direction, off uint64, n int) iopolicy.Way {
	if s.Policy.Mode == iopolicy.Buffered {
		return iopolicy.Keeping
	}
	return s.Policy.Of(f.streams.Load(), d, off, n)
}

// passed notes that n bytes at off have passed. size is the file's size. A lane does not allocate
// the memory for that; a worker does.
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

// rwFlag returns the flag of preadv2(2) and pwritev2(2) for a way.
func rwFlag(w iopolicy.Way) uintptr {
	if w == iopolicy.Dropping {
		return unix.RWF_DONTCACHE
	}
	return 0
}
