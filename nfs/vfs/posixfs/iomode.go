package posixfs

import (
	"fmt"
	"math"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopolicy"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// IOMode says what large READs and WRITEs leave behind in the page cache. Requests
// of less than 128 KiB go through it in every mode: without it each of them would
// wait for the disc by itself. Whatever the mode, COMMIT is an fsync.
type IOMode = iopolicy.Mode

// The modes.
const (
	// IOBuffered leaves everything in the page cache.
	IOBuffered = iopolicy.Buffered
	// IODontCache goes through the page cache and lets it drop what was not in it
	// before (RWF_DONTCACHE: Linux 6.14; ext4 and XFS).
	IODontCache = iopolicy.DontCache
	// IODirect goes past the page cache (O_DIRECT where STATX_DIOALIGN gives an
	// alignment: Linux 6.1; ext4 and XFS). Pages that a WRITE covers in part only
	// still go through it.
	IODirect = iopolicy.Direct
	// IOAuto is IOBuffered, and IODontCache for streams through files that are too
	// large to keep, where the file system can.
	IOAuto = iopolicy.Auto
)

// ParseIOMode reads buffered, dontcache, direct or auto.
func ParseIOMode(word string) (IOMode, error) {
	m, ok := iopolicy.ParseMode(word)
	if !ok {
		return 0, fmt.Errorf("posixfs: %q is no I/O mode: buffered, dontcache, direct or auto", word)
	}
	return m, nil
}

// bigRequest is the fewest bytes of a request that need not stay in the page cache.
// Readahead makes folios of more than a request, which are dropped when a part of
// them has been read: of a stream in pieces of 1 MiB the disc reads a tenth twice, of
// one in pieces of 128 KiB half, and the smaller they are the longer each one waits.
const bigRequest = 128 << 10

// wayOf decides for a request of n bytes. It neither waits nor allocates.
func (fs *FS) wayOf(e *entry, d iopolicy.Direction, off uint64, n int) iopolicy.Way {
	if fs.policy.Mode == iopolicy.Buffered {
		return iopolicy.Keeping
	}
	return fs.policy.Of(e.Own.way.streams.Load(), d, off, n)
}

// passed notes that n bytes at off have passed. size is the file's. A lane
// does not make what it takes to remember.
func (v *View) passed(e *entry, d iopolicy.Direction, off uint64, n int, size uint64) {
	p := &v.fs.policy
	if !p.Follows(n, size) {
		return
	}
	t := e.Own.way.streams.Load()
	if t == nil {
		if v.lane {
			return
		}
		e.Own.way.streams.CompareAndSwap(nil, new(iopolicy.Streams))
		t = e.Own.way.streams.Load()
	}
	p.Pass(t, d, off, uint64(n))
}

// readBy is pread in the way that the mode wants. A lane reads only what is in the
// page cache as a whole: meeting a page that is not, it would have started
// readahead, and dropped the pages before it for nothing.
func (v *View) readBy(e *entry, fd int, dst []byte, off uint64) (int, vfs.Status) {
	w := v.fs.wayOf(e, iopolicy.ToRead, off, len(dst))
	if w == iopolicy.Keeping || off >= math.MaxInt64-2*uint64(len(dst)) {
		return v.pread(fd, dst, off)
	}
	if v.lane {
		if v.inCache(fd, off, len(dst)) != vfs.OK {
			return 0, vfs.Again
		}
		return v.preadNow(fd, dst, off, rwFlag(w))
	}
	if w == iopolicy.Past {
		if n, s, ok := v.readDirect(e, fd, dst, off); ok {
			return n, s
		}
		return v.pread(fd, dst, off)
	}
	for n := 0; ; {
		v.iov[0] = unix.Iovec{Base: &dst[n], Len: uint64(len(dst) - n)}
		r, errno := kernel.Call(
			unix.SYS_PREADV2,
			uintptr(fd),
			uintptr(unsafe.Pointer(&v.iov[0])),
			1,
			uintptr(off)+uintptr(n),
			0,
			rwFlag(w),
		)
		v.iov[0].Base = nil
		switch {
		case errno == unix.EOPNOTSUPP && n == 0: // this file cannot (DAX)
			return v.pread(fd, dst, off)
		case errno != 0:
			return 0, v.fs.status(errno)
		}
		if n += int(r); r == 0 || n == len(dst) {
			return n, vfs.OK
		}
	}
}

// rwFlag is what preadv2 and pwritev2 are given for a way.
func rwFlag(w iopolicy.Way) uintptr {
	if w == iopolicy.Dropping {
		return unix.RWF_DONTCACHE
	}
	return 0
}

// writeBy is writeAll in the way that the mode wants. v.st2 holds the attributes
// from before, and the thread acts for c. Lanes leave to the workers what does not
// stay in the page cache: it is sent to the disc at once.
func (v *View) writeBy(c *vfs.Cred, e *entry, fd int, src [][]byte, off uint64) (int, vfs.Status) {
	if v.fs.policy.Mode == iopolicy.Buffered {
		return v.writeAll(e, fd, src, off, 0)
	}
	total := 0
	for _, b := range src {
		total += len(b)
	}
	if !v.fs.policy.May(total) || off >= math.MaxInt64-2*uint64(total) {
		return v.writeAll(e, fd, src, off, 0)
	}
	size := max(v.st2.Size, off+uint64(total))
	w := v.fs.wayOf(e, iopolicy.ToWrite, off, total)
	// Lanes may write all of a stream that is kept, so that no worker would see it:
	// the first request makes what is needed to remember it.
	if v.lane &&
		(w != iopolicy.Keeping || v.fs.policy.Follows(total, size) && e.Own.way.streams.Load() == nil) {
		return 0, vfs.Again
	}
	if w == iopolicy.Past {
		return v.writeDirect(c, e, fd, src, off, total)
	}
	n, s := v.writeAll(e, fd, src, off, rwFlag(w))
	if s == vfs.NotSupp && w == iopolicy.Dropping { // this file cannot (DAX)
		n, s = v.writeAll(e, fd, src, off, 0)
	}
	if s != vfs.OK {
		return n, s
	}
	if w == iopolicy.Dropping {
		v.trail(e, fd, off+uint64(n))
	}
	v.passed(e, iopolicy.ToWrite, off, n, size)
	return n, s
}

// trail follows the writes of the dropping way at a distance: it waits until what is
// a window behind end is on its way to the disc no longer, and drops what is still
// in the page cache of that. RWF_DONTCACHE only starts writing, so that a fast client
// could fill the memory with pages that wait for the disc; and ext4 (up to Linux 6.18,
// at least) does not drop pages that were written to blocks which the file had before.
func (v *View) trail(e *entry, fd int, end uint64) {
	for old := e.Own.way.undropped.Load(); old < end && !e.Own.way.undropped.CompareAndSwap(old, end); {
		old = e.Own.way.undropped.Load()
	}
	w := v.fs.policy.Window()
	if end <= w {
		return
	}
	end -= w
	from := end - min(end, w)
	// Waiting uses up the failure that it meets, for its descriptor.
	wait := int(e.Waits.Load())
	if wait < 0 {
		wait, _ = v.openIO(e, &e.Waits, unix.O_RDONLY) // without it there is no waiting
	}
	if wait >= 0 && v.fs.waitRange(wait, from, end-from) != 0 {
		v.fs.lost() // the flush will fail, too; from now on clients know
	}
	_ = unix.Fadvise(fd, int64(from), int64(end-from), unix.FADV_DONTNEED)
}

// trailed drops what trail has not come to, once e has been flushed.
func (v *View) trailed(e *entry, fd int) {
	end := e.Own.way.undropped.Load()
	if end == 0 || !e.Own.way.undropped.CompareAndSwap(end, 0) {
		return
	}
	from := end - min(end, 2*v.fs.policy.Window())
	_ = unix.Fadvise(fd, int64(from), int64(end-from), unix.FADV_DONTNEED)
}
