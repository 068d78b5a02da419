package posixfs

import (
	"bytes"
	"math"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/uring/futex"
)

// Create implements vfs.View.
func (v *View) Create(c *vfs.Cred, dir vfs.Handle, r *vfs.CreateArgs, m *vfs.Made) vfs.Status {
	name, how, s, verf := r.Name, r.How, r.Set, r.Verf
	e, w := m.Entry, m.Dir
	if v.lane {
		return vfs.Again
	}
	defer v.doneChanging()
	v.fs.room(1)
	return v.change(c, &dir, name, w, func(de *entry) vfs.Status {
		mode := uint32(0)
		switch {
		case how == vfs.Exclusive:
			mode = r.Mode & 0777
		case s.HasMode:
			mode = s.Mode & 07777
		}
		fd, errno := v.fs.plenty(func() (int, unix.Errno) {
			return kernel.Openat(
				de.FD,
				&v.name[0],
				v.fs.quietNew()|unix.O_CREAT|unix.O_EXCL|unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NOCTTY,
				mode,
			)
		})
		if errno == unix.EEXIST && how != vfs.Guarded {
			return v.exists(c, de, how, s, verf, e)
		}
		if errno != 0 {
			return v.named(errno)
		}
		touched, st := v.finish(fd, how, s, verf)
		if st != vfs.OK {
			v.undo(de, fd, 0)
			return st
		}
		if st = v.arrived(de, fd, true, e); st != vfs.OK {
			return st
		}
		if how == vfs.Exclusive && !stamped(&e.Attr, verf, v.fs.limits.TimeDelta) {
			v.fs.exclusives.add(e.Handle, verf)
		}
		if touched && !v.fs.is.memory {
			return v.also(v.use.At(useChild), 0)
		}
		return vfs.OK
	})
}

// finish sets the remaining attributes of a new file, open as fd. touched says that syncing the
// directory does not put all of it on stable storage.
func (v *View) finish(fd int, how vfs.CreateHow, s *vfs.SetAttr, verf uint64) (touched bool, st vfs.Status) {
	touched = v.fs.is.selfSync
	if v.fs.sole != nil && (how == vfs.Exclusive || s.HasSize || s.HasUID || s.HasGID ||
		s.HasMode && takesSetID(s) || s.AtimeHow != vfs.TimeKeep || s.MtimeHow != vfs.TimeKeep) {
		// Somebody may have looked it up already.
		if errno := kernel.StatxWait(fd, &v.st2); errno != 0 {
			return false, v.fs.status(errno)
		}
		v.beginNew()
	}
	if how == vfs.Exclusive {
		if st = v.stamp(fd, verf); st != vfs.OK {
			return false, st
		}
		touched = true
	} else {
		if s.HasSize && s.Size != 0 {
			if st = v.fs.truncate(fd, s.Size); st != vfs.OK {
				return false, st
			}
			touched = true
		}
		later := *s
		later.HasMode = takesSetID(s)
		more, st := v.apply(fd, unix.S_IFREG, &later)
		if st != vfs.OK {
			return false, st
		}
		touched = touched || more
	}
	return touched, vfs.OK
}

// takesSetID reports whether setting the other attributes of s clears set-id bits that the mode in
// s asks for.
func takesSetID(s *vfs.SetAttr) bool {
	return s.HasMode && s.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 && (s.HasSize || s.HasUID || s.HasGID)
}

// undo removes the object that was just made as v.name in de, and closes fd, its descriptor: a call
// that fails has made nothing. If another process has put another object in its place, undo leaves
// that object alone.
func (v *View) undo(de *entry, fd int, flags uintptr) {
	if kernel.StatxWait(fd, &v.st2) == 0 && kernel.StatxAt(de.FD, &v.name[0], &v.st3) == 0 &&
		kernel.KeyOf(&v.st2) == kernel.KeyOf(&v.st3) {
		v.beginNew()
		_, _ = kernel.Call(
			unix.SYS_UNLINKAT,
			uintptr(de.FD),
			uintptr(unsafe.Pointer(&v.name[0])),
			flags,
			0,
			0,
			0,
		)
	}
	kernel.CloseFD(fd)
}

// arrived fills e for the new object that is open as fd. It owns fd from then on. io says that fd
// is also open for reading and writing.
func (v *View) arrived(de *entry, fd int, io bool, e *vfs.Entry) vfs.Status {
	if errno := kernel.StatxWait(fd, &v.st2); errno != 0 {
		kernel.CloseFD(fd)
		return v.fs.status(errno)
	}
	h, errno := kernel.Handle(fd, &v.kh, &v.mount)
	if errno != 0 {
		kernel.CloseFD(fd)
		return v.fs.status(errno)
	}
	n := newEntry(h, &v.st2, fd)
	n.Own.name = nameKey(de, cut(v.name[:]))
	v.fs.keepEntry(n)
	if io {
		n.Read.Store(int32(fd))
		n.Write.Store(int32(fd))
		if q := v.fs.quiet(n); q != v.fs.quietNew() { // the thread acts for the owner
			_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFL, q)
		}
	}
	if x := v.fs.tab.Add(n, &v.use, useChild); x != n {
		kernel.CloseFD(fd)
		n = x
	} else if io {
		v.fs.tab.Writable(n)
	}
	v.learn(n)
	e.Handle = h
	v.fs.attributes(&e.Attr, &v.st2)
	v.fs.note(&h, &de.Handle, cut(v.name[:]))
	return vfs.OK
}

