package state

import "slices"

// This file is the back channel of a session: by which connections, in which slots and as whom the
// client is called back (RFC 8881 sections 2.10.3.1 and 2.10.6). Who calls sends the record, and
// says here what came of it.

// The flavors by which clients let themselves be called back. A handle of RPCSEC_GSS is none that
// the server has given.
const (
	flavorNone = 0
	flavorSys  = 1
)

// usable returns the first way to call back that the server can use.
func (cb *Callback) usable() (*Security, Status) {
	for i := range cb.Security {
		if s := &cb.Security[i]; s.Flavor == flavorNone || s.Flavor == flavorSys {
			return s, OK
		}
	}
	if len(cb.Security) > 0 {
		return nil, NoEnt
	}
	return nil, Inval
}

// mayCallBack reports whether the session has a back channel that the server can use.
func (s *Session) mayCallBack() bool {
	_, _, ok := s.CallsBackAs()
	return ok && s.back.Slots > 0
}

// backSlot is a slot of the back channel.
type backSlot struct {
	last uint32 // the sequence ID of the last callback
	busy bool
	// unsure says that nobody knows whether the client has seen last+1.
	unsure bool
}

// BackCall is a callback under way, from Table.CallBack to End. One goroutine at a time uses it.
// The fields are to be read.
type BackCall struct {
	Session  SessionID
	Minor    uint8
	Program  uint32
	Security Security
	Limits   Channel
	Conn     uint64 // by which it goes
	Slot     uint32
	Seqid    uint32
	Highest  uint32 // csa_highest_slotid
	// Asks says that the slot's sequence ID is in doubt: the client is first to be sent
	// CB_SEQUENCE alone.
	Asks bool

	s     *Session
	again bool     // the client may have seen it before
	tried []uint64 // connections that were of no use
}

// CallBack begins a callback of a client by any of its sessions. The status is CBPathDown if there
// is no connection for that, and BackChanBusy if all slots are taken.
func (t *Table) CallBack(id ClientID) (*BackCall, Status) {
	c := t.client(id)
	if c == nil {
		return nil, CBPathDown
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	st := CBPathDown
	for _, s := range c.sessions {
		b, other := s.callBack()
		if other == OK {
			return b, OK
		}
		if other == BackChanBusy {
			st = other
		}
	}
	return nil, st
}

// CallBack begins a callback by the session, as Table.CallBack does.
func (s *Session) CallBack() (*BackCall, Status) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.callBack()
}

// callBack needs client.mu.
func (s *Session) callBack() (*BackCall, Status) {
	b := &BackCall{Session: s.id, Minor: s.minor, Limits: s.back, s: s}
	sec, st := s.callback.usable()
	if st != OK || s.dead.Load() || s.flags.Load()&StatusBackchannelFault != 0 || !b.route() {
		return nil, CBPathDown
	}
	b.Program, b.Security = s.callback.Program, *sec
	if s.backSlots == nil {
		s.backSlots = make([]backSlot, s.back.Slots)
		s.backTarget = s.back.Slots - 1
	}
	at := -1
	for i := range s.backSlots[:s.backTarget+1] {
		if sl := &s.backSlots[i]; !sl.busy && (at < 0 || s.backSlots[at].unsure && !sl.unsure) {
			at = i
		}
	}
	if at < 0 {
		return nil, BackChanBusy
	}
	sl := &s.backSlots[at]
	sl.busy = true
	b.Slot, b.Seqid, b.Asks = uint32(at), sl.last+1, sl.unsure
	for i := range s.backSlots {
		if s.backSlots[i].busy {
			b.Highest = uint32(i)
		}
	}
	return b, OK
}

// route chooses a connection: one that is known to work, else another one. Needs client.mu.
func (b *BackCall) route() bool {
	b.Conn = 0
	for _, x := range b.s.bindings() {
		if x.Dir&Back == 0 || slices.Contains(b.tried, x.Conn) || slices.Contains(b.s.deaf, x.Conn) {
			continue
		}
		if b.Conn == 0 || b.s.proved(x.Conn) && !b.s.proved(b.Conn) {
			b.Conn = x.Conn
		}
	}
	return b.Conn != 0
}

// Another chooses another connection after Conn was of no use, and reports false if there is none.
// With seen the client may have got the callback nevertheless; sent again, it is a retry.
func (b *BackCall) Another(seen bool) bool {
	s := b.s
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	b.again = b.again || seen
	b.tried = append(b.tried, b.Conn)
	return !s.dead.Load() && b.route()
}

// BackNext is how a callback goes on.
type BackNext uint8

// How a callback goes on after the client has answered its CB_SEQUENCE.
const (
	// BackDone: the client has seen it, now or before. What follows CB_SEQUENCE in the answer
	// is its result, if there is any.
	BackDone BackNext = iota
	// BackSend: the slot is good now, and the callback itself is to be sent.
	BackSend
	// BackLater: the client wants it to be sent later. It has not seen it.
	BackLater
	// BackBroken: the client does not know the session or the slot.
	BackBroken
)

