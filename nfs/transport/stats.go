package transport

import "sync/atomic"

// Stats is what a lane has done since it was started. Counters only grow, and each is
// read by itself: they may differ by what happened meanwhile.
type Stats struct {
	// Connections is how many there are now.
	Connections int
	// Plain counts the sends that the kernel copied as always, Spliced the replies
	// whose data was moved from the page cache, ZeroCopy the sends without a copy.
	Plain, Spliced, ZeroCopy uint64
	// Copied is how many of ZeroCopy the kernel copied after all, as it does for
	// peers on this machine. It stays zero where the kernel does not tell: without
	// IORING_SEND_ZC_REPORT_USAGE (Linux 6.2).
	Copied uint64
	// Pinned is the bytes of slabs that zero-copy sends keep now, until peers have
	// acknowledged what lies in them, and PinnedMost the most that it has been.
	Pinned, PinnedMost int64
	// Sent is the time from the start of a zero-copy send to its completion: the
	// kernel has taken all bytes, but still reads them where they are.
	Sent Histogram
	// Ack is the time from the start of a zero-copy send to its notification: the
	// peer has acknowledged all bytes, or is gone, and their memory is used again.
	Ack Histogram
}

// laneStats are written by the lane alone and read by anybody.
type laneStats struct {
	plain, spliced, zeroCopy, copied atomic.Uint64
	pinned, pinnedMost               atomic.Int64
	sent, ack                        liveHistogram
}

// pin says how many bytes are pinned now.
func (s *laneStats) pin(bytes int) {
	s.pinned.Store(int64(bytes))
	if int64(bytes) > s.pinnedMost.Load() {
		s.pinnedMost.Store(int64(bytes))
	}
}

// Stats returns the figures of each lane. It may be called from any goroutine
// after Start, also when the server has ended, and does not block.
func (s *Server) Stats() []Stats {
	all := make([]Stats, len(s.lanes))
	for i, l := range s.lanes {
		all[i] = Stats{
			Connections: int(l.count.Load()),
			Plain:       l.stats.plain.Load(), Spliced: l.stats.spliced.Load(),
			ZeroCopy: l.stats.zeroCopy.Load(), Copied: l.stats.copied.Load(),
			Pinned: l.stats.pinned.Load(), PinnedMost: l.stats.pinnedMost.Load(),
			Sent: l.stats.sent.load(), Ack: l.stats.ack.load(),
		}
	}
	return all
}
