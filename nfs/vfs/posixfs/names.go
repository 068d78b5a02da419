package posixfs

import (
	"cmp"
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// names finds objects without open_by_handle_at, which needs CAP_DAC_READ_SEARCH.
// It remembers where the objects were whose handles went out, checks that they are
// still there, and walks the whole tree when they are not: handles live as long
// as with the privilege, but an object that was moved, or met the first time after
// a restart, costs a walk.
//
// Peers with dead handles must not keep the disc and the workers busy. There is one
// walk at a time, few calls wait for it, and in the long run walks take a fourth
// of the time at most. Who comes too early is told to come back, and the next walk
// looks for what he wants, too.
type names struct {
	now func() time.Time

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

func (n *names) init(now func() time.Time) {
	n.places = make(map[vfs.Handle]place)
	n.missing = make(map[vfs.Handle]time.Time)
	n.wanted = make(map[vfs.Handle]bool)
	if n.now = now; now == nil {
		n.now = time.Now
	}
}

// note remembers that h was found as name in parent.
func (fs *FS) note(h, parent *vfs.Handle, name []byte) {
	if fs.is.byHandle {
		return
	}
	n := &fs.names
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.missing, *h)
	if p, ok := n.places[*h]; ok && p.parent == *parent && p.name == string(name) {
		return
	}
	n.put(*h, place{parent: *parent, name: string(name)})
}

func (n *names) put(h vfs.Handle, p place) {
	if len(n.places) >= placesMax {
		for old := range n.places { // any will do: it only costs a walk
			delete(n.places, old)
			break
		}
	}
	n.places[h] = p
}

// find returns an O_PATH descriptor of the object of h. It blocks, perhaps for
// long. EAGAIN: it shall be asked for later. ESTALE: all of the tree has been seen, and
// it was not there; any other error is why not all could be seen.
func (fs *FS) find(h *vfs.Handle) (int, unix.Errno) {
	n := &fs.names
	if fd, ok := fs.atPlace(h, 0); ok {
		return fd, 0
	}
	if errno := n.enter(h); errno != 0 {
		return -1, errno
	}
	defer n.leave()
	n.walk.Lock()
	defer n.walk.Unlock()
	if fd, ok := fs.atPlace(h, 0); ok { // the walk before this one may have met it
		return fd, 0
	}
	targets, errno := n.begin(h)
	if errno != 0 {
		return -1, errno
	}
	began := n.now()
	own := *h // so that the caller's does not escape: that would be an allocation in each operation
	s := search{fs: fs, targets: targets, h: &own, fd: -1}
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
func (n *names) enter(h *vfs.Handle) unix.Errno {
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

func (n *names) leave() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting--
}

// begin returns what a walk that may begin now is to find, h among others.
func (n *names) begin(h *vfs.Handle) (targets map[vfs.Handle]bool, errno unix.Errno) {
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
func (n *names) end(missing map[vfs.Handle]bool, took time.Duration) {
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
func (n *names) gone(h *vfs.Handle) bool {
	at, ok := n.missing[*h]
	return ok && n.now().Sub(at) < missingFor
}

// want has the next walk look for h. mu is held.
func (n *names) want(h *vfs.Handle) {
	if len(n.wanted) < wantedMax {
		n.wanted[*h] = true
	}
}

// atPlace opens h by way of the remembered places up to the root.
func (fs *FS) atPlace(h *vfs.Handle, depth int) (int, bool) {
	if *h == fs.rootH {
		fd, err := unix.Openat(fs.root, ".", unix.O_PATH|unix.O_CLOEXEC, 0)
		return fd, err == nil
	}
	fs.names.mu.Lock()
	p, ok := fs.names.places[*h]
	fs.names.mu.Unlock()
	if !ok || depth > depthMax {
		return -1, false
	}
	dir, ok := fs.atPlace(&p.parent, depth+1)
	if !ok {
		return -1, false
	}
	defer kernel.CloseFD(dir)
	return fs.openIf(dir, p.name, h)
}

// openIf opens name in dir if it has the handle h.
func (fs *FS) openIf(dir int, name string, h *vfs.Handle) (int, bool) {
	fd, errno := fs.openSeen(dir, name)
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

// search is a walk over the tree. It remembers all directories on the way. It goes down a
// leg at a time, since it has two descriptors open for each level: what is deeper is
// walked later, from where the leg ended.
type search struct {
	fs      *FS
	targets map[vfs.Handle]bool // what is still to be found
	h       *vfs.Handle         // what to return a descriptor of,
	fd      int                 // and that, or -1
	later   []step              // directories where legs ended
	errno   unix.Errno          // why the walk has not seen everything: the first such
}

// step is a directory that the walk has met as name in up, which is nil for the root's.
type step struct {
	up    *step
	name  string
	h     vfs.Handle
	depth int
}

const (
	legDepth = 8
	// WalkDescriptors is how many descriptors an FS has open at most, apart from those
	// of Config.FDMax, while it looks for the object of a handle without
	// CAP_DAC_READ_SEARCH. It does so once at a time.
	WalkDescriptors = 2*legDepth + 4
)

// run walks until all targets are found, or everything has been seen that can be.
func (s *search) run() {
	s.later = []step{{h: s.fs.rootH}}
	for len(s.later) > 0 && !s.over() {
		at := s.later[len(s.later)-1]
		s.later = s.later[:len(s.later)-1]
		dir, errno := s.open(&at)
		if errno != 0 {
			s.failed(errno)
			continue
		}
		s.walk(dir, &at)
		kernel.CloseFD(dir)
	}
}

// over reports whether the walk is to end.
func (s *search) over() bool { return len(s.targets) == 0 || lowOnFDs(s.errno) }

// failed notes that something could not be seen. What is not there any more, or is no
// business of the process, is no failure.
func (s *search) failed(errno unix.Errno) {
	switch errno {
	case unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.ESTALE, // gone, or another one has the name
		unix.EACCES, unix.EPERM, unix.EXDEV,
		unix.ENAMETOOLONG, unix.EOPNOTSUPP, unix.EOVERFLOW: // no handle of it has gone out
		return
	}
	if s.errno == 0 || lowOnFDs(errno) {
		s.errno = errno
	}
}

// open opens a directory anew. EAGAIN: it is not where it was.
func (s *search) open(at *step) (int, unix.Errno) {
	if at.up == nil {
		return s.fs.plenty(func() (int, unix.Errno) {
			return kernel.Openat(s.fs.root, &dot[0], unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		})
	}
	dir, errno := s.open(at.up)
	if errno != 0 {
		return -1, errno
	}
	defer kernel.CloseFD(dir)
	fd, errno := s.fs.plenty(func() (int, unix.Errno) { return s.fs.openSeen(dir, at.name) })
	var k kernel.FileHandle
	var mount int32
	switch {
	case errno == unix.ENOENT:
		return -1, unix.EAGAIN
	case errno != 0:
		return -1, errno
	}
	if got, errno := kernel.Handle(fd, &k, &mount); errno != 0 || got != at.h {
		kernel.CloseFD(fd)
		return -1, unix.EAGAIN
	}
	return fd, 0
}

// walk looks for the targets below dir, which is at.
func (s *search) walk(dir int, at *step) {
	if at.depth > depthMax {
		return
	}
	fd, errno := s.fs.plenty(func() (int, unix.Errno) {
		return kernel.Openat(dir, &dot[0], unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if errno != 0 {
		s.failed(errno)
		return
	}
	f := os.NewFile(uintptr(fd), "")
	defer func() { _ = f.Close() }()
	for {
		list, err := f.ReadDir(512)
		for _, d := range list {
			if s.visit(fd, at, d); s.over() {
				return
			}
		}
		var errno unix.Errno
		if errors.As(err, &errno) {
			s.failed(errno)
		}
		if err != nil || len(list) == 0 {
			return
		}
	}
}

func (s *search) visit(dir int, up *step, d os.DirEntry) {
	fd, errno := s.fs.plenty(func() (int, unix.Errno) { return s.fs.openSeen(dir, d.Name()) })
	if errno != 0 {
		s.failed(errno)
		return
	}
	defer func() {
		if fd != s.fd {
			kernel.CloseFD(fd)
		}
	}()
	var k kernel.FileHandle
	var mount int32
	got, errno := kernel.Handle(fd, &k, &mount)
	if errno != 0 {
		s.failed(errno)
		return
	}
	if !s.targets[got] && !d.IsDir() {
		return
	}
	n := &s.fs.names
	n.mu.Lock()
	n.put(got, place{parent: up.h, name: d.Name()})
	n.mu.Unlock()
	if s.targets[got] {
		if delete(s.targets, got); got == *s.h {
			s.fd = fd
		}
	}
	if !d.IsDir() || len(s.targets) == 0 {
		return
	}
	at := &step{up: up, name: d.Name(), h: got, depth: up.depth + 1}
	if at.depth%legDepth == 0 {
		s.later = append(s.later, *at)
		return
	}
	s.walk(fd, at)
}
