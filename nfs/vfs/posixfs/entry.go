package posixfs

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// entry is one object that the FS has open. While its descriptors are open the
// kernel keeps the inode, so neither its number nor its type can change hands.
type entry struct {
	// Immutable.
	h    vfs.Handle
	hash uint64
	key  kernel.ObjectKey
	kind uint16 // S_IFMT of the mode
	name uint64 // nameKey of the name that fd was opened by, else 0
	id   uint64 // never used twice in one FS
	fd   int    // O_PATH, or the descriptor that made the file
	stub uint64 // its number, if it is a stub
	shut bool   // clients may not use it: see shut.go

	// Atomic. read and write are -1 or open for I/O; once set they stay until the
	// entry is closed.
	read, write atomic.Int32
	direct      [directions]atomic.Int32 // past the page cache
	waits       atomic.Int32             // as read, for View.trail alone: never to flush with
	align       atomic.Uint32            // see directAlign; 0 as long as nobody has asked
	streams     atomic.Pointer[streams]
	undropped   atomic.Uint64 // see View.trail: where the last write of its kind ended, 0 after a flush
	dead        atomic.Bool   // retired: start no more operations on it
	ref         atomic.Bool   // used since the clock's hand or the janitor last came by
	warm        atomic.Bool   // what the kernel needs for a permission check is in memory
	dirty       atomic.Uint32 // counts unstable writes; 0 when all are committed
	wrote       atomic.Bool   // opened for writing, and used since the janitor last came by
	locking     atomic.Int32  // workers that may have the inode locked, so that lanes would wait
	settled     atomic.Int64  // a directory's: see settleNames
	unsettled   atomic.Bool   // a lane asks for settleNames
	due         atomic.Bool   // the access time is behind, and the janitor's business
	atimeTick   atomic.Int64  // FS.tick when the access time was last brought up to date, or tried
	vain        atomic.Int32  // how often that had no effect, in a row

	io      sync.Mutex // opening read and write
	flushes flushes

	leaving sync.Mutex // held while it is flushed after it was retired, and to set left
	left    bool       // flushed for the last time: its descriptors are about to be closed

	// Guarded by table.mu.
	at    int    // index in table.clock
	idle  uint8  // the janitor's rounds without use
	held  int    // descriptors when it was retired
	older *entry // of the same object, retired before this one and not yet closed
}

func newEntry(h vfs.Handle, st *unix.Statx_t, fd int) *entry {
	e := &entry{h: h, hash: kernel.HashHandle(&h), stub: stubNumber(&h), kind: st.Mode & unix.S_IFMT, fd: fd}
	e.number(st)
	e.key = kernel.KeyOf(st)
	e.start()
	return e
}

// start gives e the values of one that has only fd open, and nothing to flush.
func (e *entry) start() {
	e.read.Store(-1)
	e.write.Store(-1)
	e.waits.Store(-1)
	for d := range e.direct {
		e.direct[d].Store(-1)
	}
	e.ref.Store(true)
	e.flushes.init()
}

// number puts the object's own number into its attributes, where the kernel's is not that.
func (e *entry) number(st *unix.Statx_t) {
	if e.stub != 0 {
		st.Ino = e.stub
	}
}

// touch marks e as used. The line is shared by all threads that use e, so it is
// written only when it must be.
func (e *entry) touch() {
	if !e.ref.Load() {
		e.ref.Store(true)
	}
}

// fds counts the descriptors that e holds.
func (e *entry) fds() int {
	n := 1
	if r := e.read.Load(); r >= 0 && int(r) != e.fd {
		n++
	}
	if w := e.write.Load(); w >= 0 && int(w) != e.fd {
		n++
	}
	if e.waits.Load() >= 0 {
		n++
	}
	for d := range e.direct {
		if e.direct[d].Load() >= 0 {
			n++
		}
	}
	return n
}

// table is the entries of an FS by handle and by object.
type table struct {
	fdMax int
	open  atomic.Int64 // descriptors of all entries, retired ones included
	ids   atomic.Uint64
	going atomic.Int32 // retired entries that are not closed yet, flushed or not

	mu       sync.Mutex
	byHandle map[vfs.Handle]*entry
	byObject map[kernel.ObjectKey]*entry
	clock    []*entry // all living entries in no order, for the second-chance hand
	writers  []*entry // those that are open for writing, and dead ones among them
	hand     int
	retired  []*entry
	pending  int                   // descriptors of retired
	goers    map[vfs.Handle]*entry // those of going, the youngest of each object
}

