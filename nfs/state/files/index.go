package files

import (
	"sync"
	"sync/atomic"
)

// chunkLen is how many pointers a chunk of an index has: 4 KiB.
const chunkLen = 512

type chunk [chunkLen]atomic.Pointer[state]

// index is an array of states that is read without a lock. It grows by chunks, which are never
// moved or freed. A place that was given back is given out again: who finds a state compares its
// number with the one that was asked for.
type index struct {
	chunks []atomic.Pointer[chunk]
	max    uint32

	mu   sync.Mutex
	free []uint32 // given back
	next uint32   // the least that was never given out
}

func (x *index) init(max int) {
	x.max = uint32(max)
	x.chunks = make([]atomic.Pointer[chunk], (max+chunkLen-1)/chunkLen)
}

// at returns what stands at i, nil when nothing does.
func (x *index) at(i uint32) *state {
	if i/chunkLen >= uint32(len(x.chunks)) {
		return nil
	}
	c := x.chunks[i/chunkLen].Load()
	if c == nil {
		return nil
	}
	return c[i%chunkLen].Load()
}

// take returns a place at which nothing stands, and false when all are taken.
func (x *index) take() (uint32, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := len(x.free); n > 0 {
		i := x.free[n-1]
		x.free = x.free[:n-1]
		return i, true
	}
	if x.next == x.max {
		return 0, false
	}
	i := x.next
	x.next++
	if c := &x.chunks[i/chunkLen]; c.Load() == nil {
		c.Store(new(chunk))
	}
	return i, true
}

// put makes s stand at i, which was taken.
func (x *index) put(i uint32, s *state) { x.chunks[i/chunkLen].Load()[i%chunkLen].Store(s) }

// give makes nothing stand at i, which somebody else may take then.
func (x *index) give(i uint32) {
	x.put(i, nil)
	x.mu.Lock()
	x.free = append(x.free, i)
	x.mu.Unlock()
}

// used returns how many are taken.
func (x *index) used() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return int(x.next) - len(x.free)
}
