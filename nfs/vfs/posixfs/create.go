package posixfs

import (
	"math"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Create implements vfs.View.
func (v *View) Create(c *vfs.Cred, dir vfs.Handle, name []byte, how vfs.CreateHow, s *vfs.SetAttr, verf uint64, e *vfs.Entry, w *vfs.WCC) vfs.Status {
	if v.lane {
		return vfs.Again
	}
	defer v.done()
	v.fs.room(1)
	return v.change(c, &dir, name, w, func(de *entry) vfs.Status {
		mode := uint32(0)
		if s.HasMode && how != vfs.Exclusive {
			mode = s.Mode & 07777
		}
		fd, errno := openat(de.fd, &v.name[0], unix.O_CREAT|unix.O_EXCL|unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NOCTTY, mode)
		if errno == unix.EEXIST && how != vfs.Guarded {
			return v.exists(c, de, how, s, verf, e)
		}
		if errno != 0 {
			return status(errno)
		}
		if st := v.finish(fd, how, s, verf); st != vfs.OK {
			v.undo(de, fd, 0)
			return st
		}
		return v.arrived(de, fd, true, e)
	})
}

// finish gives a file that was just made, open as fd, the rest of its attributes,
// and syncs it as far as syncing its directory does not.
func (v *View) finish(fd int, how vfs.CreateHow, s *vfs.SetAttr, verf uint64) vfs.Status {
	touched := v.fs.selfSync
	if how == vfs.Exclusive {
		if st := v.stamp(fd, verf); st != vfs.OK {
			return st
		}
		touched = true
	} else {
		if s.HasSize && s.Size != 0 {
			if st := truncate(fd, s.Size); st != vfs.OK {
				return st
			}
			touched = true
		}
		later := *s
		later.HasMode = takesSetID(s)
		more, st := v.apply(fd, unix.S_IFREG, &later)
		if st != vfs.OK {
			return st
		}
		touched = touched || more
	}
	if touched && !v.fs.memory {
		if errno := fsync(fd); errno != 0 {
			v.fs.lost()
			return status(errno)
		}
	}
	return vfs.OK
}

// takesSetID reports whether the other attributes of s, once set, take set-id bits
// away that its mode asks for.
func takesSetID(s *vfs.SetAttr) bool {
	return s.HasMode && s.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 && (s.HasSize || s.HasUID || s.HasGID)
}

// undo removes the object that was just made as v.name in de and is open as fd,
// which it closes: a call that fails has made nothing. It leaves alone what
// somebody else has put in its place.
func (v *View) undo(de *entry, fd int, flags uintptr) {
	if statxRaw(fd, &v.st2) == 0 && statxAt(de.fd, &v.name[0], &v.st3) == 0 && keyOf(&v.st2) == keyOf(&v.st3) {
		_, _ = call(unix.SYS_UNLINKAT, uintptr(de.fd), uintptr(unsafe.Pointer(&v.name[0])), flags, 0, 0, 0)
	}
	closeFD(fd)
}

// arrived fills e for the new object open as fd, which it takes. With io, fd is
// also open for reading and writing.
func (v *View) arrived(de *entry, fd int, io bool, e *vfs.Entry) vfs.Status {
	if errno := statxRaw(fd, &v.st2); errno != 0 {
		closeFD(fd)
		return status(errno)
	}
	h, errno := handle(fd, &v.kh, &v.mount)
	if errno != 0 {
		closeFD(fd)
		return status(errno)
	}
	n := newEntry(h, &v.st2, fd)
	if io {
		n.read.Store(int32(fd))
		n.write.Store(int32(fd))
	}
	if x := v.fs.tab.add(n, &v.use[useChild]); x != n {
		closeFD(fd)
		n = x
	}
	v.learn(n)
	e.Handle, e.HasAttr = h, true
	v.fs.fill(&e.Attr, &v.st2)
	v.fs.note(&h, &de.h, cut(v.name[:]))
	return vfs.OK
}

// cut returns b up to its NUL.
func cut(b []byte) []byte {
	for i, c := range b {
		if c == 0 {
			return b[:i]
		}
	}
	return b
}

// exists decides what CREATE makes of an object that is already there.
func (v *View) exists(c *vfs.Cred, de *entry, how vfs.CreateHow, s *vfs.SetAttr, verf uint64, e *vfs.Entry) vfs.Status {
	if st := v.child(de, &v.name[0], e, true); st != vfs.OK {
		return st
	}
	v.fs.note(&e.Handle, &de.h, cut(v.name[:]))
	x := v.use[useChild].Load()
	if x == nil || x.kind != unix.S_IFREG {
		return vfs.Exist
	}
	if how == vfs.Exclusive {
		if !stamped(&e.Attr, verf) {
			return vfs.Exist
		}
		return vfs.OK
	}
	if !s.HasSize {
		return vfs.OK
	}
	fd, st := v.writer(x)
	if st != vfs.OK {
		return st
	}
	if st = v.resize(c, x, fd, s.Size); st != vfs.OK {
		return st
	}
	if !v.fs.memory {
		if _, st = v.fs.flush(x, fd); st != vfs.OK {
			return st
		}
	}
	if st = v.stat(x, &v.st2); st != vfs.OK {
		return st
	}
	v.fs.fill(&e.Attr, &v.st2)
	return vfs.OK
}

// stampOf is where an exclusive create keeps its verifier, so that it is still
// known after a restart: in the access and modification times. Seconds hold 31 bits
// of each half, which is what every file system can store, nanoseconds the last bit
// and a mark that files which were not made this way do not have. The client sets
// the times right with the SETATTR that follows.
func stampOf(verf uint64) [2]vfs.Time {
	const mark = 0x11f5e0
	half := func(x uint64) vfs.Time {
		return vfs.Time{Sec: int64(x & math.MaxInt32), Nsec: mark | uint32(x>>31&1)}
	}
	return [2]vfs.Time{half(verf >> 32), half(verf & math.MaxUint32)}
}

// stamped reports whether a is what a create with verf left behind. A file system
// that keeps whole seconds only has lost the nanoseconds, those of ctime as well.
func stamped(a *vfs.Attr, verf uint64) bool {
	same := func(got, want vfs.Time) bool {
		return got == want || got.Sec == want.Sec && got.Nsec == 0 && a.Ctime.Nsec == 0
	}
	t := stampOf(verf)
	return a.Size == 0 && same(a.Atime, t[0]) && same(a.Mtime, t[1])
}

func (v *View) stamp(fd int, verf uint64) vfs.Status {
	t := stampOf(verf)
	_, st := v.apply(fd, unix.S_IFREG, &vfs.SetAttr{AtimeHow: vfs.TimeClient, MtimeHow: vfs.TimeClient, Atime: t[0], Mtime: t[1]})
	return st
}

// Mkdir implements vfs.View.
func (v *View) Mkdir(c *vfs.Cred, dir vfs.Handle, name []byte, s *vfs.SetAttr, e *vfs.Entry, w *vfs.WCC) vfs.Status {
	if v.lane {
		return vfs.Again
	}
	defer v.done()
	return v.change(c, &dir, name, w, func(de *entry) vfs.Status {
		later, mode := *s, uint32(0)
		if s.HasMode {
			mode = s.Mode & 07777
		}
		// The kernel ignores set-id bits here, and sets the directory's own by
		// inheritance: only a mode that asks for more is set once more.
		later.HasMode = mode&(unix.S_ISUID|unix.S_ISGID) != 0
		if _, errno := call(unix.SYS_MKDIRAT, uintptr(de.fd), uintptr(unsafe.Pointer(&v.name[0])), uintptr(mode), 0, 0, 0); errno != 0 {
			return status(errno)
		}
		return v.made(de, &later, e)
	})
}

// Symlink implements vfs.View.
func (v *View) Symlink(c *vfs.Cred, dir vfs.Handle, name, target []byte, s *vfs.SetAttr, e *vfs.Entry, w *vfs.WCC) vfs.Status {
	if v.lane {
		return vfs.Again
	}
	defer v.done()
	return v.change(c, &dir, name, w, func(de *entry) vfs.Status {
		if !cstring(v.target, target) {
			return vfs.NameTooLong
		}
		if _, errno := call(unix.SYS_SYMLINKAT, uintptr(unsafe.Pointer(&v.target[0])), uintptr(de.fd), uintptr(unsafe.Pointer(&v.name[0])), 0, 0, 0); errno != 0 {
			return status(errno)
		}
		return v.made(de, s, e)
	})
}

// Mknod implements vfs.View.
func (v *View) Mknod(c *vfs.Cred, dir vfs.Handle, name []byte, t vfs.FileType, major, minor uint32, s *vfs.SetAttr, e *vfs.Entry, w *vfs.WCC) vfs.Status {
	if v.lane {
		return vfs.Again
	}
	defer v.done()
	later := *s
	later.HasMode = takesSetID(s)
	return v.change(c, &dir, name, w, func(de *entry) vfs.Status {
		mode, dev, st := nodeOf(t, major, minor)
		if st != vfs.OK {
			return st
		}
		if s.HasMode {
			mode |= s.Mode & 07777
		}
		if _, errno := call(unix.SYS_MKNODAT, uintptr(de.fd), uintptr(unsafe.Pointer(&v.name[0])), uintptr(mode), uintptr(dev), 0, 0); errno != 0 {
			return status(errno)
		}
		return v.made(de, &later, e)
	})
}

// nodeOf returns what mknod wants to know of a type.
func nodeOf(t vfs.FileType, major, minor uint32) (mode uint32, dev uint64, s vfs.Status) {
	switch t {
	case vfs.TypeFifo:
		return unix.S_IFIFO, 0, vfs.OK
	case vfs.TypeSock:
		return unix.S_IFSOCK, 0, vfs.OK
	case vfs.TypeBlk:
		mode = unix.S_IFBLK
	case vfs.TypeChr:
		mode = unix.S_IFCHR
	default:
		return 0, 0, vfs.BadType
	}
	if major >= 1<<12 || minor >= 1<<20 { // the kernel's dev_t
		return 0, 0, vfs.Inval
	}
	return mode, unix.Mkdev(major, minor), vfs.OK
}

// made finishes an object that was just made as v.name in de: it gets the rest of
// its attributes and goes to stable storage as far as syncing de does not take it
// there.
func (v *View) made(de *entry, later *vfs.SetAttr, e *vfs.Entry) vfs.Status {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: v.fs.noXDev}
	v.how = how
	fd, errno := openat2(de.fd, &v.name[0], &v.how)
	if errno != 0 {
		// Somebody took it away again at once. It was made all the same, and the
		// client can look it up.
		e.Handle, e.HasAttr = vfs.Handle{}, false
		return status(errno)
	}
	if errno := statxRaw(fd, &v.st2); errno != 0 {
		closeFD(fd)
		return status(errno)
	}
	kind := v.st2.Mode & unix.S_IFMT
	changed, st := v.apply(fd, kind, later)
	if st != vfs.OK {
		flags := uintptr(0)
		if kind == unix.S_IFDIR {
			flags = unix.AT_REMOVEDIR
		}
		v.undo(de, fd, flags)
		return st
	}
	if (changed || v.fs.selfSync) && !v.fs.memory {
		if st := v.syncNew(fd, kind, changed); st != vfs.OK {
			closeFD(fd)
			return st
		}
	}
	return v.arrived(de, fd, false, e)
}

// syncNew flushes a new object that is not a regular file.
func (v *View) syncNew(fd int, kind uint16, changed bool) vfs.Status {
	if kind != unix.S_IFDIR {
		if !changed {
			return vfs.OK // goes with its directory
		}
		return v.fs.flushAll()
	}
	if !v.as(nil) {
		return vfs.ServerFault
	}
	d, errno := openat(fd, &dot[0], unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errno != 0 {
		return status(errno)
	}
	defer closeFD(d)
	if errno := fsync(d); errno != 0 {
		v.fs.lost()
		return status(errno)
	}
	return vfs.OK
}

var dot = [2]byte{'.', 0}
