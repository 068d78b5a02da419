package search

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

var dot = [2]byte{'.', 0}

// search is a walk over the tree. It remembers all directories on the way. It has two descriptors
// open for each level, so it goes down one leg at a time: it walks deeper directories later, from
// where the leg ended.
type search struct {
	finder  *Finder
	targets map[vfs.Handle]bool // handles that are still to be found
	h       *vfs.Handle         // the handle whose descriptor the walk returns
	fd      int                 // that descriptor, or -1
	later   []step              // directories where legs ended
	errno   unix.Errno          // the first error that kept the walk from seeing everything
}

// step is a directory that the walk has found under name in up. up is nil for the root.
type step struct {
	up    *step
	name  string
	h     vfs.Handle
	depth int
}

const (
	legDepth = 8
	// Descriptors is how many descriptors a walk has open at most.
	Descriptors = 2*legDepth + 4
)

// run walks until it has found all targets, or has seen everything that it can.
func (s *search) run() {
	s.later = []step{{h: s.finder.root}}
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

// over reports whether the walk should end.
func (s *search) over() bool { return len(s.targets) == 0 || kernel.LowOnFDs(s.errno) }

// failed notes that the walk could not see something. It ignores an object that is gone, and one
// that the process may not see.
func (s *search) failed(errno unix.Errno) {
	switch errno {
	case unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.ESTALE, // gone, or replaced
		unix.EACCES, unix.EPERM, unix.EXDEV,
		unix.ENAMETOOLONG, unix.EOPNOTSUPP, unix.EOVERFLOW: // no handle of it has gone out
		return
	}
	if s.errno == 0 || kernel.LowOnFDs(errno) {
		s.errno = errno
	}
}

// open opens a directory again. EAGAIN means that the directory is no longer at its place.
func (s *search) open(at *step) (int, unix.Errno) {
	if at.up == nil {
		return s.finder.tree.Plenty(func() (int, unix.Errno) {
			return kernel.Openat(s.finder.tree.Top(), &dot[0], unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		})
	}
	dir, errno := s.open(at.up)
	if errno != 0 {
		return -1, errno
	}
	defer kernel.CloseFD(dir)
	fd, errno := s.finder.tree.Plenty(func() (int, unix.Errno) { return s.finder.tree.Seen(dir, at.name) })
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

// walk searches for the targets below dir, the directory of the step at.
func (s *search) walk(dir int, at *step) {
	if at.depth > depthMax {
		return
	}
	fd, errno := s.finder.tree.Plenty(func() (int, unix.Errno) {
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
	fd, errno := s.finder.tree.Plenty(func() (int, unix.Errno) { return s.finder.tree.Seen(dir, d.Name()) })
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
	n := s.finder
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
