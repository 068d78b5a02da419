package transport

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// HistogramBuckets is how many buckets a Histogram has. All times from 134 s on share the last one.
const HistogramBuckets = 200

// Histogram counts times by their length. It has eight buckets for each power of two microseconds,
// so a quantile is right to within a sixteenth of itself, or half a microsecond.
type Histogram struct {
	// Counts are how many times fell into each bucket.
	Counts [HistogramBuckets]uint64
}

// Count returns how many times were added.
func (h *Histogram) Count() uint64 {
	var n uint64
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Quantile returns the time that a part q of all times, 0 to 1, did not exceed; 0.5 gives the
// median. It returns 0 when there were none.
func (h *Histogram) Quantile(q float64) time.Duration {
	n := h.Count()
	if n == 0 {
		return 0
	}
	rank := min(uint64(max(q, 0)*float64(n)), n-1)
	for i, c := range h.Counts {
		if rank < c {
			return bucketMiddle(i)
		}
		rank -= c
	}
	return bucketMiddle(HistogramBuckets - 1) // not reached: each rank is below the sum
}

// bucketOf returns the bucket of a time: one bucket for each microsecond up to seven, then eight
// for each power of two.
func bucketOf(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 0))
	if us < 8 {
		return int(us)
	}
	exp := bits.Len64(us) - 1
	return min((exp-2)*8+int(us>>(exp-3)&7), HistogramBuckets-1)
}

// bucketMiddle returns the time in the middle of a bucket.
func bucketMiddle(i int) time.Duration {
	if i < 8 {
		return time.Duration(i)*time.Microsecond + time.Microsecond/2
	}
	width := time.Microsecond << (i/8 - 1)
	return time.Duration(8+i%8)*width + width/2
}

// liveHistogram is a Histogram that its lane alone writes and anybody reads.
type liveHistogram [HistogramBuckets]atomic.Uint64

func (h *liveHistogram) add(d time.Duration) { h[bucketOf(d)].Add(1) }

func (h *liveHistogram) load() (all Histogram) {
	for i := range h {
		all.Counts[i] = h[i].Load()
	}
	return all
}
