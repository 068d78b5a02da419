package transport

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// AckBuckets is how many buckets Stats.Ack has.
const AckBuckets = 32

// Stats is what a lane has done since it was started. Counters only grow.
type Stats struct {
	// Connections is how many there are now.
	Connections int
	// Plain, Spliced and ZeroCopy count what left how: sends, spliced replies, and
	// zero-copy sends. Copied is how many of the latter the kernel copied after all.
	Plain, Spliced, ZeroCopy, Copied uint64
	// Pinned is the bytes of slabs that zero-copy sends keep until peers have
	// acknowledged them.
	Pinned int64
	// Ack is the distribution of the time from a zero-copy send to its
	// notification: the peer's acknowledgement. Bucket i counts times from 2^(i-1)
	// to 2^i microseconds, bucket 0 those below one.
	Ack [AckBuckets]uint64
}

// laneStats are written by the lane alone and read by anybody.
type laneStats struct {
	plain, spliced, zeroCopy, copied atomic.Uint64
	pinned                           atomic.Int64
	ack                              [AckBuckets]atomic.Uint64
}

func (s *laneStats) notified(d time.Duration) {
	i := min(bits.Len64(uint64(max(d.Microseconds(), 0))), AckBuckets-1)
	s.ack[i].Add(1)
}

// Stats returns the figures of each lane. It may be called from any goroutine
// after Start.
func (s *Server) Stats() []Stats {
	all := make([]Stats, len(s.lanes))
	for i, l := range s.lanes {
		st := &all[i]
		st.Connections = int(l.count.Load())
		st.Plain, st.Spliced = l.stats.plain.Load(), l.stats.spliced.Load()
		st.ZeroCopy, st.Copied = l.stats.zeroCopy.Load(), l.stats.copied.Load()
		st.Pinned = l.stats.pinned.Load()
		for b := range st.Ack {
			st.Ack[b] = l.stats.ack[b].Load()
		}
	}
	return all
}
