package posixfs

import (
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopath"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/sole"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/stable"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/table"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/verdict"
)

// entry is one object that the FS has open.
type entry = table.Entry[state]

// state is what posixfs keeps with an open object. Each of its structs belongs to one subsystem,
// and only that subsystem writes it.
type state struct {
	// Immutable once the entry is in the table.
	name uint64 // nameKey of the name by which the entry was opened, otherwise 0
	stub uint64 // the inode number of a stub, 0 for other objects
	shut bool   // clients may not use the object: see shut.go

	kept   *sole.Kept // nil unless the attributes may be remembered; see kept.go
	rights verdict.Object
	names  namesState
	atime  atimeState
	data   iopath.File
	flush  stable.File
}

// namesState belongs to a directory: see namecache.go. Atomic.
type namesState struct {
	settled   atomic.Int64 // the ctime up to which all changes of names are visible
	unsettled atomic.Bool  // a lane asks a worker to call awaitNames
}

// atimeState says how far the access time is behind: see atime.go. Atomic.
type atimeState struct {
	due  atomic.Bool  // the access time is behind, and the janitor will update it
	tick atomic.Int64 // FS.tick when it was last updated, or the attempt was made
	vain atomic.Int32 // attempts in a row that had no effect
}

// newEntry makes an entry for the object with the handle h and the attributes st, which is open as
// fd.
func newEntry(h vfs.Handle, st *unix.Statx_t, fd int) *entry {
	stub := stubNumber(&h)
	number(stub, st)
	return startEntry(h, kernel.KeyOf(st), st.Mode&unix.S_IFMT, stub, fd)
}

func startEntry(h vfs.Handle, key kernel.ObjectKey, kind uint16, stub uint64, fd int) *entry {
	e := table.New[state](h, key, kind, fd)
	e.Own.stub = stub
	e.Own.rights.Init(fd, kind == unix.S_IFLNK)
	e.Own.data.Init(fd, &e.Descriptors, &e.Own.flush)
	return e
}

// renewEntry returns an entry of old's object with a descriptor of its own, or nil if it cannot
// open one.
func renewEntry(old *entry) *entry {
	fd, errno := openPath(old.FD, unix.O_PATH|unix.O_CLOEXEC)
	if errno != 0 {
		return nil
	}
	e := startEntry(old.Handle, old.Key, old.Kind, old.Own.stub, fd)
	if k := old.Own.kept; k != nil {
		e.Own.kept = sole.NewKept(k.Slot())
	}
	return e
}

// number replaces the inode number in a stub's attributes by the stub's own. The kernel's is the
// same for all stubs.
func number(stub uint64, st *unix.Statx_t) {
	if stub != 0 {
		st.Ino = stub
	}
}

// dirty reports whether e has unstable data.
func dirty(e *entry) bool { return e.Own.flush.Dirty() }
