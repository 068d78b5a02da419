package table

import (
	"math/bits"
	"slices"
	"sync/atomic"
)

const (
	// UsesMax is how many entries an operation can use at a time.
	UsesMax = 4
	// KeptMax is how many entries a thread can use beyond the operation.
	KeptMax = 8
)

// Uses are the entries that a thread uses. Only the thread changes them. Goroutines that close
// entries read them, so the slots have cache lines of their own. [Table.Join] makes the zero value
// ready.
type Uses[S any] struct {
	_     [64]byte
	mark  uint64                                      // immutable: u's bit of Entry.who, and fresh
	slots [UsesMax + KeptMax]atomic.Pointer[Entry[S]] // the operation's, then those that are kept
	_     [64]byte
}

// An entry knows who may use it: Entry.who has the bit of every Uses that has ever held the entry.
// So a retired entry is looked for in the slots of those only. Few threads have ever used a file.
//
// Nobody who uses an entry is overlooked. Hold stores the entry in the slot, then reads who. It
// goes on only if it has read its own bit, or has set it in a who that was not dead. Retiring is
// one exchange, which leaves nothing but dead in who and returns the bits. Whoever asks whether the
// entry is used has these bits, and looks at the slots after that. All these are on one word, so
// they have one order. If Hold went on, that was before the exchange: the exchange has returned its
// bit, and the slot has the entry. If Hold came after the exchange, it found no bit and did not go
// on. A bit that is set stays, though its Uses may never use the entry again: that costs a look
// into its slots.
//
// The methods of Table that publish an entry hold the table's lock. So does whoever retires one.

// The bits of Entry.who, from usesBits on. Those below are of Uses.
const (
	usesBits = 62
	fresh    = 1 << 62 // somebody has used the entry since Evict's hand or Sweep last came by
	dead     = 1 << 63 // retired: there is no other bit
)

// Hold publishes e in a slot. If e is dead, Hold clears the slot again and returns false.
func (u *Uses[S]) Hold(e *Entry[S], slot int) bool {
	u.slots[slot].Store(e)
	return e.who.Load()&u.mark == u.mark || u.enter(e, slot)
}

// enter is Hold for an entry that is in the slot, but does not have u's mark.
//
//go:noinline
func (u *Uses[S]) enter(e *Entry[S], slot int) bool {
	for {
		who := e.who.Load()
		if who == dead {
			u.slots[slot].Store(nil)
			return false
		}
		if e.who.CompareAndSwap(who, who|u.mark) {
			return true
		}
	}
}

// Lately reports whether u has held e before, and e is alive and counts as used. It publishes
// nothing: e may be retired and its descriptors closed at any time.
func (u *Uses[S]) Lately(e *Entry[S]) bool { return e.who.Load()&u.mark == u.mark }

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

// Join makes u one of those who may use the table's entries. u's methods may be called from then
// on, until Leave.
func (t *Table[S]) Join(u *Uses[S]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	least := 0
	for i := range t.users {
		if len(t.users[i]) < len(t.users[least]) {
			least = i
		}
	}
	u.mark = 1<<least | fresh
	t.users[least] = append(t.users[least], u)
}

// Leave ends what Join began. u has no entry in any slot.
func (t *Table[S]) Leave(u *Uses[S]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := &t.users[bits.TrailingZeros64(u.mark)]
	*list = slices.DeleteFunc(*list, func(x *Uses[S]) bool { return x == u })
}

// used reports whether somebody is using e. If it returns false and e is dead, nobody will.
func (t *Table[S]) used(e *Entry[S]) bool {
	who := e.who.Load()
	if who == dead {
		who = e.had
	}
	for who &^= fresh; who != 0; who &= who - 1 {
		for _, u := range t.users[bits.TrailingZeros64(who)] {
			if u.Has(e) {
				return true
			}
		}
	}
	return false
}
