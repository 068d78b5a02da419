// Package fusetest serves small FUSE file systems from memory. They do what some FUSE file systems
// do and local ones never: they do not count links, they forget objects that were looked up, their
// places in directories mean nothing to the next open, and the entries of a directory have other
// numbers than their objects. A Disc is a file that forgets what was not flushed when its power
// fails. The package is for tests, and needs root.
package fusetest

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Places is which places a file system gives for the entries of its directory (d_off).
type Places uint8

// Kinds of places.
const (
	Lasting  Places = iota // the same for every open
	OneOpen                // good for the open that gave them; any other place is the beginning
	Equal                  // the same for all entries; the open itself knows where it is
	Position               // the entry's number among those the directory had when it was opened
)

// Options are the ways in which a file system differs from others.
type Options struct {
	// Names are the files in its only directory, each with its name as content.
	Names []string
	// Links is the link count of every object.
	Links uint32
	// Forgets: the file system forgets an object that is not in use, and gives it another
	// number the next time (no FUSE_EXPORT_SUPPORT).
	Forgets bool
	Places  Places
	// Create, if not nil, returns the error with which the creation of a file ends. It must not
	// call the back end or the file system. No file is ever created.
	Create func() unix.Errno
}

type server struct {
	fd int
	o  Options

	mu    sync.Mutex
	gone  map[string]bool
	nodes map[uint64]*node // without the root
	names map[string]uint64
	last  uint64              // the last number that was given out
	opens map[uint64]int      // by open of the directory: how far it has read
	held  map[uint64][]string // by open of the directory: its entries at that time, with Position
}

type node struct {
	name    string
	lookups uint64
}

const rootNode = 1

// Mount mounts a file system on dir until the test ends, or until unmount is called. It skips the
// test if that is not possible. The server under test must be another process: back ends make
// system calls of which Go's scheduler does not know, and one that waits for this process would
// keep it from answering.
func Mount(t testing.TB, dir string, o Options) (unmount func()) {
	t.Helper()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("needs FUSE: %v", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40777,user_id=0,group_id=0,allow_other,default_permissions", fd)
	if err := unix.Mount("fusetest", dir, "fuse.fusetest", unix.MS_NODEV|unix.MS_NOSUID, options); err != nil {
		_ = unix.Close(fd)
		t.Skipf("needs FUSE mounts: %v", err)
	}
	s := &server{
		fd: fd, o: o, gone: map[string]bool{}, nodes: map[uint64]*node{}, names: map[string]uint64{},
		last: rootNode, opens: map[uint64]int{}, held: map[uint64][]string{},
	}
	var done sync.WaitGroup
	done.Go(s.run)
	unmount = sync.OnceFunc(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("something keeps the FUSE file system: %v", err)
			_ = unix.Unmount(dir, unix.MNT_DETACH|unix.MNT_FORCE)
		}
		done.Wait()
		_ = unix.Close(fd)
	})
	t.Cleanup(unmount)
	return unmount
}

// run answers the kernel until the file system is unmounted.
func (s *server) run() {
	b := make([]byte, 1<<20)
	for {
		n, err := unix.Read(s.fd, b)
		switch err {
		case nil:
			s.answer(b[:n])
		case unix.EINTR, unix.ENOENT, unix.EAGAIN:
		default:
			return
		}
	}
}

// Operations of linux/fuse.h.
const (
	opLookup      = 1
	opForget      = 2
	opGetattr     = 3
	opUnlink      = 10
	opOpen        = 14
	opRead        = 15
	opStatfs      = 17
	opRelease     = 18
	opFsync       = 20
	opFlush       = 25
	opInit        = 26
	opOpendir     = 27
	opReaddir     = 28
	opReleasedir  = 29
	opFsyncdir    = 30
	opCreate      = 35
	opInterrupt   = 36
	opBatchForget = 42
)

func (s *server) answer(in []byte) {
	op, id, body := request(in)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch op {
	case opForget:
		s.forget(id, binary.NativeEndian.Uint64(body))
		return
	case opBatchForget:
		for list := body[8:]; len(list) >= 16; list = list[16:] {
			s.forget(binary.NativeEndian.Uint64(list), binary.NativeEndian.Uint64(list[8:]))
		}
		return
	case opInterrupt:
		return
	}
	answer(s.fd, in, s.reply)
}

// answer answers the request in with what reply says.
func answer(fd int, in []byte, reply func(op uint32, id uint64, body []byte) ([]byte, unix.Errno)) {
	op, id, body := request(in)
	results, errno := reply(op, id, body)
	out := make([]byte, 16, 16+len(results))
	out = append(out, results...)
	binary.NativeEndian.PutUint32(out, uint32(len(out)))
	binary.NativeEndian.PutUint32(out[4:], uint32(-int32(errno)))
	copy(out[8:], in[8:16])
	_, _ = unix.Write(fd, out) // fails when the caller has gone
}

// request returns the parts of a request.
func request(in []byte) (op uint32, id uint64, body []byte) {
	return binary.NativeEndian.Uint32(in[4:]), binary.NativeEndian.Uint64(in[16:]), in[40:]
}

func u32(b []byte, list ...uint32) []byte {
	for _, x := range list {
		b = binary.NativeEndian.AppendUint32(b, x)
	}
	return b
}

