package posixfs

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// WritePath says which threads make unstable writes. Stable ones are always the
// workers' affair.
type WritePath uint8

// The ways to write.
const (
	// WriteAuto lets lanes write in memory (tmpfs, ramfs), and as WriteInline does to
	// local discs on which writing was quick at the start.
	WriteAuto WritePath = iota
	// WriteWorker leaves all writing to the workers.
	WriteWorker
	// WriteInline lets lanes write to the page cache of discs too, as long as that
	// is quick, and says why when it is not. It is cheaper by far, and holds a lane up
	// when the file system makes its writers wait: for as long as it is frozen
	// (fsfreeze(8), snapshots), or its journal is full.
	WriteInline
)

// ErrWritePath is returned for a word that is no way to write.
var ErrWritePath = errors.New("posixfs: no such way to write")

// ParseWritePath reads auto, worker or inline.
func ParseWritePath(word string) (WritePath, error) {
	i := slices.Index([]string{WriteAuto: "auto", WriteWorker: "worker", WriteInline: "inline"}, word)
	if i < 0 {
		return 0, fmt.Errorf("%w: %q", ErrWritePath, word)
	}
	return WritePath(i), nil
}

const (
	// longWrite is how long a write of a lane may take now and then. slowWrite may
	// none take, and a second long one within often is slow, too. Each byte adds
	// perByte, some ten times what it costs. What takes long because it was preempted
	// does not count: a worker would have been as well.
	longWrite = int64(time.Millisecond)
	slowWrite = int64(10 * time.Millisecond)
	often     = int64(20 * time.Millisecond)
	perByte   = 3
	// stuckWrite is when it is said that a lane is held up.
	stuckWrite = int64(time.Second)
	// Lanes leave writing to the workers for at least pauseMin when a write was slow,
	// for twice as long as last time when it is slow again soon, and at least for
	// pauseTimes as long as it took.
	pauseMin   = int64(200 * time.Millisecond)
	pauseMax   = int64(10 * time.Second)
	pauseTimes = 10
	pauseLimit = int64(time.Hour)
	// probeMax is the longest that a small write may take at the start, in the
	// median of probes, for lanes to write at all.
	probeMax = int64(50 * time.Microsecond)
	probes   = 15
)

// laneWrites is what decides whether lanes write by themselves. Times are in
// nanoseconds of clock.
type laneWrites struct {
	// Immutable.
	on    bool
	still bool   // also when it was slow: there is no disc, so a worker would fare no better
	why   string // why not, when it was asked for
	whole bool   // writes wait for pages that are being written back
	block uint64 // what is written in part is read before
	clock func() int64

	// Atomic.
	until atomic.Int64 // the workers write until then
	pause atomic.Int64 // how long it was last
	long  atomic.Int64 // when the last long write ended
}

// may reports whether a lane may write now.
func (l *laneWrites) may(now int64) bool { return l.on && (l.still || now >= l.until.Load()) }

// beyond returns by how much a write of n bytes took longer than it may.
func beyond(start, end int64, n int) int64 { return end - start - perByte*int64(n) }

// took notes that a write of n bytes held a lane up, and when it began and ended.
func (l *laneWrites) took(start, end int64, n int) {
	extra := beyond(start, end, n)
	if extra <= longWrite {
		return
	}
	if last := l.long.Swap(end); extra > slowWrite || last > start-often && last > 0 && last <= start {
		l.slow(start, end)
	}
}

func (l *laneWrites) slow(start, end int64) {
	until := l.until.Load()
	if until > start && until >= end+pauseTimes*(end-start) {
		return // another lane has met the same
	}
	p := l.pause.Load()
	if until <= start {
		well := start - until // for how long it went well
		switch {
		case p == 0:
			p = pauseMin
		case well < p:
			p = min(2*p, pauseMax)
		default:
			for ; p > pauseMin && well >= p; p /= 2 {
				well -= p
			}
		}
		p = max(p, pauseMin)
		l.pause.Store(p)
	}
	l.until.Store(end + max(p, min(pauseTimes*(end-start), pauseLimit)))
}

// openWrites decides whether lanes write.
func (fs *FS) openWrites(path WritePath, sf *unix.Statfs_t) {
	l := &fs.writes
	born := time.Now()
	l.clock = func() int64 { return int64(time.Since(born)) }
	l.block = uint64(max(int64(unix.Getpagesize()), sf.Bsize))
	switch {
	case path == WriteWorker || fs.is.foreign:
	case fs.is.memory:
		l.on, l.still = true, true
	default:
		l.whole = stablePages(fs.root)
		why := fs.probeWrites()
		if l.on = why == ""; path == WriteInline {
			l.why = why
		}
	}
}

// stablePages reports whether the device wants pages to stay as they are while it
// writes them (checksums): then writers wait for it.
func stablePages(root int) bool {
	var st unix.Statx_t
	if kernel.StatxWait(root, &st) != 0 {
		return true
	}
	b, err := os.ReadFile(
		fmt.Sprintf("/sys/class/bdi/%d:%d/stable_pages_required", st.Dev_major, st.Dev_minor),
	)
	return err == nil && len(b) > 0 && b[0] != '0'
}

