package iopath

import (
	"math"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopolicy"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// Splice moves n bytes of f at off, read by fd, to the pipe: as many of them as the file of
// size bytes has. Moved may be fewer, when the file was truncated meanwhile, the pipe is
// full, or there is an error that the next READ will meet. Any other status than OK has
// moved nothing: NotSupp is for Read to try.
//
// On a lane the whole range has to be in the page cache, which cachestat(2) (Linux 6.5)
// tells for a microsecond: splice(2) would wait for a page that is not. Pages that are being
// read from the disc count as cached, and a sequential reader of a cold file always meets
// some, so that allRead looks whether they are there.
func (p *Path) Splice(f *File, fd int, off uint64, n int, to *vfs.Pipe, size uint64) (moved int, s vfs.Status) {
	if p.way(f, iopolicy.ToRead, off, n) != iopolicy.Keeping {
		return 0, vfs.NotSupp // spliced pages stay in the cache
	}
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
		// Each page takes a place in the pipe, also one of which it has a part. A reply
		// that is short without need costs another call, and there are clients that take
		// it for the end of the file.
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
				return 0, vfs.NotSupp // this file system cannot; or let a read try
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

// readStep is how far apart allRead looks. A look is a miss of the processor's caches, half
// a microsecond or so.
const readStep = 256 << 10

// allRead returns Again when a page in the range, which is cached, is still being read. What
// is read ahead arrives in order but for rare cases, and all of it must have been asked for
// before its end was, so that a byte in each step tells.
func (p *Path) allRead(fd int, off uint64, n int) vfs.Status {
	if p.Memory {
		return vfs.OK
	}
	for at := off; n > 0; {
		step := min(n, readStep)
		at, n = at+uint64(step), n-step
		switch got, s := p.preadNow(fd, p.byte1[:], at-1, 0); {
		case s != vfs.OK:
			return vfs.Again // whatever it is, a worker will meet it, too
		case got == 0:
			return vfs.OK // truncated meanwhile; splice(2) will see
		}
	}
	return vfs.OK
}

// spliceOnce is one splice(2) that does not wait for room in the pipe. It may read pages
// from the disc, on a lane those that were lost since it looked.
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
