package iopath

import (
	"math"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopolicy"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/pace"
)

// MayWrite reports whether the Path may make a write that has to be as stable as how. A worker
// always may. On a lane MayWrite also starts the clock for the write.
func (p *Path) MayWrite(how vfs.Stability) bool {
	return !p.lane || how == vfs.Unstable && p.writer.May(&p.Pace)
}

// Writer returns the times of a lane's writes.
func (p *Path) Writer() *pace.Writer { return &p.writer }

// Write writes src to fd, a descriptor of f, at off, in the way that the policy decides. The caller
// calls MayWrite before. The thread acts for c. size is the file's size before. epoch is the
// thread's (vfs.Thread). A short write is a result, too: n is how many bytes were written.
//
// A lane leaves data that does not stay in the page cache to the workers, because such data is sent
// to the disc at once.
func (p *Path) Write(
	c *vfs.Cred,
	f *File,
	fd int,
	src [][]byte,
	off, size, epoch uint64,
) (n int, s vfs.Status) {
	if p.lane {
		p.writer.Begin(epoch)
		defer func() { p.writer.End(&p.Pace, n) }()
	}
	total := length(src)
	switch {
	case total == 0:
		return 0, vfs.OK
	case off > math.MaxInt64 || uint64(total) > math.MaxInt64-off:
		return 0, vfs.FBig
	}
	way, grown := iopolicy.Keeping, max(size, off+uint64(total))
	if p.Policy.May(total) && off < math.MaxInt64-2*uint64(total) {
		way = p.way(f, iopolicy.ToWrite, off, total)
		// Lanes may write all of a stream that stays in the cache, and then no worker would
		// see the stream. So a worker makes the first request, and with it the memory to
		// remember the stream.
		if p.lane &&
			(way != iopolicy.Keeping || p.Policy.Follows(total, grown) && f.streams.Load() == nil) {
			return 0, vfs.Again
		}
	}
	switch {
	case p.lane && p.wouldWait(f, fd, off, uint64(total), size):
		return 0, vfs.Again
	case way == iopolicy.Past:
		return p.writeDirect(c, f, fd, src, off, total)
	case way == iopolicy.Dropping:
		n, s = p.writeDropping(f, fd, src, off)
	default:
		n, s = p.writeAll(f, fd, src, off, 0)
	}
	if s == vfs.OK {
		p.passed(f, iopolicy.ToWrite, off, n, grown)
	}
	return n, s
}

// writeDropping is writeAll, but the page cache drops pages that it did not have before.
func (p *Path) writeDropping(f *File, fd int, src [][]byte, off uint64) (n int, s vfs.Status) {
	if n, s = p.writeAll(f, fd, src, off, unix.RWF_DONTCACHE); s == vfs.NotSupp { // DAX
		n, s = p.writeAll(f, fd, src, off, 0)
	}
	if s == vfs.OK {
		p.trail(f, fd, off+uint64(n))
	}
	return n, s
}

func length(src [][]byte) (n int) {
	for _, b := range src {
		n += len(b)
	}
	return n
}

