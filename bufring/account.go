package bufring

// Account counts what is held for somebody, and for the one whose part that is: a
// connection's, and above it that of all connections of a household. It belongs to the
// lane's thread. The zero value is ready.
type Account struct {
	// Above is charged as well, if not nil. It is set before anything is held.
	Above *Account
	held  [numClasses]int
}

// Held returns how many slabs of class c are held.
func (a *Account) Held(c Class) int { return a.held[c] }

// Idle reports whether no slab is held.
func (a *Account) Idle() bool { return a.held == [numClasses]int{} }

func (a *Account) charge(c Class, n int) {
	for ; a != nil; a = a.Above {
		a.held[c] += n
	}
}

// Share is what decides who may take another of some equal things, such as slabs of a
// class: All there are, of which Free are not held.
type Share struct{ Free, All int }

// Allows reports whether somebody who holds own, and whose household holds above in
// all, may take one more:
//
//   - A household that holds none may, as long as there is one.
//   - A household may as long as it holds fewer than are left, but for the last
//     sixteenth. One alone has half, and what several want is equal parts, and one
//     more that nobody has.
//   - Who holds none, of a household that holds more, may but for the last eighth. So
//     one that gives back slowly has one, and those who come later find theirs.
func (s Share) Allows(own, above int) bool {
	switch {
	case s.Free <= 0:
		return false
	case above == 0:
		return true
	case above < s.Free:
		return s.Free > max(1, s.All/16)
	default:
		return own == 0 && s.Free > max(1, s.All/8)
	}
}

// TakeFor is Take for a, which the slab is charged to until its last holder releases
// it. It returns nil also when a has its share: see [Share.Allows].
func (s *Slabs) TakeFor(a *Account, c Class) *Buffer {
	above := a
	if a.Above != nil {
		above = a.Above
	}
	if !(Share{Free: s.Free(c), All: s.pools[c].max}).Allows(a.held[c], above.held[c]) {
		return nil
	}
	b := s.Take(c)
	if b != nil {
		b.account = a
		a.charge(c, 1)
	}
	return b
}
