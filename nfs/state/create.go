package state

// Flags of CREATE_SESSION (RFC 8881 section 18.36.3).
const (
	CreatePersist  uint32 = 1 // PERSIST, not given
	CreateBackChan uint32 = 2 // CONN_BACK_CHAN
	CreateRDMA     uint32 = 4 // CONN_RDMA, not given
)

// What a session must allow at least. A request of SEQUENCE, PUTFH and one operation has some
// 240 bytes, its reply 200. A callback of CB_SEQUENCE and CB_RECALL has some 320 and 84.
const (
	foreRequestMin, foreReplyMin = 256, 256
	backRequestMin, backReplyMin = 360, 128
	opsMin                       = 2
	backSlotsMax                 = 16
)

// Create is what CREATE_SESSION asks. Callback is the session's then.
type Create struct {
	Client     ClientID
	Seqid      uint32
	Flags      uint32
	Fore, Back Channel
	Callback   Callback
	Minor      uint8 // the minor version that it came with
	Principal  Principal
	Conn       uint64 // is bound to the session; 0 is not recorded
}

// Created is what CREATE_SESSION answers.
type Created struct {
	Session    SessionID
	Seqid      uint32
	Flags      uint32
	Fore, Back Channel
}

// created is the slot of a client's CREATE_SESSIONs: their last sequence ID and result.
type created struct {
	seqid  uint32
	used   bool
	status Status
	result Created
}

// CreateSession is CREATE_SESSION (RFC 8881 section 18.36). The first one of a client
// confirms it, and what an earlier incarnation held is dropped, which can take as long as it
// held much. When a courteous client has to go for it, it writes to the store.
//
// A request with the last sequence ID gets the last answer. DELAY is no answer and does not
// use the sequence ID: Linux sends the same one again. An answer that came from the arguments
// alone is found again rather than kept, so a client that sends others with the same number
// is served.
func (t *Table) CreateSession(a *Create) (Created, Status) {
	t.mu.Lock()
	r, left, st := t.create(a)
	t.mu.Unlock()
	t.replaced(left, a.Client)
	return r, st
}

// create needs t.mu.
func (t *Table) create(a *Create) (r Created, left *Client, st Status) {
	c := t.client(a.Client)
	if c == nil || c.minor == 0 {
		return r, nil, StaleClientID
	}
	last := &c.created // changed with t.mu and c.mu held
	switch {
	case a.Seqid == last.seqid+1:
	case a.Seqid != last.seqid || !last.used:
		return r, nil, SeqMisordered
	case last.status == TooSmall || last.status == Inval || last.status == NoEnt:
	default:
		return last.result, nil, last.status
	}
	r, left, st = t.newSession(c, a)
	if st != Delay {
		c.mu.Lock()
		*last = created{a.Seqid, true, st, r}
		c.mu.Unlock()
	}
	return r, left, st
}

// newSession needs t.mu.
func (t *Table) newSession(c *Client, a *Create) (r Created, left *Client, st Status) {
	if a.Flags&^(CreatePersist|CreateBackChan|CreateRDMA) != 0 {
		return r, nil, Inval
	}
	fore, ok := t.agreeFore(a.Fore)
	back, okBack := t.agreeBack(a.Back)
	if !ok || !okBack {
		return r, nil, TooSmall
	}
	_, canCall := a.Callback.usable()
	if canCall == NoEnt {
		return r, nil, NoEnt
	}
	isFresh := t.fresh.byOwner[c.owner] == c
	if isFresh && c.principal != a.Principal {
		return r, nil, ClidInUse
	}
	s, st := t.makeSession(c, fore, back, a.Callback)
	if st != OK {
		return r, nil, st
	}
	if isFresh {
		if st = t.mayConfirm(c); st == OK {
			left, st = t.confirm(c)
		}
		if st != OK {
			t.budget.give(c, s.bytes())
			t.sessions.Give(s.id.index())
			return r, nil, st
		}
	}
	dir := Fore
	if a.Flags&CreateBackChan != 0 && back.Slots > 0 && canCall == OK {
		dir = Both
		r.Flags = CreateBackChan
	}
	c.renew(t.now())
	c.mu.Lock()
	defer c.mu.Unlock()
	s.minor = a.Minor
	c.sessions = append(c.sessions, s)
	t.sessions.Put(s.id.index(), s)
	s.bindLocked(a.Conn, dir)
	r.Session, r.Seqid, r.Fore, r.Back = s.id, a.Seqid, fore, back
	return r, left, OK
}

// makeSession makes a session that is nowhere yet. Needs t.mu.
func (t *Table) makeSession(c *Client, fore, back Channel, cb Callback) (*Session, Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sessions) >= t.cfg.SessionsMax && !c.killDeserted() {
		return nil, NoSpc
	}
	s := &Session{
		client: c, table: t, fore: fore, back: back, callback: cb,
		keptClass: t.sizes.class(int(fore.KeptMax)),
	}
	if !t.budget.take(c, s.bytes()) {
		return nil, Delay
	}
	i, ok := t.sessions.Take()
	if !ok {
		t.budget.give(c, s.bytes())
		return nil, Delay
	}
	if !t.mint.Mint(s.id[:], i) {
		t.sessions.Give(i)
		t.budget.give(c, s.bytes())
		return nil, ServerFault
	}
	return s, OK
}

// killDeserted ends the oldest session that no connection is bound to and no request uses. A
// client whose DESTROY_SESSION came by a new connection, and was refused for that, leaves
// such ones behind. Needs c.mu.
func (c *Client) killDeserted() bool {
	for _, s := range c.sessions {
		if len(s.bindings()) == 0 && s.busySlots() == 0 {
			s.kill()
			return true
		}
	}
	return false
}

// mayConfirm says whether c's owner may become c's. Needs t.mu.
func (t *Table) mayConfirm(c *Client) Status {
	if old := t.confirmed[c.owner]; old != nil && old.principal != c.principal && old.inUse() {
		return ClidInUse
	}
	return OK
}

// agreeFore returns what is given of what a client asks for its requests: never more, since
// Linux refuses a session with more slots or larger replies than it asked for.
func (t *Table) agreeFore(a Channel) (Channel, bool) {
	if a.RequestMax < foreRequestMin || a.ReplyMax < foreReplyMin || a.Ops < opsMin || a.Slots < 1 {
		return Channel{}, false
	}
	return Channel{
		RequestMax: min(a.RequestMax, t.cfg.RequestMax),
		ReplyMax:   min(a.ReplyMax, t.cfg.ReplyMax),
		KeptMax:    min(a.KeptMax, a.ReplyMax, t.cfg.KeptMax),
		Ops:        min(a.Ops, t.cfg.OpsMax),
		Slots:      min(a.Slots, t.cfg.SlotsMax),
	}, true
}

// agreeBack is agreeFore for callbacks. Sizes stay as they were asked for: Linux refuses a
// session whose back channel has smaller replies. No slots, no back channel.
func (t *Table) agreeBack(a Channel) (Channel, bool) {
	if a.Slots == 0 {
		return Channel{}, true
	}
	if a.RequestMax < backRequestMin || a.ReplyMax < backReplyMin || a.Ops < opsMin {
		return Channel{}, false
	}
	a.HeaderPad = 0
	a.Slots = min(a.Slots, backSlotsMax)
	return a, true
}
