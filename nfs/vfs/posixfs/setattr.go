package posixfs

import (
	"math"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/verdict"
)

// SetAttr implements vfs.View.
func (v *View) SetAttr(c *vfs.Cred, h vfs.Handle, s *vfs.SetAttr, w *vfs.WCC) vfs.Status {
	guard := s.Guard
	if v.lane {
		return vfs.Again
	}
	*w = vfs.WCC{}
	e, st := v.acquire(&h, useMain)
	if st != vfs.OK {
		return st
	}
	defer v.doneChanging()
	e.Own.data.Locking.Add(1)
	defer e.Own.data.Locking.Add(-1)
	var fd int
	v.moved = moved{}
	if s.HasSize && guard != nil && e.Kind == unix.S_IFREG && v.fs.lends() {
		// Opening the file changes its ctime, which the client should not notice. So the
		// guard is checked first.
		if st = v.stat(e, &v.st2); st != vfs.OK {
			return st
		}
		if !v.guarded(guard, &v.st2) {
			v.fs.setBefore(w, &v.st2)
			v.after(e, w)
			return vfs.NotSync
		}
	}
	if s.HasSize && e.Kind == unix.S_IFREG {
		if fd, st = v.writerFor(c, e); st != vfs.OK {
			v.after(e, w)
			return st
		}
	} else if fd, st = v.stabilizer(e); st != vfs.OK {
		v.after(e, w)
		return st
	}
	mark := v.fs.mark(e, fd)
	changed, st := v.setAttr(c, e, fd, s, guard, w)
	if changed {
		if t := v.stabilize(e, fd, mark); st == vfs.OK {
			st = t
		}
	}
	return st
}

// setAttr changes e under its lock. If the size changes, fd is open for writing.
func (v *View) setAttr(
	c *vfs.Cred,
	e *entry,
	fd int,
	s *vfs.SetAttr,
	guard *vfs.Time,
	w *vfs.WCC,
) (changed bool, st vfs.Status) {
	l := v.fs.lock(e)
	l.Lock()
	defer l.Unlock()
	v.begin(&e.Key, false, siteSetAttr)
	if st = v.stat(e, &v.st2); st != vfs.OK {
		return false, st
	}
	v.unchanged(e, &v.st2)
	v.fs.setBefore(w, &v.st2)
	defer v.after(e, w)
	if guard != nil && !v.guarded(guard, &v.st2) {
		return false, vfs.NotSync
	}
	if s.HasSize {
		if st = v.resize(c, e, fd, s.Size); st != vfs.OK {
			return false, st
		}
		changed = true
	}
	if !v.as(c) {
		return changed, vfs.ServerFault
	}
	if s.HasMode && v.fs.lends() {
		l := v.fs.lent.of(e)
		l.Lock()
		defer l.Unlock()
	}
	more, st := v.apply(e.FD, e.Kind, s)
	if st == vfs.Perm && onlyTouches(s) {
		st = v.touch(c, e)
		more = st == vfs.OK
	}
	return changed || more, st
}

// guarded reports whether a file with the attributes st has not changed since its ctime was guard,
// apart from what this call has done to open it.
func (v *View) guarded(guard *vfs.Time, st *unix.Statx_t) bool {
	is := func(t unix.StatxTimestamp) bool { return *guard == vfs.Time{Sec: t.Sec, Nsec: t.Nsec} }
	return is(st.Ctime) || st.Ctime == v.moved.to && is(v.moved.from)
}

// onlyTouches reports whether s, apart from the size, sets one time stamp to the present and
// nothing else. Linux lets everybody who may write set both stamps that way, but lets only the
// owner set one of them.
func onlyTouches(s *vfs.SetAttr) bool {
	return !s.HasMode && !s.HasUID && !s.HasGID &&
		(s.AtimeHow == vfs.TimeServer && s.MtimeHow == vfs.TimeKeep || s.AtimeHow == vfs.TimeKeep && s.MtimeHow == vfs.TimeServer)
}

// touch sets v.times for a caller that may write. A client that opens a file with O_TRUNC sets the
// size to 0, and only the modification time to the present. Its user need not be the owner.
func (v *View) touch(c *vfs.Cred, e *entry) vfs.Status {
	granted, st := v.judge.Ask(c, &e.Own.rights, vfs.MayWrite)
	if st != vfs.OK || granted == 0 {
		return refused(st)
	}
	if !v.as(nil) {
		return vfs.ServerFault
	}
	set := func() unix.Errno {
		_, errno := kernel.Call(
			unix.SYS_UTIMENSAT,
			uintptr(e.FD),
			uintptr(unsafe.Pointer(&kernel.EmptyPath[0])),
			uintptr(unsafe.Pointer(&v.times[0])),
			unix.AT_EMPTY_PATH,
			0,
			0,
		)
		return errno
	}
	errno := set()
	if errno == unix.EPERM { // no CAP_FOWNER over the owner: sets both, which the caller may
		if !v.as(c) {
			return vfs.ServerFault
		}
		v.times = [2]unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_NOW}}
		errno = set()
	}
	return v.fs.status(errno)
}

