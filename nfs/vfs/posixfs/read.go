package posixfs

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/verdict"
)

// Read implements vfs.View.
//
// Usually it makes two system calls: the read, and statx. statx returns the attributes for the
// reply, and the ctime that the remembered verdict must match. The verdict is from before the read
// and still holds after it, so it held during the read. If no remembered verdict grants the READ,
// Read asks for the permission first.
func (v *View) Read(c *vfs.Cred, h vfs.Handle, r *vfs.ReadArgs, a *vfs.Attr) (n int, eof bool, s vfs.Status) {
	defer v.done()
	e, fd, s := v.beginRead(&h, a)
	if s != vfs.OK {
		return 0, false, s
	}
	checked := false
	if !v.judge.Judged(c, &e.Own.rights, verdict.ReadData) {
		if s = v.checkRead(c, e, a); s != vfs.OK {
			return 0, false, s
		}
		checked = true
	}
	for {
		var looked unix.Errno
		before := count(e)
		n, eof, s, looked = v.data.Read(&e.Own.data, fd, r.Dst, r.Off, &v.st)
		v.touched(e) // also if it has read less than it should
		if s != vfs.OK {
			return 0, false, v.failed(e, a, s)
		}
		if s = v.looked(e, looked, &v.st); s != vfs.OK {
			a.Mask = 0
			return 0, false, s
		}
		if k := e.Own.kept; k != nil && !k.Fresh(before, v.fs.tick.Load()) {
			v.met(e, before, &v.st)
		}
		if checked || v.judge.Has(c, &e.Own.rights, &v.st, verdict.ReadData) {
			break
		}
		if s = v.checkRead(c, e, a); s != vfs.OK {
			return 0, false, s
		}
		checked = true
	}
	if s = v.accessed(e); s != vfs.OK {
		return 0, false, s
	}
	v.data.Passed(&e.Own.data, r.Off, n, v.st.Size)
	v.fs.attributes(a, &v.st)
	return n, eof, vfs.OK
}

// beginRead finds the regular file that h names, and a descriptor to read it with. If it fails, it
// fills a as Read does.
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

// checkRead asks whether c may read e. It fills a if the answer is no.
func (v *View) checkRead(c *vfs.Cred, e *entry, a *vfs.Attr) vfs.Status {
	if s := v.stat(e, &v.st); s != vfs.OK {
		a.Mask = 0
		return s
	}
	granted, s := v.judge.May(c, &e.Own.rights, &v.st, verdict.ReadData)
	if s == vfs.OK && granted == 0 {
		s = vfs.Access
	}
	if s != vfs.OK && s != vfs.Again {
		v.fs.attributes(a, &v.st)
	}
	return s
}

// notAFile returns the reason why e's content cannot be read or written.
func (v *View) notAFile(e *entry, a *vfs.Attr) vfs.Status {
	if e.Kind == unix.S_IFDIR {
		return v.failed(e, a, vfs.IsDir)
	}
	return v.failed(e, a, vfs.Inval)
}

// failed fills a for a call that fails with s. It returns s, or Stale if the object is gone.
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
	v.touched(e)
	s = vfs.OK
	if errno != 0 {
		s = v.fs.status(errno)
	}
	return int(r), v.failed(e, a, s)
}
