package posixfs

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// Reading updates the access time, for which most file systems open a transaction
// and may wait for their journal: a lane must not do that. Where the mount has
// relatime, files are therefore opened with O_NOATIME, and the FS follows
// relatime's rule by itself: a READ that finds the access time behind is done by a
// worker, which reads a byte in the ordinary way. A file that is read and written
// all the time is done so once per tick only; the janitor does the rest.

// vainMax is after how many attempts without effect an object is taken for one
// whose access time stays (chattr +A, a file system that was made read-only).
const vainMax = 3

const relatimeAge = 24 * 60 * 60 // seconds, as in the kernel

// ownsAtime reports whether access times are the FS's own business.
func (fs *FS) ownsAtime(sf *unix.Statfs_t) bool {
	return fs.is.byHandle && !fs.is.disowned && !fs.is.memory && sf.Flags&unix.ST_RELATIME != 0 &&
		sf.Flags&(unix.ST_NOATIME|unix.ST_RDONLY) == 0
}

// quiet is the flag to open e with for reading or writing.
func (fs *FS) quiet(e *entry) int {
	if fs.is.ownAtime && e.Kind == unix.S_IFREG {
		return unix.O_NOATIME
	}
	return 0
}

// quietNew is quiet for a file that is about to be made. Where it could belong to
// somebody else than who makes it, the flag would be refused when it is there.
func (fs *FS) quietNew() int {
	if fs.is.ownAtime && fs.is.births {
		return unix.O_NOATIME
	}
	return 0
}

// opened opens by open with flags. O_NOATIME is for who owns the file or has CAP_FOWNER
// over its owner, whom a user namespace or the mount may not map: it is left out then.
func opened(flags int, open func(flags int) (int, unix.Errno)) (int, unix.Errno) {
	fd, errno := open(flags)
	if errno == unix.EPERM && flags&unix.O_NOATIME != 0 {
		return open(flags &^ unix.O_NOATIME)
	}
	return fd, errno
}

// behind is relatime's rule.
func (fs *FS) behind(st *unix.Statx_t) bool {
	return !kernel.Later(&st.Atime, &st.Mtime) || !kernel.Later(&st.Atime, &st.Ctime) ||
		fs.now.Load()-st.Atime.Sec >= relatimeAge
}

// accessed is called after e was read, when v.st shows its attributes. A worker
// brings the access time and v.st up to date. Again: this is for a worker.
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
	v.fs.access(&e.Handle)
	s := v.stat(e, &v.st)
	if v.st.Atime != before {
		e.Own.atime.vain.Store(0)
	} else {
		e.Own.atime.vain.Add(1)
	}
	return s
}

// access reads from the object of h, so that the kernel notes the time. It blocks.
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

// writeAtime does what accessed has put off.
func (fs *FS) writeAtime(e *entry) {
	if e.Own.atime.due.Swap(false) {
		fs.access(&e.Handle)
	}
}
