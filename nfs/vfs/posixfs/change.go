package posixfs

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// A change of a directory has three steps. First, with the process's rights, the View prepares what
// it will need: the entry, and a descriptor to sync with. Second, under the directory's lock, it
// reads the attributes, acts with the caller's rights, and reads the attributes again. Third, it
// syncs, or leaves that to Pay. It syncs outside the lock, so that the file system can merge the
// commits of changes that are made at the same time. A call whose sync has failed may have made its
// change.

// directory acquires a directory that is about to change, and a descriptor to sync it with. The
// descriptor is -1 if the process may not read the directory; callers that change it need not read
// it. Syncing the directory puts its entries on stable storage. On ext4 and XFS it does so with
// everything of the same or an earlier transaction.
func (v *View) directory(h *vfs.Handle, use int) (e *entry, fd int, s vfs.Status) {
	e, s = v.acquire(h, use)
	if s != vfs.OK {
		return nil, -1, s
	}
	if e.Kind != unix.S_IFDIR {
		return e, -1, vfs.NotDir
	}
	if fd, s = v.reader(e); s == vfs.Access {
		return e, -1, vfs.OK
	}
	return e, fd, s
}

// before reads the attributes of a directory that is about to change.
func (v *View) before(e *entry, w *vfs.WCC) vfs.Status {
	if s := v.stat(e, &v.st); s != vfs.OK {
		return s
	}
	v.unchanged(e, &v.st)
	v.fs.setBefore(w, &v.st)
	return vfs.OK
}

// change runs act in the directory h under its lock with c's rights. It fills w with the attributes
// before and after, and syncs the directory if act returns OK. act gets the directory's entry; the
// name is in v.name. If more than the directory is to be synced, act says so by also.
func (v *View) change(
	c *vfs.Cred,
	h *vfs.Handle,
	name []byte,
	w *vfs.WCC,
	act func(*entry) vfs.Status,
) vfs.Status {
	*w = vfs.WCC{}
	if !cstring(v.name[:], name) {
		return vfs.NameTooLong
	}
	e, fd, s := v.directory(h, useMain)
	if s != vfs.OK {
		if e != nil {
			v.after(e, w)
		}
		return s
	}
	mark := v.fs.mark(e, fd)
	v.mark, v.beside = v.fs.store.MarkAll(), debt{}
	if s = v.locked(c, e, w, act); s != vfs.OK {
		return s
	}
	if b := &v.beside; b.e != nil { // before its name
		if s = v.stabilize(b.e, b.fd, b.mark); s != vfs.OK {
			return s
		}
	}
	return v.stabilize(e, fd, mark)
}

// also notes that the change of a directory is to put its object e on stable storage, too. mark is
// from before the change, 0 for an object that is new.
func (v *View) also(e *entry, mark uint64) vfs.Status {
	fd, s := v.stabilizer(e)
	if s != vfs.OK {
		return s
	}
	if fd < 0 {
		mark = v.mark
	}
	v.beside = debt{e, fd, mark}
	return vfs.OK
}

// locked runs act on an object under its lock with c's rights, and fills w with the attributes
// before and after.
func (v *View) locked(c *vfs.Cred, e *entry, w *vfs.WCC, act func(*entry) vfs.Status) vfs.Status {
	l := v.fs.lock(e)
	l.Lock()
	defer l.Unlock()
	v.begin(&e.Key, e.Kind == unix.S_IFDIR, siteLocked)
	if s := v.before(e, w); s != vfs.OK {
		return s
	}
	defer v.after(e, w)
	if !v.as(c) {
		return vfs.ServerFault
	}
	return act(e)
}

// cstring copies a name into dst and ends it with NUL. It reports false if the name is empty or
// does not fit.
func cstring(dst, name []byte) bool {
	if len(name) == 0 || len(name) >= len(dst) {
		return false
	}
	dst[copy(dst, name)] = 0
	return true
}

// largeBlocks is from how many 512-byte blocks on a file is large for release: 1 MiB.
const largeBlocks = 1 << 20 / 512

// existed looks at the object called name in e before the caller removes the name, so that release
// can close it afterwards. It publishes the object's entry, if there is one, and v.last says
// whether this is the object's last name. If the keeper wants the object, existed pins it, and kept
// is to follow. A status other than OK says that the name must stay.
func (v *View) existed(e *entry, name *byte) vfs.Status {
	v.last, v.large = false, false
	if errno := kernel.StatxAt(e.FD, name, &v.st3); errno != 0 {
		return v.unseen(errno)
	}
	k, kind := kernel.KeyOf(&v.st3), v.st3.Mode&unix.S_IFMT
	v.begin(&k, false, siteTaken)
	x := v.object(&k, useChild)
	v.large = v.st3.Blocks >= largeBlocks
	v.last = x != nil && (v.st3.Nlink <= 1 || kind == unix.S_IFDIR)
	if kind != unix.S_IFREG {
		return vfs.OK
	}
	return v.keep(e, name, x)
}

// release closes the entry of an object that has just lost a name, if that was the last one. So the
// object's space is free when the client gets the reply. (If the object has got another name
// meanwhile, it is opened again when somebody needs it.) Freeing the space of a large file takes
// long, so if the change owes, Pay does that: others can change the directory meanwhile. For small
// files that would be dearer, because a file system keeps a list of what is to be freed.
func (v *View) release() {
	e := v.use.At(useChild)
	if e == nil || e.Pinned() {
		return
	}
	if v.last || kernel.StatxWait(e.FD, &v.st3) == 0 && v.fs.gone(&v.st3) {
		v.use.Drop(useChild)
		e.Own.atime.due.Store(false) // nobody can look at it any more
		v.fs.forgetLocked(&e.Handle, false)
		if v.large && v.th.Debts.Owing() {
			v.debts.gone = append(v.debts.gone, e)
			return
		}
		v.fs.release(e)
	}
}
