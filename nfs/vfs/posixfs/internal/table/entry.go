package table

import (
	"sync"
	"sync/atomic"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// Directions is how many ways of passing the page cache an entry has a descriptor for.
const Directions = 2

// Descriptors are an object's descriptors for I/O. Atomic. Each is -1 or a descriptor; once
// set it stays until the entry is closed.
type Descriptors struct {
	Read, Write atomic.Int32
	Direct      [Directions]atomic.Int32 // past the page cache
	Waits       atomic.Int32             // as Read, to wait for write-back with; never to flush with
}

// Entry is one object that is open. While its descriptors are open the kernel keeps the
// inode, so neither its number nor its type can change hands.
type Entry[S any] struct {
	// Immutable.
	Handle vfs.Handle
	Hash   uint64 // of Handle
	Key    kernel.ObjectKey
	Kind   uint16 // S_IFMT of the mode
	ID     uint64 // never used twice in one table
	FD     int    // O_PATH, or the descriptor that made the file

	Descriptors

	dead  atomic.Bool // retired: start no more operations on it
	used  atomic.Bool // since the clock's hand or Sweep last came by
	wrote atomic.Bool // opened for writing, and used since Rest last came by

	// Opening is held while Read, Write, Direct or Waits is set.
	Opening sync.Mutex

	// Guarded by Table.mu.
	at    int       // index in Table.clock
	idle  uint8     // Sweeps without use
	held  int       // descriptors when it was retired
	older *Entry[S] // of the same object, retired before this one and not yet closed

	// Own is what other rooms keep with the object. Each field says who may touch it.
	Own S
}

// New makes an entry that has only fd open, and nothing of its own yet.
func New[S any](h vfs.Handle, key kernel.ObjectKey, kind uint16, fd int) *Entry[S] {
	e := &Entry[S]{Handle: h, Hash: kernel.HashHandle(&h), Key: key, Kind: kind, FD: fd}
	e.Read.Store(-1)
	e.Write.Store(-1)
	e.Waits.Store(-1)
	for d := range e.Direct {
		e.Direct[d].Store(-1)
	}
	e.used.Store(true)
	return e
}

// Dead reports whether the entry is retired.
func (e *Entry[S]) Dead() bool { return e.dead.Load() }

// Wrote notes that the entry is being written to.
func (e *Entry[S]) Wrote() {
	if !e.wrote.Load() {
		e.wrote.Store(true)
	}
}

// touch marks e as used. The line is shared by all threads that use e, so it is
// written only when it must be.
func (e *Entry[S]) touch() {
	if !e.used.Load() {
		e.used.Store(true)
	}
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
