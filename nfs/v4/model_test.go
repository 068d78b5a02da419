package v4

import (
	"bytes"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

// model is what a server is to remember, as plain lists that are searched from end to end, and byte
// by byte: the last request of each slot, opens with what they share and deny, locks, leases, and
// who may reclaim. It foretells the answer to every request.
type model struct {
	course

	clients []*mClient
	grace   bool
	until   uint32          // when grace is over
	latest  uint32          // until at the latest
	waited  map[string]bool // clients of before whose word grace waits for
	known   map[string]bool // clients of before
	now1    map[string]bool // clients that are recorded since the start
}

const (
	leaseOfModel = 45
	spanOfModel  = 12 // bytes that can be locked
	slotsOfModel = 3
)

// mClient is a client of minor version 1 or 2. It is away while it has no session.
type mClient struct {
	name     string
	verifier byte
	id       uint64
	s        *session
	minor    uint32
	renewed  uint32
	away     bool
	complete bool // it has said RECLAIM_COMPLETE
	slots    [slotsOfModel]mSlot
	opens    []*mOpen
	before   []*mOpen // what it held before a restart and has not reclaimed
}

type mSlot struct {
	args  []byte
	reply []byte // behind the XID
	kept  bool
	ops   int
}

type mShare struct{ access, deny uint32 }

// mShares are what the OPENs of one owner and file have asked for.
type mShares []mShare

func (all mShares) access() (s uint32) {
	for _, a := range all {
		s |= a.access
	}
	return s
}

func (all mShares) deny() (s uint32) {
	for _, a := range all {
		s |= a.deny
	}
	return s
}

type mOpen struct {
	c     *mClient
	owner string
	file  int
	asked mShares
	id    nfs4.Stateid4
	locks []*mLocks
}

type mLocks struct {
	open  *mOpen
	owner string
	has   [spanOfModel]nfs4.NfsLockType4 // 0, READ_LT or WRITE_LT
	id    nfs4.Stateid4
}

func (l *mLocks) any() bool { return l.has != [spanOfModel]nfs4.NfsLockType4{} }

// courteous reports whether the lease of a client is over and it has not been taken for that.
func (m *model) courteous(c *mClient) bool { return !c.away && m.now-c.renewed > leaseOfModel }

// end ends a client: its lease is over.
func (m *model) end(c *mClient) {
	m.say("%s is over", c.name)
	c.away = true
	c.opens = nil
	if c.complete {
		delete(m.now1, c.name)
	}
	m.done(c.name)
}

// done says that grace need not wait for a client of before.
func (m *model) done(name string) {
	if m.grace {
		if delete(m.waited, name); len(m.waited) == 0 {
			m.endGrace()
		}
	}
}

func (m *model) endGrace() {
	m.say("grace is over")
	m.grace, m.known = false, nil
}

// make makes way for an operation of c that clients stand against. It reports whether all have
// gone.
func (m *model) makeWay(against []*mClient, c *mClient) bool {
	for _, o := range against {
		if o == c || !m.courteous(o) {
			return false
		}
	}
	for _, o := range against {
		if !o.away {
			m.end(o)
		}
	}
	return true
}

// against returns the clients of opens of a file that stand against one.
func (m *model) against(except *mOpen, file int, access, deny uint32) (who []*mClient) {
	for _, c := range m.clients {
		for _, o := range c.opens {
			if o != except && o.file == file &&
				(o.asked.deny()&access != 0 || o.asked.access()&deny != 0) {
				who = append(who, c)
			}
		}
	}
	return who
}

// conflicts returns the owners of locks that stand against one of owner of c.
func (m *model) conflicts(c *mClient, owner string, file int, kind nfs4.NfsLockType4, off, n int) (who []*mLocks) {
	for _, d := range m.clients {
		for _, o := range d.opens {
			for _, l := range o.locks {
				if o.file != file || d == c && l.owner == owner {
					continue
				}
				for _, k := range l.has[off : off+n] {
					if k == nfs4.WRITE_LT || k == nfs4.READ_LT && kind == nfs4.WRITE_LT {
						who = append(who, l)
						break
					}
				}
			}
		}
	}
	return who
}

// settle looks which courteous clients have gone although others still stood against a lock: the
// server meets them one by one.
func (m *model) settle(who []*mLocks) {
	for _, l := range who {
		if c := l.open.c; m.courteous(c) && !m.r.cfg.Files.HasState(c.id) {
			m.end(c)
		}
	}
}

// locksOf returns the locks of an owner of c in a file.
func (c *mClient) locksOf(owner string, file int) *mLocks {
	for _, o := range c.opens {
		for _, l := range o.locks {
			if o.file == file && l.owner == owner {
				return l
			}
		}
	}
	return nil
}

// anyOpen returns one of the opens of c, nil if there is none.
func (m *model) anyOpen(c *mClient) *mOpen {
	if len(c.opens) == 0 {
		return nil
	}
	return c.opens[m.rnd.IntN(len(c.opens))]
}

// bend makes some stateids old or of the future, and says what is answered to such a one.
func (m *model) bend(id nfs4.Stateid4) (nfs4.Stateid4, nfs4.Nfsstat4) {
	switch m.rnd.IntN(10) {
	case 0:
		id.Seqid = 0
	case 1:
		if id.Seqid > 1 {
			id.Seqid--
			return id, nfs4.NFS4ERR_OLD_STATEID
		}
	case 2:
		id.Seqid++
		return id, nfs4.NFS4ERR_BAD_STATEID
	}
	return id, nfs4.NFS4_OK
}

// request runs operations as the next request of a client, on any slot and maybe on another
// connection, and returns the last one's result. SEQUENCE must go well.
func (m *model) request(c *mClient, ops ...nfs4.NfsArgop4) *nfs4.COMPOUND4res {
	m.r.t.Helper()
	c.s.slot, c.s.keep = uint32(m.rnd.IntN(slotsOfModel)), m.rnd.IntN(2) == 0
	m.r.minor = c.minor
	args := m.r.compoundOf("", in(c.s.sequence(), ops...)...)
	reply := m.send(args)
	res := results(m.r.t, reply)
	if !used(reply) {
		m.r.t.Fatalf("SEQUENCE of %s: %v", c.name, res.Status)
	}
	c.renewed = m.now
	c.slots[c.s.slot] = mSlot{args, bytes.Clone(reply[4:]), c.s.keep, len(ops) + 1}
	return res
}

// again sends the last request of a slot once more, or another one under its number.
func (m *model) again(c *mClient) {
	slot := m.rnd.IntN(slotsOfModel)
	last := &c.slots[slot]
	if last.args == nil {
		return
	}
	c.s.slot = uint32(slot)
	m.r.minor = c.minor
	var reply []byte
	switch m.rnd.IntN(4) {
	case 0:
		reply = m.send(m.r.compoundOf("", c.s.again(), putroot(), getfh(), lookupp()))
		m.want(c.name+" sends another request under the same number", results(m.r.t, reply).Status,
			nfs4.NFS4ERR_SEQ_FALSE_RETRY)
		return
	case 1:
		op := c.s.again()
		op.Opsequence.SaSequenceid += 2
		reply = m.send(m.r.compoundOf("", op, putroot()))
		m.want(c.name+" leaves a number out", results(m.r.t, reply).Status, nfs4.NFS4ERR_SEQ_MISORDERED)
		return
	}
	reply = m.send(last.args)
	c.renewed = m.now
	switch {
	case last.kept:
		m.want(c.name+" sends a request again", results(m.r.t, reply).Status, results(m.r.t, append(make([]byte, 4), last.reply...)).Status)
		if !bytes.Equal(last.reply, reply[4:]) {
			m.r.t.Fatalf("another reply to slot %d of %s", slot, c.name)
		}
	case last.ops > 1:
		m.want(c.name+" sends a request again that was not kept", results(m.r.t, reply).Status,
			nfs4.NFS4ERR_RETRY_UNCACHED_REP)
	}
}