// resize truncates or extends e. The caller needs the right to write, which the owner always has.
func (v *View) resize(c *vfs.Cred, e *entry, fd int, size uint64) vfs.Status {
	switch {
	case e.Kind == unix.S_IFDIR:
		return vfs.IsDir
	case e.Kind != unix.S_IFREG:
		return vfs.Inval
	}
	granted, st := v.judge.May(c, &e.Own.rights, &v.st2, verdict.WriteData)
	if st != vfs.OK || granted == 0 {
		return refused(st)
	}
	if !v.as(c) {
		return vfs.ServerFault
	}
	return v.fs.truncate(fd, size)
}

func (fs *FS) truncate(fd int, size uint64) vfs.Status {
	if size > math.MaxInt64 {
		return vfs.FBig
	}
	_, errno := kernel.Call(unix.SYS_FTRUNCATE, uintptr(fd), uintptr(size), 0, 0, 0, 0)
	return fs.status(errno)
}

// apply sets owner, mode and times, in this order, because a change of the owner clears set-id
// bits. The thread acts for the caller. fd may be O_PATH.
func (v *View) apply(fd int, kind uint16, s *vfs.SetAttr) (changed bool, st vfs.Status) {
	empty := uintptr(unsafe.Pointer(&kernel.EmptyPath[0]))
	if s.HasUID || s.HasGID {
		uid, gid := ^uintptr(0), ^uintptr(0)
		if s.HasUID {
			uid = uintptr(s.UID)
		}
		if s.HasGID {
			gid = uintptr(s.GID)
		}
		if s.HasUID && s.UID == math.MaxUint32 || s.HasGID && s.GID == math.MaxUint32 {
			return changed, vfs.Inval // the kernel takes it for no change
		}
		if _, errno := kernel.Call(unix.SYS_FCHOWNAT, uintptr(fd), empty, uid, gid, unix.AT_EMPTY_PATH, 0); errno != 0 {
			return changed, v.fs.status(errno)
		}
		changed = true
	}
	if s.HasMode && kind != unix.S_IFLNK { // links have no mode; an error would make cp -a fail
		if errno := v.chmod(fd, s.Mode&07777); errno != 0 {
			return changed, v.fs.status(errno)
		}
		changed = true
	}
	if s.AtimeHow == vfs.TimeKeep && s.MtimeHow == vfs.TimeKeep {
		return changed, vfs.OK
	}
	if !timeSpec(&v.times[0], s.AtimeHow, s.Atime) || !timeSpec(&v.times[1], s.MtimeHow, s.Mtime) {
		return changed, vfs.Inval
	}
	if _, errno := kernel.Call(unix.SYS_UTIMENSAT, uintptr(fd), empty, uintptr(unsafe.Pointer(&v.times[0])), unix.AT_EMPTY_PATH, 0, 0); errno != 0 {
		return changed, v.fs.status(errno)
	}
	return true, vfs.OK
}

func timeSpec(ts *unix.Timespec, how vfs.TimeHow, t vfs.Time) bool {
	switch how {
	case vfs.TimeServer:
		*ts = unix.Timespec{Nsec: unix.UTIME_NOW}
	case vfs.TimeClient:
		*ts = unix.Timespec{Sec: t.Sec, Nsec: int64(t.Nsec)}
		return t.Nsec < 1e9
	default:
		*ts = unix.Timespec{Nsec: unix.UTIME_OMIT}
	}
	return true
}

// chmod changes the mode of an open object. fd may be O_PATH.
func (v *View) chmod(fd int, mode uint32) unix.Errno {
	if !v.fs.noChmodEmpty.Load() {
		_, errno := kernel.Call(
			unix.SYS_FCHMODAT2,
			uintptr(fd),
			uintptr(unsafe.Pointer(&kernel.EmptyPath[0])),
			uintptr(mode),
			unix.AT_EMPTY_PATH,
			0,
			0,
		)
		if errno != unix.ENOSYS {
			return errno
		}
		v.fs.noChmodEmpty.Store(true)
	}
	return errnoOf(unix.Chmod(kernel.ProcPath(fd), mode))
}

func errnoOf(err error) unix.Errno {
	switch e := err.(type) {
	case nil:
		return 0
	case unix.Errno:
		return e
	case *os.PathError:
		return errnoOf(e.Err)
	}
	return unix.EIO
}
