package files

import "sync/atomic"

// state is what a stateid stands for: the open of an owner, or the locks of an owner, in one file.
// What READ and WRITE look at is immutable or atomic.
type state struct {
	// immutable
	other  Other
	lock   bool // of a lock owner
	legacy bool // of a client of 4.0
	client uint64
	file   *file
	owner  *owner

	// atomic
	seq  atomic.Uint32
	mode atomic.Uint32 // of an open: how it uses the file; and flags

	// guarded by file.mu
	gone   bool // dead, or no longer anything
	deny   Share
	combos uint16 // the pairs of access and deny that were asked for, see pair
	ranges uint32 // that are locked
	peer   *state // of locks: the open that they were got with, immutable; of an open: its locks
	next   *state // of the file's opens, or of an open's locks
	prev   *state

	// guarded by client.mu
	ownNext, ownPrev *state // of the owner's
}

// Flags in state.mode, beside a Share.
const (
	unconfirmed uint32 = 4 << iota // of 4.0: waits for OPEN_CONFIRM
	closed                         // of 4.0: CLOSE may be asked for again
	expired
	revoked
	flags = unconfirmed | closed | expired | revoked
)

// access returns how an open uses the file.
func (s *state) access() Share { return Share(s.mode.Load()) & Both }

// modes returns the way and the flags that count for a stateid: locks are used with the ways of
// the open that they were got with.
func (s *state) modes() uint32 {
	m := s.mode.Load()
	if s.lock {
		m |= s.peer.mode.Load()
	}
	return m
}

// setAccess changes how an open uses the file. Needs file.mu.
func (s *state) setAccess(access Share) { s.mode.Store(s.mode.Load()&flags | uint32(access)) }

// id returns the stateid as it is now.
func (s *state) id() Stateid { return Stateid{s.seq.Load(), s.other} }

// step makes the stateid's seqid the next one: 0 is left out (RFC 8881 section 8.2.2). Needs
// file.mu.
func (s *state) step() {
	if s.seq.Add(1) == 0 {
		s.seq.Store(1)
	}
}

// flagged returns what an operation is told whose stateid is of a state with flags.
func flagged(mode uint32) Status {
	switch {
	case mode&expired != 0:
		return Expired
	case mode&revoked != 0:
		return AdminRevoked
	case mode&(closed|unconfirmed) != 0:
		return BadStateid
	}
	return OK
}

// missing returns what an operation is told whose stateid is of no state.
func (t *Table) missing(id *Stateid, minor uint8) Status {
	if minor == 0 && !id.reserved() && id.Other.epoch() != t.mint.Epoch() {
		return StaleStateid
	}
	return BadStateid
}

// find returns the state of a stateid that belongs to the caller, however dead.
func (t *Table) find(id *Stateid, by Caller) (*state, Status) {
	s := t.index.At(id.Other.index())
	if s == nil || s.other != id.Other || s.legacy != (by.Minor == 0) || !s.legacy && s.client != by.Client {
		return nil, t.missing(id, by.Minor)
	}
	return s, OK
}

// sequence judges the seqid of a stateid (RFC 8881 section 8.2.4; RFC 7530 section 9.1.4.2).
func (s *state) sequence(seq uint32) Status {
	now := s.seq.Load()
	switch {
	case seq == now || seq == 0 && !s.legacy:
		return OK
	case int32(now-seq) > 0:
		return OldStateid
	}
	return BadStateid
}

// Target is the state that an operation is to change.
type Target struct {
	File    *File // the current file handle; borrowed
	Stateid Stateid
	By      Caller
	Turn    *Turn // of version 4.0: begun with Stateid; else nil
}

