package ranges

// Plan is a change and what it does. [Table.Plan] fills it in, [Table.Commit] ends it. A Plan may
// be used again and again and for many tables, so one per thread is enough: it keeps its memory.
// The zero value is ready for use.
type Plan struct {
	Owner Owner
	Range Range
	Kind  Kind // None unlocks

	// Grow is by how many locks the change makes the table longer, if positive, or shorter. All
	// of them are locks of Owner. A lock or an unlock makes a table longer by 2 at most.
	Grow int

	// Mirror is the ranges that the kernel's lock must be set to Kind in, in ascending order.
	// Where Kind is not None there is at most one, which must be set before the change is
	// committed; else they are to be unlocked after it. The memory is the Plan's, which
	// overwrites it with the next change.
	Mirror []Range

	freed  hull
	pieces [3]Lock // what takes the place of the locks that go, by Start
	n      int     // of pieces

	table  *Table // nil unless there is something to commit
	turn   uint64 // of the table
	lo, hi int    // the locks that begin or end near Range are among those
}

// Plan works out what it takes to give an owner a lock of this range and kind, or to unlock the
// range if the kind is None. It changes nothing but p. If another owner's lock denies it, Plan
// returns that lock and true, as Conflict does, and p cannot be committed.
func (t *Table) Plan(p *Plan, owner Owner, r Range, kind Kind) (held Lock, denied bool) {
	if r.Start > r.End || kind > Write {
		panic("ranges: not a range, or not a kind")
	}
	*p = Plan{Owner: owner, Range: r, Kind: kind, Mirror: p.Mirror[:0]}
	if held, denied = t.Conflict(owner, r, kind); denied {
		return held, true
	}
	near := r.near()
	p.table, p.turn = t, t.turn
	p.lo = t.first(near.Start)
	p.hi = t.end(p.lo, near.End)
	window := t.locks[p.lo:p.hi]
	p.replace(window)
	if kind == None {
		p.lower(window)
	} else {
		p.raise(window)
	}
	return Lock{}, false
}

// Freed returns the smallest range with all bytes that the owner holds less of than before: not
// at all, or for reading only. It reports false if there is none.
func (p *Plan) Freed() (Range, bool) { return p.freed.Range, p.freed.some }

// Commit makes the change. The table must not have changed since it was planned. After that p
// cannot be committed again, and what it says stays until it is used for the next change.
func (t *Table) Commit(p *Plan) {
	if p.table != t || p.turn != t.turn {
		panic("ranges: a plan that is not of this table, or no longer")
	}
	p.table = nil
	t.turn++

	kept := p.lo // what stays near the range moves together
	for i := p.lo; i < p.hi; i++ {
		if p.replaces(&t.locks[i].Lock) {
			continue
		}
		if kept != i {
			t.locks[kept] = t.locks[i]
		}
		kept++
	}
	end := kept + p.n
	t.shift(p.hi, end)
	for to, i, j := end-1, kept-1, p.n-1; j >= 0; to-- {
		if i >= p.lo && t.locks[i].follows(&p.pieces[j]) {
			t.locks[to] = t.locks[i]
			i--
		} else {
			t.locks[to].Lock = p.pieces[j]
			j--
		}
	}
	t.mend(p.lo, end)
}

// replaces reports whether a lock goes, because the change is made of bytes that it has, or
// because it becomes part of the new lock.
func (p *Plan) replaces(l *Lock) bool {
	if l.Owner != p.Owner {
		return false
	}
	if l.Kind == p.Kind {
		return l.Overlaps(p.Range.near())
	}
	return l.Overlaps(p.Range)
}

