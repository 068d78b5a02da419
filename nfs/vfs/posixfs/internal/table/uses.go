package table

import "sync/atomic"

const (
	// UsesMax is how many entries an operation can use at a time.
	UsesMax = 4
	// KeptMax is how many entries a thread can use beyond the operation.
	KeptMax = 8
)

// Uses are the entries that a thread uses. Only the thread changes them. Goroutines that close
// entries read them, so the slots have cache lines of their own.
type Uses[S any] struct {
	_     [64]byte
	slots [UsesMax + KeptMax]atomic.Pointer[Entry[S]] // the operation's, then those that are kept
	_     [64]byte
}

// Hold publishes e in a slot. If e is dead, Hold clears the slot again and returns false.
func (u *Uses[S]) Hold(e *Entry[S], slot int) bool {
	p := &u.slots[slot]
	p.Store(e)
	if e.dead.Load() {
		p.Store(nil)
		return false
	}
	e.touch()
	return true
}

// At returns the entry in a slot, nil if there is none.
func (u *Uses[S]) At(slot int) *Entry[S] { return u.slots[slot].Load() }

// Drop ends the use in a slot.
func (u *Uses[S]) Drop(slot int) { u.slots[slot].Store(nil) }

// Keep publishes e, which the operation uses, in the i-th place beyond the operation.
func (u *Uses[S]) Keep(e *Entry[S], i int) { u.slots[UsesMax+i].Store(e) }

// Unkeep ends the use in such a place.
func (u *Uses[S]) Unkeep(i int) { u.slots[UsesMax+i].Store(nil) }

// Done ends the operation's uses. From then on the entries may be closed, unless they are kept.
func (u *Uses[S]) Done() {
	for i := range UsesMax {
		if u.slots[i].Load() != nil {
			u.slots[i].Store(nil)
		}
	}
}

// Has reports whether e is in one of the slots. Any goroutine may ask.
func (u *Uses[S]) Has(e *Entry[S]) bool {
	for i := range u.slots {
		if u.slots[i].Load() == e {
			return true
		}
	}
	return false
}
