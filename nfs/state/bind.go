package state

import (
	"slices"

	"github.com/ringnfs/ringnfs/uring/futex"
)

// Direction says which channels of a session a connection is for (RFC 8881 section 18.34).
type Direction uint32

// The directions: what BIND_CONN_TO_SESSION asks for, and, for the first three, what it
// answers.
const (
	Fore       Direction = 1
	Back       Direction = 2
	Both       Direction = 3 // asked for: FORE_OR_BOTH
	BackOrBoth Direction = 7
)

// bindingsMax bounds the connections of a session. Linux has at most 16 (nconnect).
const bindingsMax = 64

// Binding is a connection of a session.
type Binding struct {
	Conn uint64
	Dir  Direction // Fore, Back or Both
}

// conns says which sessions a connection is bound to, to be found when it ends.
type conns struct {
	mu futex.Mutex
	of map[uint64][]*Session
}

func (x *conns) add(conn uint64, s *Session) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.of[conn] = append(x.of[conn], s)
}

func (x *conns) remove(conn uint64, s *Session) {
	x.mu.Lock()
	defer x.mu.Unlock()
	left := slices.DeleteFunc(x.of[conn], func(o *Session) bool { return o == s })
	if len(left) == 0 {
		delete(x.of, conn)
		return
	}
	x.of[conn] = left
}

func (x *conns) take(conn uint64) []*Session {
	x.mu.Lock()
	defer x.mu.Unlock()
	ss := x.of[conn]
	delete(x.of, conn)
	return ss
}

// Bindings returns the session's connections. The slice is never changed.
func (s *Session) Bindings() []Binding { return s.bindings() }

func (s *Session) bindings() []Binding {
	if p := s.bound.Load(); p != nil {
		return *p
	}
	return nil
}

func (s *Session) isBound(conn uint64) bool {
	if conn == 0 {
		return true
	}
	for _, b := range s.bindings() {
		if b.Conn == conn {
			return true
		}
	}
	return false
}

// BindConn is BIND_CONN_TO_SESSION (RFC 8881 section 18.34) by the connection that is to be
// bound. It returns the direction to answer. A session without a back channel refuses Back,
// and gives the fore channel where that will do.
func (t *Table) BindConn(id SessionID, conn uint64, asked Direction) (Direction, Status) {
	s := t.sessions.At(id.index())
	if s == nil || s.id != id {
		return 0, BadSession
	}
	dir := asked
	switch asked {
	case Fore:
	case Both:
		if !s.mayCallBack() {
			dir = Fore
		}
	case Back, BackOrBoth:
		if !s.mayCallBack() {
			return 0, Inval
		}
		dir = asked & Both
	default:
		return 0, Inval
	}
	if !s.bind(conn, dir) {
		return 0, BadSession
	}
	return dir, OK
}

// bind makes conn one of s. What it was bound for before is replaced. It reports false when
// the session is over.
func (s *Session) bind(conn uint64, dir Direction) bool {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.bindLocked(conn, dir)
}

// bindLocked is bind with client.mu held.
func (s *Session) bindLocked(conn uint64, dir Direction) bool {
	if s.dead.Load() {
		return false
	}
	if conn == 0 {
		return true
	}
	bs := slices.Clone(s.bindings())
	if i := slices.IndexFunc(bs, func(b Binding) bool { return b.Conn == conn }); i >= 0 {
		bs[i].Dir = dir
	} else {
		if len(bs) == bindingsMax { // the oldest that calls nobody back, else the oldest
			old := max(slices.IndexFunc(bs, func(b Binding) bool { return b.Dir == Fore }), 0)
			s.table.conns.remove(bs[old].Conn, s)
			bs = slices.Delete(bs, old, old+1)
		}
		bs = append(bs, Binding{conn, dir})
		s.table.conns.add(conn, s)
	}
	s.bound.Store(&bs)
	s.forgetTrials(conn)
	if dir&Back != 0 {
		s.backed = true
		s.mend()
	}
	s.client.judgePaths()
	return true
}

// mend lets the session be called back anew, after a fault. Needs client.mu.
func (s *Session) mend() {
	s.flags.And(^StatusBackchannelFault)
	s.fresh.Store(true)
	s.client.judgePaths()
}

// Disconnect forgets a connection that has ended. It must not be called while a Begin or
// BindConn of the same connection runs: both belong to the connection's lane.
func (t *Table) Disconnect(conn uint64) {
	for _, s := range t.conns.take(conn) {
		c := s.client
		c.mu.Lock()
		if !s.dead.Load() {
			bs := slices.DeleteFunc(slices.Clone(s.bindings()), func(b Binding) bool {
				return b.Conn == conn
			})
			s.bound.Store(&bs)
			s.forgetTrials(conn)
			c.judgePaths()
		}
		c.mu.Unlock()
	}
}

// hasBack reports whether a connection for callbacks is bound.
func (s *Session) hasBack() bool {
	return slices.ContainsFunc(s.bindings(), func(b Binding) bool { return b.Dir&Back != 0 })
}

// judgePaths sets and clears the flags that tell the client that it cannot be called back: a
// session that had a connection for that and lost it, and the client when none is left. It also
// notes which sessions can be called back for sure. Needs c.mu.
func (c *Client) judgePaths() {
	lost, have := false, false
	for _, s := range c.sessions {
		s.answers.Store(s.flags.Load()&StatusBackchannelFault == 0 &&
			slices.ContainsFunc(s.bindings(), func(b Binding) bool {
				return b.Dir&Back != 0 && s.proved(b.Conn)
			}))
		switch {
		case s.hasBack():
			have = true
			s.flags.And(^StatusPathDownSession)
		case s.backed:
			lost = true
			s.flags.Or(StatusPathDownSession)
		}
	}
	if lost && !have {
		c.flags.Or(StatusPathDown)
	} else {
		c.flags.And(^StatusPathDown)
	}
}

// boundAnywhere reports whether conn is bound to a session of c. Needs c.mu.
func (c *Client) boundAnywhere(conn uint64) bool {
	return slices.ContainsFunc(c.sessions, func(s *Session) bool { return s.isBound(conn) })
}
