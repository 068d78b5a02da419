package table

import (
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// living are the entries of a table that are alive, in no order, and find them by handle and by
// object. The list is all that the garbage collector sees of them: to find an entry, chains of
// entries with similar hashes are gone through, whose links are numbers. So a collection looks at
// each entry once, and adding an entry allocates nothing.
type living[S any] struct {
	list     []*Entry[S]
	mask     uint64
	byHandle []uint32 // where each chain begins: an entry's place in list plus one, 0 at the end
	byObject []uint32
}

// chainsMost bounds how many chains there are. Memory that is never touched is no memory.
const chainsMost = 1 << 18

// init makes room for that many entries. There may be more: chains are then longer.
func (l *living[S]) init(entries int) {
	n := 16
	for n < entries && n < chainsMost {
		n *= 2
	}
	l.mask, l.byHandle, l.byObject = uint64(n-1), make([]uint32, n), make([]uint32, n)
}

// find returns the entry of h, nil if there is none.
func (l *living[S]) find(h *vfs.Handle) *Entry[S] {
	hash := kernel.HashHandle(h)
	for i := l.byHandle[hash&l.mask]; i != 0; {
		e := l.list[i-1]
		if e.Hash == hash && e.Handle == *h {
			return e
		}
		i = e.nextHandle
	}
	return nil
}

// findObject returns the entry of the object with the key k that was added last, nil if there is
// none.
func (l *living[S]) findObject(k *kernel.ObjectKey) *Entry[S] {
	for i := l.byObject[k.Hash()&l.mask]; i != 0; {
		e := l.list[i-1]
		if e.Key == *k {
			return e
		}
		i = e.nextObject
	}
	return nil
}

// add adds e.
func (l *living[S]) add(e *Entry[S]) {
	e.at = len(l.list)
	l.list = append(l.list, e)
	at := uint32(len(l.list))
	h, o := &l.byHandle[e.Hash&l.mask], &l.byObject[e.Key.Hash()&l.mask]
	e.nextHandle, e.nextObject = *h, *o
	*h, *o = at, at
}

// remove takes e out. The last entry of the list takes its place.
func (l *living[S]) remove(e *Entry[S]) {
	at := uint32(e.at + 1)
	*l.linkHandle(e, at), *l.linkObject(e, at) = e.nextHandle, e.nextObject
	last := uint32(len(l.list))
	if x := l.list[last-1]; x != e {
		*l.linkHandle(x, last), *l.linkObject(x, last) = at, at
	}
	l.list = without(l.list, e)
}

// linkHandle returns the link to e, which is at the place at of the list, in its chain by handle.
func (l *living[S]) linkHandle(e *Entry[S], at uint32) *uint32 {
	p := &l.byHandle[e.Hash&l.mask]
	for *p != at {
		p = &l.list[*p-1].nextHandle
	}
	return p
}

// linkObject is linkHandle for the chain by object.
func (l *living[S]) linkObject(e *Entry[S], at uint32) *uint32 {
	p := &l.byObject[e.Key.Hash()&l.mask]
	for *p != at {
		p = &l.list[*p-1].nextObject
	}
	return p
}

// without takes e out of the list in which e.at is its place. The last entry takes its place.
func without[S any](list []*Entry[S], e *Entry[S]) []*Entry[S] {
	last := len(list) - 1
	list[e.at] = list[last]
	list[e.at].at = e.at
	list[last], e.at = nil, -1
	return list[:last]
}