// writeAll writes src, which is not empty, at off, with flags of pwritev2(2). Bytes that were
// written before an error count.
func (p *Path) writeAll(f *File, fd int, src [][]byte, off uint64, flags uintptr) (n int, s vfs.Status) {
	total := length(src)
	// The file is in use until Wrote has counted the write, so nobody closes it.
	defer f.flush.Wrote()
	t := kernel.Patience{}
	i, skip := 0, 0 // the first segment that is not yet written, and how much of it is
	for n < total {
		k, asked := p.vector(src[i:], skip)
		r, errno := p.pwritev(fd, k, off+uint64(n), flags)
		if errno != 0 {
			if !p.lane && t.Again(errno) || p.lane && t.AtOnceAgain(errno) {
				continue
			}
			return n, p.writeError(errno, n)
		}
		n += int(r)
		if p.lane && int(r) < asked || r == 0 {
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

// vector fills p.iov from src without its first skip bytes. It returns how many elements it used,
// and how many bytes these have.
func (p *Path) vector(src [][]byte, skip int) (k, bytes int) {
	for _, b := range src {
		if b = b[skip:]; len(b) > 0 {
			p.iov[k] = unix.Iovec{Base: &b[0], Len: uint64(len(b))}
			bytes += len(b)
			if k++; k == len(p.iov) {
				break
			}
		}
		skip = 0
	}
	return k, bytes
}

// pwritev writes p.iov[:k]. Lanes do not use RWF_NOWAIT (docs/design/0008). They tell Go's
// scheduler that the call may sleep, because Go's collector waits for every thread that is in a
// call which does not tell.
func (p *Path) pwritev(fd, k int, off uint64, flags uintptr) (r uintptr, errno unix.Errno) {
	nr := uintptr(unix.SYS_PWRITEV2)
	if p.NoPwritev2 { // then there are no flags, because no mode needs them
		nr = unix.SYS_PWRITEV
	}
	r, _, errno = unix.Syscall6(
		nr,
		uintptr(fd),
		uintptr(unsafe.Pointer(&p.iov[0])),
		uintptr(k),
		uintptr(off),
		0,
		flags,
	)
	clear(p.iov[:k]) // the data belongs to the caller
	return r, errno
}

// writeError returns the status of a write that failed after n bytes.
func (p *Path) writeError(errno unix.Errno, n int) vfs.Status {
	if n > 0 {
		return vfs.OK
	}
	return p.status(errno)
}

// wouldWait reports whether writing total bytes to f at off would wait for something that can be
// known before: a worker that has the file, a page that must be read because the write covers only
// a part of it, or a page under writeback that the disc needs unchanged. size is the file's size.
func (p *Path) wouldWait(f *File, fd int, off, total, size uint64) bool {
	if p.Memory {
		return false
	}
	if f.Locking.Load() != 0 {
		return true
	}
	inner := p.Block - 1
	if total == 0 || off >= size && size&inner == 0 {
		return false // nothing is there
	}
	end := min(off+total, size)
	switch {
	case off >= size: // the present end of the file will be in its middle
		off, end = size-1, size
	case off&inner == 0 && (end&inner == 0 || end == size) && !p.StillPages:
		return false
	}
	return p.inCache(fd, off, int(end-off)) != vfs.OK || p.StillPages && p.pages.Writeback > 0
}

// trail follows the dropping writes at a distance. It waits until the writeback of the window that
// lies one window behind end has ended. Then it drops the pages of that window that the page cache
// still has. There are two reasons. RWF_DONTCACHE only starts the writeback, so a fast client could
// fill the memory with pages that wait for the disc. And ext4 (up to Linux 6.18, at least) does not
// drop pages that were written to blocks which the file already had.
func (p *Path) trail(f *File, fd int, end uint64) {
	for old := f.undropped.Load(); old < end && !f.undropped.CompareAndSwap(old, end); {
		old = f.undropped.Load()
	}
	w := p.Policy.Window()
	if end <= w {
		return
	}
	end -= w
	from := end - min(end, w)
	// The wait uses up the failure that it meets, as far as its own descriptor is concerned.
	wait := int(f.fds.Waits.Load())
	if wait < 0 {
		wait, _ = p.owner.OpenMore(&f.fds.Waits, unix.O_RDONLY) // if it fails, trail does not wait
	}
	if wait >= 0 && p.Store.WaitRange(wait, from, end-from) != 0 {
		p.Store.Lost() // the flush will fail, too; clients learn of it from now on
	}
	_ = unix.Fadvise(fd, int64(from), int64(end-from), unix.FADV_DONTNEED)
}

// Flushed drops from the page cache the pages that trail has not reached. Its caller has flushed f
// before. fd is a descriptor of f.
func (s *Shared) Flushed(f *File, fd int) {
	end := f.undropped.Load()
	if end == 0 || !f.undropped.CompareAndSwap(end, 0) {
		return
	}
	from := end - min(end, 2*s.Policy.Window())
	_ = unix.Fadvise(fd, int64(from), int64(end-from), unix.FADV_DONTNEED)
}
