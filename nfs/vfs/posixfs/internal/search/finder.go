package search

import (
	"cmp"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// Tree is what is looked through. Its methods may be called from any goroutine, and may
// block.
type Tree interface {
	// Top lends a descriptor of the top directory.
	Top() int
	// Seen opens the entry name of the directory dir, O_PATH. It follows no link and stays
	// in the tree.
	Seen(dir int, name string) (int, unix.Errno)
	// Plenty opens by open, and has some descriptors closed that are only kept when they
	// have run out.
	Plenty(open func() (int, unix.Errno)) (int, unix.Errno)
}

// Finder finds the objects of handles in one tree. Its methods may be called from any
// goroutine.
type Finder struct {
	tree Tree
	root vfs.Handle // of the tree's top
	now  func() time.Time

	mu      sync.Mutex
	places  map[vfs.Handle]place
	missing map[vfs.Handle]time.Time // not in the tree when it was last walked
	wanted  map[vfs.Handle]bool      // what the next walk is to find
	waiting int                      // calls that walk or wait for it
	debt    time.Duration            // what walks have taken, less what has been paid off
	paid    time.Time                // when that was last reckoned
	walks   int

	walk sync.Mutex // one walk at a time
}

// place is where an object was seen.
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
	// debtMax is how long walks may take in a row, and debtRate which part of the
	// time they may take for ever.
	debtMax  = time.Second
	debtRate = 4
)

// Init prepares a Finder for the tree whose top has the handle root. now is its clock, nil
// for the real one.
func (n *Finder) Init(tree Tree, root vfs.Handle, now func() time.Time) {
	n.tree, n.root = tree, root
	n.places = make(map[vfs.Handle]place)
	n.missing = make(map[vfs.Handle]time.Time)
	n.wanted = make(map[vfs.Handle]bool)
	if n.now = now; now == nil {
		n.now = time.Now
	}
}

// Counts is what a Finder has done and keeps.
type Counts struct {
	Walks   int // so far
	Waiting int // calls that walk, or wait for the walk of another one
	Missing int // handles that the last walks have not found
}

// Counts returns the numbers of now.
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
		for old := range n.places { // any will do: it only costs a walk
			delete(n.places, old)
			break
		}
	}
	n.places[h] = p
}

// Find returns an O_PATH descriptor of the object of h. It blocks, perhaps for
// long. EAGAIN: it shall be asked for later. ESTALE: all of the tree has been seen, and
// it was not there; any other error is why not all could be seen.
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
	if fd, ok := n.Remembered(h); ok { // the walk before this one may have met it
		return fd, 0
	}
	targets, errno := n.begin(h)
	if errno != 0 {
		return -1, errno
	}
	began := n.now()
	own := *h // so that the caller's does not escape: that would be an allocation in each operation
	s := search{finder: n, targets: targets, h: &own, fd: -1}
	s.run()
	if s.errno != 0 {
		targets = nil // they may be where it did not come
	}
	n.end(targets, n.now().Sub(began))
	if s.fd >= 0 {
		return s.fd, 0
	}
	return -1, cmp.Or(s.errno, unix.ESTALE)
}

// enter admits a call that would walk, or wait for the walk of another one.
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

// begin returns what a walk that may begin now is to find, h among others.
func (n *Finder) begin(h *vfs.Handle) (targets map[vfs.Handle]bool, errno unix.Errno) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gone(h) { // the walk before this one was for it, too
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

// end keeps in mind what a walk has not found.
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

// gone reports whether h was missing not long ago. mu is held.
func (n *Finder) gone(h *vfs.Handle) bool {
	at, ok := n.missing[*h]
	return ok && n.now().Sub(at) < missingFor
}

// want has the next walk look for h. mu is held.
func (n *Finder) want(h *vfs.Handle) {
	if len(n.wanted) < wantedMax {
		n.wanted[*h] = true
	}
}

// Remembered opens the object of h where it was seen last, if it is there. It may block.
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
