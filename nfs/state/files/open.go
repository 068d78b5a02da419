package files

// OpenArgs is an OPEN (RFC 8881 section 18.16) of a file that has been found or made.
type OpenArgs struct {
	Client uint64
	Owner  []byte // borrowed; of an owner of 4.0 it is Turn's
	Turn   *Turn  // of version 4.0, else nil
	Access Share  // not none
	Deny   Share
	// Brief says that the caller may not wait. What might write to the store of clients, because
	// somebody is to lose what he holds, is not done; the answer is MustWait, and nothing has
	// changed.
	Brief bool
	Recovery
}

// Opened is what became of an OPEN.
type Opened struct {
	Stateid Stateid
	Confirm bool // OPEN4_RESULT_CONFIRM: 4.0 does not know the owner yet

	// for Undo
	state  *state
	seq    uint32 // before; 0 if there was no open
	access Share
	deny   Share
	combos uint16
}

// rounds is how often an operation expires courteous clients, or makes room, before it gives up.
const rounds = 64

// opponentsMax is how many clients are expired in one round.
const opponentsMax = 16

// pair is the bit in state.combos for a pair of access and deny.
func pair(access, deny Share) uint16 { return 1 << (uint(access-1)*4 + uint(deny)) }

// Open opens a file. A second OPEN of one owner and file adds to what the first one has.
//
// Who opens with truncation does so after Open, and undoes it if that fails: see [Table.Undo].
func (t *Table) Open(key *File, a *OpenArgs, o *Opened) Status {
	if a.Access == 0 || a.Access > Both || a.Deny > Both {
		return Inval
	}
	c := t.client(a.Client)
	if c == nil {
		return StaleClientID
	}
	minor := uint8(1)
	if c.legacy {
		minor = 0
	}
	if st := a.Judge(OpOpen, minor); st != OK {
		return st
	}
	for range rounds {
		var who []*client
		run := func() (st Status) {
			var e effects
			f := t.lock(key, true)
			c.mu.Lock()
			st, who = t.open(f, c, a, o, &e)
			c.mu.Unlock()
			t.unlock(f)
			t.after(&e)
			return st
		}
		st := t.attempt(c.legacy, a.Brief, run)
		switch {
		case a.Brief && st == ShareDenied:
			return MustWait
		case st == ShareDenied && a.Reclaim:
			return ReclaimConflict
		case st == ShareDenied && t.expire(who, c, false, st) == OK:
		default:
			return st
		}
	}
	return Delay
}

// open is one attempt of Open. Needs file.mu and client.mu.
func (t *Table) open(f *file, c *client, a *OpenArgs, res *Opened, e *effects) (Status, []*client) {
	if c.gone != OK {
		return c.gone, nil
	}
	var w *owner
	if a.Turn != nil {
		if w = a.Turn.owner; w == nil || w.gone || w.client != c {
			return BadSeqid, nil
		}
	} else {
		if c.legacy {
			return BadSeqid, nil
		}
		w = c.owners[openOwner][string(a.Owner)]
	}
	s := openOf(w, f)
	// The owner's own open counts, too (RFC 8881 section 9.7, RFC 7530 section 9.9).
	if f.conflicts(nil, a.Access, a.Deny) {
		return ShareDenied, f.opponents(nil, a.Access, a.Deny)
	}
	if s == nil {
		return t.openFirst(f, c, w, a, res, e), nil
	}
	*res = Opened{state: s, seq: s.seq.Load(), access: s.access(), deny: s.deny, combos: s.combos}
	t.reshare(s, s.access()|a.Access, s.deny|a.Deny)
	s.combos |= pair(a.Access, a.Deny)
	s.step()
	res.Stateid = s.id()
	return OK, nil
}

