package posixfs

import (
	"encoding/binary"
	"math"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/known"
)

// ReadDir implements vfs.View. A cookie is the kernel's own position (d_off) in
// the directory, which every file system that can be exported keeps valid while
// the directory changes and over restarts; finding the place again costs one
// block read from the cache, however large the directory is.
func (v *View) ReadDir(
	c *vfs.Cred,
	dir vfs.Handle,
	r *vfs.ReadDirArgs,
	d *vfs.Attr,
) (newVerf uint64, eof bool, s vfs.Status) {
	cookie, verf, plus, yield := r.Cookie, r.Verf, r.Want != 0, r.Yield
	e, s := v.acquire(&dir, useMain)
	if s == vfs.OK {
		defer v.done()
		s = v.stat(e, &v.st)
	}
	if s != vfs.OK {
		if s != vfs.Again {
			d.Mask = 0
		}
		return 0, false, s
	}
	if cookie == 0 && e.Kind == unix.S_IFDIR {
		v.trial(e)
	}
	newVerf = v.fs.dirVerf(&dir)
	switch {
	case e.Kind != unix.S_IFDIR:
		s = vfs.NotDir
	case cookie != 0 && verf != newVerf || cookie > math.MaxInt64:
		s = vfs.BadCookie
	default:
		eof, s = v.list(c, e, cookie, plus, yield)
	}
	if s != vfs.Again {
		v.fs.attributes(d, &v.st)
	}
	return newVerf, eof, s
}

// dirVerf is the same for a directory as long as it exists, and another one for
// every other directory.
func (fs *FS) dirVerf(h *vfs.Handle) uint64 {
	x := kernel.HashHandle(h) ^ fs.fsid
	if fs.odd.unplaced.Load() { // another way to give places
		x = ^x
	}
	return kernel.Mix(x)
}

// openDir opens a directory for reading from a position of its own, with the
// rights of c, who may search and read it, or the process's own.
func (v *View) openDir(c *vfs.Cred, e *entry) (int, vfs.Status) {
	if !v.as(c) {
		return -1, vfs.ServerFault
	}
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC
	fd, errno := v.fs.plenty(func() (int, unix.Errno) { return kernel.Openat(e.FD, &dot[0], flags, 0) })
	if errno != 0 {
		return -1, v.fs.status(errno)
	}
	return fd, vfs.OK
}

// The fields of struct linux_dirent64.
const (
	direntOff    = 8
	direntReclen = 16
	direntType   = 18
	direntName   = 19
)

// dentsBytes is how much of a directory is read at a time. With handles and
// attributes an entry takes five times as much room in the reply, so that most of a
// large piece would be read for nothing.
const (
	dentsBytes     = 8 << 10
	dentsPlusBytes = 4 << 10
)

// list yields the entries of e, whose attributes are in v.st, from cookie on.
func (v *View) list(
	c *vfs.Cred,
	e *entry,
	cookie uint64,
	plus bool,
	yield func(*vfs.DirEntry) bool,
) (eof bool, s vfs.Status) {
	granted, s := v.judge.May(c, &e.Own.rights, &v.st, vfs.MayRead|vfs.MayExec)
	if s != vfs.OK || granted&vfs.MayRead == 0 {
		return false, refused(s)
	}
	l := &v.listing
	*l = listing{
		de:     e,
		fd:     -1,
		cookie: cookie,
		plus:   plus,
		search: granted&vfs.MayExec != 0,
		keep:   v.fs.keepsPages(&v.st),
	}
	if l.search { // the thread needs to become somebody else once at most
		l.as = c
	}
	if plus && v.fs.is.births && !v.lane {
		v.fs.known.Begin(&v.knows)
	}
	for more := true; more && s == vfs.OK && !eof; {
		var p *page
		if p, s = v.next(l); s == vfs.OK {
			eof = len(p.dents) == 0
			more, s = v.turnPage(c, l, p, yield)
		}
	}
	if l.fd >= 0 {
		kernel.CloseFD(l.fd)
	}
	v.knows.End()
	*l, v.page.dents = listing{}, nil
	return eof, s
}

