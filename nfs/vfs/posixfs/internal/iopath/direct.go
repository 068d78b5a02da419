package iopath

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopolicy"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/uring/futex"
)

// Direct I/O moves whole pages, to and from memory with the alignment that the file asks for. A
// READ reads the pages around its range. If the first or the last page of a WRITE is not whole,
// that page goes through the page cache. So no page is ever written in both ways at once. The
// kernel writes back and drops what the cache holds of a range before and after a direct write to
// it, and writes back before a direct read.
//
// A payload follows a header, so it is rarely aligned in memory. Such a payload goes through a
// bounce buffer. That copy costs as much as the page cache's copy would.

// noDirect is File.align of a file that direct I/O cannot read and write.
const noDirect = ^uint32(0)

// bounceSize is how many bytes go through a bounce buffer at once.
const bounceSize = 1 << 20

// bounces are the bounce buffers of the process that nobody uses. A worker takes one for a request.
// They lie outside the heap.
var bounces struct {
	futex.Mutex
	free [][]byte
}

// bouncesKept is how many unused buffers are kept.
const bouncesKept = 16

// takeBounce returns a buffer of bounceSize bytes, nil if there is no memory. giveBounce takes the
// buffer back.
func takeBounce() []byte {
	bounces.Lock()
	defer bounces.Unlock()
	if n := len(bounces.free); n > 0 {
		b := bounces.free[n-1]
		bounces.free = bounces.free[:n-1]
		return b
	}
	b, err := unix.Mmap(
		-1,
		0,
		bounceSize,
		unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS,
	)
	if err != nil {
		return nil
	}
	return b
}

func giveBounce(b []byte) {
	bounces.Lock()
	defer bounces.Unlock()
	if len(bounces.free) < bouncesKept {
		bounces.free = append(bounces.free, b)
		return
	}
	_ = unix.Munmap(b)
}

// directFD returns a descriptor of f for direct I/O, and the alignments that the file asks for: of
// ranges in the file, and of memory. It may leave the thread acting for the process itself. ok is
// false if direct I/O cannot read or write f.
func (p *Path) directFD(f *File, d iopolicy.Direction) (fd int, page uint64, mem uintptr, ok bool) {
	if f.align.Load() == noDirect {
		return -1, 0, 0, false
	}
	fd, flags := int(f.fds.Direct[d].Load()), unix.O_RDONLY
	if fd < 0 {
		if d == iopolicy.ToWrite {
			flags = unix.O_RDWR
		}
		var s vfs.Status
		if fd, s = p.owner.OpenMore(&f.fds.Direct[d], flags|unix.O_DIRECT); s != vfs.OK {
			if s == vfs.Inval { // open's answer on file systems without direct I/O
				f.align.Store(noDirect)
			}
			return -1, 0, 0, false
		}
	}
	if f.align.Load() == 0 {
		f.align.Store(directAlign(fd))
	}
	a := f.align.Load()
	if a == noDirect {
		return -1, 0, 0, false
	}
	return fd, max(pageSize, uint64(a&0xffff)<<8), uintptr(a >> 16), true
}

// directAlign asks the kernel for a file's alignments. The low half is the alignment of ranges, in
// units of 256 bytes; the high half is that of memory. It returns noDirect if the file has none.
func directAlign(fd int) uint32 {
	var st unix.Statx_t
	_, errno := kernel.Call(
		unix.SYS_STATX,
		uintptr(fd),
		uintptr(unsafe.Pointer(&kernel.EmptyPath[0])),
		unix.AT_EMPTY_PATH,
		unix.STATX_DIOALIGN,
		uintptr(unsafe.Pointer(&st)),
		0,
	)
	if errno != 0 || st.Mask&unix.STATX_DIOALIGN == 0 {
		return noDirect
	}
	off, mem := st.Dio_offset_align, st.Dio_mem_align
	if off == 0 || mem == 0 || off > bounceSize || mem > uint32(pageSize) {
		return noDirect
	}
	return (off+255)>>8 | mem<<16
}

// readDirect is pread past the page cache. If ok is false, the caller has to read f through the
// page cache, by fd.
func (p *Path) readDirect(f *File, fd int, dst []byte, off uint64) (n int, s vfs.Status, ok bool) {
	dfd, page, mem, ok := p.directFD(f, iopolicy.ToRead)
	if !ok {
		return 0, vfs.OK, false
	}
	if off%page == 0 && uint64(len(dst))%page == 0 && aligned(dst, mem) {
		for n < len(dst) {
			r, errno := kernel.Call(
				unix.SYS_PREAD64,
				uintptr(dfd),
				uintptr(unsafe.Pointer(&dst[n])),
				uintptr(len(dst)-n),
				uintptr(off)+uintptr(n),
				0,
				0,
			)
			if errno != 0 {
				return p.notDirect(f, errno)
			}
			n += int(r)
			if r == 0 || uint64(r)%page != 0 {
				return p.readEnd(fd, dst, n, off)
			}
		}
		return n, vfs.OK, true
	}
	b := takeBounce()
	if b == nil {
		return 0, vfs.OK, false
	}
	defer giveBounce(b)
	end := roundUp(off+uint64(len(dst)), page)
	for n < len(dst) {
		at := (off + uint64(n)) &^ (page - 1)
		ask := min(end-at, bounceSize)
		r, errno := kernel.Call(
			unix.SYS_PREAD64,
			uintptr(dfd),
			uintptr(unsafe.Pointer(&b[0])),
			uintptr(ask),
			uintptr(at),
			0,
			0,
		)
		if errno != 0 {
			return p.notDirect(f, errno)
		}
		skip := off + uint64(n) - at
		n += copy(dst[n:], b[min(skip, uint64(r)):r])
		if uint64(r) <= skip || uint64(r)%page != 0 {
			return p.readEnd(fd, dst, n, off)
		}
	}
	return n, vfs.OK, true
}

