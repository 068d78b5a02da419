package files

// Undo takes back an OPEN whose further effects have failed: the client hears of an error, and
// nobody has seen the stateid. If the owner has opened the file again meanwhile, it has what it
// has, unless that OPEN is undone, too.
func (t *Table) Undo(o *Opened) {
	s := o.state
	if s == nil {
		return
	}
	var e effects
	s.file.mu.Lock()
	s.owner.client.mu.Lock()
	if !s.gone {
		c := s.owner.client
		c.undone = &undone{*o, c.undone}
		t.undo(s, &e)
	}
	t.release(s)
	t.after(&e)
}

// undone is an OPEN that is to be undone when the later ones of its owner and file are, and the next
// such OPEN of the client.
type undone struct {
	Opened
	next *undone
}

// undoneMax is how many OPENs a client can have that are to be undone. More are hardly ever under way.
const undoneMax = 64

// undo takes back the last OPENs of s as long as they are to be undone. Needs file.mu and client.mu.
func (t *Table) undo(s *state, e *effects) {
	list := &s.owner.client.undone
	n := 0
	for at := list; *at != nil; {
		o := *at
		switch {
		case o.state != s || o.Stateid.Seq != s.seq.Load():
			if n++; n == undoneMax {
				o.next = nil
			}
			at = &o.next
			continue
		case o.seq == 0:
			t.bury(s, OK, e)
			return
		}
		t.reshare(s, o.access, o.deny)
		s.combos = o.combos
		s.seq.Store(o.seq)
		*at = o.next
		at, n = list, 0
	}
}

// forgive forgets which OPENs of s are to be undone. Needs client.mu.
func (s *state) forgive() {
	for at := &s.owner.client.undone; *at != nil; {
		if o := *at; o.state == s {
			*at = o.next
		} else {
			at = &o.next
		}
	}
}