// replace works out pieces, Grow and freed.
func (p *Plan) replace(window []entry) {
	whole := Lock{p.Range, p.Owner, p.Kind}
	var left, right Lock
	for i := range window {
		l := &window[i].Lock
		if !p.replaces(l) {
			continue
		}
		p.Grow--
		if l.Kind == p.Kind {
			whole.Start, whole.End = min(whole.Start, l.Start), max(whole.End, l.End)
			continue
		}
		if l.Start < p.Range.Start {
			left = Lock{Range{l.Start, p.Range.Start - 1}, l.Owner, l.Kind}
		}
		if l.End > p.Range.End {
			right = Lock{Range{p.Range.End + 1, l.End}, l.Owner, l.Kind}
		}
		if l.Kind > p.Kind {
			part, _ := l.within(p.Range)
			p.freed.add(part)
		}
	}
	// If there is a left piece, the byte before the range is its, so the new lock begins with
	// the range; and likewise to the right.
	for _, l := range [...]Lock{left, whole, right} {
		if l.Kind != None {
			p.pieces[p.n] = l
			p.n++
		}
	}
	p.Grow += p.n
}

// raise works out Mirror for a lock: the smallest range with all bytes that have another level
// than the lock's kind now. These are bytes without any lock, and the owner's own of the other
// kind; other owners' locks in the range are for reading, as is the new one.
func (p *Plan) raise(window []entry) {
	var change hull
	next, more := p.Range.Start, true // the bytes from next on have not been met with a lock
	for i := range window {
		part, ok := window[i].within(p.Range)
		if !ok {
			continue
		}
		if more && part.Start > next {
			change.add(Range{next, part.Start - 1})
		}
		if window[i].Kind != p.Kind {
			change.add(part)
		}
		if part.End == p.Range.End {
			more = false
		} else {
			next = max(next, part.End+1)
		}
	}
	if more {
		change.add(Range{next, p.Range.End})
	}
	if change.some {
		p.Mirror = append(p.Mirror, change.Range)
	}
}

// lower works out Mirror for an unlock. The bytes without a lock of other owners form gaps. In
// each gap that has bytes of the owner, one range with all of them is to be unlocked; what else
// it has is locked by nobody.
func (p *Plan) lower(window []entry) {
	var own hull              // what the owner has in the present gap
	gap := p.Range.Start      // where that begins
	reach, held := gap, false // the last byte of the owner's locks so far, if held
	for i := range window {
		part, ok := window[i].within(p.Range)
		if !ok {
			continue
		}
		if window[i].Owner == p.Owner {
			if reach, held = part.End, true; reach >= gap {
				own.add(Range{max(part.Start, gap), reach})
			}
			continue
		}
		if own.some && own.Start < part.Start {
			p.Mirror = append(p.Mirror, Range{own.Start, min(own.End, part.Start-1)})
		}
		if part.End == p.Range.End {
			return
		}
		gap, own = max(gap, part.End+1), hull{}
		if held && reach >= gap {
			own.add(Range{gap, reach})
		}
	}
	if own.some {
		p.Mirror = append(p.Mirror, own.Range)
	}
}

// follows reports whether the entry's place is behind that of l.
func (e *entry) follows(l *Lock) bool {
	return e.Start > l.Start || e.Start == l.Start && e.Owner > l.Owner
}

// shift moves the locks from index from on to index to, and makes the table longer or shorter.
func (t *Table) shift(from, to int) {
	size := len(t.locks) + to - from
	switch {
	case from == to:
	case size > cap(t.locks):
		grown := make([]entry, size, max(roomMin, 2*cap(t.locks)))
		copy(grown, t.locks[:from])
		copy(grown[to:], t.locks[from:])
		t.locks = grown
	case size > len(t.locks):
		t.locks = t.locks[:size]
		copy(t.locks[to:], t.locks[from:size-(to-from)])
	default:
		copy(t.locks[to:], t.locks[from:])
		t.locks = t.locks[:size]
		if cap(t.locks) > roomKept && size <= cap(t.locks)/4 {
			t.locks = append(make([]entry, 0, 2*size), t.locks...)
		}
	}
}

// mend sets the reach of the locks from index from to before to, which are all that begin near a
// change. Those behind them keep theirs: it is greater than the last byte of the change, and
// locks that go beyond that byte still end where they did.
func (t *Table) mend(from, to int) {
	var reach uint64
	if from > 0 {
		reach = t.locks[from-1].reach
	}
	for i := from; i < to; i++ {
		reach = max(reach, t.locks[i].End)
		t.locks[i].reach = reach
	}
}
