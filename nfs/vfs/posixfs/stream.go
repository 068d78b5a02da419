package posixfs

import "sync/atomic"

// IOAuto has to see which requests belong to a stream. Clients keep several requests
// of a stream under way, which different lanes and workers run in any order, so a
// request belongs to the stream whose end is near; and one file may have several
// readers. All of it is atomic counters of which each makes sense by itself: a race
// costs a request the better way, at worst.

// direction is which way data passes. The streams of each are told apart.
type direction uint8

const (
	toRead direction = iota
	toWrite
	directions
)

// streaming is when IOAuto takes requests for a stream that should not stay in the
// page cache, in bytes.
type streaming struct {
	size   uint64 // of a file, at least
	proof  uint64 // how much of it has passed in sequence
	window uint64 // how far from a stream's end a request of it may begin
}

// streamsOf returns what is a large stream where memory bytes are all there are.
func streamsOf(memory uint64) streaming {
	s := streaming{size: memory / 4, proof: memory / 64}
	s.window = min(s.size/8, 32<<20)
	return s
}

// streams is what is known of the streams through one file. It is made once the
// first large request for a file that is large enough has come.
type streams [directions]track

// track is the streams in one direction.
type track [4]stream

type stream struct {
	end   atomic.Uint64 // behind the last byte
	run   atomic.Uint64 // bytes in sequence, less what has come elsewhere since
	large atomic.Bool
}

// near reports whether a request at off may belong to x.
func (x *stream) near(s *streaming, off uint64) bool {
	end := x.end.Load()
	return off <= end+s.window && off+s.window >= end
}

// has reports whether a request at off belongs to a large stream.
func (t *track) has(s *streaming, off uint64) bool {
	for i := range t {
		if t[i].large.Load() && t[i].near(s, off) {
			return true
		}
	}
	return false
}

// pass notes n bytes at off. Each byte counts once, however often a call is run.
func (t *track) pass(s *streaming, off, n uint64) {
	least := &t[0]
	for i := range t {
		x := &t[i]
		if x.near(s, off) {
			x.grow(s, off+n, n)
			return
		}
		if x.run.Load() < least.run.Load() {
			least = x
		}
	}
	// It belongs to none. That makes streams that are known less certain, slowly,
	// so that one goes on among requests here and there, and is forgotten when
	// only those are left.
	for i := range t {
		if x := &t[i]; x != least {
			x.doubt(s, n/4)
		}
	}
	least.large.Store(false)
	least.run.Store(n)
	least.end.Store(off + n)
}

// grow moves x's end. A request that has overtaken others counts for them, too, but
// not for a gap that nobody fills.
func (x *stream) grow(s *streaming, end, n uint64) {
	for {
		old := x.end.Load()
		if end <= old {
			return
		}
		if !x.end.CompareAndSwap(old, end) {
			continue
		}
		run := x.run.Add(min(end-old, 4*n))
		if run < s.proof {
			return
		}
		if !x.large.Load() {
			x.large.Store(true)
		}
		if run > 2*s.proof { // so that it does not take for ever to forget
			x.run.Store(2 * s.proof)
		}
		return
	}
}

// doubt takes n from x's run. It is large until less than half of the proof is left.
func (x *stream) doubt(s *streaming, n uint64) {
	run := x.run.Load()
	run -= min(run, n)
	x.run.Store(run)
	if run < s.proof/2 && x.large.Load() {
		x.large.Store(false)
	}
}
