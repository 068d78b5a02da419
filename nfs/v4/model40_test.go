package v4

import (
	"bytes"
	"slices"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

// model40 is model for minor version 0, as RFC 7530 has it: clients that say their names and
// confirm them, owners whose operations are numbered and answered again, opens that wait to be
// confirmed, leases, and a grace period that lasts its time.
type model40 struct {
	course
	dir    nfs4.NfsArgop4 // PUTFH of the directory of the files
	actors []*actor40

	confirmed map[string]*client40  // by name; those that lapsed included
	fresh     map[string]*client40  // not confirmed, by name
	states    map[[12]byte]*state40 // that their stateids still lead to
	epochs    map[[12]byte]uint32   // of each stateid that there ever was
	current   map[string]record40   // records of this start of the server
	old       map[string]record40   // of those before
	reclaimer map[string]record40   // who may reclaim; nil when grace is over
	until     uint32                // when grace is over
	latest    uint32                // until at the latest
	kept      []*client40           // all whose stateids are remembered
	told      []*state40            // that clients may still know, the dead ones as well
	given     map[answer40]bool
}

// answer40 is what an operation was told. It was told so again if repeated.
type answer40 struct {
	op       nfs4.NfsOpnum4
	st       nfs4.Nfsstat4
	repeated bool
}

// courtesyOfModel is how long a client keeps what it holds after its lease.
const courtesyOfModel = 200

// actor40 is somebody who calls itself by a name, and may have been several clients. What it has to
// confirm are the answers to its last SETCLIENTIDs.
type actor40 struct {
	name     string
	verifier byte
	uid      uint32
	c        *client40 // that it was last confirmed to be
	pairs    []pair40
	before   []*state40 // opens of before a restart that it has not reclaimed
	wakes    uint32     // it sends nothing before
}

type pair40 struct {
	id      nfs4.Clientid4
	confirm nfs4.Verifier4
	uid     uint32 // who was told
}

type record40 struct {
	verifier byte
	uid      uint32
}

// phase40 is what a client is.
type phase40 int

const (
	fresh40 phase40 = iota
	confirmed40
	lapsed40 // its lease was over, and somebody else has got what it had
	gone40
)

// client40 is a client as a server knows it: nfs_client_id4, its verifier and its principal.
type client40 struct {
	name     string
	verifier byte
	uid      uint32
	id       nfs4.Clientid4
	confirm  nfs4.Verifier4
	addr     string // to call it back
	pending  *pair40
	wanted   string // addr of pending

	phase    phase40
	renewed  uint32
	recorded bool
	// What it held is revoked from then on: stateids answer EXPIRED for a lease.
	revoked bool
	since   uint32

	opening map[string]*owner40
	locking map[string]*owner40
}

// owner40 is a state-owner: an open owner or a lock owner.
type owner40 struct {
	c      *client40
	name   string
	locks  bool
	states []*state40

	known     bool // an operation of it counted
	confirmed bool
	last      uint32
	kind      nfs4.NfsOpnum4 // of the last operation; 0 if none can be asked for again
	reply     []byte         // behind the XID
	closed    *state40       // what the last operation has closed
	again     func()         // sends the last operation once more

	idle  bool // it has nothing, or waits to be confirmed
	since uint32
}

// state40 is an open of an owner and a file, or the locks of a lock owner and a file.
type state40 struct {
	owner *owner40
	file  int
	id    nfs4.Stateid4
	n     int // the how many-th

	asked       mShares // of an open
	unconfirmed bool
	mine        []*state40 // locks that were got with it

	open *state40 // of locks
	has  [spanOfModel]nfs4.NfsLockType4

	closed  bool // CLOSE may come again
	expired bool
}

func (s *state40) isLock() bool { return s.open != nil }

// ranges counts what is locked: bytes of one kind that touch are one range.
func (s *state40) ranges() (n int) {
	last := nfs4.NfsLockType4(0)
	for _, k := range s.has {
		if k != last && k != 0 {
			n++
		}
		last = k
	}
	return n
}

// live returns the states that a client holds.
func (c *client40) live() (all []*state40) {
	for _, owners := range []map[string]*owner40{c.opening, c.locking} {
		for _, o := range owners {
			for _, s := range o.states {
				if !s.expired {
					all = append(all, s)
				}
			}
		}
	}
	return all
}

// everyOpen calls do with each open that anybody has.
func (m *model40) everyOpen(do func(*state40)) {
	for _, c := range m.kept {
		for _, o := range c.opening {
			for _, s := range o.states {
				if !s.expired {
					do(s)
				}
			}
		}
	}
}

func (m *model40) courteous(c *client40) bool { return m.now-c.renewed > leaseOfModel }

// inUse says whether nobody else gets a client's name.
func (m *model40) inUse(c *client40) bool {
	return c != nil && c.phase == confirmed40 && len(c.live()) > 0 && !m.courteous(c)
}

// client returns the client with an ID, nil if there is none.
func (m *model40) client(id nfs4.Clientid4) *client40 {
	for _, all := range []map[string]*client40{m.confirmed, m.fresh} {
		for _, c := range all {
			if c.id == id {
				return c
			}
		}
	}
	return nil
}

// who is what an operation is told that names its client, whose lease it renews.
func (m *model40) who(id nfs4.Clientid4) nfs4.Nfsstat4 {
	c := m.client(id)
	switch {
	case c == nil || c.phase == fresh40:
		return nfs4.NFS4ERR_STALE_CLIENTID
	case c.phase == lapsed40:
		return nfs4.NFS4ERR_EXPIRED
	}
	c.renewed = m.now
	return nfs4.NFS4_OK
}

// revoke takes what a client holds. It is told so for a lease, if it held anything.
func (m *model40) revoke(c *client40) {
	if !c.revoked {
		c.revoked, c.since = true, m.now
	}
	for _, s := range c.live() {
		s.expired = true
	}
	if !c.remembers() {
		m.forget(c)
	}
}

// remembers reports whether a client has stateids that are expired.
func (c *client40) remembers() bool {
	for _, owners := range []map[string]*owner40{c.opening, c.locking} {
		for _, o := range owners {
			for _, s := range o.states {
				if s.expired {
					return true
				}
			}
		}
	}
	return false
}

// forget forgets a client with all its owners.
func (m *model40) forget(c *client40) {
	for _, owners := range []map[string]*owner40{c.opening, c.locking} {
		for _, o := range owners {
			m.dropOwner(o)
		}
	}
	m.kept = slices.DeleteFunc(m.kept, func(o *client40) bool { return o == c })
}

func (m *model40) dropOwner(o *owner40) {
	for _, s := range o.states {
		delete(m.states, s.id.Other)
	}
	m.dropClosed(o)
	o.states = nil
	if o.locks {
		delete(o.c.locking, o.name)
	} else {
		delete(o.c.opening, o.name)
	}
}

func (m *model40) dropClosed(o *owner40) {
	if o.closed != nil {
		delete(m.states, o.closed.id.Other)
		o.closed = nil
	}
}

// end ends a state without a trace: its stateid is none. Its owner may be of no use then.
func (m *model40) end(s *state40) {
	for len(s.mine) > 0 {
		m.end(s.mine[0])
	}
	if s.isLock() {
		s.open.mine = slices.DeleteFunc(s.open.mine, func(o *state40) bool { return o == s })
	}
	delete(m.states, s.id.Other)
	m.disown(s)
	m.useless(s.owner)
}

func (m *model40) disown(s *state40) {
	o := s.owner
	o.states = slices.DeleteFunc(o.states, func(x *state40) bool { return x == s })
}

// useless drops an owner that has nothing, or remembers since when.
func (m *model40) useless(o *owner40) {
	switch {
	case len(o.states) > 0:
	case !o.locks && o.known:
		if !o.idle {
			o.idle, o.since = true, m.now
		}
	default:
		m.dropOwner(o)
	}
}

// leave ends a client that was confirmed.
func (m *model40) leave(c *client40) {
	delete(m.confirmed, c.name)
	c.phase = gone40
	if c.revoked && c.remembers() {
		return
	}
	m.revoke(c)
}

// unrecord has a client's record go, unless it is of another incarnation.
func (m *model40) unrecord(c *client40) {
	if !c.recorded {
		return
	}
	for _, all := range []map[string]record40{m.current, m.old} {
		if r, ok := all[c.name]; ok && r.verifier == c.verifier {
			delete(all, c.name)
		}
	}
}

// lapse takes what a courteous client holds for somebody else.
func (m *model40) lapse(c *client40) {
	m.say("%s has lapsed", c.name)
	c.phase, c.pending, c.renewed = lapsed40, nil, m.now
	m.revoke(c)
	m.unrecord(c)
}

// makeWay makes way for an operation of c, if all that stand against it are courteous.
func (m *model40) makeWay(against []*state40, c *client40) bool {
	for _, s := range against {
		if s.owner.c == c || !m.courteous(s.owner.c) {
			return false
		}
	}
	for _, s := range against {
		if s.owner.c.phase == confirmed40 {
			m.lapse(s.owner.c)
		}
	}
	return true
}

// against returns the opens of a file that stand against one, except one's own.
func (m *model40) against(except *state40, file int, access, deny uint32) (who []*state40) {
	m.everyOpen(func(s *state40) {
		if s != except && s.file == file &&
			(s.asked.deny()&access != 0 || s.asked.access()&deny != 0) {
			who = append(who, s)
		}
	})
	return who
}

// conflicts returns the locks that stand against one of an owner of c.
func (m *model40) conflicts(
	c *client40, owner string, file int, kind nfs4.NfsLockType4, off, n int,
) (who []*state40) {
	m.everyOpen(func(o *state40) {
		for _, l := range o.mine {
			if o.file == file && (l.owner.c != c || l.owner.name != owner) &&
				slices.ContainsFunc(l.has[off:off+n], func(k nfs4.NfsLockType4) bool { return bars(k, kind) }) {
				who = append(who, l)
			}
		}
	})
	return who
}

// bars reports whether a byte that is locked as one kind cannot be had as the other one.
func bars(has, want nfs4.NfsLockType4) bool {
	return has == nfs4.WRITE_LT || has == nfs4.READ_LT && want == nfs4.WRITE_LT
}

// blocked says what a lock is told that others stand against. They make way one by one: which of
// them the server has met is its own affair.
func (m *model40) blocked(c *client40, who []*state40) nfs4.Nfsstat4 {
	if m.makeWay(who, c) {
		return nfs4.NFS4_OK
	}
	for _, l := range who {
		if d := l.owner.c; d.phase == confirmed40 && m.courteous(d) && !m.r.cfg.Files.HasState(uint64(d.id)) {
			m.lapse(d)
		}
	}
	return nfs4.NFS4ERR_DENIED
}

// judge is what an OPEN or LOCK is told for the time after a restart.
func (m *model40) judge(reclaim, known bool) nfs4.Nfsstat4 {
	switch {
	case reclaim && m.reclaimer == nil:
		return nfs4.NFS4ERR_NO_GRACE
	case reclaim && !known:
		return nfs4.NFS4ERR_RECLAIM_BAD
	case !reclaim && m.reclaimer != nil:
		return nfs4.NFS4ERR_GRACE
	}
	return nfs4.NFS4_OK
}

// reclaimed gives those who reclaim more time.
func (m *model40) reclaimed() {
	if m.reclaimer != nil {
		m.until = max(m.until, min(m.now+leaseOfModel/4, m.latest))
	}
}

// lost says what a stateid is that leads nowhere.
func (m *model40) lost(id nfs4.Stateid4) nfs4.Nfsstat4 {
	if m.epochs[id.Other] != m.epoch {
		return nfs4.NFS4ERR_STALE_STATEID
	}
	return nfs4.NFS4ERR_BAD_STATEID
}

// verdict40 is what is to be done with a numbered operation.
type verdict40 int

const (
	refuse40 verdict40 = iota
	repeat40
	run40
)

// turn judges the number of an operation of an owner (RFC 7530, section 9.1.7 and 9.1.8).
func (m *model40) turn(o *owner40, kind nfs4.NfsOpnum4, seqid uint32) verdict40 {
	switch {
	case o.known && o.last == seqid && o.kind == kind:
		return repeat40
	case seqid != o.last+1:
		return refuse40
	}
	m.dropClosed(o)
	return run40
}

// turnOf is turn for an operation that names its owner by a stateid. Whoever sends it is there, so
// the lease is renewed.
func (m *model40) turnOf(
	id nfs4.Stateid4, kind nfs4.NfsOpnum4, seqid uint32,
) (*owner40, verdict40, nfs4.Nfsstat4) {
	s := m.states[id.Other]
	if s == nil {
		return nil, refuse40, m.lost(id)
	}
	if c := s.owner.c; c.phase == confirmed40 {
		c.renewed = m.now
	}
	if s.expired {
		return nil, refuse40, nfs4.NFS4ERR_EXPIRED
	}
	return s.owner, m.turn(s.owner, kind, seqid), nfs4.NFS4ERR_BAD_SEQID
}

// free40 is the eight errors with which an operation does not use up its number (section 9.1.7).
var free40 = []nfs4.Nfsstat4{
	nfs4.NFS4ERR_STALE_CLIENTID, nfs4.NFS4ERR_STALE_STATEID, nfs4.NFS4ERR_BAD_STATEID, nfs4.NFS4ERR_BAD_SEQID,
	nfs4.NFS4ERR_BADXDR, nfs4.NFS4ERR_RESOURCE, nfs4.NFS4ERR_NOFILEHANDLE, nfs4.NFS4ERR_MOVED,
}

// done ends an owner's turn.
func (m *model40) done(
	o *owner40, kind nfs4.NfsOpnum4, seqid uint32, st nfs4.Nfsstat4, reply []byte, again func(),
) {
	if !slices.Contains(free40, st) {
		o.known, o.last, o.kind, o.reply, o.again = true, seqid, kind, bytes.Clone(reply[4:]), again
	}
	m.useless(o)
}

// repeated compares the reply to an operation that came again with the first one.
func (m *model40) repeated(what string, o *owner40, reply []byte) {
	m.say("%s, again", what)
	m.given[answer40{o.kind, results(m.r.t, reply).Status, true}] = true
	if !bytes.Equal(o.reply, reply[4:]) {
		m.r.t.Fatalf("%s, again: %v, want %v", what, results(m.r.t, reply).Status,
			results(m.r.t, append(make([]byte, 4), o.reply...)).Status)
	}
}

// at returns the state of a stateid that an operation on a file may change.
func (m *model40) at(id nfs4.Stateid4, file int, lock, unconfirmed bool) (*state40, nfs4.Nfsstat4) {
	s := m.states[id.Other]
	if s == nil {
		return nil, m.lost(id)
	}
	open := s
	if s.isLock() {
		open = s.open
	}
	switch {
	case s.closed, s.isLock() != lock, s.file != file, open.unconfirmed && !unconfirmed:
		return nil, nfs4.NFS4ERR_BAD_STATEID
	}
	return s, of40(s, id)
}

// of40 judges a stateid's own number: in minor version 0 0 is nothing special.
func of40(s *state40, id nfs4.Stateid4) nfs4.Nfsstat4 {
	switch {
	case id.Seqid < s.id.Seqid:
		return nfs4.NFS4ERR_OLD_STATEID
	case id.Seqid > s.id.Seqid:
		return nfs4.NFS4ERR_BAD_STATEID
	}
	return nfs4.NFS4_OK
}

// born makes a state of what the server calls id.
func (m *model40) born(o *owner40, file int, id nfs4.Stateid4) *state40 {
	if _, twice := m.epochs[id.Other]; twice || id.Seqid != 1 {
		m.r.t.Fatalf("%v is no new stateid", id)
	}
	s := &state40{owner: o, file: file, id: id, n: len(m.told)}
	o.states = append(o.states, s)
	m.states[id.Other], m.epochs[id.Other] = s, m.epoch
	m.told = append(m.told, s)
	return s
}

// changed compares the stateid of what an operation has changed. If there is none, the operation
// has failed, and its status says more.
func (m *model40) changed(what string, got nfs4.Stateid4, s *state40) {
	if s.id.Seqid++; got != (nfs4.Stateid4{}) {
		m.same(what, got, s.id)
	}
}
