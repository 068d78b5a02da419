package drc

// The lists that an entry is in.
const (
	inShard = iota
	inPeer
)

type link struct{ prev, next *entry }

// list is a doubly linked list of entries through their links[which].
type list struct {
	front, back *entry
	which       int
}

func (l *list) pushBack(e *entry) {
	e.links[l.which] = link{prev: l.back}
	if l.back == nil {
		l.front = e
	} else {
		l.back.links[l.which].next = e
	}
	l.back = e
}

func (l *list) remove(e *entry) {
	k := e.links[l.which]
	if k.prev == nil {
		l.front = k.next
	} else {
		k.prev.links[l.which].next = k.next
	}
	if k.next == nil {
		l.back = k.prev
	} else {
		k.next.links[l.which].prev = k.prev
	}
	e.links[l.which] = link{}
}
