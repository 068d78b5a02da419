package posixfs

import (
	"math"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopolicy"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// Read implements vfs.View.
//
// Usually it is two system calls: the read, then statx, which gives the reply's
// attributes and the ctime that the remembered verdict must match. The verdict is
// from before the read and still holds after it, so it held all the while. Without
// one that grants it the permission is asked for first.
func (v *View) Read(c *vfs.Cred, h vfs.Handle, r *vfs.ReadArgs, a *vfs.Attr) (n int, eof bool, s vfs.Status) {
	off, dst := r.Off, r.Dst
	defer v.done()
	e, fd, s := v.beginRead(&h, a)
	if s != vfs.OK {
		return 0, false, s
	}
	checked := false
	if !v.judged(c, e, mayReadData) {
		if s = v.checkRead(c, e, a); s != vfs.OK {
			return 0, false, s
		}
		checked = true
	}
	for {
		n, s = v.readBy(e, fd, dst, off)
		if s != vfs.OK {
			return 0, false, v.failed(e, a, s)
		}
		if s = v.stat(e, &v.st); s != vfs.OK {
			a.Mask = 0
			return 0, false, s
		}
		if checked || v.has(c, e, &v.st, mayReadData) {
			break
		}
		if s = v.checkRead(c, e, a); s != vfs.OK {
			return 0, false, s
		}
		checked = true
	}
	end := off >= v.st.Size || uint64(n) >= v.st.Size-off
	if n < len(dst) && !end && v.lane {
		return 0, false, vfs.Again // only part of it is in memory
	}
	if s = v.accessed(e); s != vfs.OK {
		return 0, false, s
	}
	v.passed(e, iopolicy.ToRead, off, n, v.st.Size) // what lanes find in memory needs no other way
	v.fs.attributes(a, &v.st)
	return n, end || n < len(dst), vfs.OK
}

// beginRead finds the regular file that h names and a descriptor to read it with.
// When it fails, a is filled as Read has it.
func (v *View) beginRead(h *vfs.Handle, a *vfs.Attr) (e *entry, fd int, s vfs.Status) {
	e, s = v.acquire(h, useMain)
	if s != vfs.OK {
		if s != vfs.Again {
			a.Mask = 0
		}
		return nil, -1, s
	}
	if e.Kind != unix.S_IFREG {
		return nil, -1, v.notAFile(e, a)
	}
	if fd, s = v.reader(e); s != vfs.OK {
		return nil, -1, v.failed(e, a, s)
	}
	return e, fd, vfs.OK
}

// checkRead asks whether c may read e. a is filled when the answer is no.
func (v *View) checkRead(c *vfs.Cred, e *entry, a *vfs.Attr) vfs.Status {
	if s := v.stat(e, &v.st); s != vfs.OK {
		a.Mask = 0
		return s
	}
	granted, s := v.may(c, e, &v.st, mayReadData)
	if s == vfs.OK && granted == 0 {
		s = vfs.Access
	}
	if s != vfs.OK && s != vfs.Again {
		v.fs.attributes(a, &v.st)
	}
	return s
}

// notAFile says why e's content cannot be read or written.
func (v *View) notAFile(e *entry, a *vfs.Attr) vfs.Status {
	if e.Kind == unix.S_IFDIR {
		return v.failed(e, a, vfs.IsDir)
	}
	return v.failed(e, a, vfs.Inval)
}

// failed fills a for a call that fails with s and returns s, or Stale when the
// object is gone.
func (v *View) failed(e *entry, a *vfs.Attr, s vfs.Status) vfs.Status {
	if s == vfs.Again {
		return s
	}
	if t := v.stat(e, &v.st); t != vfs.OK {
		a.Mask = 0
		return t
	}
	v.fs.attributes(a, &v.st)
	return s
}

// pread reads until dst is full or the file ends. On a lane it takes one attempt
// that does not wait.
func (v *View) pread(fd int, dst []byte, off uint64) (int, vfs.Status) {
	if off >= math.MaxInt64 || len(dst) == 0 {
		return 0, vfs.OK
	}
	if left := math.MaxInt64 - off; uint64(len(dst)) > left {
		dst = dst[:left]
	}
	if v.lane {
		return v.preadNow(fd, dst, off, 0)
	}
	for n := 0; ; {
		r, errno := kernel.Call(
			unix.SYS_PREAD64,
			uintptr(fd),
			uintptr(unsafe.Pointer(&dst[n])),
			uintptr(len(dst)-n),
			uintptr(off)+uintptr(n),
			0,
			0,
		)
		if errno != 0 {
			return 0, v.fs.status(errno)
		}
		if n += int(r); r == 0 || n == len(dst) {
			return n, vfs.OK
		}
	}
}

func (v *View) preadNow(fd int, dst []byte, off uint64, more uintptr) (int, vfs.Status) {
	flags := unix.RWF_NOWAIT | more
	switch {
	case v.fs.is.memory && v.fs.is.plainRead:
		r, _, errno := unix.RawSyscall6(
			unix.SYS_PREAD64,
			uintptr(fd),
			uintptr(unsafe.Pointer(&dst[0])),
			uintptr(len(dst)),
			uintptr(off),
			0,
			0,
		)
		switch errno {
		case 0:
			return int(r), vfs.OK
		}
		return 0, v.status(errno)
	case v.fs.is.memory: // has no RWF_NOWAIT and hardly needs it
		flags = 0
	case v.fs.noReadNow.Load():
		return 0, vfs.Again
	}
	v.iov[0] = unix.Iovec{Base: &dst[0], Len: uint64(len(dst))}
	r, _, errno := unix.RawSyscall6(
		unix.SYS_PREADV2,
		uintptr(fd),
		uintptr(unsafe.Pointer(&v.iov[0])),
		1,
		uintptr(off),
		0,
		flags,
	)
	v.iov[0].Base = nil
	switch errno {
	case 0:
		return int(r), vfs.OK
	case unix.EOPNOTSUPP:
		v.fs.noReadNow.Store(true)
		return 0, vfs.Again
	}
	return 0, v.status(errno)
}

// ReadLink implements vfs.View.
func (v *View) ReadLink(_ *vfs.Cred, h vfs.Handle, dst []byte, a *vfs.Attr) (int, vfs.Status) {
	if v.lane {
		return 0, vfs.Again
	}
	e, s := v.acquire(&h, useMain)
	if s != vfs.OK {
		a.Mask = 0
		return 0, s
	}
	defer v.done()
	if e.Kind != unix.S_IFLNK || len(dst) == 0 {
		return 0, v.failed(e, a, vfs.Inval)
	}
	r, errno := kernel.Call(
		unix.SYS_READLINKAT,
		uintptr(e.FD),
		uintptr(unsafe.Pointer(&kernel.EmptyPath[0])),
		uintptr(unsafe.Pointer(&dst[0])),
		uintptr(len(dst)),
		0,
		0,
	)
	s = vfs.OK
	if errno != 0 {
		s = v.fs.status(errno)
	}
	return int(r), v.failed(e, a, s)
}
