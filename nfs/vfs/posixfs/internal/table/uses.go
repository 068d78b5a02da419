package table

import "sync/atomic"

// UsesMax is how many entries an operation can use at a time.
const UsesMax = 4

// Uses are the entries that a thread's operation uses. Only the thread changes them. Goroutines
// that close entries read them, so the slots have cache lines of their own.
type Uses[S any] struct {
	_     [64]byte
	slots [UsesMax]atomic.Pointer[Entry[S]]
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

// Done ends all uses. From then on the entries may be closed.
func (u *Uses[S]) Done() {
	for i := range u.slots {
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
