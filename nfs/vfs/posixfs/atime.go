package posixfs

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// Reading updates the access time. Most file systems open a transaction for that, and may wait for
// their journal; a lane must not do that. So where the mount has relatime, the FS opens files with
// O_NOATIME and follows relatime's rule itself. If a READ finds that the access time is behind, a
// worker does the READ, and reads a byte in the ordinary way. For a file that is read and written
// all the time a worker does that only once per tick. After that the janitor updates the access
// time.

// vainMax is how many attempts may have no effect before the FS assumes that the object's access
// time does not change (chattr +A, a file system that was made read-only).
const vainMax = 3

const relatimeAge = 24 * 60 * 60 // seconds, as in the kernel

// ownsAtime reports whether the FS updates access times itself.
func (fs *FS) ownsAtime(sf *unix.Statfs_t) bool {
	return fs.is.byHandle && !fs.is.disowned && !fs.is.memory && sf.Flags&unix.ST_RELATIME != 0 &&
		sf.Flags&(unix.ST_NOATIME|unix.ST_RDONLY) == 0
}

// quiet returns the extra flag with which to open e for reading or writing.
func (fs *FS) quiet(e *entry) int {
	if fs.is.ownAtime && e.Kind == unix.S_IFREG {
		return unix.O_NOATIME
	}
	return 0
}

// quietNew is quiet for a file that is about to be made. If the file may belong to another user
// than its maker, the kernel would make the file and then refuse the flag, so quietNew leaves it
// out.
func (fs *FS) quietNew() int {
	if fs.is.ownAtime && fs.is.births {
		return unix.O_NOATIME
	}
	return 0
}

// opened calls open with flags. Only a process that owns the file, or that has CAP_FOWNER over its
// owner, may use O_NOATIME. A user namespace or the mount may not map the owner. If the kernel
// refuses the flag, opened calls open again without it.
func opened(flags int, open func(flags int) (int, unix.Errno)) (int, unix.Errno) {
	fd, errno := open(flags)
	if errno == unix.EPERM && flags&unix.O_NOATIME != 0 {
		return open(flags &^ unix.O_NOATIME)
	}
	return fd, errno
}

// behind applies relatime's rule: it reports whether the access time in st must be updated.
func (fs *FS) behind(st *unix.Statx_t) bool {
	return !kernel.Later(&st.Atime, &st.Mtime) || !kernel.Later(&st.Atime, &st.Ctime) ||
		fs.now.Load()-st.Atime.Sec >= relatimeAge
}

// accessed must be called after e was read, when v.st holds its attributes. If the access time is
// behind, a worker brings it and v.st up to date. A lane returns Again, so that a worker does it.
func (v *View) accessed(e *entry) vfs.Status {
	if !v.fs.is.ownAtime || !v.fs.behind(&v.st) {
		return vfs.OK
	}
	tick := v.fs.tick.Load()
	switch {
	case e.Own.atime.vain.Load() >= vainMax:
		return vfs.OK
	case e.Own.atime.tick.Load() == tick:
		if !e.Own.atime.due.Load() {
			e.Own.atime.due.Store(true)
		}
		return vfs.OK
	case v.lane:
		return vfs.Again
	}
	e.Own.atime.tick.Store(tick)
	if !v.as(nil) {
		return vfs.ServerFault
	}
	before := v.st.Atime
	v.fs.accessCounted(e)
	s := v.stat(e, &v.st)
	if v.st.Atime != before {
		e.Own.atime.vain.Store(0)
	} else {
		e.Own.atime.vain.Add(1)
	}
	return s
}

// access reads from the object of h, so that the kernel sets the access time. It blocks.
func (fs *FS) access(h *vfs.Handle) {
	var k kernel.FileHandle
	if !k.Set(h) {
		return
	}
	fd, errno := kernel.OpenByHandle(fs.root, &k, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOCTTY|unix.O_NONBLOCK)
	if errno != 0 {
		return
	}
	defer kernel.CloseFD(fd)
	var b [1]byte
	_, _ = unix.Pread(fd, b[:], 0)
}

// writeAtime updates the access time of e if accessed has put that off.
func (fs *FS) writeAtime(e *entry) {
	if e.Own.atime.due.Swap(false) {
		fs.accessCounted(e)
	}
}

// accessCounted is access of e. It counts as a change.
func (fs *FS) accessCounted(e *entry) {
	if k := e.Own.kept; k != nil && fs.leaveOut != siteAccessed {
		k.Slot().Attr.Begin()
		defer k.Slot().Attr.End()
	}
	fs.access(&e.Handle)
}