// fetch reads a piece of the directory into v.dents.
func (v *View) fetch(l *listing) (n int, s vfs.Status) {
	if v.fs.odd.unplaced.Load() {
		return v.fetchPlaced(l)
	}
	if v.dents == nil {
		v.dents = make([]byte, dentsBytes)
	}
	if l.fd < 0 {
		if l.fd, s = v.openDir(l.as, l.de); s != vfs.OK {
			return 0, s
		}
		l.at = 0
	}
	if l.at != l.cookie {
		at, errno := kernel.Call(unix.SYS_LSEEK, uintptr(l.fd), uintptr(l.cookie), unix.SEEK_SET, 0, 0, 0)
		if errno != 0 || uint64(at) != l.cookie {
			return 0, vfs.BadCookie
		}
		l.at = l.cookie
	}
	size := dentsBytes
	if l.plus {
		size = dentsPlusBytes
	}
	r, errno := kernel.Call(
		unix.SYS_GETDENTS64,
		uintptr(l.fd),
		uintptr(unsafe.Pointer(&v.dents[0])),
		uintptr(size),
		0,
		0,
		0,
	)
	if errno != 0 {
		return 0, v.fs.status(errno)
	}
	for b := v.dents[:r]; len(b) > 0; {
		l.at = binary.NativeEndian.Uint64(b[direntOff:])
		b = b[binary.NativeEndian.Uint16(b[direntReclen:]):]
	}
	return int(r), vfs.OK
}

// turnPage yields the entries of p and moves l on. It reports whether more are
// wanted. It is not inlined, since what it calls for each entry would not be then.
//
//go:noinline
func (v *View) turnPage(
	c *vfs.Cred,
	l *listing,
	p *page,
	yield func(*vfs.DirEntry) bool,
) (more bool, s vfs.Status) {
	var kids []atomic.Pointer[entry]
	pin := false
	if l.plus && l.search {
		if l.keep {
			kids = p.children()
			tick := v.fs.tick.Load()
			last := p.listed.Load()
			pin = !v.lane && last != 0 && tick-last <= pinTicks
			if last != tick {
				p.listed.Store(tick)
			}
		}
	}
	top := l.de.Handle == v.fs.rootH
	x := &v.dent
	for i, b := 0, p.dents; len(b) > 0; i++ {
		size := binary.NativeEndian.Uint16(b[direntReclen:])
		name := b[direntName:size]
		x.FileID = binary.NativeEndian.Uint64(b)
		x.Cookie = binary.NativeEndian.Uint64(b[direntOff:])
		x.Name = cut(name)
		x.HasEntry = false
		b = b[size:]
		if x.Cookie == 0 || x.Cookie == l.cookie { // would start all over again, or stay for ever
			return false, vfs.IO
		}
		dotdot := string(x.Name) == ".."
		if dotdot && top {
			x.FileID = v.fs.rootKey.Ino
		}
		if l.plus && l.search {
			var kid *atomic.Pointer[entry]
			if kids != nil && !dotdot {
				kid = &kids[i]
			}
			if kid == nil || !v.pinned(kid, x) {
				if s = v.look(c, l.de, &name[0], dotdot, pin, kid, x); s != vfs.OK {
					return false, s
				}
			}
		}
		if !yield(x) {
			return false, vfs.OK
		}
		l.cookie = x.Cookie
	}
	return true, vfs.OK
}

// pinned fills x from the entry that a good page has for it.
func (v *View) pinned(kid *atomic.Pointer[entry], x *vfs.DirEntry) bool {
	e := kid.Load()
	if e == nil {
		return false
	}
	if !v.hold(e, useChild) || v.statx(e.FD, &v.st2) != 0 || v.fs.gone(&v.st2) {
		v.use.Drop(useChild)
		return false
	}
	number(e.Own.stub, &v.st2)
	x.Entry.Handle, x.HasEntry = e.Handle, true
	v.fs.attributes(&x.Entry.Attr, &v.st2)
	x.FileID = x.Entry.Attr.FileID
	v.use.Drop(useChild)
	return true
}

