package posixfs

import (
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopath"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/stable"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/table"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/verdict"
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

	rights verdict.Object
	names  namesState
	atime  atimeState
	data   iopath.File
	flush  stable.File
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
	e.Own.rights.Init(fd, kind == unix.S_IFLNK)
	e.Own.flush.Init()
	e.Own.data.Init(fd, &e.Descriptors, &e.Own.flush)
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
func dirty(e *entry) bool { return e.Own.flush.Dirty() }
