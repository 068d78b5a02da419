package pace

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

const (
	// A lane's write may take longWrite now and then. A write that takes slowWrite, or a
	// second long one within often of the first, is slow. Both limits grow by perByte ns
	// per byte, about ten times a byte's cost. Time lost to preemption does not count.
	longWrite = int64(time.Millisecond)
	slowWrite = int64(10 * time.Millisecond)
	often     = int64(20 * time.Millisecond)
	perByte   = 3
	// StuckWrite is how many ns a lane may spend in one write before it is reported as held up.
	StuckWrite = int64(time.Second)
	// After a slow write the workers write for pauseMin at least. The pause doubles when
	// another slow write follows soon, up to pauseMax, and is never shorter than
	// pauseTimes the time that the slow write took, up to pauseLimit.
	pauseMin   = int64(200 * time.Millisecond)
	pauseMax   = int64(10 * time.Second)
	pauseTimes = 10
	pauseLimit = int64(time.Hour)
	// At the start the median of some small writes, probes in number, is measured. If it is
	// more than probeMax ns, lanes do not write at all.
	probeMax = int64(50 * time.Microsecond)
	probes   = 15
)

// Pace decides for one file system whether lanes write. Its times are in ns of Clock.
type Pace struct {
	// Immutable after Open.
	on     bool
	memory bool   // no disc: a worker would not write faster, so lanes never pause
	why    string // why lanes do not write although Inline asked for it
	// Clock returns the ns since some fixed moment. Open sets it if it is nil.
	Clock func() int64

	// Atomic.
	until atomic.Int64 // workers write until then
	pause atomic.Int64 // how long the last pause was
	long  atomic.Int64 // when the last long write ended

	soiled chan struct{} // receives a value when a lane has written much
}

// Open decides whether lanes write at all to the file system of the directory root. If memory and
// foreign are false, Open may try a few writes and block for the file system.
func (p *Pace) Open(path Path, root int, memory, foreign bool) {
	p.soiled = make(chan struct{}, 1)
	if p.Clock == nil {
		born := time.Now()
		p.Clock = func() int64 { return int64(time.Since(born)) }
	}
	p.memory = memory
	switch {
	case path == Worker || foreign:
	case memory:
		p.on = true
	default:
		why := p.probe(root)
		if p.on = why == ""; path == Inline {
			p.why = why
		}
	}
}

// probe writes a little to a file without a name, in the same way as WRITE. It returns the reason
// why lanes should not write, or "".
func (p *Pace) probe(root int) string {
	fd, err := unix.Openat(root, ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		if errors.Is(err, unix.EROFS) {
			return "" // a lane's WRITE gets the same error, at once
		}
		return fmt.Sprintf("writing to it could not be tried: %v", err)
	}
	defer func() { _ = unix.Close(fd) }() // the kernel removes the file when it is closed
	b := make([]byte, 4096)
	took := make([]int64, 0, probes)
	var st unix.Statx_t
	for range probes {
		start := p.Clock()
		if n, err := unix.Pwrite(fd, b, 0); err != nil || n != len(b) || kernel.StatxWait(fd, &st) != 0 {
			return fmt.Sprintf("writing to it could not be tried: %v", err)
		}
		took = append(took, p.Clock()-start)
	}
	slices.Sort(took)
	if m := took[probes/2]; m > probeMax {
		return fmt.Sprintf("a small write takes %v", time.Duration(m))
	}
	return ""
}

// Why returns the reason why lanes do not write although Inline asked for it, or "".
func (p *Pace) Why() string { return p.why }

// On reports whether lanes write at all.
func (p *Pace) On() bool { return p.on }

// may reports whether a lane may write now.
func (p *Pace) may(now int64) bool { return p.on && (p.memory || now >= p.until.Load()) }

// beyond returns how much longer than perByte allows a write of n bytes took, in ns.
func beyond(start, end int64, n int) int64 { return end - start - perByte*int64(n) }

// took notes that a write of n bytes held a lane up from start to end.
func (p *Pace) took(start, end int64, n int) {
	extra := beyond(start, end, n)
	if extra <= longWrite {
		return
	}
	if last := p.long.Swap(end); extra > slowWrite || last > start-often && last > 0 && last <= start {
		p.Slow(start, end)
	}
}

// Slow notes that a write was slow from start to end, and begins a pause.
func (p *Pace) Slow(start, end int64) {
	until := p.until.Load()
	if until > start && until >= end+pauseTimes*(end-start) {
		return // another lane has begun the pause for the same hold-up
	}
	length := p.pause.Load()
	if until <= start {
		well := start - until // how long writes were quick
		switch {
		case length == 0:
			length = pauseMin
		case well < length:
			length = min(2*length, pauseMax)
		default:
			for ; length > pauseMin && well >= length; length /= 2 {
				well -= length
			}
		}
		length = max(length, pauseMin)
		p.pause.Store(length)
	}
	p.until.Store(end + max(length, min(pauseTimes*(end-start), pauseLimit)))
}