func u64(b []byte, list ...uint64) []byte {
	for _, x := range list {
		b = binary.NativeEndian.AppendUint64(b, x)
	}
	return b
}

func (s *server) reply(op uint32, id uint64, body []byte) ([]byte, unix.Errno) {
	name := text(body)
	switch op {
	case opInit:
		flags := uint32(1 << 4) // FUSE_EXPORT_SUPPORT
		if s.o.Forgets {
			flags = 0
		}
		out := u32(nil, 7, 31, 0, flags, 0, 1<<16, 1)
		return append(out, make([]byte, 64-len(out))...), 0
	case opLookup:
		return s.lookup(id, name)
	case opGetattr:
		return s.attr(make([]byte, 16), id), 0
	case opCreate:
		if s.o.Create == nil {
			return nil, unix.ENOSYS
		}
		return nil, s.o.Create()
	case opUnlink:
		if !s.has(name) {
			return nil, unix.ENOENT
		}
		s.gone[name] = true
		return nil, 0
	case opOpen:
		return make([]byte, 16), 0
	case opRead:
		n := s.nodes[id]
		if n == nil {
			return nil, unix.EIO
		}
		off := min(binary.NativeEndian.Uint64(body[8:]), uint64(len(n.name)))
		return []byte(n.name[off:]), 0
	case opOpendir:
		fh := uint64(len(s.opens) + 1)
		s.opens[fh] = 0
		if s.o.Places == Position {
			s.held[fh] = slices.DeleteFunc(
				slices.Clone(s.o.Names),
				func(name string) bool { return s.gone[name] },
			)
		}
		return u64(nil, fh, 0), 0
	case opReaddir:
		return s.list(
			binary.NativeEndian.Uint64(body),
			binary.NativeEndian.Uint64(body[8:]),
			binary.NativeEndian.Uint32(body[16:]),
		), 0
	case opStatfs:
		out := append(make([]byte, 40), u32(nil, 4096, 255)...)
		return append(out, make([]byte, 80-len(out))...), 0
	case opRelease, opReleasedir, opFlush, opFsync, opFsyncdir:
		return nil, 0
	}
	return nil, unix.ENOSYS
}

func text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return ""
}

func (s *server) has(name string) bool {
	for _, n := range s.o.Names {
		if n == name {
			return !s.gone[name]
		}
	}
	return false
}

func (s *server) lookup(dir uint64, name string) ([]byte, unix.Errno) {
	id := s.names[name]
	switch {
	case name == "." && !s.o.Forgets: // the kernel looks the object up by a handle
		if id = dir; id != rootNode && (s.nodes[id] == nil || !s.has(s.nodes[id].name)) {
			return nil, unix.ENOENT
		}
	case dir != rootNode || !s.has(name):
		return nil, unix.ENOENT
	case id == 0:
		s.last++
		id = s.last
		s.names[name], s.nodes[id] = id, &node{name: name}
	}
	if n := s.nodes[id]; n != nil {
		n.lookups++
	}
	out := u64(nil, id, 7, 0, 0) // number, generation, how long name and attributes are good
	return s.attr(u32(out, 0, 0), id), 0
}

func (s *server) forget(id, lookups uint64) {
	n := s.nodes[id]
	if n == nil {
		return
	}
	if n.lookups -= min(n.lookups, lookups); n.lookups == 0 && s.o.Forgets {
		delete(s.nodes, id)
		delete(s.names, n.name)
	}
}

// attr appends struct fuse_attr.
func (s *server) attr(b []byte, id uint64) []byte {
	mode, size := uint32(unix.S_IFDIR|0o777), uint64(0)
	if n := s.nodes[id]; n != nil {
		mode, size = unix.S_IFREG|0o666, uint64(len(n.name))
	}
	b = u64(b, id, size, 0, 7, 7, 7)
	return u32(b, 0, 0, 0, mode, s.o.Links, 0, 0, 0, 4096, 0)
}

// lastingUnit is the distance between two lasting places: they look like those of an index.
const lastingUnit = 1 << 20

// list returns entries of the directory from a place on, as many as fit.
func (s *server) list(fh, place uint64, room uint32) (out []byte) {
	names := s.o.Names
	if s.o.Places == Position {
		names = s.held[fh]
	}
	all := append([]string{".", ".."}, names...)
	at := int(place)
	base, unit := uint64(0), uint64(1)
	switch s.o.Places {
	case Position:
	case Lasting:
		unit = lastingUnit
		at = int(place / unit)
	case Equal:
		at = s.opens[fh]
	case OneOpen:
		base = fh * 1_000_003
		if at = int(place - base); place < base || at > len(all) {
			at = 0
		}
	}
	for ; at < len(all); at++ {
		if at >= 2 && s.gone[all[at]] && s.o.Places != Position {
			continue
		}
		padded := (24 + len(all[at]) + 7) &^ 7
		if len(out)+padded > int(room) {
			break
		}
		off, kind := base+unit*uint64(at+1), uint32(unix.DT_REG)
		if s.o.Places == Equal {
			off = 1
		}
		if at < 2 {
			kind = unix.DT_DIR
		}
		rec := u32(u64(nil, uint64(at)+100, off), uint32(len(all[at])), kind)
		rec = append(rec, all[at]...)
		out = append(append(out, rec...), make([]byte, padded-len(rec))...)
	}
	s.opens[fh] = at
	return out
}
