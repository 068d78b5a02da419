package transport

import "sync/atomic"

// Stats is what a lane has done since it was started. Counters only grow. Each is read separately,
// so they may differ by what happened in between.
type Stats struct {
	// Connections is how many the lane has now.
	Connections int
	// Plain counts the sends that the kernel copied as usual, Spliced the replies whose data
	// was moved from the page cache, ZeroCopy the sends without a copy.
	Plain, Spliced, ZeroCopy uint64
	// Copied is how many of ZeroCopy the kernel copied after all, as it does for peers on this
	// machine. It stays zero where the kernel does not tell: without
	// IORING_SEND_ZC_REPORT_USAGE (Linux 6.2).
	Copied uint64
	// Asked counts the calls that were sent to peers, Answered those that the peers have answered in
	// time, Silent those that they have not, and Late the answers that came after that.
	Asked, Answered, Silent, Late uint64
	// Pinned is how many bytes of slabs zero-copy sends keep now, until their peers have
	// acknowledged the bytes in them. PinnedMost is the most that it has been.
	Pinned, PinnedMost int64
	// Sent is the time from the start of a zero-copy send to its completion: the kernel has
	// taken all bytes, but still reads them where they are.
	Sent Histogram
	// Ack is the time from the start of a zero-copy send to its notification: the peer has
	// acknowledged all bytes, or is gone, and the memory may be used again.
	Ack Histogram
}

// laneStats are figures that the lane alone writes and anybody reads.
type laneStats struct {
	plain, spliced, zeroCopy, copied atomic.Uint64
	lent                             atomic.Uint64 // sends by workers
	asked, answered, silent, late    atomic.Uint64
	pinned, pinnedMost               atomic.Int64
	sent, ack                        liveHistogram
}

// pin notes how many bytes are pinned now.
func (s *laneStats) pin(bytes int) {
	s.pinned.Store(int64(bytes))
	if int64(bytes) > s.pinnedMost.Load() {
		s.pinnedMost.Store(int64(bytes))
	}
}

// Stats returns the figures of each lane. Any goroutine may call it after Start, also when the
// server has ended. It does not block.
func (s *Server) Stats() []Stats {
	all := make([]Stats, len(s.lanes))
	for i, l := range s.lanes {
		all[i] = Stats{
			Connections: int(l.count.Load()),
			Plain:       l.stats.plain.Load(), Spliced: l.stats.spliced.Load(),
			ZeroCopy: l.stats.zeroCopy.Load(), Copied: l.stats.copied.Load(),
			Asked: l.stats.asked.Load(), Answered: l.stats.answered.Load(),
			Silent: l.stats.silent.Load(), Late: l.stats.late.Load(),
			Pinned: l.stats.pinned.Load(), PinnedMost: l.stats.pinnedMost.Load(),
			Sent: l.stats.sent.load(), Ack: l.stats.ack.load(),
		}
	}
	return all
}