// look fills x.Entry as far as the caller may see the object, and keeps its entry
// in kid if that is wanted and there is one. It fails for what the calling thread
// has not the means to do.
func (v *View) look(
	c *vfs.Cred,
	de *entry,
	name *byte,
	dotdot, pin bool,
	kid *atomic.Pointer[entry],
	x *vfs.DirEntry,
) vfs.Status {
	var s vfs.Status
	switch {
	case v.lane && !dotdot:
		return vfs.Again
	case !v.as(c):
		return vfs.ServerFault
	case dotdot:
		s = v.parent(c, de, &x.Entry)
	case pin && v.fs.tab.Open() < v.fs.tab.Max()/2:
		s = v.child(de, name, &x.Entry, nameKey(de, x.Name))
	case v.fs.is.births:
		s = v.glance(de, name, &x.Entry)
	default:
		s = v.child(de, name, &x.Entry, passing)
	}
	if e := v.use.At(useChild); e != nil {
		if kid != nil && s == vfs.OK {
			kid.Store(e)
		}
		v.use.Drop(useChild)
	}
	if s != vfs.OK {
		if v.lane && s == vfs.Again {
			return s
		}
		return vfs.OK
	}
	x.HasEntry = true
	x.FileID = x.Entry.Attr.FileID
	if !dotdot && string(x.Name) != "." { // which is no place of the directory's in another
		v.fs.note(&x.Entry.Handle, &de.Handle, x.Name)
	}
	return vfs.OK
}

// glance is child for a listing, which opens nothing: one statx where the object is
// known or open.
func (v *View) glance(de *entry, name *byte, e *vfs.Entry) vfs.Status {
	if errno := kernel.StatxAt(de.FD, name, &v.st2); errno != 0 {
		return v.fs.status(errno)
	}
	if v.st2.Mnt_id != v.fs.mount && !v.fs.is.private {
		return vfs.Access // something is mounted there
	}
	k := kernel.KeyOf(&v.st2)
	own := v.knows.Own(&v.st2)
	if own {
		if h := v.knows.Find(&k, &v.st2); h != nil {
			e.Handle = *h
			return v.seen(e)
		}
	}
	if x := v.object(&k, useChild); x != nil {
		// x is open now. Without a key of its own it may be a successor of the object
		// whose attributes these are, by a tick of the clock.
		if !own {
			if s := v.stat(x, &v.st2); s != vfs.OK {
				return s
			}
		}
		e.Handle = x.Handle
		return v.seen(e)
	}
	if own && known.Numbered(v.fs.magic) && v.pair(de, name, &k, e) {
		v.knows.Add(&k, &v.st2, &e.Handle)
		return v.seen(e)
	}
	s := v.child(de, name, e, passing)
	if s == vfs.OK && v.knows.Own(&v.st2) {
		k = kernel.KeyOf(&v.st2)
		v.knows.Add(&k, &v.st2, &e.Handle)
	}
	return s
}

// pair gets the handle of what v.st2 shows under a name, without opening it. When
// before and after that the name leads to an object with the same key, and the key
// is its own, then its number was the object's all the time; and that is the number
// in the handle. The same ctime says that the handle has not changed in between.
func (v *View) pair(de *entry, name *byte, k *kernel.ObjectKey, e *vfs.Entry) bool {
	ctime := v.st2.Ctime
	h, errno := kernel.HandleAt(de.FD, name, &v.kh, &v.mount)
	if errno != 0 {
		return false
	}
	if ino, ok := known.NumberIn(&h); !ok || ino != k.Ino {
		return false
	}
	if kernel.StatxAt(de.FD, name, &v.st2) != 0 || kernel.KeyOf(&v.st2) != *k || v.st2.Ctime != ctime {
		return false
	}
	e.Handle = h
	return true
}

// seen fills in the attributes in v.st2.
func (v *View) seen(e *vfs.Entry) vfs.Status {
	v.fs.attributes(&e.Attr, &v.st2)
	return vfs.OK
}
