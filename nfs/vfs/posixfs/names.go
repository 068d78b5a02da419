package posixfs

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// names finds objects without open_by_handle_at, which needs CAP_DAC_READ_SEARCH.
// It remembers where the objects were whose handles went out, checks that they are
// still there, and walks the whole tree when they are not: handles live as long
// as with the privilege, but an object that was moved, or met the first time after
// a restart, costs a walk.
type names struct {
	mu      sync.Mutex
	places  map[vfs.Handle]place
	missing map[vfs.Handle]time.Time // not in the tree when it was last walked

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
	missingFor = 10 * time.Second // a peer with dead handles shall not keep the disc busy
	depthMax   = 512
)

func (n *names) init() {
	n.places = make(map[vfs.Handle]place)
	n.missing = make(map[vfs.Handle]time.Time)
}

// note remembers that h was found as name in parent.
func (fs *FS) note(h, parent *vfs.Handle, name []byte) {
	if fs.handles {
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
// long.
func (fs *FS) find(h *vfs.Handle) (int, unix.Errno) {
	n := &fs.names
	if fd, ok := fs.atPlace(h, 0); ok {
		return fd, 0
	}
	n.walk.Lock()
	defer n.walk.Unlock()
	n.mu.Lock()
	at, gone := n.missing[*h]
	n.mu.Unlock()
	if gone && time.Since(at) < missingFor {
		return -1, unix.ESTALE
	}
	if fd, ok := fs.atPlace(h, 0); ok { // the walk before this one may have met it
		return fd, 0
	}
	if fd := fs.search(fs.root, fs.rootH, h, 0); fd >= 0 {
		return fd, 0
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.missing) >= missingMax {
		clear(n.missing)
	}
	n.missing[*h] = time.Now()
	delete(n.places, *h)
	return -1, unix.ESTALE
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
	defer closeFD(dir)
	return fs.openIf(dir, p.name, h)
}

// openIf opens name in dir if it has the handle h.
func (fs *FS) openIf(dir int, name string, h *vfs.Handle) (int, bool) {
	fd, err := unix.Openat2(dir, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_XDEV})
	if err != nil {
		return -1, false
	}
	var k kernelHandle
	var mount int32
	if got, errno := handle(fd, &k, &mount); errno != 0 || got != *h {
		closeFD(fd)
		return -1, false
	}
	return fd, true
}

// search walks the tree below dir for h and remembers all directories on the way.
func (fs *FS) search(dir int, dirH vfs.Handle, h *vfs.Handle, depth int) int {
	if depth > depthMax {
		return -1
	}
	fd, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	f := os.NewFile(uintptr(fd), "")
	defer func() { _ = f.Close() }()
	for {
		list, err := f.ReadDir(512)
		for _, d := range list {
			if found := fs.visit(fd, dirH, d, h, depth); found >= 0 {
				return found
			}
		}
		if err != nil || len(list) == 0 {
			return -1
		}
	}
}

func (fs *FS) visit(dir int, dirH vfs.Handle, d os.DirEntry, h *vfs.Handle, depth int) int {
	fd, err := unix.Openat2(dir, d.Name(), &unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_XDEV})
	if err != nil {
		return -1
	}
	var k kernelHandle
	var mount int32
	got, errno := handle(fd, &k, &mount)
	if errno == 0 && (got == *h || d.IsDir()) {
		fs.names.mu.Lock()
		fs.names.put(got, place{parent: dirH, name: d.Name()})
		fs.names.mu.Unlock()
		if got == *h {
			return fd
		}
		found := fs.search(fd, got, h, depth+1)
		closeFD(fd)
		return found
	}
	closeFD(fd)
	return -1
}
