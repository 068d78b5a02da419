package search

import (
	"cmp"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/uring/futex"
)

// Tree is the tree that a Finder searches. Its methods may be called from any goroutine. They may
// block.
type Tree interface {
	// Top lends a descriptor of the top directory.
	Top() int
	// Seen opens the entry name of the directory dir, O_PATH. It follows no link and stays
	// in the tree.
	Seen(dir int, name string) (int, unix.Errno)
	// Plenty opens a descriptor by open. If descriptors have run out, it closes some that need
	// not stay open, and tries again.
	Plenty(open func() (int, unix.Errno)) (int, unix.Errno)
}

// Finder finds the objects of handles in one tree. Its methods may be called from any
// goroutine.
type Finder struct {
	tree Tree
	root vfs.Handle // of the tree's top
	now  func() time.Time

	mu      futex.Mutex
	places  map[vfs.Handle]place
	missing map[vfs.Handle]time.Time // handles that the last walks did not find in the tree
	wanted  map[vfs.Handle]bool      // handles that the next walk also searches for
	waiting int                      // calls that walk or wait for a walk
	debt    time.Duration            // what walks have taken, minus what has been paid off
	paid    time.Time                // when debt was last brought up to date
	walks   int

	walk futex.Mutex // one walk at a time
}

// place is where an object was last seen.
type place struct {
	parent vfs.Handle
	name   string
}

const (
	placesMax  = 1 << 16
	missingMax = 1 << 12
	missingFor = 10 * time.Second
	wantedMax  = 1 << 12
	depthMax   = 512
	// waitingMax is how many calls may wait for a walk, a fourth of the workers.
	waitingMax = 8
	// debtMax is how long walks may take in a row. In the long run they may take one part in
	// debtRate of the time.
	debtMax  = time.Second
	debtRate = 4
)

// Init prepares a Finder for the tree whose top has the handle root. now is its clock; nil means
// the real one.
func (n *Finder) Init(tree Tree, root vfs.Handle, now func() time.Time) {
	n.tree, n.root = tree, root
	n.places = make(map[vfs.Handle]place)
	n.missing = make(map[vfs.Handle]time.Time)
	n.wanted = make(map[vfs.Handle]bool)
	if n.now = now; now == nil {
		n.now = time.Now
	}
}

// Counts is what a Finder has done and what it keeps.
type Counts struct {
	Walks   int // walks so far
	Waiting int // calls that walk, or wait for another call's walk
	Missing int // handles that the last walks did not find
}

// Counts returns the present numbers.
func (n *Finder) Counts() Counts {
	n.mu.Lock()
	defer n.mu.Unlock()
	return Counts{Walks: n.walks, Waiting: n.waiting, Missing: len(n.missing)}
}

// Note remembers that h was found as name in parent.
func (n *Finder) Note(h, parent *vfs.Handle, name []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.missing, *h)
	if p, ok := n.places[*h]; ok && p.parent == *parent && p.name == string(name) {
		return
	}
	n.put(*h, place{parent: *parent, name: string(name)})
}

func (n *Finder) put(h vfs.Handle, p place) {
	if len(n.places) >= placesMax {
		for old := range n.places { // any will do: losing a place only costs a walk
			delete(n.places, old)
			break
		}
	}
	n.places[h] = p
}

// Find returns an O_PATH descriptor of the object of h. It blocks, perhaps for long. EAGAIN means
// that the caller should ask later. ESTALE means that a walk has seen the whole tree without the
// object. Any other error says why the walk could not see everything.
func (n *Finder) Find(h *vfs.Handle) (int, unix.Errno) {
	if fd, ok := n.Remembered(h); ok {
		return fd, 0
	}
	if errno := n.enter(h); errno != 0 {
		return -1, errno
	}
	defer n.leave()
	n.walk.Lock()
	defer n.walk.Unlock()
	if fd, ok := n.Remembered(h); ok { // the walk before this one may have found it
		return fd, 0
	}
	targets, errno := n.begin(h)
	if errno != 0 {
		return -1, errno
	}
	began := n.now()
	own := *h // a copy: the caller's must not escape, or each operation would allocate
	s := search{finder: n, targets: targets, h: &own, fd: -1}
	s.run()
	if s.errno != 0 {
		targets = nil // they may be where the walk did not get
	}
	n.end(targets, n.now().Sub(began))
	if s.fd >= 0 {
		return s.fd, 0
	}
	return -1, cmp.Or(s.errno, unix.ESTALE)
}

// enter admits a call that is going to walk, or to wait for another call's walk.
func (n *Finder) enter(h *vfs.Handle) unix.Errno {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.gone(h):
		return unix.ESTALE
	case n.waiting >= waitingMax:
		n.want(h)
		return unix.EAGAIN
	}
	n.waiting++
	return 0
}

func (n *Finder) leave() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting--
}

// begin starts a walk, if one may start now, and returns the handles that it searches for. h is one
// of them.
func (n *Finder) begin(h *vfs.Handle) (targets map[vfs.Handle]bool, errno unix.Errno) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gone(h) { // the walk before this one also searched for it
		return nil, unix.ESTALE
	}
	now := n.now()
	n.debt = max(0, n.debt-now.Sub(n.paid)/debtRate)
	n.paid = now
	if n.debt >= debtMax {
		n.want(h)
		return nil, unix.EAGAIN
	}
	n.walks++
	n.wanted[*h] = true
	targets, n.wanted = n.wanted, make(map[vfs.Handle]bool)
	return targets, 0
}

// end remembers which handles a walk did not find, and counts the time that it took.
func (n *Finder) end(missing map[vfs.Handle]bool, took time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.debt += took
	if len(n.missing)+len(missing) > missingMax {
		clear(n.missing)
	}
	for h := range missing {
		n.missing[h] = n.now()
		delete(n.places, h)
	}
}

// gone reports whether a walk missed h not long ago. The caller holds mu.
func (n *Finder) gone(h *vfs.Handle) bool {
	at, ok := n.missing[*h]
	return ok && n.now().Sub(at) < missingFor
}

// want makes the next walk search for h. The caller holds mu.
func (n *Finder) want(h *vfs.Handle) {
	if len(n.wanted) < wantedMax {
		n.wanted[*h] = true
	}
}

// Remembered opens the object of h where it was last seen, if it is still there. It may block.
func (n *Finder) Remembered(h *vfs.Handle) (fd int, ok bool) { return n.atPlace(h, 0) }

// atPlace opens h by way of the remembered places up to the root.
func (n *Finder) atPlace(h *vfs.Handle, depth int) (int, bool) {
	if *h == n.root {
		fd, err := unix.Openat(n.tree.Top(), ".", unix.O_PATH|unix.O_CLOEXEC, 0)
		return fd, err == nil
	}
	n.mu.Lock()
	p, ok := n.places[*h]
	n.mu.Unlock()
	if !ok || depth > depthMax {
		return -1, false
	}
	dir, ok := n.atPlace(&p.parent, depth+1)
	if !ok {
		return -1, false
	}
	defer kernel.CloseFD(dir)
	return n.openIf(dir, p.name, h)
}

// openIf opens name in dir if it has the handle h.
func (n *Finder) openIf(dir int, name string, h *vfs.Handle) (int, bool) {
	fd, errno := n.tree.Seen(dir, name)
	if errno != 0 {
		return -1, false
	}
	var k kernel.FileHandle
	var mount int32
	if got, errno := kernel.Handle(fd, &k, &mount); errno != 0 || got != *h {
		kernel.CloseFD(fd)
		return -1, false
	}
	return fd, true
}