// cut returns the bytes of b before the first NUL.
func cut(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

// exists answers a CREATE whose name is already there.
func (v *View) exists(
	c *vfs.Cred,
	de *entry,
	how vfs.CreateHow,
	s *vfs.SetAttr,
	verf uint64,
	e *vfs.Entry,
) vfs.Status {
	if st := v.child(de, &v.name[0], e, nameKey(de, cut(v.name[:]))); st != vfs.OK {
		return st
	}
	v.fs.note(&e.Handle, &de.Handle, cut(v.name[:]))
	x := v.use.At(useChild)
	if x == nil || x.Kind != unix.S_IFREG {
		return vfs.Exist
	}
	if how == vfs.Exclusive {
		if !stamped(&e.Attr, verf, v.fs.limits.TimeDelta) &&
			!(e.Attr.Size == 0 && v.fs.exclusives.has(e.Handle, verf)) {
			return vfs.Exist
		}
		if v.fs.is.memory {
			return vfs.OK
		}
		return v.also(x, 0) // whoever has made it may not have paid yet
	}
	if !s.HasSize {
		return vfs.OK
	}
	fd, st := v.writerFor(c, x)
	if st != vfs.OK {
		return st
	}
	mark := x.Own.flush.Failures()
	v.begin(&x.Key, false, siteResized)
	if st = v.resize(c, x, fd, s.Size); st != vfs.OK {
		return st
	}
	v.beside = debt{x, fd, mark}
	if st = v.stat(x, &v.st2); st != vfs.OK {
		return st
	}
	v.fs.attributes(&e.Attr, &v.st2)
	return vfs.OK
}

// stampOf returns the times in which an exclusive create keeps its verifier: the access time and
// the modification time. So the verifier survives a restart. Seconds hold 31 bits of each half,
// which every file system can store. Nanoseconds hold the last bit, and a mark that files made in
// another way do not have. The client corrects the times with the SETATTR that follows.
func stampOf(verf uint64) [2]vfs.Time {
	const mark = 0x11f5e0
	half := func(x uint64) vfs.Time {
		return vfs.Time{Sec: int64(x & math.MaxInt32), Nsec: mark | uint32(x>>31&1)}
	}
	return [2]vfs.Time{half(verf >> 32), half(verf & math.MaxUint32)}
}

// stamped reports whether a are the attributes that a create with verf leaves, on a file system
// with the resolution delta or a finer one. If the file system has lost the nanoseconds, the
// seconds are enough.
func stamped(a *vfs.Attr, verf uint64, delta vfs.Time) bool {
	same := func(got, want vfs.Time) bool {
		if got == want {
			return true
		}
		coarsest := delta.Nsec
		if delta.Sec > 0 {
			coarsest = 1e9
		}
		for unit := uint32(10); unit <= coarsest; unit *= 10 {
			if got.Sec == want.Sec && got.Nsec == want.Nsec-want.Nsec%unit {
				return true
			}
		}
		return delta.Sec > 1 && got == vfs.Time{Sec: want.Sec - want.Sec%delta.Sec}
	}
	t := stampOf(verf)
	return a.Size == 0 && same(a.Atime, t[0]) && same(a.Mtime, t[1])
}

// exclusives are the last files that were made with a verifier of which the file system has not
// kept enough. A restart forgets them.
type exclusives struct {
	futex.Mutex
	list [64]struct {
		h    vfs.Handle
		verf uint64
	}
	next int
}

func (x *exclusives) add(h vfs.Handle, verf uint64) {
	x.Lock()
	defer x.Unlock()
	x.list[x.next].h, x.list[x.next].verf = h, verf
	x.next = (x.next + 1) % len(x.list)
}

func (x *exclusives) has(h vfs.Handle, verf uint64) bool {
	x.Lock()
	defer x.Unlock()
	for i := range x.list {
		if x.list[i].h == h && x.list[i].verf == verf && h.Len() > 0 {
			return true
		}
	}
	return false
}

func (v *View) stamp(fd int, verf uint64) vfs.Status {
	t := stampOf(verf)
	_, st := v.apply(
		fd,
		unix.S_IFREG,
		&vfs.SetAttr{AtimeHow: vfs.TimeClient, MtimeHow: vfs.TimeClient, Atime: t[0], Mtime: t[1]},
	)
	return st
}