func (t *table) init(fdMax int) {
	t.fdMax = fdMax
	t.byHandle = make(map[vfs.Handle]*entry)
	t.byObject = make(map[kernel.ObjectKey]*entry)
	t.goers = make(map[vfs.Handle]*entry)
}

// find returns the living entry of h and publishes it in use.
func (t *table) find(h *vfs.Handle, use *atomic.Pointer[entry]) *entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byHandle[*h]
	if e != nil {
		use.Store(e)
		e.touch()
	}
	return e
}

// findObject is find by object.
func (t *table) findObject(k *kernel.ObjectKey, use *atomic.Pointer[entry]) *entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byObject[*k]
	if e != nil {
		use.Store(e)
		e.touch()
	}
	return e
}

// full reports whether one more descriptor would exceed the bound.
func (t *table) full() bool { return int(t.open.Load()) >= t.fdMax }

// add puts e into the table and publishes it in use. When somebody else has put
// the same object in first, that entry is published and returned instead, and e
// still belongs to the caller.
func (t *table) add(e *entry, use *atomic.Pointer[entry]) *entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := t.byHandle[e.h]; old != nil {
		use.Store(old)
		old.touch()
		return old
	}
	t.addLocked(e)
	use.Store(e)
	return e
}

func (t *table) addLocked(e *entry) {
	e.id = t.ids.Add(1)
	e.at = len(t.clock)
	t.clock = append(t.clock, e)
	t.byHandle[e.h] = e
	t.byObject[e.key] = e
	t.open.Add(int64(e.fds()))
}

// writable notes that e is open for writing.
func (t *table) writable(e *entry) {
	e.wrote.Store(true)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writers = append(t.writers, e)
}

// retire takes e out of the table for good. Its descriptors are closed by the
// next reap that finds it unused.
func (t *table) retire(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.retireLocked(e)
}

func (t *table) retireLocked(e *entry) {
	if e.dead.Load() {
		return
	}
	e.dead.Store(true)
	delete(t.byHandle, e.h)
	if t.byObject[e.key] == e {
		delete(t.byObject, e.key)
	}
	last := len(t.clock) - 1
	t.clock[e.at] = t.clock[last]
	t.clock[e.at].at = e.at
	t.clock[last] = nil
	t.clock = t.clock[:last]
	e.held = e.fds()
	t.pending += e.held
	t.retired = append(t.retired, e)
	e.older = t.goers[e.h]
	t.goers[e.h] = e
	t.going.Add(1)
}

// replaceLocked retires e, and keeps its object open by an entry that has nothing else
// open. Without a descriptor to spare it only retires e.
func (t *table) replaceLocked(e *entry) {
	n := &entry{h: e.h, hash: e.hash, key: e.key, kind: e.kind, stub: e.stub}
	n.start()
	fd, errno := openPath(e.fd, unix.O_PATH|unix.O_CLOEXEC)
	t.retireLocked(e)
	if errno == 0 {
		n.fd = fd
		t.addLocked(n)
	}
}

// olders returns the entries of h's object that are retired and not closed yet.
func (t *table) olders(h *vfs.Handle) (list []*entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for e := t.goers[*h]; e != nil; e = e.older {
		list = append(list, e)
	}
	return list
}

// gone forgets a retired entry that is being closed and has been flushed.
func (t *table) gone(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if first := t.goers[e.h]; first != e {
		for first.older != e {
			first = first.older
		}
		first.older = e.older
	} else if e.older != nil {
		t.goers[e.h] = e.older
	} else {
		delete(t.goers, e.h)
	}
	t.going.Add(-1)
}

// evict retires entries until extra more descriptors fit. An entry with unstable
// data is taken only when nothing else is left, because it must be flushed first;
// one that an operation is using never is, because that would close nothing.
func (t *table) evict(extra int, used func(*entry) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for pass := range 3 { // the first pass only takes the marks away
		for range len(t.clock) {
			if int(t.open.Load())-t.pending+extra <= t.fdMax || len(t.clock) == 0 {
				return
			}
			if t.hand >= len(t.clock) {
				t.hand = 0
			}
			e := t.clock[t.hand]
			if pass < 2 && (e.ref.Swap(false) || e.dirty.Load() != 0) || used(e) {
				e.idle = 0
				t.hand++
				continue
			}
			t.retireLocked(e) // another entry comes under the hand
		}
	}
}
