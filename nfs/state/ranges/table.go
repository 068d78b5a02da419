package ranges

import (
	"iter"
	"sort"
)

// Lock is what an owner holds. Its kind is Read or Write.
type Lock struct {
	Range
	Owner Owner
	Kind  Kind
}

// Table is the locks of one file. The zero value has none. A Table must not be copied once it
// is used.
type Table struct {
	locks []entry // by Start, then by Owner
	turn  uint64  // how many changes there have been
}

// entry is a lock in its place. The greatest reach among the first locks lets a search skip all
// those that end before a range begins.
type entry struct {
	Lock
	reach uint64 // the greatest End of this lock and of all before it
}

const (
	roomMin  = 4  // a table that gets its first lock has room for so many
	roomKept = 64 // a table with room for no more locks than this never gives it back
)

// Len returns the number of locks.
func (t *Table) Len() int { return len(t.locks) }

// Conflict returns the lock that denies an owner a lock of this range and kind, and whether
// there is one. Of several it is that with the lowest Start, and of those that of the lowest
// Owner. An owner's own locks deny it nothing, and nothing denies None.
func (t *Table) Conflict(owner Owner, r Range, kind Kind) (Lock, bool) {
	if kind == None {
		return Lock{}, false
	}
	for i := t.first(r.Start); i < len(t.locks); i++ {
		e := &t.locks[i]
		if e.Start > r.End {
			break
		}
		if e.Owner != owner && e.End >= r.Start && (kind == Write || e.Kind == Write) {
			return e.Lock, true
		}
	}
	return Lock{}, false
}

// Holds reports whether an owner has a lock. It looks at all locks until it finds one.
func (t *Table) Holds(owner Owner) bool {
	for i := range t.locks {
		if t.locks[i].Owner == owner {
			return true
		}
	}
	return false
}

// Locks iterates over all locks by their Start, those with the same one by their Owner. The
// table must not change meanwhile.
func (t *Table) Locks() iter.Seq[Lock] {
	return func(yield func(Lock) bool) {
		for i := range t.locks {
			if !yield(t.locks[i].Lock) {
				return
			}
		}
	}
}

// Levels iterates over what the kernel's lock should be in a range: the greatest kind of any
// owner, as runs of bytes of the same kind in ascending order. Bytes that nobody has locked are
// left out, and runs of one kind do not touch. The table must not change meanwhile.
func (t *Table) Levels(r Range) iter.Seq2[Range, Kind] {
	return func(yield func(Range, Kind) bool) {
		var run Range
		kind := None
		for i := t.first(r.Start); i < len(t.locks) && t.locks[i].Start <= r.End; i++ {
			part, ok := t.locks[i].within(r)
			if !ok {
				continue
			}
			// Locks that overlap are of the same kind, since both read.
			if kind == t.locks[i].Kind && part.Start <= run.near().End {
				run.End = max(run.End, part.End)
				continue
			}
			if kind != None && !yield(run, kind) {
				return
			}
			run, kind = part, t.locks[i].Kind
		}
		if kind != None {
			yield(run, kind)
		}
	}
}

// first returns the index of the first lock that reaches start or goes beyond it. No lock
// before that one does.
func (t *Table) first(start uint64) int {
	return sort.Search(len(t.locks), func(i int) bool { return t.locks[i].reach >= start })
}

// end returns the index of the first lock that begins after last, at or behind index from.
func (t *Table) end(from int, last uint64) int {
	locks := t.locks[from:]
	return from + sort.Search(len(locks), func(i int) bool { return locks[i].Start > last })
}
