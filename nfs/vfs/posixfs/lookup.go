package posixfs

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// Lookup implements vfs.View.
func (v *View) Lookup(c *vfs.Cred, dir vfs.Handle, name []byte, f *vfs.Found) vfs.Status {
	if v.fs.sole != nil {
		if s, ok := v.recallName(c, &dir, name, f); ok {
			return s
		}
	}
	e, d := f.Entry, f.Dir
	de, s := v.acquire(&dir, useMain)
	if s == vfs.OK {
		defer v.done()
		if s = v.see(de); s == vfs.OK {
			s = v.lookup(c, de, name, e)
			if s != vfs.Again {
				v.fs.attributes(d, &v.st)
			}
			return s
		}
	}
	if s != vfs.Again {
		d.Mask = 0
	}
	return s
}

// lookup finds name in de, whose attributes are in v.st.
func (v *View) lookup(c *vfs.Cred, de *entry, name []byte, e *vfs.Entry) vfs.Status {
	if de.Kind != unix.S_IFDIR {
		return vfs.NotDir
	}
	if len(name) == 0 || len(name) >= len(v.name) {
		return vfs.NameTooLong
	}
	key, keep := nameKey(de, name), false
	keeps, names := v.lane && de.Own.kept != nil && v.fs.sole.On(), uint64(0)
	if keeps {
		names = de.Own.kept.Slot().Names.Now()
	} else if v.lane {
		var ask bool
		if keep, ask = v.mayRemember(de); ask {
			return vfs.Again
		}
		if keep && v.settledPath(c, de, key, name, e) {
			return vfs.OK
		}
	} else if de.Own.names.unsettled.Load() {
		v.awaitNames(de)
	}
	// With a remembered verdict the thread need not act for c. Otherwise the kernel checks on
	// the way, with the caller's rights.
	if v.rights.Acting() != c {
		switch ok := v.judge.Has(c, &de.Own.rights, &v.st, vfs.MayExec); {
		case !ok && v.fs.is.switching:
			granted, s := v.judge.Decide(c, &de.Own.rights, &v.st, vfs.MayExec)
			if s != vfs.OK || granted == 0 {
				return refused(s)
			}
		case ok && !v.as(nil):
			return vfs.ServerFault
		}
	}
	switch {
	case len(name) == 1 && name[0] == '.':
		return v.itself(c, de, e)
	case len(name) == 2 && name[0] == '.' && name[1] == '.':
		return v.parent(c, de, e)
	}
	n := copy(v.name[:], name)
	v.name[n] = 0
	if !v.again(de, key, e) {
		if s := v.child(de, &v.name[0], e, key); s != vfs.OK {
			if keeps && s == vfs.NoEnt {
				v.keepVerdict(c, de, v.when, vfs.MayExec, vfs.MayExec)
				v.keepName(de, key, name, names, false)
			}
			return s
		}
		v.hint(key)
		v.fs.note(&e.Handle, &de.Handle, name)
	}
	if keeps {
		v.keepVerdict(c, de, v.when, vfs.MayExec, vfs.MayExec)
		v.keepName(de, key, name, names, true)
	} else if keep {
		v.rememberPath(de, key, name)
	}
	return vfs.OK
}

func refused(s vfs.Status) vfs.Status {
	if s == vfs.OK {
		return vfs.Access
	}
	return s
}

// itself answers ".", which needs the right to search, as any other name does.
func (v *View) itself(c *vfs.Cred, de *entry, e *vfs.Entry) vfs.Status {
	if granted, s := v.judge.May(c, &de.Own.rights, &v.st, vfs.MayExec); s != vfs.OK || granted == 0 {
		return refused(s)
	}
	e.Handle = de.Handle
	v.fs.attributes(&e.Attr, &v.st)
	return vfs.OK
}

// parent answers "..". A client with the handle of a directory that was moved out of the tree must
// not get out of the tree. On a private mount the kernel prevents that (ENOENT). Elsewhere parent
// checks that the root is above the parent.
func (v *View) parent(c *vfs.Cred, de *entry, e *vfs.Entry) vfs.Status {
	if de.Handle == v.fs.rootH {
		return v.itself(c, de, e)
	}
	if v.lane && !v.fs.is.private {
		return vfs.Again
	}
	v.name[0], v.name[1], v.name[2] = '.', '.', 0
	key := nameKey(de, v.name[:2])
	if v.again(de, key, e) {
		return vfs.OK
	}
	s := v.child(de, &v.name[0], e, unnamed)
	if s == vfs.NoEnt {
		return vfs.Stale
	}
	if s == vfs.OK {
		v.hint(key) // on a private mount only
	}
	if s == vfs.OK && !v.fs.is.private {
		up := v.use.At(useChild)
		if !v.as(nil) || !v.fs.inside(up.FD) {
			return vfs.Stale
		}
	}
	return s
}