// hold returns the state of a target, of the wanted kind, and locks its file and its client. Flags
// that the caller allows do not count.
func (t *Table) hold(x *Target, lock bool, allow uint32) (*state, Status) {
	s, st := t.find(&x.Stateid, x.By)
	if st != OK {
		return nil, st
	}
	s.file.mu.Lock()
	s.owner.client.mu.Lock()
	switch st = flagged(s.modes() &^ allow); {
	case st != OK:
	case s.gone || s.lock != lock || s.file.key != *x.File:
		st = BadStateid
	case !x.Turn.of(s.owner):
		st = BadStateid
	default:
		st = s.sequence(x.Stateid.Seq)
	}
	if st != OK {
		t.release(s)
		return nil, st
	}
	return s, OK
}

// release lets go of what hold locked.
func (t *Table) release(s *state) {
	s.owner.client.mu.Unlock()
	t.unlock(s.file)
}

// birth makes a state at a place of the index, with a seqid of 1. The file's opens are counted by
// the caller. It returns nil if there are no random bits. Needs file.mu and client.mu.
func (t *Table) birth(i uint32, f *file, o *owner, open *state) *state {
	var other Other
	if !t.mint.Mint(other[:], i) {
		return nil
	}
	c := o.client
	s := &state{
		other:  other,
		lock:   open != nil,
		legacy: c.legacy,
		client: c.id,
		file:   f,
		owner:  o,
		peer:   open,
	}
	s.seq.Store(1)
	list := &f.opens
	if s.lock {
		list = &open.peer
		c.locks++
	} else {
		f.n++
		c.opens++
	}
	if s.next = *list; s.next != nil {
		s.next.prev = s
	}
	*list = s
	if s.ownNext = o.states; s.ownNext != nil {
		s.ownNext.ownPrev = s
	}
	o.states = s
	o.n++
	t.cfg.Hold(c.id, 1)
	t.index.Put(i, s)
	return s
}

// bury ends a state and the locks that depend on it. Why says what it is good for then: nothing
// (OK), or to answer Expired or AdminRevoked. Needs file.mu and client.mu.
func (t *Table) bury(s *state, why Status, e *effects) {
	c := s.owner.client
	if s.gone {
		if why == OK {
			c.dead--
			t.erase(s)
		}
		return
	}
	t.detach(s, why, e)
	switch why {
	case Expired:
		s.mode.Or(expired)
	case AdminRevoked:
		s.mode.Or(revoked)
	default:
		t.erase(s)
		return
	}
	c.dead++
}

// detach takes a state out of its file. Needs file.mu and client.mu.
func (t *Table) detach(s *state, why Status, e *effects) {
	f, c := s.file, s.owner.client
	e.file = f
	list := &f.opens
	if s.lock {
		list = &s.peer.peer
		t.unlockAll(s, e)
		c.locks--
	} else {
		s.forgive()
		t.dropWaiters(f, func(w *waiter) bool { return w.open == s })
		for s.peer != nil {
			t.bury(s.peer, why, e)
		}
		t.trim(f)
		t.count(f, s.access(), s.deny, -1)
		c.opens--
		f.n--
		e.closed = f.n == 0 && f.pins == 0
	}
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		*list = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	}
	s.next, s.prev = nil, nil
	s.gone = true
	t.cfg.Hold(c.id, -1)
}

// erase forgets a state that is detached. Needs client.mu.
func (t *Table) erase(s *state) {
	t.disown(s)
	t.vacate(s.other.index())
	t.unused(s.owner)
}

// disown takes a state from its owner. Needs client.mu.
func (t *Table) disown(s *state) {
	o := s.owner
	if s.ownPrev != nil {
		s.ownPrev.ownNext = s.ownNext
	} else {
		o.states = s.ownNext
	}
	if s.ownNext != nil {
		s.ownNext.ownPrev = s.ownPrev
	}
	s.ownNext, s.ownPrev = nil, nil
	o.n--
}

// end buries a state, if nobody else has.
func (t *Table) end(s *state, why Status) {
	var e effects
	s.file.mu.Lock()
	s.owner.client.mu.Lock()
	if t.index.At(s.other.index()) == s && s.mode.Load()&closed == 0 {
		t.bury(s, why, &e)
	}
	t.release(s)
	t.after(&e)
}
