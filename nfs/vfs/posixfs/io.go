package posixfs

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/verdict"
)

// reader returns a descriptor of e for reading or flushing. On a lane it returns Again if there is
// none yet.
func (v *View) reader(e *entry) (int, vfs.Status) {
	if r := e.Read.Load(); r >= 0 {
		return int(r), vfs.OK
	}
	if w := e.Write.Load(); w >= 0 {
		return int(w), vfs.OK
	}
	return v.openIO(e, &e.Read, unix.O_RDONLY)
}

// writer returns a descriptor of e for writing. On a lane it returns Again if there is none yet.
func (v *View) writer(e *entry) (int, vfs.Status) {
	if w := e.Write.Load(); w >= 0 {
		e.Wrote()
		return int(w), vfs.OK
	}
	return v.openIO(e, &e.Write, unix.O_RDWR)
}

// writerFor is writer for a caller whose right to write has not been checked. It opens a file for
// writing only if the caller has that right: while the file is open for writing nobody can execute
// it, and leases on it are broken. It overwrites v.st2.
func (v *View) writerFor(c *vfs.Cred, e *entry) (int, vfs.Status) {
	if v.lane || e.Write.Load() >= 0 {
		return v.writer(e)
	}
	if s := v.mayWrite(c, e); s != vfs.OK {
		return -1, s
	}
	return v.writer(e)
}

// mayWrite returns OK if c may write to e, and otherwise the reason. It overwrites v.st2.
func (v *View) mayWrite(c *vfs.Cred, e *entry) vfs.Status {
	if s := v.stat(e, &v.st2); s != vfs.OK {
		return s
	}
	granted, s := v.judge.May(c, &e.Own.rights, &v.st2, verdict.WriteData)
	if s == vfs.OK && granted == 0 {
		s = v.denied(e)
	}
	return s
}

// committer returns a descriptor with which to flush e, for a caller whose right to write has not
// been checked. It does not open a file for writing that this server has not written to.
func (v *View) committer(c *vfs.Cred, e *entry) (int, vfs.Status) {
	if e.Write.Load() >= 0 {
		return v.writer(e)
	}
	if s := v.mayWrite(c, e); s != vfs.OK {
		return -1, s
	}
	fd, s := v.reader(e)
	if s == vfs.Access || s == vfs.Perm { // the process is not root and may not read e
		return v.writer(e)
	}
	return fd, s
}

// denied returns the reason why a caller may not write to e. The kernel's check does not
// distinguish a read-only file system from a file that belongs to somebody else.
func (v *View) denied(e *entry) vfs.Status {
	_, errno := kernel.Call(unix.SYS_FSTATFS, uintptr(e.FD), uintptr(unsafe.Pointer(&v.sf)), 0, 0, 0, 0)
	if errno == 0 && v.sf.Flags&unix.ST_RDONLY != 0 {
		return vfs.ROFS
	}
	return vfs.Access
}

// flusher returns a descriptor with which to flush e. It prefers the one for writing, which knows
// of failures.
func (v *View) flusher(e *entry) (int, vfs.Status) {
	if w := e.Write.Load(); w >= 0 {
		return int(w), vfs.OK
	}
	return v.reader(e)
}

// stabilizer returns a descriptor with which to put a change of e's attributes on stable storage.
// It is -1 if the file system must be flushed instead.
func (v *View) stabilizer(e *entry) (int, vfs.Status) {
	if e.Kind != unix.S_IFREG && e.Kind != unix.S_IFDIR {
		return -1, vfs.OK
	}
	fd, s := v.flusher(e)
	if s == vfs.Access || s == vfs.Perm || s == vfs.ROFS { // the process is not root
		return -1, vfs.OK
	}
	return fd, s
}

// openIO opens e with the process's own rights; other code decides what the caller may do.
// O_NONBLOCK is for files on which somebody holds a lease: openIO then returns Delay, so that the
// client comes back.
func (v *View) openIO(e *entry, to *atomic.Int32, flags int) (int, vfs.Status) {
	if v.lane {
		return -1, vfs.Again
	}
	if e.Kind != unix.S_IFREG && e.Kind != unix.S_IFDIR {
		return -1, vfs.Inval
	}
	if !v.as(nil) {
		return -1, vfs.ServerFault
	}
	v.fs.room(1)
	e.Opening.Lock()
	defer e.Opening.Unlock()
	if fd := to.Load(); fd >= 0 {
		return int(fd), vfs.OK
	}
	flags |= unix.O_CLOEXEC | unix.O_NOCTTY | v.fs.quiet(e)
	if !v.fs.is.foreign { // there EAGAIN may be the file system's own error, and never end
		flags |= unix.O_NONBLOCK
	}
	fd, errno := opened(flags, func(flags int) (int, unix.Errno) {
		return v.fs.plenty(func() (int, unix.Errno) { return v.reopen(e, flags) })
	})
	switch {
	case errno == 0:
	case errno == unix.EAGAIN && flags&unix.O_NONBLOCK != 0:
		return -1, vfs.Delay // the kernel ends the lease, after 45 s at the latest
	default:
		return -1, v.fs.status(errno)
	}
	v.fs.tab.Opened()
	to.Store(int32(fd))
	if to == &e.Write {
		v.fs.tab.Writable(e)
	}
	return fd, vfs.OK
}

func (v *View) reopen(e *entry, flags int) (int, unix.Errno) {
	// Not every file system finds an object without a name by its handle.
	if v.fs.is.byHandle && !e.Pinned() && v.kh.Set(&e.Handle) {
		for p := (kernel.Patience{}); ; {
			fd, errno := kernel.OpenByHandle(v.fs.root, &v.kh, flags)
			if errno != unix.ENOMEM || !p.Again(errno) {
				return fd, errno
			}
		}
	}
	fd, errno := openPath(e.FD, flags)
	if errno == unix.EACCES && e.Kind == unix.S_IFREG && v.fs.lends() {
		return v.openOwn(e, flags)
	}
	return fd, errno
}
