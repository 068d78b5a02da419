package iopolicy

import "sync/atomic"

// Auto has to see which requests belong to a stream. Clients keep several requests
// of a stream under way, which different lanes and workers run in any order, so a
// request belongs to the stream whose end is near; and one file may have several
// readers. All of it is atomic counters of which each makes sense by itself: a race
// costs a request the better way, at worst.

// Direction is which way data passes. The streams of each are told apart.
type Direction uint8

const (
	ToRead Direction = iota
	ToWrite
	Directions // how many there are
)

// streaming is when Auto takes requests for a stream that should not stay in the
// page cache, in bytes.
type streaming struct {
	size   uint64 // of a file, at least
	proof  uint64 // how much of it has passed in sequence
	window uint64 // how far from a stream's end a request of it may begin
}

// streamsOf returns what is a large stream where memory bytes are all there are.
func streamsOf(memory uint64) streaming {
	// The window is a small part of the proof, or else what may still come behind a
	// stream's end could by itself make one of requests at random.
	return streaming{size: memory / 4, proof: memory / 32, window: min(memory/128, 32<<20)}
}

// Streams is what is known of the streams through one file. It is made once the
// first large request for a file that is large enough has come.
type Streams [Directions]track

// track is the streams in one direction.
type track [4]stream

type stream struct {
	start atomic.Uint64 // where it began, or would have: see judge
	end   atomic.Uint64 // behind the last byte
	run   atomic.Uint64 // how many of the bytes between them have passed, about
	gap   atomic.Uint64 // how many of the last ones before end may still come
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

// pass notes n bytes at off.
func (t *track) pass(s *streaming, off, n uint64) {
	least := &t[0]
	for i := range t {
		x := &t[i]
		if x.near(s, off) {
			x.take(s, off, n)
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
			x.doubt(n)
		}
	}
	least.large.Store(false)
	least.start.Store(off)
	least.run.Store(n)
	least.gap.Store(0)
	least.end.Store(off + n)
}

// take notes n bytes at off that are near x's end. Those of a stream move the end, or
// fill what others have left out when they overtook them. Requests at random leave
// out more than is ever filled, or come to where nothing is left to fill.
func (x *stream) take(s *streaming, off, n uint64) {
	moved := x.move(off + n)
	switch gap := x.gap.Load(); {
	case moved > 0:
		x.run.Add(min(moved, n))
		if moved > n {
			x.gap.Store(min(gap+moved-n, s.window))
		}
	case gap >= n:
		x.gap.Store(gap - n)
		x.run.Add(n)
	default:
		x.doubt(n)
	}
	x.judge(s)
}

// move moves x's end and returns how far.
func (x *stream) move(end uint64) uint64 {
	for {
		old := x.end.Load()
		if end <= old {
			return 0
		}
		if x.end.CompareAndSwap(old, end) {
			return end - old
		}
	}
}

// judge says whether x is large: it has come as far as the proof, and three quarters
// of that have passed. It is no longer when less than half of it has. What is long
// ago counts less and less.
func (x *stream) judge(s *streaming) {
	end, run := x.end.Load(), x.run.Load()
	far := end - min(x.start.Load(), end)
	if far > 2*s.proof {
		run = run / 2
		far /= 2
		x.start.Store(end - far)
		x.run.Store(run)
	}
	switch large := x.large.Load(); {
	case !large && far >= s.proof && run >= far/4*3:
		x.large.Store(true)
	case large && run < far/2:
		x.large.Store(false)
	}
}

// doubt notes n bytes that tell against x.
func (x *stream) doubt(n uint64) {
	run, end := x.run.Load(), x.end.Load()
	run -= min(run, n/8)
	x.run.Store(run)
	if x.large.Load() && run < (end-min(x.start.Load(), end))/2 {
		x.large.Store(false)
	}
}
