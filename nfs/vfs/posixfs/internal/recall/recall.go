// Package recall is memory that forgets. It holds a bounded number of items. An item's hash leads
// to a few places, the ways of a set, and the item may only be in these. Finding an item and
// storing one take a handful of instructions, and never allocate a place.
//
// The package knows nothing of the items. The caller goes over the ways of a set and decides
// whether an item is the right one and whether it is still true. Two items with the same hash cost
// speed and nothing else.
//
// An [Own] belongs to one thread. All threads use a [Shared] without a lock.
package recall

import "sync/atomic"

// Own is the memory of one thread. The zero value has no places; see [NewOwn].
type Own[T any] struct {
	items []T
	mask  uint64 // sets minus one
	ways  int
	turn  uint32 // which way Victim returns next
}

// NewOwn makes a memory of sets times ways places that hold T's zero value. sets is a power of two.
func NewOwn[T any](sets, ways int) Own[T] {
	return Own[T]{items: make([]T, sets*ways), mask: uint64(sets - 1), ways: ways}
}

// Ready reports whether NewOwn has made the memory.
func (m *Own[T]) Ready() bool { return m.items != nil }

// At returns the place for the hash in a memory of one way.
func (m *Own[T]) At(hash uint64) *T { return &m.items[hash&m.mask] }

// Set returns the ways for the hash.
func (m *Own[T]) Set(hash uint64) []T {
	i := int(hash&m.mask) * m.ways
	return m.items[i : i+m.ways : i+m.ways]
}

// Victim returns the way of a set whose item must give its place to a new one: each way in turn.
func (m *Own[T]) Victim(set []T) *T {
	m.turn++
	return &set[m.turn%uint32(len(set))]
}

// Shared is memory that all threads use at once. Nobody changes an item that is in it. The zero
// value has no places; see [NewShared].
type Shared[T any] struct {
	items []atomic.Pointer[T]
	mask  uint64
	ways  int
	_     [64]byte // keeps what each look-up reads off the cache line that Put writes
	turn  atomic.Uint32
}

// NewShared makes a memory of sets times ways empty places. sets is a power of two.
func NewShared[T any](sets, ways int) *Shared[T] {
	return &Shared[T]{items: make([]atomic.Pointer[T], sets*ways), mask: uint64(sets - 1), ways: ways}
}

// Set returns the ways for the hash. A way that holds nil is empty.
func (m *Shared[T]) Set(hash uint64) []atomic.Pointer[T] {
	i := int(hash&m.mask) * m.ways
	return m.items[i : i+m.ways : i+m.ways]
}

// Put stores x in an empty way or in the place of an item that x replaces. If the set has neither,
// Put stores x in the way whose turn it is.
func (m *Shared[T]) Put(hash uint64, x *T, replaces func(old *T) bool) {
	set := m.Set(hash)
	for i := range set {
		if old := set[i].Load(); old == nil || replaces(old) {
			set[i].Store(x)
			return
		}
	}
	set[m.turn.Add(1)%uint32(len(set))].Store(x)
}
