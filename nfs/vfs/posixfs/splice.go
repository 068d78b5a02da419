package posixfs

import (
	"math"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopolicy"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

var _ vfs.Splicer = (*View)(nil)

// Splice implements vfs.Splicer.
//
// On a lane the whole range has to be in the page cache, which cachestat(2)
// (Linux 6.5) tells for a microsecond: splice(2) would wait for a page that is
// not. Pages that are being read from the disc count as cached, and a sequential
// reader of a cold file always meets some, so that allRead looks whether they are
// there.
func (v *View) Splice(
	c *vfs.Cred,
	h vfs.Handle,
	r *vfs.SpliceArgs,
	a *vfs.Attr,
) (moved int, eof bool, s vfs.Status) {
	off, n, p := r.Off, r.N, r.To
	defer v.done()
	e, fd, s := v.beginRead(&h, a)
	if s != vfs.OK {
		return 0, false, s
	}
	if v.fs.wayOf(e, iopolicy.ToRead, off, n) != iopolicy.Keeping {
		return 0, false, vfs.NotSupp // spliced pages stay in the cache
	}
	// checkRead fills v.st and asks for the verdict, or recalls it.
	if s = v.checkRead(c, e, a); s != vfs.OK {
		return 0, false, s
	}
	// Here, while the pipe is empty, in case that it has to be on a worker.
	if s = v.accessed(e); s != vfs.OK {
		return 0, false, s
	}
	size := v.st.Size
	if off >= size || off >= math.MaxInt64 {
		v.fs.attributes(a, &v.st)
		return 0, true, vfs.OK
	}
	if left := size - off; uint64(n) > left {
		n = int(left)
	}
	if n == 0 {
		v.fs.attributes(a, &v.st)
		return 0, false, vfs.OK
	}
	if int(off%pageSize)+n > p.Room {
		// Each page takes a place in the pipe, also one of which it has a part. A
		// reply that is short without need costs another call, and there are clients
		// that take it for the end of the file.
		return 0, false, vfs.NotSupp
	}
	if v.lane {
		if s = v.inCache(fd, off, n); s == vfs.OK {
			s = v.allRead(fd, off, n)
		}
		if s != vfs.OK {
			return 0, false, s
		}
	}
	tries := kernel.Patience{}
	for moved < n {
		m, errno := v.spliceOnce(fd, off+uint64(moved), p.WriteFD, n-moved)
		switch {
		case tries.AtOnceAgain(errno):
			continue
		case errno != 0 && moved == 0:
			if errno == unix.EINVAL || kernel.MayPass(errno) {
				return 0, false, vfs.NotSupp // this file system cannot; or let a read try
			}
			return 0, false, v.failed(e, a, v.fs.status(errno))
		}
		if errno != 0 || m == 0 {
			// Truncated meanwhile, the pipe is full, or an error that the next READ
			// will meet.
			return v.spliceEnd(e, off, moved, a)
		}
		moved += m
	}
	v.passed(e, iopolicy.ToRead, off, moved, size)
	v.fs.attributes(a, &v.st)
	return moved, off+uint64(moved) >= size, vfs.OK
}

// spliceEnd says whether fewer bytes than the file seemed to have are all of them.
func (v *View) spliceEnd(e *entry, off uint64, moved int, a *vfs.Attr) (int, bool, vfs.Status) {
	if errno := v.statx(e.FD, &v.st); errno != 0 && moved == 0 {
		a.Mask = 0
		return 0, false, v.status(errno)
	}
	eof := off+uint64(moved) >= v.st.Size
	if moved == 0 && !eof {
		// It has grown again. A client takes no bytes without eof for an error.
		return 0, false, vfs.NotSupp
	}
	v.fs.attributes(a, &v.st)
	return moved, eof, vfs.OK
}

var pageSize = uint64(unix.Getpagesize())

// cachestat's number is the same on all architectures that this is built for.
const sysCachestat = 451

type cachestatRange struct{ off, len uint64 }

type cachestatResult struct{ cache, dirty, writeback, evicted, recentlyEvicted uint64 }

// inCache returns OK when all pages of the range are in the page cache, Again when
// they are not, and NotSupp when the kernel does not tell: before Linux 6.5, and of
// files of others where the process has no rights over them.
func (v *View) inCache(fd int, off uint64, n int) vfs.Status {
	first := off &^ (pageSize - 1)
	v.csRange = cachestatRange{off: first, len: off + uint64(n) - first}
	_, _, errno := unix.RawSyscall6(
		sysCachestat,
		uintptr(fd),
		uintptr(unsafe.Pointer(&v.csRange)),
		uintptr(unsafe.Pointer(&v.cs)),
		0,
		0,
		0,
	)
	if errno != 0 {
		if v.fs.is.memory {
			return vfs.OK
		}
		return vfs.NotSupp
	}
	if pages := (v.csRange.len + pageSize - 1) / pageSize; v.cs.cache < pages {
		return vfs.Again
	}
	return vfs.OK
}

// readStep is how far apart allRead looks. A look is a miss of the processor's caches,
// half a microsecond or so.
const readStep = 256 << 10

// allRead returns Again when a page in the range, which is cached, is still being
// read. What is read ahead arrives in order but for rare cases, and all of it must
// have been asked for before its end was, so that a byte in each step tells.
func (v *View) allRead(fd int, off uint64, n int) vfs.Status {
	if v.fs.is.memory {
		return vfs.OK
	}
	for at := off; n > 0; {
		step := min(n, readStep)
		at, n = at+uint64(step), n-step
		switch got, s := v.preadNow(fd, v.byte1[:], at-1, 0); {
		case s != vfs.OK:
			return vfs.Again // whatever it is, a worker will meet it, too
		case got == 0:
			return vfs.OK // truncated meanwhile; splice(2) will see
		}
	}
	return vfs.OK
}

// spliceOnce is one splice(2) that does not wait for room in the pipe. It may read
// pages from the disc, on a lane those that were lost since it looked.
func (v *View) spliceOnce(fd int, off uint64, to, n int) (int, unix.Errno) {
	v.spliceOff = int64(off)
	const flags = unix.SPLICE_F_MOVE | unix.SPLICE_F_NONBLOCK
	r, _, errno := unix.Syscall6(
		unix.SYS_SPLICE,
		uintptr(fd),
		uintptr(unsafe.Pointer(&v.spliceOff)),
		uintptr(to),
		0,
		uintptr(n),
		flags,
	)
	if errno != 0 {
		return 0, errno
	}
	return int(r), 0
}
