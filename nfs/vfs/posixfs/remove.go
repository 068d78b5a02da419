package posixfs

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// Remove implements vfs.View.
func (v *View) Remove(c *vfs.Cred, dir vfs.Handle, name []byte, w *vfs.WCC) vfs.Status {
	return v.unlink(c, dir, name, 0, w)
}

// Rmdir implements vfs.View.
func (v *View) Rmdir(c *vfs.Cred, dir vfs.Handle, name []byte, w *vfs.WCC) vfs.Status {
	return v.unlink(c, dir, name, unix.AT_REMOVEDIR, w)
}

func (v *View) unlink(c *vfs.Cred, dir vfs.Handle, name []byte, flags uintptr, w *vfs.WCC) vfs.Status {
	if v.lane {
		return vfs.Again
	}
	defer v.doneChanging()
	s := v.change(c, &dir, name, w, func(de *entry) vfs.Status {
		if s := v.existed(de, &v.name[0]); s != vfs.OK {
			v.use.Drop(useChild)
			return s
		}
		_, errno := kernel.Call(
			unix.SYS_UNLINKAT,
			uintptr(de.FD),
			uintptr(unsafe.Pointer(&v.name[0])),
			flags,
			0,
			0,
			0,
		)
		if errno != 0 {
			v.use.Drop(useChild)
		}
		return v.named(errno)
	})
	if s == vfs.OK {
		v.keepLate()
	}
	v.release()
	v.kept()
	return s
}

// Rename implements vfs.View.
func (v *View) Rename(c *vfs.Cred, r *vfs.RenameArgs, wf, wt *vfs.WCC) vfs.Status {
	from, fromName, to, toName := r.From, r.FromName, r.To, r.ToName
	if v.lane {
		return vfs.Again
	}
	defer v.doneChanging()
	*wf, *wt = vfs.WCC{}, vfs.WCC{}
	if !cstring(v.name[:], fromName) || !cstring(v.name2[:], toName) {
		return vfs.NameTooLong
	}
	fe, fd, s := v.directory(&from, useMain)
	if s != vfs.OK {
		if fe != nil {
			v.after(fe, wf)
		}
		return s
	}
	te, td, s := v.directory(&to, useSecond)
	if s != vfs.OK {
		v.after(fe, wf)
		if te != nil {
			v.after(te, wt)
		}
		return s
	}
	if fe.Key != te.Key && v.debts.overtakes(fe, te, td) {
		v.payEarly() // see below
	}
	markFrom, markTo := v.fs.mark(fe, fd), v.fs.mark(te, td)
	s = v.rename(c, fe, te, wf, wt)
	if s == vfs.OK {
		v.keepLate()
	}
	v.release()
	v.kept()
	if s != vfs.OK {
		return s
	}
	// The directory with the new name first: if the server crashes in between, the object has
	// two names rather than none.
	if s = v.stabilize(te, td, markTo); s == vfs.OK && fe != te {
		s = v.stabilize(fe, fd, markFrom)
	}
	if s == vfs.OK {
		v.renamed(te)
	}
	return s
}

func (v *View) rename(c *vfs.Cred, fe, te *entry, wf, wt *vfs.WCC) vfs.Status {
	// Two locks are taken in the order of their stripe numbers.
	i, j := v.fs.stripe(fe), v.fs.stripe(te)
	first, second := &v.fs.locks[min(i, j)], &v.fs.locks[max(i, j)]
	first.Lock()
	defer first.Unlock()
	if i != j {
		second.Lock()
		defer second.Unlock()
	}
	v.begin(&fe.Key, true, siteRenameFrom)
	if fe.Key != te.Key {
		v.begin(&te.Key, true, siteRenameTo)
	}
	if s := v.before(fe, wf); s != vfs.OK {
		return s
	}
	if fe == te {
		*wt = *wf
		defer func() {
			v.after(fe, wf)
			*wt = *wf
		}()
	} else {
		defer v.after(fe, wf)
		if s := v.before(te, wt); s != vfs.OK {
			return s
		}
		defer v.after(te, wt)
	}
	if !v.as(c) {
		return vfs.ServerFault
	}
	if v.fs.fixedAt(fe.FD, &v.name[0]) {
		return vfs.Access
	}
	if s := v.beginAt(fe, &v.name[0], siteMoved); s != vfs.OK {
		return s
	}
	if s := v.existed(te, &v.name2[0]); s != vfs.OK {
		v.use.Drop(useChild)
		return s
	}
	_, errno := kernel.Call(
		unix.SYS_RENAMEAT2,
		uintptr(fe.FD),
		uintptr(unsafe.Pointer(&v.name[0])),
		uintptr(te.FD),
		uintptr(unsafe.Pointer(&v.name2[0])),
		0,
		0,
	)
	if errno != 0 {
		v.use.Drop(useChild)
	}
	return v.named(errno)
}

// renamed remembers the new place of an object that was renamed, if the FS needs places.
func (v *View) renamed(te *entry) {
	if v.fs.is.byHandle {
		return
	}
	v.how = unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: v.fs.noXDev}
	fd, errno := v.fs.plenty(func() (int, unix.Errno) { return v.fs.openName(te.FD, &v.name2[0], &v.how) })
	if errno != 0 {
		return
	}
	defer kernel.CloseFD(fd)
	if h, errno := kernel.Handle(fd, &v.kh, &v.mount); errno == 0 {
		v.fs.note(&h, &te.Handle, cut(v.name2[:]))
	}
}

// Link implements vfs.View. The kernel makes the link with the caller's rights, by way of /proc. So
// it applies fs.protected_hardlinks as it does to a local user.
func (v *View) Link(c *vfs.Cred, r *vfs.LinkArgs, a *vfs.Attr, w *vfs.WCC) vfs.Status {
	h, dir, name := r.Object, r.Dir, r.Name
	if v.lane {
		return vfs.Again
	}
	defer v.doneChanging()
	a.Mask = 0
	*w = vfs.WCC{}
	e, s := v.acquire(&h, useSecond)
	if s == vfs.OK && e.Kind == unix.S_IFDIR {
		s = vfs.IsDir
	}
	mark := uint64(0)
	if s == vfs.OK {
		mark = e.Own.flush.Failures()
		s = v.stat(e, &v.st)
	}
	s = v.change(c, &dir, name, w, func(de *entry) vfs.Status {
		if s != vfs.OK {
			return s
		}
		v.begin(&e.Key, false, siteLinked)
		cstring(v.path(), []byte(kernel.ProcPath(e.FD)))
		_, errno := kernel.Call(
			unix.SYS_LINKAT,
			0,
			uintptr(unsafe.Pointer(&v.target[0])),
			uintptr(de.FD),
			uintptr(unsafe.Pointer(&v.name[0])),
			unix.AT_SYMLINK_FOLLOW,
			0,
		)
		if errno == 0 && v.fs.is.selfSync && e.Kind == unix.S_IFREG {
			return v.also(e, mark)
		}
		return v.named(errno)
	})
	if e == nil {
		return s
	}
	unstable := unsettled(e)
	if kernel.StatxWait(e.FD, &v.st) == 0 && !v.fs.lost(e, &v.st) {
		v.fs.attributes(a, &v.st)
		v.changed(e, unstable)
	}
	return s
}
