package files

import "slices"

// sequence is what an owner of 4.0 needs so that each of its operations is done once: they are
// numbered, and the last one's result is kept (RFC 7530 section 9.1.7). Guarded by client.mu.
type sequence struct {
	last      uint32 // seqid of the last operation
	known     bool   // there was one
	busy      bool   // one is in progress
	confirmed bool
	tomb      *state // what the last CLOSE has closed: its stateid still leads here

	// The last operation's result.
	op     uint32
	status Status
	file   *File
	reply  []byte

	listed     bool // in client.idle
	since      uint32
	newer, old *owner
}

// Turn is one operation of an owner of version 4.0. It begins by BeginOpen or BeginState and, if
// that answers Go, must come to its End. The zero value is ready for use; a nil Turn is that of
// other versions.
type Turn struct {
	// What to answer when the verdict is Again: the operation's own bytes as they were, and
	// what the current file handle is then, nil unless End was told.
	Status Status
	File   *File
	Reply  []byte // must not be changed
	// Client is whose stateid BeginState has found, whatever the verdict; 0 if nobody's. It shows that
	// it is there, so its lease is to be renewed (RFC 7530 section 9.5).
	Client uint64

	owner *owner
	op    uint32
	seqid uint32
}

// Verdict says what is to be done with an operation.
type Verdict uint8

// The verdicts.
const (
	Go     Verdict = iota // run it, then End the turn
	Again                 // it has run: answer what the turn says
	Refuse                // answer Turn.Status; there is no turn
	Busy                  // the owner's last operation still runs: answer nothing, or Resource
)

// BeginOpen begins an OPEN of an open owner. Op is the operation's number.
func (t *Table) BeginOpen(turn *Turn, client uint64, name []byte, op, seqid uint32) (v Verdict) {
	*turn = Turn{}
	c := t.client(client)
	if c == nil {
		turn.Status = StaleClientID
		return Refuse
	}
	st := t.attempt(true, false, func() (st Status) {
		v, st = t.beginOpen(turn, c, name, op, seqid)
		return st
	})
	if st != OK {
		turn.Status = st
		return Refuse
	}
	return v
}

// beginOpen is one attempt of BeginOpen.
func (t *Table) beginOpen(turn *Turn, c *client, name []byte, op, seqid uint32) (Verdict, Status) {
	for {
		c.mu.Lock()
		st := c.gone
		if !c.legacy {
			st = StaleClientID
		}
		if st != OK {
			c.mu.Unlock()
			return Refuse, st
		}
		o, st := t.owner(c, openOwner, name)
		if st != OK {
			c.mu.Unlock()
			return Refuse, st
		}
		q := o.seq
		if q.busy || q.confirmed || !q.known || q.answers(op, seqid) {
			defer c.mu.Unlock()
			if !q.busy && !q.known {
				q.last = seqid - 1 // a new owner begins with any number
			}
			return t.begin(turn, o, op, seqid), OK
		}
		// Not confirmed: nothing was promised, and it begins afresh (RFC 7530 section 9.1.11).
		s := o.states
		if s == nil {
			q.known = false
		}
		c.mu.Unlock()
		if s != nil {
			t.end(s, OK)
		}
	}
}

// BeginState begins an operation that names its owner by a stateid: OPEN_CONFIRM, OPEN_DOWNGRADE,
// CLOSE, LOCK and LOCKU. What the stateid is worth is judged later: the last operation is answered
// again although it has made its stateid an old one.
func (t *Table) BeginState(turn *Turn, id *Stateid, op, seqid uint32) Verdict {
	*turn = Turn{}
	s, st := t.find(id, Caller{})
	if st == OK {
		turn.Client = s.client
		if s.modes()&expired != 0 {
			st = Expired // whatever the number is: the client may have begun anew
		}
	}
	if st != OK {
		turn.Status = st
		return Refuse
	}
	o := s.owner
	o.client.mu.Lock()
	defer o.client.mu.Unlock()
	if o.gone {
		turn.Status = BadStateid
		return Refuse
	}
	return t.begin(turn, o, op, seqid)
}

// begin judges a seqid. Needs client.mu.
func (t *Table) begin(turn *Turn, o *owner, op, seqid uint32) Verdict {
	q := o.seq
	switch {
	case q.busy:
		turn.Status = Resource
		return Busy
	case q.answers(op, seqid):
		turn.Status, turn.File, turn.Reply = q.status, q.file, q.reply
		return Again
	case seqid != q.last+1:
		turn.Status = BadSeqid
		return Refuse
	}
	t.dropTomb(q)
	q.busy = true
	turn.owner, turn.op, turn.seqid = o, op, seqid
	return Go
}

