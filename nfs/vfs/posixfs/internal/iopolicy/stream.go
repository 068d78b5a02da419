package iopolicy

import "sync/atomic"

// Auto has to see which requests belong to a stream. Clients keep several requests of a stream
// under way, and different lanes and workers run them in any order. So a request belongs to the
// stream whose end is near. One file may have several readers. All state is in atomic counters,
// each of which makes sense on its own. At worst a race costs one request the better way.

// Direction is the direction of the data. Each direction has its own streams.
type Direction uint8

const (
	ToRead Direction = iota
	ToWrite
	Directions // how many there are
)

// streaming says when Auto takes requests for a stream that should not stay in the page cache. All
// fields are in bytes.
type streaming struct {
	size   uint64 // the least size of the file
	proof  uint64 // how much of the file must have passed in sequence
	window uint64 // how far from a stream's end a request of the stream may begin
}

// streamsOf returns the limits for a large stream if there are memory bytes in all.
func streamsOf(memory uint64) streaming {
	// The window is a small part of the proof. Otherwise the bytes that may still come behind a
	// stream's end could by themselves make a stream of requests at random.
	return streaming{size: memory / 4, proof: memory / 32, window: min(memory/128, 32<<20)}
}

// Streams is what is known of the streams through one file. It is made after the first large
// request for a file that is large enough.
type Streams [Directions]track

// track is the streams in one direction.
type track [4]stream

type stream struct {
	start atomic.Uint64 // where the stream began, or would have begun: see judge
	end   atomic.Uint64 // where the byte after the last one is
	run   atomic.Uint64 // about how many bytes between start and end have passed
	gap   atomic.Uint64 // how many bytes shortly before end may still come
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
	// The request belongs to no stream. That makes the known streams slowly less certain. So a
	// stream survives among scattered requests, and is forgotten when only these are left.
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

// take notes n bytes at off, near x's end. Requests of a stream move the end, or fill gaps that
// other requests left when they overtook. Requests at random leave more gaps than are ever filled,
// or come to places where no gap is left.
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

// move moves x's end to end and returns how far.
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

// judge decides whether x is large. x becomes large when it is as long as the proof and three
// quarters of its bytes have passed. x stops being large when less than half of its bytes have
// passed. Bytes of long ago count less and less.
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

// doubt notes n bytes that speak against x.
func (x *stream) doubt(n uint64) {
	run, end := x.run.Load(), x.end.Load()
	run -= min(run, n/8)
	x.run.Store(run)
	if x.large.Load() && run < (end-min(x.start.Load(), end))/2 {
		x.large.Store(false)
	}
}
