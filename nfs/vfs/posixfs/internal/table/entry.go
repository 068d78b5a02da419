package table

import (
	"sync/atomic"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/uring/futex"
)

// Directions is how many ways of passing the page cache there are. An entry has a descriptor for
// each.
const Directions = 2

// Descriptors are an object's descriptors for I/O. Each is -1 or a descriptor. A descriptor that is
// set stays until the entry is closed. The fields are atomic.
type Descriptors struct {
	Read, Write atomic.Int32
	Direct      [Directions]atomic.Int32 // past the page cache
	Waits       atomic.Int32             // like Read; waits for write-back, never flushes
}

// Entry is one object that is open. While its descriptors are open, the kernel keeps the inode, so
// no other object can get its number.
type Entry[S any] struct {
	// Immutable.
	Handle vfs.Handle
	Hash   uint64 // of Handle
	Key    kernel.ObjectKey
	Kind   uint16 // S_IFMT of the mode
	ID     uint64 // never used twice in one table
	FD     int    // O_PATH, or the descriptor that made the file

	Descriptors

	who   atomic.Uint64 // who has held it, fresh, dead: see Uses
	wrote atomic.Bool   // opened for writing, and used since Rest last came by

	pins atomic.Int32 // see Table.Pin; changes with Table.mu held

	// Opening is held while a caller sets Read, Write, Direct or Waits.
	Opening futex.Mutex

	// Guarded by Table.mu.
	at                     int    // index in the list of living, or in Table.retired; else -1
	idle                   uint8  // how many Sweeps have found it unused
	held                   int    // how many descriptors it had when it was retired
	goer                   bool   // in Table.goers
	had                    uint64 // who, when it was retired
	nextHandle, nextObject uint32 // see living

	older *Entry[S] // of the same object, retired before this one and not yet closed

	// Own is the state that other rooms keep with the object. Each field says who may touch it.
	Own S
}

// New makes an entry that has only fd open. Its Own is the zero value.
func New[S any](h vfs.Handle, key kernel.ObjectKey, kind uint16, fd int) *Entry[S] {
	e := &Entry[S]{Handle: h, Hash: kernel.HashHandle(&h), Key: key, Kind: kind, FD: fd}
	e.Read.Store(-1)
	e.Write.Store(-1)
	e.Waits.Store(-1)
	for d := range e.Direct {
		e.Direct[d].Store(-1)
	}
	e.who.Store(fresh)
	return e
}

// Dead reports whether the entry is retired.
func (e *Entry[S]) Dead() bool { return e.who.Load() == dead }

// Pinned reports whether somebody has pinned the entry.
func (e *Entry[S]) Pinned() bool { return e.pins.Load() > 0 }

// Wrote notes that somebody is writing to the entry.
func (e *Entry[S]) Wrote() {
	if !e.wrote.Load() {
		e.wrote.Store(true)
	}
}

// stale clears the mark that somebody has used e, and reports whether there was none. e is alive,
// and the table locked.
func (e *Entry[S]) stale() bool {
	return e.who.Load()&fresh == 0 || e.who.And(^uint64(fresh))&fresh == 0
}

// FDs counts the descriptors that e holds.
func (e *Entry[S]) FDs() int {
	n := 1
	if r := e.Read.Load(); r >= 0 && int(r) != e.FD {
		n++
	}
	if w := e.Write.Load(); w >= 0 && int(w) != e.FD {
		n++
	}
	if e.Waits.Load() >= 0 {
		n++
	}
	for d := range e.Direct {
		if e.Direct[d].Load() >= 0 {
			n++
		}
	}
	return n
}
