package posixfs

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

var _ vfs.Ranges = (*View)(nil)

// Allocate implements vfs.Ranges.
func (v *View) Allocate(c *vfs.Cred, h vfs.Handle, r *vfs.RangeArgs, w *vfs.WCC) vfs.Status {
	return v.fallocate(c, &h, r.Off, r.Len, 0, w)
}

// Deallocate implements vfs.Ranges.
func (v *View) Deallocate(c *vfs.Cred, h vfs.Handle, r *vfs.RangeArgs, w *vfs.WCC) vfs.Status {
	n := r.Len
	if most := v.fs.limits.FileSizeMax; r.Off < most {
		n = min(n, most-r.Off) // the kernel refuses what reaches further
	}
	return v.fallocate(c, &h, r.Off, n, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, w)
}

func (v *View) fallocate(c *vfs.Cred, h *vfs.Handle, off, n uint64, mode uintptr, w *vfs.WCC) vfs.Status {
	return v.alter(c, h, w, func(e *entry, fd int) (s vfs.Status) {
		mark := e.Own.flush.Failures()
		switch {
		case n == 0:
			return vfs.Inval
		case off > math.MaxInt64 || n > math.MaxInt64-off:
			return vfs.FBig
		}
		_, errno := kernel.Call(unix.SYS_FALLOCATE, uintptr(fd), mode, uintptr(off), uintptr(n), 0, 0)
		if errno != 0 {
			return v.fs.status(errno)
		}
		return v.stabilizeData(e, fd, mark)
	})
}

// alter has act change the content of the regular file h on a worker, with w around it. The
// thread acts for c, whose right to write has been checked, and fd is open for writing.
func (v *View) alter(
	c *vfs.Cred,
	h *vfs.Handle,
	w *vfs.WCC,
	act func(e *entry, fd int) vfs.Status,
) vfs.Status {
	if v.lane {
		return vfs.Again
	}
	*w = vfs.WCC{}
	e, s := v.acquire(h, useMain)
	if s != vfs.OK {
		return s
	}
	defer v.doneChanging()
	e.Own.data.Locking.Add(1)
	defer e.Own.data.Locking.Add(-1)
	v.begin(&e.Key, false, siteAlter)
	fd, s := v.beginWrite(c, e, false)
	if v.st2.Nlink != 0 {
		v.fs.setBefore(w, &v.st2)
	}
	if s == vfs.OK {
		s = act(e, fd)
	}
	v.after(e, w)
	return s
}

// Seek implements vfs.Ranges.
func (v *View) Seek(c *vfs.Cred, h vfs.Handle, r *vfs.SeekArgs, a *vfs.Attr) (at uint64, s vfs.Status) {
	if v.lane {
		return 0, vfs.Again
	}
	defer v.done()
	e, fd, s := v.beginRead(&h, a)
	if s != vfs.OK {
		return 0, s
	}
	if s = v.checkRead(c, e, a); s != vfs.OK {
		return 0, s
	}
	if r.Off > math.MaxInt64 {
		return 0, v.failed(e, a, vfs.NXIO)
	}
	whence := uintptr(unix.SEEK_DATA)
	if r.Hole {
		whence = unix.SEEK_HOLE
	}
	// That this moves the descriptor's position is nobody's concern: reads and writes say where.
	got, errno := kernel.Call(unix.SYS_LSEEK, uintptr(fd), uintptr(r.Off), whence, 0, 0, 0)
	if errno != 0 {
		return 0, v.failed(e, a, v.fs.status(errno))
	}
	return uint64(got), v.failed(e, a, vfs.OK)
}

// needMax is how much of what a client says it will read is read at once: the hint is worth no
// more of everybody's memory than that.
const needMax = 16 << 20

// WillNeed implements vfs.Ranges.
func (v *View) WillNeed(c *vfs.Cred, h vfs.Handle, r *vfs.RangeArgs) vfs.Status {
	if v.lane {
		return vfs.Again
	}
	defer v.done()
	var a vfs.Attr
	e, fd, s := v.beginRead(&h, &a)
	if s != vfs.OK {
		return s
	}
	if s = v.checkRead(c, e, &a); s != vfs.OK {
		return s
	}
	n := uint64(needMax)
	if r.Len != 0 {
		n = min(n, r.Len)
	}
	if r.Off >= v.st.Size {
		return vfs.OK
	}
	_ = unix.Fadvise(fd, int64(r.Off), int64(n), unix.FADV_WILLNEED) // a hint
	return vfs.OK
}