// answers reports whether an operation is the last one again. One of another kind with the same
// number is not.
func (q *sequence) answers(op, seqid uint32) bool {
	return q.known && seqid == q.last && op == q.op && q.op != 0
}

// End ends a turn: with what status, with what bytes after it, and what the current file handle
// is then, nil where the operation does not set it. Reply and file are borrowed. An error that says
// that the operation does not count (RFC 7530 section 9.1.7) leaves the owner as it was.
func (t *Table) End(turn *Turn, st Status, file *File, reply []byte) {
	o := turn.owner
	turn.owner = nil
	c := o.client
	c.mu.Lock()
	defer c.mu.Unlock()
	q := o.seq
	if o.gone {
		return
	}
	q.busy = false
	if counts(st) {
		t.give(len(q.reply))
		c.named += len(reply) - len(q.reply)
		q.last, q.known = turn.seqid, true
		q.op, q.status, q.file, q.reply = turn.op, st, nil, append([]byte(nil), reply...)
		t.used.Add(int64(len(reply))) // more than the bound, rather than not to keep it
		if file != nil {
			f := *file
			q.file = &f
		}
	}
	t.unused(o)
}

// counts reports whether an operation with this status has used up its seqid.
func counts(st Status) bool { return !slices.Contains(free, st) }

// free is the errors with which an operation leaves its owner's number as it was.
var free = []Status{
	StaleClientID, StaleStateid, BadStateid, BadSeqid, Resource,
	10019, // MOVED
	10020, // NOFILEHANDLE
	10036, // BADXDR
}

// of reports whether the turn, if there is one, is that of the owner; in 4.0 there must be one.
// Needs client.mu.
func (turn *Turn) of(o *owner) bool {
	if turn == nil {
		return o.seq == nil
	}
	return turn.owner == o && !o.gone
}

// entomb keeps the stateid of an open that was closed until its owner's next operation, so that
// CLOSE can be asked for again. Needs client.mu.
func (t *Table) entomb(s *state) {
	s.mode.Or(closed)
	o := s.owner
	t.disown(s)
	t.dropTomb(o.seq)
	o.seq.tomb = s
}

func (t *Table) dropTomb(q *sequence) {
	if q.tomb != nil {
		t.vacate(q.tomb.other.index())
		q.tomb = nil
	}
}

// dropSequence gives back what an owner of 4.0 has more. Needs client.mu.
func (t *Table) dropSequence(o *owner) {
	q := o.seq
	if q == nil {
		return
	}
	o.client.idle.remove(o)
	t.dropTomb(q)
	t.give(legacyBytes + len(q.reply))
	o.client.named -= legacyBytes + len(q.reply)
	q.reply = nil
}

// ownerList is owners of a client by the time since which nobody needs them, or since which they
// wait to be confirmed. Guarded by client.mu.
type ownerList struct{ oldest, newest *owner }

func (l *ownerList) add(o *owner, now uint32) {
	q := o.seq
	if q.listed {
		return
	}
	q.listed, q.since, q.old = true, now, l.newest
	if l.newest != nil {
		l.newest.seq.newer = o
	} else {
		l.oldest = o
	}
	l.newest = o
}

func (l *ownerList) remove(o *owner) {
	q := o.seq
	if !q.listed {
		return
	}
	if q.old != nil {
		q.old.seq.newer = q.newer
	} else {
		l.oldest = q.newer
	}
	if q.newer != nil {
		q.newer.seq.old = q.old
	} else {
		l.newest = q.old
	}
	q.listed, q.newer, q.old = false, nil, nil
}

// dropIdle makes room for an owner: it drops the open owner that has had no open for the longest
// time. Needs client.mu.
func (t *Table) dropIdle(c *client) bool {
	for o := c.idle.oldest; o != nil; o = o.seq.newer {
		if o.n == 0 && !o.seq.busy {
			t.dropOwner(o)
			return true
		}
	}
	return false
}

// Sweep forgets open owners of 4.0 that have had no open for a lease time, opens that nobody has
// confirmed for so long, and clients that were expired so long ago. It is to be called about once a
// second.
func (t *Table) Sweep() {
	now := t.now()
	t.forgetExpired(now)
	for _, c := range t.allClients() {
		for t.sweep(c, now) {
		}
	}
}

// sweep drops one owner, or one of its opens, and reports whether it found one.
func (t *Table) sweep(c *client, now uint32) bool {
	c.mu.Lock()
	o := c.idle.oldest
	if o == nil || o.seq.busy || int32(now-o.seq.since) <= int32(t.cfg.LeaseSeconds) {
		c.mu.Unlock()
		return false
	}
	s := o.states
	if s == nil {
		t.dropOwner(o)
	}
	c.mu.Unlock()
	if s != nil {
		t.end(s, OK)
	}
	return true
}