// readEnd reads what is behind a direct read that has ended within a page. Usually that is nothing,
// because the file ends there. But the client would take a short reply for the end of the file.
func (p *Path) readEnd(fd int, dst []byte, n int, off uint64) (int, vfs.Status, bool) {
	m, s := p.pread(fd, dst[n:], off+uint64(n))
	return n + m, s, true
}

// notDirect returns readDirect's results for errno. A file system may refuse what statx has
// promised. The caller then reads through the page cache.
func (p *Path) notDirect(f *File, errno unix.Errno) (int, vfs.Status, bool) {
	if errno == unix.EINVAL || errno == unix.EOPNOTSUPP {
		f.align.Store(noDirect)
		return 0, vfs.OK, false
	}
	return 0, p.status(errno), true
}

// writeDirect is writeAll past the page cache, except for pages that are not written whole.
func (p *Path) writeDirect(
	c *vfs.Cred,
	f *File,
	fd int,
	src [][]byte,
	off uint64,
	total int,
) (n int, s vfs.Status) {
	dfd, page, mem, ok := p.directFD(f, iopolicy.ToWrite)
	if !p.owner.ActFor(c) { // opening it needed the process's rights
		return 0, vfs.ServerFault
	}
	first, last := int(roundUp(off, page)-off), total-int((off+uint64(total))&(page-1))
	if !ok || last <= first {
		return p.writeAll(f, fd, src, off, 0)
	}
	defer func() {
		clear(p.parts) // the data belongs to the caller
		p.parts = p.parts[:0]
	}()
	for _, x := range [...]struct {
		from, to int
		direct   bool
	}{{0, first, false}, {first, last, true}, {last, total, false}} {
		if x.from == x.to {
			continue
		}
		p.parts = pieces(p.parts[:0], src, x.from, x.to)
		var m int
		if x.direct {
			m, s = p.writePages(f, dfd, fd, p.parts, off+uint64(x.from), x.to-x.from, mem)
		} else {
			m, s = p.writeAll(f, fd, p.parts, off+uint64(x.from), 0)
		}
		if s != vfs.OK && n > 0 {
			return n, vfs.OK // the bytes that were written count
		}
		if n += m; s != vfs.OK || m < x.to-x.from {
			return n, s
		}
	}
	return n, vfs.OK
}

// writePages writes whole pages, total bytes, directly. If the file system refuses that, it writes
// them through the page cache.
func (p *Path) writePages(
	f *File,
	dfd, fd int,
	src [][]byte,
	off uint64,
	total int,
	mem uintptr,
) (n int, s vfs.Status) {
	var b []byte
	if len(src) != 1 || !aligned(src[0], mem) {
		if b = takeBounce(); b == nil {
			return p.writeAll(f, fd, src, off, 0)
		}
		defer giveBounce(b)
	}
	defer f.flush.Wrote() // as in writeAll
	for i, skip := 0, 0; n < total; {
		var piece []byte
		if b == nil {
			piece = src[0][n:]
		} else {
			// piece begins at byte skip of src[i].
			m := 0
			for j, k := i, skip; j < len(src) && m < len(b); j, k = j+1, 0 {
				m += copy(b[m:], src[j][k:])
			}
			piece = b[:m]
		}
		r, errno := kernel.Call(
			unix.SYS_PWRITE64,
			uintptr(dfd),
			uintptr(unsafe.Pointer(&piece[0])),
			uintptr(len(piece)),
			uintptr(off)+uintptr(n),
			0,
			0,
		)
		switch {
		case errno == unix.EINVAL || errno == unix.EOPNOTSUPP:
			f.align.Store(noDirect)
			m, s := p.writeAll(f, fd, pieces(nil, src, n, total), off+uint64(n), 0)
			if n > 0 {
				s = vfs.OK
			}
			return n + m, s
		case errno != 0:
			return n, p.writeError(errno, n)
		}
		n += int(r)
		if int(r) < len(piece) {
			break // a short write is a result, too
		}
		for skip += int(r); i < len(src) && skip >= len(src[i]); i++ {
			skip -= len(src[i])
		}
	}
	if n == 0 {
		return 0, vfs.IO
	}
	return n, vfs.OK
}

// pieces appends the bytes of src from index from up to index to.
func pieces(dst, src [][]byte, from, to int) [][]byte {
	for _, b := range src {
		if lo, hi := max(from, 0), min(to, len(b)); lo < hi {
			dst = append(dst, b[lo:hi])
		}
		from, to = from-len(b), to-len(b)
	}
	return dst
}

func aligned(b []byte, mem uintptr) bool {
	return uintptr(unsafe.Pointer(&b[0]))%mem == 0
}

func roundUp(n, page uint64) uint64 { return (n + page - 1) &^ (page - 1) }