// probeWrites writes a little to a file without a name, as WRITE does, and says why
// lanes had better not, or nothing.
func (fs *FS) probeWrites() string {
	fd, err := unix.Openat(fs.root, ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		if errors.Is(err, unix.EROFS) {
			return "" // so are its writes
		}
		return fmt.Sprintf("writing to it could not be tried: %v", err)
	}
	defer func() { _ = unix.Close(fd) }() // the file is gone with it
	b := make([]byte, 4096)
	took := make([]int64, 0, probes)
	var st unix.Statx_t
	for range probes {
		start := fs.writes.clock()
		if n, err := unix.Pwrite(fd, b, 0); err != nil || n != len(b) || kernel.StatxWait(fd, &st) != 0 {
			return fmt.Sprintf("writing to it could not be tried: %v", err)
		}
		took = append(took, fs.writes.clock()-start)
	}
	slices.Sort(took)
	if m := took[probes/2]; m > probeMax {
		return fmt.Sprintf("a small write takes %v", time.Duration(m))
	}
	return ""
}

// wouldWait reports whether writing total bytes to e at off would wait for
// something that can be known before: a worker that has the file, a page that must
// be read because only a part of it is written, a page on its way to a disc that
// does not want it changed. v.st2 holds e's attributes.
func (v *View) wouldWait(e *entry, fd int, off, total uint64) bool {
	if v.fs.is.memory {
		return false
	}
	if e.Own.access.locking.Load() != 0 {
		return true
	}
	l := &v.fs.writes
	size, inner := v.st2.Size, l.block-1
	if total == 0 || off >= size && size&inner == 0 {
		return false // nothing is there
	}
	end := min(off+total, size)
	switch {
	case off >= size: // the end of what is there becomes its middle
		off, end = size-1, size
	case off&inner == 0 && (end&inner == 0 || end == size) && !l.whole:
		return false
	}
	return v.inCache(fd, off, int(end-off)) != vfs.OK || l.whole && v.cs.writeback > 0
}

// standing is how a thread stands with its processor.
type standing struct {
	slept     int64 // how often it has given it up to wait for something (ru_nvcsw of getrusage(2))
	preempted int64 // how often another was put in its place (ru_nivcsw)
	ran       int64 // ns for which it has had it, as of the timer's last tick (1 to 10 ms)
	at        int64 // ns of laneWrites.clock
}

// heldUp reports whether a thread that was s before and is now after something long
// was held up by it: it slept, or was busy, as when the kernel reclaims memory or
// spins for a lock. Else another thread had the processor; or the hypervisor took it
// away and says so, which can be told once it was for longer than a tick.
func (s standing) heldUp(now standing) bool {
	if now.slept != s.slept {
		return true
	}
	all := now.at - s.at
	return now.preempted == s.preempted && (all < slowWrite || 2*(now.ran-s.ran) >= all)
}

// awake remembers how the lane's thread stood before it writes. Between the writes
// of a turn it does not sleep, so that the turn's first one asks for all.
func (v *View) awake(now int64) {
	if !v.asked || v.askedAt != v.th.Epoch {
		v.asked, v.askedAt = true, v.th.Epoch
		v.stood = v.standing(now)
	}
}

// standing asks the kernel, which cannot fail: the arguments are right.
func (v *View) standing(now int64) standing {
	_, _, _ = unix.RawSyscall(unix.SYS_GETRUSAGE, unix.RUSAGE_THREAD, uintptr(unsafe.Pointer(&v.usage)), 0)
	return standing{v.usage.Nvcsw, v.usage.Nivcsw, v.usage.Utime.Nano() + v.usage.Stime.Nano(), now}
}

// wrote ends a write of n bytes of a lane that has begun at start.
func (v *View) wrote(start int64, n int) {
	v.writing.Store(0)
	if end := v.fs.writes.clock(); beyond(start, end, n) > longWrite {
		now := v.standing(end)
		if v.stood.heldUp(now) {
			v.fs.writes.took(start, end, n)
		}
		v.stood = now
	}
	if !v.fs.writes.still { // what is in memory stays dirty, and makes nobody wait
		v.count(n)
	}
}

// watchWrites leaves writing to the workers when a lane is held up by a write, and
// says so, once for each.
func (fs *FS) watchWrites(now int64) {
	for _, v := range *fs.views.Load() {
		since := v.writing.Load()
		if since == 0 || now-since < stuckWrite {
			continue
		}
		fs.writes.slow(since, now)
		if v.told.Swap(since) != since {
			fs.running.Go(func() { // who reads the log may be slow, and ticks must go on
				fs.log.Warn(
					"posixfs: a lane is held up by a write; is the file system frozen, or the disc stuck?",
					"dir",
					fs.dir,
				)
			})
		}
	}
}
