package ident

import (
	"sync/atomic"

	"github.com/ringnfs/ringnfs/uring/futex"
)

// chunkLen is how many pointers a chunk of an index has: 4 KiB.
const chunkLen = 512

// Index is an array of pointers that is read without a lock. It grows by chunks, which are
// never moved or freed. An index that was given back is given out again: who finds an object
// compares its number with the one that was asked for.
type Index[T any] struct {
	chunks []atomic.Pointer[[chunkLen]atomic.Pointer[T]]
	max    uint32

	mu   futex.Mutex
	free []uint32 // given back
	next uint32   // the least that was never given out
}

// Init makes x an array of max places, all free.
func (x *Index[T]) Init(max int) {
	x.max = uint32(max)
	x.chunks = make([]atomic.Pointer[[chunkLen]atomic.Pointer[T]], (max+chunkLen-1)/chunkLen)
}

// At returns what stands at i, nil when nothing does.
func (x *Index[T]) At(i uint32) *T {
	if i/chunkLen >= uint32(len(x.chunks)) {
		return nil
	}
	c := x.chunks[i/chunkLen].Load()
	if c == nil {
		return nil
	}
	return c[i%chunkLen].Load()
}

// Take returns an index at which nothing stands, and false when all are taken. It is put
// back by Give.
func (x *Index[T]) Take() (uint32, bool) {
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
		c.Store(new([chunkLen]atomic.Pointer[T]))
	}
	return i, true
}

// Put makes v stand at i, which was taken.
func (x *Index[T]) Put(i uint32, v *T) { x.chunks[i/chunkLen].Load()[i%chunkLen].Store(v) }

// Give makes nothing stand at i, which somebody else may take then.
func (x *Index[T]) Give(i uint32) {
	x.Put(i, nil)
	x.mu.Lock()
	x.free = append(x.free, i)
	x.mu.Unlock()
}

// Used returns how many are taken.
func (x *Index[T]) Used() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return int(x.next) - len(x.free)
}

// Most returns how many were taken at one time at the most.
func (x *Index[T]) Most() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return int(x.next)
}

// All calls f with everything that stands in x.
func (x *Index[T]) All(f func(*T)) {
	for i := range x.chunks {
		c := x.chunks[i].Load()
		if c == nil {
			return
		}
		for j := range c {
			if v := c[j].Load(); v != nil {
				f(v)
			}
		}
	}
}
