package state

import (
	"sync/atomic"
	"unsafe"
)

// Channel is what channel_attrs4 says of one direction of a session (RFC 8881 section
// 18.36.1). Sizes are in bytes, RPC header included.
type Channel struct {
	HeaderPad  uint32 // always 0 in results
	RequestMax uint32
	ReplyMax   uint32
	KeptMax    uint32 // ca_maxresponsesize_cached
	Ops        uint32 // of a request
	Slots      uint32
}

// Security is one way in which the client lets itself be called back (callback_sec_parms4).
type Security struct {
	Flavor  uint32
	UID     uint32 // the rest is for AUTH_SYS
	GID     uint32
	Machine string
	GIDs    []uint32
}

// Callback is how a client is called back over a session. What it refers to is not changed
// once it was handed over.
type Callback struct {
	Program  uint32
	Security []Security
}

// bytes returns how much memory the callback takes beside the session.
func (cb *Callback) bytes() int {
	n := len(cb.Security) * int(unsafe.Sizeof(Security{}))
	for i := range cb.Security {
		s := &cb.Security[i]
		n += len(s.Machine) + len(s.GIDs)*int(unsafe.Sizeof(s.GIDs[0]))
	}
	return n
}

// Session is a session of a client (RFC 8881 section 2.10). It is safe for use by several
// goroutines.
type Session struct {
	// immutable
	id        SessionID
	client    *Client
	table     *Table
	fore      Channel
	back      Channel // Slots is 0 when there is no back channel
	keptClass int
	minor     uint8 // of the CREATE_SESSION, and so of callbacks

	// atomic
	flags    atomic.Uint32                              // of SEQ4_STATUS
	dead     atomic.Bool                                // set once, with client.mu held
	groups   [slotsMax / groupLen]atomic.Pointer[group] // set once each, with client.mu held
	bound    atomic.Pointer[[]Binding]                  // replaced with client.mu held
	fresh    atomic.Bool                                // a connection for callbacks is to be tried
	recalled atomic.Bool                                // the client has been asked to use fewer slots
	// answers is set while callbacks are known to arrive; with client.mu held.
	answers atomic.Bool

	// guarded by client.mu
	callback Callback
	backed   bool // a connection has been asked for as back channel
	// backSlots are the slots for callbacks, nil before the first; those above backTarget are not to
	// be used.
	backSlots  []backSlot
	backTarget uint32
	working    []uint64 // connections by which callbacks were answered
	deaf       []uint64 // those by which the client wants none, though it has bound them
}

const (
	sessionBytes = int(unsafe.Sizeof(Session{})) + backSlotsMax*int(unsafe.Sizeof(backSlot{}))
	groupBytes   = int(unsafe.Sizeof(group{}))
)

// bytes returns what the session counts for, without its slots. Needs client.mu once it can be
// found.
func (s *Session) bytes() int { return sessionBytes + s.callback.bytes() }

// ID returns what the client calls the session.
func (s *Session) ID() SessionID { return s.id }

// Client returns whose session it is.
func (s *Session) Client() *Client { return s.client }

// Fore returns what was agreed for the client's requests.
func (s *Session) Fore() Channel { return s.fore }

// Back returns what was agreed for callbacks; Slots is 0 if there is no back channel.
func (s *Session) Back() Channel { return s.back }

// Callback returns how to call back.
func (s *Session) Callback() Callback {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.callback
}

// grow makes the slots of group i.
func (s *Session) grow(i uint32) (*group, Status) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if s.dead.Load() {
		return nil, BadSession
	}
	if g := s.groups[i].Load(); g != nil {
		return g, OK
	}
	if !s.table.budget.take(s.client, groupBytes) {
		return nil, Delay
	}
	g := new(group)
	s.groups[i].Store(g)
	return g, OK
}

// retire forgets the replies of slots above highest, which the client says it does not use
// (RFC 8881 section 2.10.6.1).
func (s *Session) retire(highest uint32) {
	for i := range s.groups {
		g := s.groups[i].Load()
		if g == nil {
			continue
		}
		for j := range g {
			if uint32(i*groupLen+j) > highest {
				g[j].retire(s)
			}
		}
	}
}

// kill ends the session: requests that run go on, nothing new begins. Needs client.mu.
func (s *Session) kill() {
	t, c := s.table, s.client
	for i, other := range c.sessions {
		if other == s {
			c.sessions = append(c.sessions[:i], c.sessions[i+1:]...)
			break
		}
	}
	t.sessions.Give(s.id.index())
	s.dead.Store(true)
	for i := range s.groups {
		if g := s.groups[i].Load(); g != nil {
			for j := range g {
				g[j].bury(s)
			}
			t.budget.give(c, groupBytes)
		}
	}
	for _, b := range s.bindings() {
		t.conns.remove(b.Conn, s)
	}
	s.bound.Store(nil)
	s.working, s.deaf = nil, nil
	s.answers.Store(false)
	t.budget.give(c, s.bytes())
	c.judgePaths()
}

// busySlots returns how many slots are taken.
func (s *Session) busySlots() (n int) {
	for i := range s.groups {
		g := s.groups[i].Load()
		if g == nil {
			continue
		}
		for j := range g {
			if phase := g[j].word.Load() & phaseMask; phase == busy || phase == replaying {
				n++
			}
		}
	}
	return n
}

// DestroySession is DESTROY_SESSION (RFC 8881 section 18.37), come by connection conn. The
// connection has to be bound to that session or to another one of the same client; 0 is not
// looked at. Requests that run go on to their end, but their replies are not kept.
func (t *Table) DestroySession(id SessionID, conn uint64) Status {
	s := t.sessions.At(id.index())
	if s == nil || s.id != id {
		return BadSession
	}
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.dead.Load() {
		return BadSession
	}
	if conn != 0 && !c.boundAnywhere(conn) {
		return ConnNotBound
	}
	s.kill()
	return OK
}

// SetCallback is BACKCHANNEL_CTL (RFC 8881 section 18.33) for the session of the request. The
// Callback is the session's then. It is refused if the server can use none of its ways. If there is
// no memory for it, the session keeps its old one.
func (s *Session) SetCallback(cb Callback) Status {
	if _, st := cb.usable(); st != OK {
		return st
	}
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if s.dead.Load() {
		return BadSession
	}
	if !s.table.budget.take(s.client, cb.bytes()) {
		return Delay
	}
	s.table.budget.give(s.client, s.callback.bytes())
	s.callback = cb
	s.mend()
	return OK
}
