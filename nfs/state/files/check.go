package files

// Check says whether a stateid allows the caller to use a file, for READ, SEEK and the like, or
// for WRITE, SETATTR of the size, ALLOCATE and the like, which want [Write]. It is for stateids
// that are not special: see [Table.CheckSpecial]. It takes no lock and stores nothing, unless a
// file that was opened for writing only is read while somebody denies reading.
//
// It returns the client that the stateid belongs to, so that its lease is renewed in version 4.0.
func (t *Table) Check(key *File, id *Stateid, by Caller, want Share) (client uint64, st Status) {
	s, st := t.find(id, by)
	if st != OK {
		return 0, st
	}
	mode := s.modes()
	if mode&flags != 0 {
		return s.client, flagged(mode)
	}
	if s.file.key != *key {
		return s.client, BadStateid
	}
	if st = s.sequence(id.Seq); st != OK {
		return s.client, st
	}
	if missing := want &^ Share(mode); missing != 0 {
		return s.client, t.readWhileWriting(s, missing, by.Brief)
	}
	return s.client, OK
}

// readWhileWriting judges the READ of who has opened a file for writing only. Clients whose cache
// has whole pages must read to write a part of one, so it is allowed (RFC 8881 section 9.1.2)
// unless somebody denies reading.
func (t *Table) readWhileWriting(s *state, missing Share, brief bool) Status {
	if missing != Read {
		return OpenMode
	}
	if t.denials.Load() == 0 {
		return OK
	}
	open := s
	if s.lock {
		open = s.peer
	}
	f := s.file
	for range rounds {
		f.mu.Lock()
		who := f.opponents(open, Read, 0)
		t.unlock(f)
		if len(who) == 0 {
			return OK
		}
		if st := t.expire(who, s.owner.client, brief, Locked); st != OK {
			return st
		}
	}
	return Delay
}

// CheckSpecial says whether a file may be used with a special stateid, [Anonymous] or [Bypass]:
// what other clients deny holds for both, READ included (RFC 8881 sections 8.2.3 and 9.7). Of other
// special values it says BadStateid. Courteous clients lose what stands in the way.
func (t *Table) CheckSpecial(key *File, id *Stateid, want Share, r Recovery, by Caller) Status {
	if *id != Anonymous && *id != Bypass {
		return BadStateid
	}
	if st := r.Judge(OpIO, by.Minor); st != OK {
		return st
	}
	for range rounds {
		if t.denials.Load() == 0 {
			return OK
		}
		f := t.lock(key, false)
		if f == nil {
			return OK
		}
		who := f.opponents(nil, want, 0)
		t.unlock(f)
		if len(who) == 0 {
			return OK
		}
		if st := t.expire(who, nil, by.Brief, Locked); st != OK {
			return st
		}
	}
	return Delay
}

// Special reports whether a stateid is one for [Table.CheckSpecial].
func (id *Stateid) Special() bool { return id.reserved() }

// TestStateid is TEST_STATEID for one stateid (RFC 8881 section 18.48).
func (t *Table) TestStateid(id *Stateid, by Caller) Status {
	s, st := t.find(id, by)
	if st != OK {
		return st
	}
	if mode := s.modes(); mode&flags != 0 {
		return flagged(mode)
	}
	return s.sequence(id.Seq)
}

// FreeStateid is FREE_STATEID (RFC 8881 section 18.38): it forgets a stateid that was taken from
// the client, or one of locks that has none. An open is ended by CLOSE only.
func (t *Table) FreeStateid(id *Stateid, by Caller) Status {
	s, st := t.find(id, by)
	if st != OK {
		return st
	}
	var e effects
	s.file.mu.Lock()
	s.owner.client.mu.Lock()
	switch {
	case t.index.At(id.Other.index()) != s:
		st = BadStateid
	case s.gone:
		t.bury(s, OK, &e)
	default:
		if st = s.sequence(id.Seq); st != OK {
			break
		}
		if !s.lock || s.ranges > 0 {
			st = LocksHeld
			break
		}
		t.bury(s, OK, &e)
	}
	t.release(s)
	t.after(&e)
	return st
}