// Answered says how the callback goes on after the client has answered CB_SEQUENCE with st, and, if
// that is OK, with the highest slot that it would like to see used.
func (b *BackCall) Answered(st Status, target uint32) BackNext {
	s := b.s
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	before := st == RetryUncachedRep || st == SeqFalseRetry || st == RepTooBigToCache
	switch {
	case st == Delay:
		return BackLater
	case st != OK && !(before && (b.again || b.Asks)):
		s.flags.Or(StatusBackchannelFault)
		s.client.judgePaths()
		return BackBroken
	}
	sl := &s.backSlots[b.Slot]
	sl.last, sl.unsure = b.Seqid, false
	if st == OK {
		s.backTarget = min(target, s.back.Slots-1)
		s.prove(b.Conn)
	}
	if b.Asks {
		b.Asks, b.again = false, false
		b.Seqid++
		return BackSend
	}
	return BackDone
}

// Unsure reports whether the client may have seen the callback, or its doubts were not cleared up:
// what End is to be told if it is given up.
func (b *BackCall) Unsure() bool { return b.again || b.Asks }

// End frees the slot. With unsure nobody knows whether the client has seen the callback.
func (b *BackCall) End(unsure bool) {
	s := b.s
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	sl := &s.backSlots[b.Slot]
	sl.busy = false
	sl.unsure = sl.unsure || unsure
}

// Useless says that a connection is good for no callback: it is over, or nobody answers there. The
// client is told, unless there is another one, until it binds one.
func (t *Table) Useless(id SessionID, conn uint64) {
	if s := t.SessionByID(id); s != nil {
		s.client.mu.Lock()
		defer s.client.mu.Unlock()
		s.unback(conn)
	}
}

// unback takes a connection from the back channel. Needs client.mu.
func (s *Session) unback(conn uint64) {
	bs := slices.Clone(s.bindings())
	i := slices.IndexFunc(bs, func(b Binding) bool { return b.Conn == conn && b.Dir&Back != 0 })
	if i < 0 || s.dead.Load() {
		return
	}
	if bs[i].Dir &^= Back; bs[i].Dir == 0 {
		bs = slices.Delete(bs, i, i+1)
		s.table.conns.remove(conn, s)
	}
	s.bound.Store(&bs)
	s.forgetTrials(conn)
	s.client.judgePaths()
}

// Works says that the client has answered a CB_NULL by a connection.
func (t *Table) Works(id SessionID, conn uint64) {
	if s := t.SessionByID(id); s != nil {
		s.client.mu.Lock()
		defer s.client.mu.Unlock()
		s.prove(conn)
	}
}

// Refuses says that the client takes no callbacks by a connection, as its answers say: it does not
// know the program, for example. It is asked for none there until it binds the connection again.
// The flags of SEQUENCE do not tell it, for it would do that at once, and again.
func (t *Table) Refuses(id SessionID, conn uint64) {
	if s := t.SessionByID(id); s != nil {
		s.client.mu.Lock()
		defer s.client.mu.Unlock()
		s.forgetTrials(conn)
		if !s.dead.Load() && s.isBound(conn) {
			s.deaf = append(s.deaf, conn)
		}
		s.client.judgePaths()
	}
}

// forgetTrials forgets how a connection has turned out for callbacks. Needs client.mu.
func (s *Session) forgetTrials(conn uint64) {
	is := func(c uint64) bool { return c == conn }
	s.working, s.deaf = slices.DeleteFunc(s.working, is), slices.DeleteFunc(s.deaf, is)
}

func (s *Session) proved(conn uint64) bool { return slices.Contains(s.working, conn) }

// prove notes that callbacks by a connection are answered. Needs client.mu.
func (s *Session) prove(conn uint64) {
	if !s.dead.Load() && !s.proved(conn) {
		s.working = append(s.working, conn)
		s.client.judgePaths()
	}
}

// Answers reports whether the client has answered a callback by a connection that the session still
// has for that.
func (s *Session) Answers() bool { return s.answers.Load() }

// ToProve reports whether Unproved returns something. It is one atomic load.
func (s *Session) ToProve() bool { return s.fresh.Load() }

// Unproved returns, once each, the connections for callbacks of which nobody knows whether they
// work: each is to be sent a CB_NULL.
func (s *Session) Unproved() (conns []uint64) {
	if !s.fresh.CompareAndSwap(true, false) {
		return nil
	}
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	for _, b := range s.bindings() {
		if b.Dir&Back != 0 && !s.proved(b.Conn) && !slices.Contains(s.deaf, b.Conn) {
			conns = append(conns, b.Conn)
		}
	}
	return conns
}

// CallsBackAs returns the program and the way to call back.
func (s *Session) CallsBackAs() (program uint32, sec Security, ok bool) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	u, st := s.callback.usable()
	if st != OK {
		return 0, Security{}, false
	}
	return s.callback.Program, *u, true
}

// SessionByID returns the session with an ID, nil if there is none.
func (t *Table) SessionByID(id SessionID) *Session {
	if s := t.sessions.At(id.index()); s != nil && s.id == id {
		return s
	}
	return nil
}
