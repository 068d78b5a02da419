package posixfs

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// A file is held by pinning its entry: the kernel keeps an inode without a name while it is
// open. Whether a name is the last one shows only afterwards, since another one may go from
// another directory at the same time. So the entry is pinned before each name goes that the
// keeper is asked about, and unpinned when there is a name left.
//
// A file that nobody had open when the keeper was asked may have been opened by the time that the
// name goes. So the keeper that said no is asked again then, before the entry is closed. Who opens
// a file looks whether it is still there after the keeper knows of the open, so one of the two sees
// the other.

// keeping is a file that loses a name. The zero value is none.
type keeping struct {
	keeper vfs.Keeper
	key    kernel.ObjectKey
	wanted bool // the keeper has said so, and is to be told how it ends
	h      vfs.Handle
	e      *entry // pinned; nil if it could not be
}

// AskKeeper implements vfs.Holder.
func (fs *FS) AskKeeper(k vfs.Keeper) {
	if k == nil {
		fs.keeper.Store(nil)
		return
	}
	fs.keeper.Store(&k)
}

// keep asks the keeper about the file that name leads to in de. Its entry is e, nil if it is
// not open. kept is to follow.
func (v *View) keep(de *entry, name *byte, e *entry) vfs.Status {
	k := v.fs.keeper.Load()
	if k == nil {
		return vfs.OK
	}
	v.keeping = keeping{keeper: *k, key: kernel.KeyOf(&v.st3)}
	if !(*k).Any() {
		return vfs.OK
	}
	var h vfs.Handle
	if e != nil {
		h = e.Handle
	} else {
		var errno unix.Errno
		if h, errno = kernel.HandleAt(de.FD, name, &v.kh, &v.mount); errno != 0 {
			return vfs.OK // it has just gone; what removes the name says so
		}
	}
	if !(*k).Keep(h) {
		return vfs.OK
	}
	v.keeping.h, v.keeping.wanted = h, true
	if !v.fs.last() {
		return vfs.Delay
	}
	for range pinTries {
		if e != nil && v.fs.tab.Pin(e) {
			v.keeping.e = e
			return vfs.OK
		}
		if e = v.openKept(de, name, &h); e == nil {
			break
		}
	}
	v.fs.lasting.Add(-1)
	return vfs.Delay
}

// openKept opens the file that the keeper wants, and returns nil where that is not possible now.
// It has the caller's rights, which are enough: who may remove a name may look it up.
func (v *View) openKept(de *entry, name *byte, h *vfs.Handle) *entry {
	v.how = unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: v.fs.noXDev}
	fd, errno := v.fs.plenty(func() (int, unix.Errno) { return v.fs.openName(de.FD, name, &v.how) })
	if errno != 0 {
		return nil
	}
	got, errno := kernel.Handle(fd, &v.kh, &v.mount)
	if errno == 0 {
		errno = kernel.StatxWait(fd, &v.st3)
	}
	if errno != 0 || got != *h {
		kernel.CloseFD(fd)
		return nil
	}
	return v.adopt(got, &v.st3, fd, useChild, unnamed)
}

// keepLate asks the keeper again, if it has not wanted a file that has just lost a name. Without an
// entry nobody has opened the file lately. kept is to follow.
func (v *View) keepLate() {
	k := &v.keeping
	if k.keeper == nil || k.wanted || !k.keeper.Any() {
		return
	}
	e := v.object(&k.key, useChild)
	if e == nil || !k.keeper.Keep(e.Handle) {
		return
	}
	k.h, k.wanted = e.Handle, true
	if !v.fs.last() {
		return // it goes, and who has opened it finds it stale
	}
	if !v.fs.tab.Pin(e) {
		v.fs.lasting.Add(-1)
		return
	}
	k.e = e
}

// kept ends what keep has begun: the file is held, or goes.
func (v *View) kept() {
	k := v.keeping
	v.keeping = keeping{}
	if !k.wanted {
		return
	}
	var x vfs.Held
	if k.e != nil {
		if kernel.StatxWait(k.e.FD, &v.st3) == 0 && v.fs.gone(&v.st3) {
			x = &held{v.fs, k.e}
		} else {
			v.fs.unpin(k.e)
		}
	}
	k.keeper.Kept(k.h, x)
}

func (fs *FS) unpin(e *entry) {
	fs.lasting.Add(-1)
	fs.tab.Unpin(e)
}

// held is one hold of a file without a name. It implements vfs.Held.
type held struct {
	fs *FS
	e  *entry
}

// Drop implements vfs.Held. The janitor closes the file.
func (x *held) Drop() {
	x.fs.unpin(x.e)
	x.e.Own.atime.due.Store(false) // who would look
	if !x.e.Pinned() {
		x.fs.forgetLocked(&x.e.Handle, true)
	}
	x.fs.retire(x.e)
}

// pinTries is how often an entry is made that is retired at once.
const pinTries = 3

// last counts a descriptor that no cache closes, and reports false when there are too many.
func (fs *FS) last() bool {
	if fs.lasting.Add(1) <= int64(fs.tab.Max()/2) {
		return true
	}
	fs.lasting.Add(-1)
	return false
}
