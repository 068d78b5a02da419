package loop

import "fmt"

// ID names an operation in flight: the slot's index in the lower half, its
// generation in the upper. Zero is never an operation.
type ID uint64

// Kind is a handler's own number for the sort of operation, so that one handler can have several
// sorts.
type Kind uint8

// Handler receives the completions of the operations that it began.
type Handler interface {
	// Complete is called on the loop's thread for each completion. last is true
	// for the final one; the ID is dead afterwards.
	Complete(id ID, kind Kind, res int32, flags uint32, last bool)
}

type slot struct {
	handler    Handler
	generation uint32
	kind       Kind
	next       uint32 // free list, index+1
}

// slotTable gives out slots and finds them by ID.
type slotTable struct {
	slots []slot
	free  uint32 // first free index+1, 0: none
	inUse int
}

func (t *slotTable) take(h Handler, k Kind) ID {
	if t.free == 0 {
		t.slots = append(t.slots, slot{})
		t.free = uint32(len(t.slots))
	}
	i := t.free - 1
	s := &t.slots[i]
	t.free = s.next
	s.generation++
	if s.generation == 0 {
		s.generation = 1
	}
	s.handler, s.kind = h, k
	t.inUse++
	return ID(uint64(s.generation)<<32 | uint64(i))
}

// find returns the slot of id, or an error when the ID is not in flight.
func (t *slotTable) find(id ID) (*slot, error) {
	i := uint32(id)
	if int(i) >= len(t.slots) {
		return nil, fmt.Errorf("loop: completion for slot %d of %d", i, len(t.slots))
	}
	s := &t.slots[i]
	if s.handler == nil || s.generation != uint32(id>>32) {
		return nil, fmt.Errorf("loop: completion for slot %d, generation %d, which is over", i, uint32(id>>32))
	}
	return s, nil
}

func (t *slotTable) put(id ID) {
	i := uint32(id)
	s := &t.slots[i]
	s.handler = nil
	s.next = t.free
	t.free = i + 1
	t.inUse--
}
