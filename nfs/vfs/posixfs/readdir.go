package posixfs

import (
	"math"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/known"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/listing"
)

// ReadDir implements vfs.View. A cookie is the kernel's own position (d_off) in the directory.
// Every file system that can be exported keeps such positions valid while the directory changes,
// and over restarts. Finding the place again costs one block read from the cache, however large the
// directory is.
func (v *View) ReadDir(
	c *vfs.Cred,
	dir vfs.Handle,
	r *vfs.ReadDirArgs,
	d *vfs.Attr,
) (newVerf uint64, eof bool, s vfs.Status) {
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
	if r.Cookie == 0 && e.Kind == unix.S_IFDIR {
		v.trial(e)
	}
	newVerf = v.fs.dirVerf(&dir)
	switch {
	case e.Kind != unix.S_IFDIR:
		s = vfs.NotDir
	case r.Cookie != 0 && r.Verf != newVerf && !r.AnyVerf || r.Cookie > math.MaxInt64:
		s = vfs.BadCookie
	default:
		eof, s = v.list(c, e, r)
	}
	if s != vfs.Again {
		v.fs.attributes(d, &v.st)
	}
	return newVerf, eof, s
}

// dirVerf returns a number that stays the same for a directory as long as it exists, and that
// differs for every other directory.
func (fs *FS) dirVerf(h *vfs.Handle) uint64 {
	x := kernel.HashHandle(h) ^ fs.fsid
	if fs.listings.Unplaced() { // because places are then made in another way
		x = ^x
	}
	return kernel.Mix(x)
}

// trial tries the places of e before a listing of it begins.
func (v *View) trial(e *entry) {
	if v.fs.odd.doubtful && !v.lane && !v.fs.listings.Unplaced() && v.as(nil) {
		v.fs.listings.Try(e.FD)
	}
}

// openDir opens a directory for reading, with a position of its own and with the rights of c, who
// may search and read it. If c is nil, it uses the process's own rights.
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

// page is a piece of a directory.
type page = listing.Page[entry]

// list yields the entries of e, whose attributes are in v.st, from r's place on.
func (v *View) list(c *vfs.Cred, e *entry, r *vfs.ReadDirArgs) (eof bool, s vfs.Status) {
	granted, s := v.judge.May(c, &e.Own.rights, &v.st, vfs.MayRead|vfs.MayExec)
	if s != vfs.OK || granted&vfs.MayRead == 0 {
		return false, refused(s)
	}
	plus, search := r.Want != 0, granted&vfs.MayExec != 0
	ask := listing.Ask[entry]{
		Dir:    e,
		ID:     e.ID,
		Handle: e.Handle,
		Ctime:  v.st.Ctime,
		Cookie: r.Cookie,
		Plus:   plus,
		Keep:   v.fs.is.births && v.fs.steady(&v.st),
	}
	if search { // so the thread changes its rights once at most
		ask.As = c
	}
	v.listing.Begin(&v.fs.listings, &ask)
	defer v.listing.End()
	v.opens = opening{}
	if plus && v.fs.is.births && !v.lane {
		v.fs.known.Begin(&v.knows)
		defer v.knows.End()
	}
	for more := true; more && !eof; {
		p := v.listing.Page()
		if p == nil {
			if v.lane {
				return false, vfs.Again
			}
			p, s = v.listing.Read(listed{v})
			if v.touched(e); s != vfs.OK {
				return false, s
			}
		}
		eof = len(p.Dents()) == 0
		if more, s = v.turnPage(p, plus && search, r.Yield); s != vfs.OK {
			return false, s
		}
	}
	return eof, vfs.OK
}