// inside reports whether the root is above the directory fd.
func (fs *FS) inside(fd int) bool {
	at := fd
	defer func() {
		if at != fd {
			kernel.CloseFD(at)
		}
	}()
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_XDEV}
	var last kernel.ObjectKey
	for range 4096 {
		var st unix.Statx_t
		if kernel.StatxWait(at, &st) != 0 {
			return false
		}
		k := kernel.KeyOf(&st)
		if k == fs.rootKey {
			return true
		}
		if k == last { // the top of everything
			return false
		}
		last = k
		up, errno := fs.openName(at, &dotdot[0], &how)
		if errno != 0 {
			return false
		}
		if at != fd {
			kernel.CloseFD(at)
		}
		at = up
	}
	return false
}

// child opens name in de with the thread's present rights, and fills e for the object. A lane only
// finds what the kernel has in its caches. key is the name's nameKey, unnamed or passing.
func (v *View) child(de *entry, name *byte, e *vfs.Entry, key uint64) vfs.Status {
	v.how = unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: v.fs.noXDev}
	var fd int
	var errno unix.Errno
	if v.lane {
		v.how.Resolve |= kernel.ResolveCached
		if fd, errno = v.fs.openNow(de.FD, name, &v.how); errno == unix.EAGAIN {
			// Either the kernel would have to wait, or somebody has just renamed or
			// mounted something on this machine. Trying again costs far less than a
			// worker.
			if fd, errno = v.fs.openNow(de.FD, name, &v.how); errno == unix.EAGAIN {
				return vfs.Again
			}
		}
	} else {
		fd, errno = v.fs.plenty(func() (int, unix.Errno) { return v.fs.openName(de.FD, name, &v.how) })
	}
	switch {
	case errno == unix.EXDEV: // a mount point, on a mount that is not private
		return vfs.Access
	case kernel.LowOnFDs(errno) && v.lane:
		return vfs.Again // a worker closes some
	case errno != 0:
		return v.named(errno)
	}
	if errno := v.statx(fd, &v.st2); errno != 0 {
		v.drop(fd)
		return v.status(errno)
	}
	if v.st2.Nlink == 0 && !v.lane {
		v.fs.seeLinks(de.FD, name)
	}
	if v.fs.isStub(&v.st2) {
		return v.stub(de, name, fd, e, key)
	}
	return v.describe(fd, e, key)
}

// describe fills e for the open descriptor fd, whose attributes are in v.st2. It owns fd from then
// on.
func (v *View) describe(fd int, e *vfs.Entry, key uint64) vfs.Status {
	k := kernel.KeyOf(&v.st2)
	x := v.object(&k, useChild)
	if x != nil && x.Own.name == unnamed && key > passing && x.Kind != unix.S_IFDIR &&
		!dirty(x) &&
		!v.fs.tab.Full() {
		// x was opened by its handle. If it is opened by its name, it is found again
		// faster.
		e.Handle = x.Handle
		v.fs.retire(x)
		v.adopt(e.Handle, &v.st2, fd, useChild, key)
	} else if x != nil {
		// x is open, so no other object can have its inode number: this is the same object.
		v.drop(fd)
		e.Handle = x.Handle
	} else {
		h, errno := kernel.Handle(fd, &v.kh, &v.mount)
		if errno != 0 {
			v.drop(fd)
			return v.status(errno)
		}
		e.Handle = h
		switch {
		case key == passing, v.lane && v.fs.tab.Full():
			v.fs.learnVolume(&h, &v.st2)
			v.drop(fd)
		default:
			if !v.lane && v.fs.tab.Full() {
				v.fs.room(1)
			}
			v.adopt(h, &v.st2, fd, useChild, key)
		}
	}
	v.fs.attributes(&e.Attr, &v.st2)
	return vfs.OK
}

func (v *View) drop(fd int) {
	if v.lane {
		kernel.CloseRaw(fd)
		return
	}
	kernel.CloseFD(fd)
}

// Walk implements vfs.View.
func (v *View) Walk(c *vfs.Cred, path string, e *vfs.Entry) vfs.Status {
	defer v.done()
	if off := v.off.Load(); off != 0 {
		return refusal(off)
	}
	path = strings.Trim(path, "/")
	if path == "" {
		// The kernel requires the right to search the directory, even for ".". A client
		// that may mount the tree needs no right for its top.
		path, c = ".", nil
	}
	if !v.as(c) {
		return vfs.ServerFault
	}
	fd, errno := v.fs.openPath(path, true)
	switch errno {
	case 0:
	case unix.EXDEV:
		return vfs.Access
	default:
		return v.named(errno)
	}
	if errno := kernel.StatxWait(fd, &v.st2); errno != 0 {
		kernel.CloseFD(fd)
		return v.fs.status(errno)
	}
	if v.fs.gone(&v.st2) { // the root itself, or an object that was removed meanwhile
		kernel.CloseFD(fd)
		return vfs.Stale
	}
	if v.fs.isStub(&v.st2) { // only LOOKUP finds it: its handle contains its directory's
		kernel.CloseFD(fd)
		return vfs.Access
	}
	if v.fs.shut.closed[kernel.KeyOf(&v.st2)] {
		kernel.CloseFD(fd)
		return vfs.Access
	}
	return v.describe(fd, e, unnamed)
}