// openFirst makes the first open of a file by an owner; w is nil if the owner is new as well.
func (t *Table) openFirst(f *file, c *client, w *owner, a *OpenArgs, res *Opened, e *effects) Status {
	if w == nil {
		var st Status
		if w, st = t.owner(c, openOwner, a.Owner); st != OK {
			return st
		}
	}
	s, st := t.placed(f, w, nil)
	if st != OK {
		t.unused(w)
		return st
	}
	e.file, e.opened = f, f.n == 1 && f.pins == 0
	s.deny = a.Deny
	s.combos = pair(a.Access, a.Deny)
	mode := uint32(a.Access)
	if q := w.seq; q != nil {
		c.idle.remove(w)
		if a.Reclaim {
			q.confirmed = true // RFC 7530 section 9.1.11
		}
		if !q.confirmed {
			mode |= unconfirmed
			c.idle.add(w, t.now())
		}
	}
	s.mode.Store(mode)
	t.count(f, a.Access, a.Deny, 1)
	*res = Opened{Stateid: s.id(), Confirm: mode&unconfirmed != 0, state: s}
	return OK
}

// openOf returns the open of an owner and a file, nil if there is none. It looks through the
// shorter one of their lists. Needs file.mu and client.mu.
func openOf(o *owner, f *file) *state {
	if o == nil {
		return nil
	}
	if uint32(o.n) > f.n {
		for s := f.opens; s != nil; s = s.next {
			if s.owner == o {
				return s
			}
		}
		return nil
	}
	for s := o.states; s != nil; s = s.ownNext {
		if s.file == f && !s.gone {
			return s
		}
	}
	return nil
}

// reshare changes how an open uses the file. Needs file.mu.
func (t *Table) reshare(s *state, access, deny Share) {
	t.count(s.file, s.access(), s.deny, -1)
	s.deny = deny
	s.setAccess(access)
	t.count(s.file, access, deny, 1)
}

// opponents returns the clients whose opens stand against one with these ways, at most
// opponentsMax of them. Needs f.mu.
func (f *file) opponents(s *state, access, deny Share) []*client {
	var who []*client
	f.against(s, access, deny, func(o *state) bool {
		for _, c := range who {
			if c == o.owner.client {
				return true
			}
		}
		who = append(who, o.owner.client)
		return len(who) < opponentsMax
	})
	return who
}

// Confirm is OPEN_CONFIRM (RFC 7530 section 16.18). An open that is confirmed already is
// BadStateid.
func (t *Table) Confirm(x *Target) (Stateid, Status) {
	s, st := t.hold(x, false, unconfirmed)
	if st != OK {
		return Stateid{}, st
	}
	defer t.release(s)
	o := s.owner
	if s.mode.Load()&unconfirmed == 0 {
		return Stateid{}, BadStateid
	}
	o.seq.confirmed = true
	o.client.idle.remove(o)
	s.mode.And(^unconfirmed)
	s.step()
	return s.id(), OK
}

// Downgrade is OPEN_DOWNGRADE (RFC 8881 section 18.18): what is left must be what some of the
// OPENs have asked for, all together.
func (t *Table) Downgrade(x *Target, access, deny Share) (Stateid, Status) {
	if access == 0 || access > Both || deny > Both {
		return Stateid{}, Inval
	}
	s, st := t.hold(x, false, 0)
	if st != OK {
		return Stateid{}, st
	}
	defer t.release(s)
	var kept uint16
	var a, d Share
	for i := Read; i <= Both; i++ {
		for j := Share(0); j <= Both; j++ {
			if s.combos&pair(i, j) != 0 && i&^access == 0 && j&^deny == 0 {
				kept |= pair(i, j)
				a |= i
				d |= j
			}
		}
	}
	if a != access || d != deny {
		return Stateid{}, Inval
	}
	t.reshare(s, access, deny)
	s.combos = kept
	s.step()
	return s.id(), OK
}

// Close is CLOSE (RFC 8881 section 18.2). Locks that were got with the open are released.
func (t *Table) Close(x *Target) (Stateid, Status) {
	s, st := t.hold(x, false, 0)
	if st != OK {
		return Stateid{}, st
	}
	var e effects
	res := Invalid
	if s.legacy {
		s.step()
		res = s.id()
		t.detach(s, OK, &e)
		t.entomb(s)
	} else {
		t.bury(s, OK, &e)
	}
	t.release(s)
	t.after(&e)
	return res, OK
}