// turnPage yields the entries of p and moves the listing on. If looks is set, it also yields the
// objects to which the names lead. It reports whether the caller wants more. The compiler must not
// inline it: if it did, it would no longer inline the functions that turnPage calls for each entry.
//
//go:noinline
func (v *View) turnPage(p *page, looks bool, yield func(*vfs.DirEntry) bool) (more bool, s vfs.Status) {
	l := &v.listing
	var kids []atomic.Pointer[entry]
	if looks && l.Keep {
		kids = p.Kids()
		v.beginOpening(p)
	}
	top := l.Handle == v.fs.rootH
	x := &l.Entry
	for i, d := 0, p.Dents(); len(d) > 0; i, d = i+1, d.Rest() {
		place, name := d.Place(), d.Name()
		if place == 0 || place == l.Cookie { // it would begin again, or stay there
			return false, vfs.IO
		}
		x.FileID, x.Cookie, x.Name, x.HasEntry = d.Number(), place, name, false
		up := d.DotDot()
		if up && top {
			x.FileID = v.fs.rootKey.Ino
		}
		if looks {
			var kid *atomic.Pointer[entry]
			if kids != nil && !up {
				kid = &kids[i]
			}
			if d.Dot() { // its attributes are in v.st
				x.Entry.Handle, x.HasEntry = l.Handle, true
				v.fs.attributes(&x.Entry.Attr, &v.st)
				x.FileID = x.Entry.Attr.FileID
			} else if kid == nil || !v.pinned(kid, x) {
				if s = v.look(d.Path(), x, kid); s != vfs.OK {
					return false, s
				}
			}
		}
		if !yield(x) {
			return false, vfs.OK
		}
		l.Cookie = place
	}
	return true, vfs.OK
}

// pinned fills x from the entry that a good page keeps for it. It returns false if there is none,
// or if the object is gone. The entry stays in its slot until the next one comes.
func (v *View) pinned(kid *atomic.Pointer[entry], x *vfs.DirEntry) bool {
	e := kid.Load()
	if e == nil || !v.hold(e, useChild) || v.statx(e.FD, &v.st2) != 0 || v.fs.gone(&v.st2) {
		v.use.Drop(useChild)
		return false
	}
	number(e.Own.stub, &v.st2)
	x.Entry.Handle, x.HasEntry = e.Handle, true
	v.fs.attributes(&x.Entry.Attr, &v.st2)
	x.FileID = x.Entry.Attr.FileID
	return true
}

// look fills x.Entry for the object to which name, which is x.Name, leads, as far as the caller may
// see it. If kid is not nil and the object is open, look stores the object's entry in kid; it may
// open the object for that. It fails if the calling thread cannot do this.
func (v *View) look(name *byte, x *vfs.DirEntry, kid *atomic.Pointer[entry]) vfs.Status {
	c, de := v.listing.As, v.listing.Dir
	up := string(x.Name) == ".."
	var s vfs.Status
	switch {
	case v.lane && !up:
		return vfs.Again
	case !v.as(c):
		return vfs.ServerFault
	case up:
		s = v.parent(c, de, &x.Entry)
	case v.mayOpen():
		s = v.openListed(de, name, x)
	case v.fs.is.births:
		s = v.glance(de, name, x)
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
	if !up && string(x.Name) != "." { // these are not the object's place in another directory
		v.fs.note(&x.Entry.Handle, &de.Handle, x.Name)
	}
	return vfs.OK
}

// glance is child for a listing. If the object's handle is known or the object is open, it makes
// one statx and opens nothing.
func (v *View) glance(de *entry, name *byte, d *vfs.DirEntry) vfs.Status {
	e, o := &d.Entry, &v.opens
	if errno := kernel.StatxAt(de.FD, name, &v.st2); errno != 0 {
		return v.fs.status(errno)
	}
	if v.st2.Mnt_id != v.fs.mount && !v.fs.is.private {
		return vfs.Access // something is mounted there
	}
	k := kernel.KeyOf(&v.st2)
	own := v.knows.Own(&v.st2)
	var h *vfs.Handle
	if own {
		h = v.knows.Find(&k, &v.st2)
	}
	if h != nil && !(o.on && o.again) {
		e.Handle = *h
		return v.seen(e)
	}
	if x := v.object(&k, useChild); x != nil {
		// x is open now. Unless its key is its own, x may be the successor of the object
		// whose attributes these are: both were born in one tick of the clock. So x's
		// attributes are read.
		if !own {
			if s := v.stat(x, &v.st2); s != vfs.OK {
				return s
			}
		}
		e.Handle = x.Handle
		return v.seen(e)
	}
	if o.there = false; v.mayOpen() {
		return v.openListed(de, name, d)
	}
	if h != nil {
		e.Handle = *h
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

// pair gets the handle of the object that v.st2 shows under a name, without opening the object. It
// works if the name leads to an object with the same key before and after, and the key is the
// object's own. Then the object had its number all the time, and that number is in the handle. If
// the ctime is the same, too, the handle has not changed in between.
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

// seen fills in the attributes from v.st2.
func (v *View) seen(e *vfs.Entry) vfs.Status {
	v.fs.attributes(&e.Attr, &v.st2)
	return vfs.OK
}
