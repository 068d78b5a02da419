package posixfs

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopolicy"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/table"
)

// entry is one object that the FS has open.
type entry = table.Entry[state]

// state is what posixfs keeps with an open object. Its structs are each one subsystem's,
// which alone writes them.
type state struct {
	// Immutable once the entry is in the table.
	name uint64 // nameKey of the name that the entry was opened by, else 0
	stub uint64 // its number, if it is a stub
	shut bool   // clients may not use it: see shut.go

	access accessState
	flush  flushState
	names  namesState
	atime  atimeState
	way    wayState
}

// accessState is what lanes need to know before they act on an object. Atomic.
type accessState struct {
	warm    atomic.Bool  // what the kernel needs for a permission check is in memory
	locking atomic.Int32 // workers that may have the inode locked, so that lanes would wait
}

// flushState is what is unstable of a file, and how it becomes stable: see flush.go.
type flushState struct {
	dirty   atomic.Uint32 // counts unstable writes; 0 when all are committed
	flushes flushes

	leaving sync.Mutex // held while the entry is flushed after it was retired, and to set left
	left    bool       // flushed for the last time: its descriptors are about to be closed
}

// namesState is a directory's: see namecache.go. Atomic.
type namesState struct {
	settled   atomic.Int64 // the ctime since which its names are known to be visible
	unsettled atomic.Bool  // a lane asks for awaitNames
}

// atimeState is how far the access time is behind: see atime.go. Atomic.
type atimeState struct {
	due  atomic.Bool  // it is, and that is the janitor's business
	tick atomic.Int64 // FS.tick when it was last brought up to date, or tried
	vain atomic.Int32 // how often that had no effect, in a row
}

// An entry has a descriptor past the page cache for each direction.
var _ [table.Directions]struct{} = [iopolicy.Directions]struct{}{}

// wayState is which way the data of a file goes: see iomode.go. Atomic.
type wayState struct {
	align     atomic.Uint32 // see directAlign; 0 as long as nobody has asked
	streams   atomic.Pointer[iopolicy.Streams]
	undropped atomic.Uint64 // see View.trail: where the last write of its kind ended, 0 after a flush
}

// newEntry makes an entry for the object with the handle h and the attributes st, which is
// open as fd.
func newEntry(h vfs.Handle, st *unix.Statx_t, fd int) *entry {
	stub := stubNumber(&h)
	number(stub, st)
	return startEntry(h, kernel.KeyOf(st), st.Mode&unix.S_IFMT, stub, fd)
}

func startEntry(h vfs.Handle, key kernel.ObjectKey, kind uint16, stub uint64, fd int) *entry {
	e := table.New[state](h, key, kind, fd)
	e.Own.stub = stub
	e.Own.flush.flushes.init()
	return e
}

// renewEntry returns an entry of old's object with a descriptor of its own, or nil.
func renewEntry(old *entry) *entry {
	fd, errno := openPath(old.FD, unix.O_PATH|unix.O_CLOEXEC)
	if errno != 0 {
		return nil
	}
	return startEntry(old.Handle, old.Key, old.Kind, old.Own.stub, fd)
}

// number puts a stub's own number into its attributes: the kernel's is not that.
func number(stub uint64, st *unix.Statx_t) {
	if stub != 0 {
		st.Ino = stub
	}
}

// dirty reports whether e has unstable data.
func dirty(e *entry) bool { return e.Own.flush.dirty.Load() != 0 }
