package bufring

// Account counts the slabs that somebody holds: a connection, or, as the account Above it, all
// connections of a household. It belongs to the lane's thread. The zero value is ready.
type Account struct {
	// Above, if not nil, is charged as well. The owner sets it before anything is held.
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

// Share is the state of a stock of equal things, such as the slabs of a class: there are All, and
// nobody holds Free of them. It decides who may take another one.
type Share struct{ Free, All int }

// Allows reports whether somebody who holds own things, and whose household holds above in all, may
// take one more:
//
//   - A household that holds none may take one as long as there is one.
//   - Any household may take one while it holds fewer than are free; the last sixteenth is
//     not given out by this rule. So a household alone gets half of all, and several that
//     want more share equally, and leave one such part free.
//   - A holder of none, in a household that holds more, may take one, but not from the last
//     eighth. So a holder that gives back slowly has one, and later ones still find theirs.
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

// TakeFor is Take for the account a. The slab is charged to a until its last holder releases it.
// TakeFor also returns nil when a has its share, see [Share.Allows].
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
