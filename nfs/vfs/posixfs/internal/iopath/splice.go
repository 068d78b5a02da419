package iopath

import (
	"math"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopolicy"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// MaySplice reports whether a READ of n bytes at off may be spliced. If not, Read should try. It
// neither waits nor allocates.
func (p *Path) MaySplice(f *File, off uint64, n int) bool {
	return p.way(f, iopolicy.ToRead, off, n) == iopolicy.Keeping // spliced pages stay in the cache
}

// Splice moves bytes of f from off to the pipe, read by fd: n of them, or as many as the file of
// size bytes has. moved may be smaller if somebody truncated the file meanwhile, if the pipe is
// full, or after an error that the next READ will meet. If s is not OK, Splice has moved nothing.
// NotSupp means that Read should try. The caller calls MaySplice before.
//
// On a lane the whole range has to be in the page cache, because splice(2) would wait for a missing
// page. Asking cachestat(2) (Linux 6.5) costs a microsecond. That call counts pages as cached while
// they are still being read from disc, and a sequential reader of a cold file always meets such
// pages. So allRead checks that they have arrived.
func (p *Path) Splice(
	f *File,
	fd int,
	off uint64,
	n int,
	to *vfs.Pipe,
	size uint64,
) (moved int, s vfs.Status) {
	if off >= size || off >= math.MaxInt64 {
		return 0, vfs.OK
	}
	if left := size - off; uint64(n) > left {
		n = int(left)
	}
	if n == 0 {
		return 0, vfs.OK
	}
	if int(off%pageSize)+n > to.Room {
		// Each page takes a place in the pipe, even if only a part of it is moved. A reply
		// that is shorter than necessary costs another call, and some clients take it for
		// the end of the file.
		return 0, vfs.NotSupp
	}
	if p.lane {
		if s = p.inCache(fd, off, n); s == vfs.OK {
			s = p.allRead(fd, off, n)
		}
		if s != vfs.OK {
			return 0, s
		}
	}
	tries := kernel.Patience{}
	for moved < n {
		m, errno := p.spliceOnce(fd, off+uint64(moved), to.WriteFD, n-moved)
		switch {
		case tries.AtOnceAgain(errno):
			continue
		case errno != 0 && moved == 0:
			if errno == unix.EINVAL || kernel.MayPass(errno) {
				return 0, vfs.NotSupp // cannot splice, or a read should try
			}
			return 0, p.status(errno)
		}
		if errno != 0 || m == 0 {
			return moved, vfs.OK
		}
		moved += m
	}
	p.passed(f, iopolicy.ToRead, off, moved, size)
	return moved, vfs.OK
}

// readStep is how far apart allRead's looks are, in bytes. A look misses the processor's caches and
// takes about half a microsecond.
const readStep = 256 << 10

// allRead returns Again if a page of the range, which is cached, is still being read. Pages that
// are read ahead arrive in order, except in rare cases, and the kernel asks for all of a step
// before it asks for the step's end. So it is enough to look at one byte in each step.
func (p *Path) allRead(fd int, off uint64, n int) vfs.Status {
	if p.Memory {
		return vfs.OK
	}
	for at := off; n > 0; {
		step := min(n, readStep)
		at, n = at+uint64(step), n-step
		switch got, s := p.preadNow(fd, p.byte1[:], at-1, 0); {
		case s != vfs.OK:
			return vfs.Again // whatever the status is, a worker will meet it, too
		case got == 0:
			return vfs.OK // truncated meanwhile; splice(2) will notice
		}
	}
	return vfs.OK
}

// spliceOnce makes one splice(2), which does not wait for room in the pipe. It may read pages from
// disc; on a lane these are pages that the cache has lost since Splice looked.
func (p *Path) spliceOnce(fd int, off uint64, to, n int) (int, unix.Errno) {
	p.spliceOff = int64(off)
	const flags = unix.SPLICE_F_MOVE | unix.SPLICE_F_NONBLOCK
	r, _, errno := unix.Syscall6(
		unix.SYS_SPLICE,
		uintptr(fd),
		uintptr(unsafe.Pointer(&p.spliceOff)),
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
