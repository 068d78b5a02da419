package iopath

import (
	"math"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopolicy"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// Read reads from fd, a descriptor of f, at off, until dst is full or the file ends. Then it asks
// for f's attributes. s is not OK if the read failed, or if a lane found only a part in memory, so
// that a worker has to go on. Otherwise looked is the error of asking for the attributes. If looked
// is 0, the attributes are in st, and n and eof are valid. The caller calls Passed afterwards.
func (p *Path) Read(
	f *File,
	fd int,
	dst []byte,
	off uint64,
	st *unix.Statx_t,
) (n int, eof bool, s vfs.Status, looked unix.Errno) {
	if n, s = p.readBy(f, fd, dst, off); s != vfs.OK {
		return 0, false, s, 0
	}
	if p.lane {
		looked = kernel.StatxRaw(f.fd, st)
	} else {
		looked = kernel.StatxWait(f.fd, st)
	}
	if looked != 0 {
		return 0, false, vfs.OK, looked
	}
	eof = off >= st.Size || uint64(n) >= st.Size-off
	if n < len(dst) && !eof && p.lane {
		return 0, false, vfs.Again, 0
	}
	return n, eof || n < len(dst), vfs.OK, 0
}

// Passed notes that a READ has moved n bytes at off, by Read. size is the file's size. The caller
// calls it once the READ can no longer be refused or go to a worker: such a READ passes nothing.
func (p *Path) Passed(f *File, off uint64, n int, size uint64) {
	p.passed(f, iopolicy.ToRead, off, n, size)
}

// readBy reads in the way that the policy decides. If the policy's way is not Keeping, a lane reads
// only a range that is in the page cache as a whole. Otherwise the lane would start readahead at
// the first missing page, and drop the pages before it for nothing.
func (p *Path) readBy(f *File, fd int, dst []byte, off uint64) (int, vfs.Status) {
	w := p.way(f, iopolicy.ToRead, off, len(dst))
	if w == iopolicy.Keeping || off >= math.MaxInt64-2*uint64(len(dst)) {
		return p.pread(fd, dst, off)
	}
	if p.lane {
		if p.inCache(fd, off, len(dst)) != vfs.OK {
			return 0, vfs.Again
		}
		return p.preadNow(fd, dst, off, rwFlag(w))
	}
	if w == iopolicy.Past {
		if n, s, ok := p.readDirect(f, fd, dst, off); ok {
			return n, s
		}
		return p.pread(fd, dst, off)
	}
	for n := 0; ; {
		p.iov[0] = unix.Iovec{Base: &dst[n], Len: uint64(len(dst) - n)}
		r, errno := kernel.Call(
			unix.SYS_PREADV2,
			uintptr(fd),
			uintptr(unsafe.Pointer(&p.iov[0])),
			1,
			uintptr(off)+uintptr(n),
			0,
			rwFlag(w),
		)
		p.iov[0].Base = nil
		switch {
		case errno == unix.EOPNOTSUPP && n == 0: // not for this file (DAX)
			return p.pread(fd, dst, off)
		case errno != 0:
			return 0, p.status(errno)
		}
		if n += int(r); r == 0 || n == len(dst) {
			return n, vfs.OK
		}
	}
}

// pread reads until dst is full or the file ends. On a lane it makes one attempt, which does not
// wait.
func (p *Path) pread(fd int, dst []byte, off uint64) (int, vfs.Status) {
	if off >= math.MaxInt64 || len(dst) == 0 {
		return 0, vfs.OK
	}
	if left := math.MaxInt64 - off; uint64(len(dst)) > left {
		dst = dst[:left]
	}
	if p.lane {
		return p.preadNow(fd, dst, off, 0)
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
			return 0, p.status(errno)
		}
		if n += int(r); r == 0 || n == len(dst) {
			return n, vfs.OK
		}
	}
}

// preadNow makes one read that does not wait, with more flags of preadv2(2). It returns Again if
// the bytes at off are not in memory.
func (p *Path) preadNow(fd int, dst []byte, off uint64, more uintptr) (int, vfs.Status) {
	flags := unix.RWF_NOWAIT | more
	switch {
	case p.Memory && p.PlainRead:
		r, _, errno := unix.RawSyscall6(
			unix.SYS_PREAD64,
			uintptr(fd),
			uintptr(unsafe.Pointer(&dst[0])),
			uintptr(len(dst)),
			uintptr(off),
			0,
			0,
		)
		if errno == 0 {
			return int(r), vfs.OK
		}
		return 0, p.status(errno)
	case p.Memory: // has no RWF_NOWAIT and hardly needs it
		flags = 0
	case p.noReadNow.Load() || p.PlainRead:
		return 0, vfs.Again
	}
	p.iov[0] = unix.Iovec{Base: &dst[0], Len: uint64(len(dst))}
	r, _, errno := unix.RawSyscall6(
		unix.SYS_PREADV2,
		uintptr(fd),
		uintptr(unsafe.Pointer(&p.iov[0])),
		1,
		uintptr(off),
		0,
		flags,
	)
	p.iov[0].Base = nil
	switch errno {
	case 0:
		return int(r), vfs.OK
	case unix.EOPNOTSUPP:
		p.noReadNow.Store(true)
		return 0, vfs.Again
	}
	return 0, p.status(errno)
}
