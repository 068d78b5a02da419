// Package recall is memory that forgets: a bounded number of items, each of which may only
// be in the few places that its hash leads to, the ways of a set. Looking an item up and
// putting one in take a handful of instructions and never allocate a place.
//
// The package knows nothing of what is remembered. Whether an item is the one that is
// looked for, and whether it is still true, is the caller's to say, who goes over the ways.
// Two items with the same hash cost speed and nothing else.
//
// [Own] belongs to one thread. [Shared] is used by all threads without a lock.
package recall

import "sync/atomic"

// Own is the memory of one thread. The zero value has no places; see [NewOwn].
type Own[T any] struct {
	items []T
	mask  uint64 // sets less one
	ways  int
	turn  uint32 // which way is replaced next
}

// NewOwn makes a memory of sets times ways places with T's zero value in them. sets is a
// power of two.
func NewOwn[T any](sets, ways int) Own[T] {
	return Own[T]{items: make([]T, sets*ways), mask: uint64(sets - 1), ways: ways}
}

// Ready reports whether the memory has been made.
func (m *Own[T]) Ready() bool { return m.items != nil }

// At returns the place for the hash in a memory of one way.
func (m *Own[T]) At(hash uint64) *T { return &m.items[hash&m.mask] }

// Set returns the ways for the hash.
func (m *Own[T]) Set(hash uint64) []T {
	i := int(hash&m.mask) * m.ways
	return m.items[i : i+m.ways : i+m.ways]
}

// Victim returns the way of a set whose item is to go for a new one: each in turn.
func (m *Own[T]) Victim(set []T) *T {
	m.turn++
	return &set[m.turn%uint32(len(set))]
}

// Shared is memory that all threads use at once. Its items are never changed once they are
// in it. The zero value has no places; see [NewShared].
type Shared[T any] struct {
	items []atomic.Pointer[T]
	mask  uint64
	ways  int
	_     [64]byte // what is read at each look-up is not on the line that Put writes
	turn  atomic.Uint32
}

// NewShared makes a memory of sets times ways empty places. sets is a power of two.
func NewShared[T any](sets, ways int) *Shared[T] {
	return &Shared[T]{items: make([]atomic.Pointer[T], sets*ways), mask: uint64(sets - 1), ways: ways}
}

// Set returns the ways for the hash; nil is an empty one.
func (m *Shared[T]) Set(hash uint64) []atomic.Pointer[T] {
	i := int(hash&m.mask) * m.ways
	return m.items[i : i+m.ways : i+m.ways]
}

// Put stores x in an empty way, or in the place of an item that it replaces, or of the one
// whose turn it is.
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
