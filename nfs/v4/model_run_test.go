package v4

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

// judge is what an OPEN or LOCK of c is told for the time after a restart, OK if nothing.
func (m *model) judge(c *mClient, reclaim, known bool) nfs4.Nfsstat4 {
	switch {
	case reclaim && (c.complete || !m.grace):
		return nfs4.NFS4ERR_NO_GRACE
	case reclaim && !known:
		return nfs4.NFS4ERR_RECLAIM_BAD
	case !reclaim && (m.grace || !c.complete):
		return nfs4.NFS4ERR_GRACE
	}
	return nfs4.NFS4_OK
}

func (m *model) open(c *mClient) {
	owner, file := fmt.Sprint("o", m.rnd.IntN(2)), m.rnd.IntN(len(m.files))
	s := mShare{uint32(1 + m.rnd.IntN(3)), []uint32{0, 0, 0, 1, 2, 3}[m.rnd.IntN(6)]}
	op := openOp(owner, "", s.access, s.deny, nfs4.OPEN4_NOCREATE)
	op.Opopen.Claim = nfs4.OpenClaim4{Claim: nfs4.CLAIM_FH}
	what := fmt.Sprintf("%s opens %d as %s for %d, denies %d", c.name, file, owner, s.access, s.deny)
	res := m.request(c, m.files[file], op)
	want := m.judge(c, false, false)
	if want == nfs4.NFS4_OK && !m.makeWay(m.against(nil, file, s.access, s.deny), c) {
		want = nfs4.NFS4ERR_SHARE_DENIED
	}
	m.want(what, res.Status, want)
	if want != nfs4.NFS4_OK {
		return
	}
	id := opens(res.Resarray)
	for _, o := range c.opens {
		if o.owner == owner && o.file == file {
			o.asked = append(o.asked, s)
			o.id.Seqid++
			m.same(what, id, o.id)
			return
		}
	}
	m.same(what, id, nfs4.Stateid4{Seqid: 1, Other: id.Other})
	c.opens = append(c.opens, &mOpen{c: c, owner: owner, file: file, asked: mShares{s}, id: id})
}

func (m *model) closeOpen(c *mClient) {
	o := m.anyOpen(c)
	if o == nil {
		return
	}
	id, want := m.bend(o.id)
	file := o.file
	if m.rnd.IntN(10) == 0 {
		if file = m.rnd.IntN(len(m.files)); file != o.file {
			want = nfs4.NFS4ERR_BAD_STATEID
		}
	}
	res := m.request(c, m.files[file], closeOp(id))
	m.want(c.name+" closes", res.Status, want)
	if want == nfs4.NFS4_OK {
		c.opens = slices.DeleteFunc(c.opens, func(x *mOpen) bool { return x == o })
	}
}

func (m *model) downgrade(c *mClient) {
	o := m.anyOpen(c)
	if o == nil {
		return
	}
	id, want := m.bend(o.id)
	s := o.asked[m.rnd.IntN(len(o.asked))]
	if m.rnd.IntN(3) == 0 {
		s = mShare{uint32(1 + m.rnd.IntN(3)), uint32(m.rnd.IntN(4))}
	}
	var kept []mShare
	var all mShare
	for _, a := range o.asked {
		if a.access&^s.access == 0 && a.deny&^s.deny == 0 {
			kept = append(kept, a)
			all = mShare{all.access | a.access, all.deny | a.deny}
		}
	}
	if want == nfs4.NFS4_OK && all != s {
		want = nfs4.NFS4ERR_INVAL
	}
	res := m.request(c, m.files[o.file], nfs4.NfsArgop4{Argop: nfs4.OP_OPEN_DOWNGRADE,
		OpopenDowngrade: nfs4.OPENDOWNGRADE4args{OpenStateid: id, ShareAccess: s.access, ShareDeny: s.deny}})
	what := fmt.Sprintf("%s downgrades to %v", c.name, s)
	m.want(what, res.Status, want)
	if want == nfs4.NFS4_OK {
		o.asked = kept
		o.id.Seqid++
		m.same(what, res.Resarray[2].OpopenDowngrade.Resok4.OpenStateid, o.id)
	}
}

func (l *mLocks) set(kind nfs4.NfsLockType4, off, n int) {
	for i := range n {
		l.has[off+i] = kind
	}
}

func (m *model) lock(c *mClient) {
	o := m.anyOpen(c)
	if o == nil {
		return
	}
	kind, off, n := m.aRange()
	owner := fmt.Sprint("l", m.rnd.IntN(2))
	l := c.locksOf(owner, o.file)
	id, want := m.bend(o.id)
	op := lockOp(id, owner, kind, uint64(off), uint64(n))
	open := o
	if l != nil && m.rnd.IntN(2) == 0 {
		id, want = m.bend(l.id)
		op.Oplock.Locker = nfs4.Locker4{LockOwner: nfs4.ExistLockOwner4{LockStateid: id}}
		open = l.open
	}
	what := fmt.Sprintf("%s locks %d+%d of %d as %s, kind %d", c.name, off, n, o.file, owner, kind)
	res := m.request(c, m.files[o.file], op)
	if st := m.judge(c, false, false); st != nfs4.NFS4_OK {
		want = st
	}
	if want == nfs4.NFS4_OK && open.asked.access()&uint32(kind) == 0 { // READ_LT is 1, WRITE_LT is 2
		want = nfs4.NFS4ERR_OPENMODE
	}
	if want == nfs4.NFS4_OK {
		want = m.blocked(c, m.conflicts(c, owner, o.file, kind, off, n))
	}
	m.want(what, res.Status, want)
	if want != nfs4.NFS4_OK {
		return
	}
	got := res.Resarray[2].Oplock.Resok4.LockStateid
	if l == nil {
		l = &mLocks{open: o, owner: owner, id: nfs4.Stateid4{Other: got.Other}}
		o.locks = append(o.locks, l)
	}
	l.id.Seqid++
	m.same(what, got, l.id)
	l.set(kind, off, n)
}

// blocked says what a lock is told that others' stand against, and ends those who make way.
func (m *model) blocked(c *mClient, who []*mLocks) nfs4.Nfsstat4 {
	var clients []*mClient
	for _, l := range who {
		clients = append(clients, l.open.c)
	}
	if m.makeWay(clients, c) {
		return nfs4.NFS4_OK
	}
	m.settle(who)
	return nfs4.NFS4ERR_DENIED
}

func (m *model) lockTest(c *mClient) {
	kind, off, n := m.aRange()
	owner, file := fmt.Sprint("l", m.rnd.IntN(2)), m.rnd.IntN(len(m.files))
	res := m.request(c, m.files[file], locktOp(owner, kind, uint64(off), uint64(n)))
	want := nfs4.NFS4ERR_GRACE
	if !m.grace {
		who := m.conflicts(c, owner, file, kind, off, n)
		if want = m.blocked(c, who); want == nfs4.NFS4ERR_DENIED && res.Status == want {
			denied := &res.Resarray[2].Oplockt.Denied
			if !slices.ContainsFunc(who, func(l *mLocks) bool {
				return l.owner == string(denied.Owner.Owner) && l.open.c.id == uint64(denied.Owner.Clientid)
			}) {
				m.r.t.Fatalf("LOCKT of %s names %v, who is not in the way", c.name, denied.Owner)
			}
		}
	}
	m.want(c.name+" tests a lock", res.Status, want)
}

func (m *model) unlock(c *mClient) {
	o := m.anyOpen(c)
	if o == nil || len(o.locks) == 0 {
		return
	}
	l := o.locks[m.rnd.IntN(len(o.locks))]
	_, off, n := m.aRange()
	id, want := m.bend(l.id)
	if m.rnd.IntN(3) == 0 {
		res := m.request(c, nfs4.NfsArgop4{Argop: nfs4.OP_FREE_STATEID,
			OpfreeStateid: nfs4.FREESTATEID4args{FsaStateid: id}})
		if want == nfs4.NFS4_OK && l.any() {
			want = nfs4.NFS4ERR_LOCKS_HELD
		}
		m.want(c.name+" frees its locks' stateid", res.Status, want)
		if want == nfs4.NFS4_OK {
			o.locks = slices.DeleteFunc(o.locks, func(x *mLocks) bool { return x == l })
		}
		return
	}
	res := m.request(c, m.files[o.file], lockuOp(id, uint64(off), uint64(n)))
	m.want(c.name+" unlocks", res.Status, want)
	if want == nfs4.NFS4_OK {
		l.id.Seqid++
		m.same("LOCKU", res.Resarray[2].Oplocku.LockStateid, l.id)
		l.set(0, off, n)
	}
}

// io reads or writes, with an open's stateid, with that of locks, or with none.
func (m *model) io(c *mClient) {
	way := uint32(1 + m.rnd.IntN(2)) // 1 reads
	file := m.rnd.IntN(len(m.files))
	var id nfs4.Stateid4
	want := nfs4.NFS4_OK
	o := m.anyOpen(c)
	if m.rnd.IntN(4) > 0 && o != nil {
		file = o.file
		if len(o.locks) > 0 && m.rnd.IntN(2) == 0 {
			id, want = m.bend(o.locks[0].id)
		} else {
			id, want = m.bend(o.id)
		}
	} else {
		o = nil
	}
	op := nfs4.NfsArgop4{Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Stateid: id, Count: 10}}
	if way == 2 {
		op = nfs4.NfsArgop4{Argop: nfs4.OP_WRITE, Opwrite: nfs4.WRITE4args{Stateid: id, Data: []byte("x")}}
	}
	what := fmt.Sprintf("%s uses %d, way %d, with %v", c.name, file, way, id)
	res := m.request(c, m.files[file], op)
	switch {
	case want != nfs4.NFS4_OK:
	case o == nil && m.grace:
		want = nfs4.NFS4ERR_GRACE
	case o != nil && o.asked.access()&way != 0:
	case o != nil && way == 2:
		want = nfs4.NFS4ERR_OPENMODE
	case !m.makeWay(m.against(o, file, way, 0), c):
		want = nfs4.NFS4ERR_LOCKED
	}
	m.want(what, res.Status, want)
}

// come lets a client that is away, or that has lost its memory, have a session.
func (m *model) come(c *mClient, reboot bool) {
	what := c.name + " comes"
	if reboot {
		c.verifier++
		what = c.name + " comes as another incarnation"
	}
	m.r.minor = c.minor
	op := exchange(c.name, 0)
	op.OpexchangeId.EiaClientowner.CoVerifier[7] = c.verifier
	got := m.r.ok(op)[0].OpexchangeId.EirResok4
	channel := nfs4.ChannelAttrs4{CaMaxrequestsize: 1 << 16, CaMaxresponsesize: 1 << 16,
		CaMaxresponsesizeCached: 4096, CaMaxoperations: 8, CaMaxrequests: slotsOfModel}
	res := m.r.do(nfs4.NfsArgop4{Argop: nfs4.OP_CREATE_SESSION, OpcreateSession: nfs4.CREATESESSION4args{
		CsaClientid: got.EirClientid, CsaSequence: got.EirSequenceid, CsaForeChanAttrs: channel}})
	m.want(what, res.Status, nfs4.NFS4_OK)
	if reboot {
		c.before = nil
	}
	c.away, c.complete, c.opens = false, false, nil
	c.id, c.renewed = uint64(got.EirClientid), m.now
	c.s = &session{r: m.r, id: res.Resarray[0].OpcreateSession.CsrResok4.CsrSessionid, highest: slotsOfModel - 1}
	c.slots = [slotsOfModel]mSlot{}
}

// reclaim asks for one of the things that a client had before a restart.
func (m *model) reclaim(c *mClient) {
	if len(c.before) == 0 {
		return
	}
	i := m.rnd.IntN(len(c.before))
	o := c.before[i]
	op := openOp(o.owner, "", o.asked.access(), o.asked.deny(), nfs4.OPEN4_NOCREATE)
	op.Opopen.Claim = nfs4.OpenClaim4{Claim: nfs4.CLAIM_PREVIOUS}
	what := c.name + " reclaims an open"
	res := m.request(c, m.files[o.file], op)
	want := m.judge(c, true, m.known[c.name])
	m.want(what, res.Status, want)
	c.before = slices.Delete(c.before, i, i+1)
	if want != nfs4.NFS4_OK {
		return
	}
	// Who reclaims gets more time.
	m.until = max(m.until, min(m.now+leaseOfModel/4, m.latest))
	id := opens(res.Resarray)
	m.same(what, id, nfs4.Stateid4{Seqid: 1, Other: id.Other})
	n := &mOpen{c: c, owner: o.owner, file: o.file, asked: mShares{{o.asked.access(), o.asked.deny()}},
		id: id}
	c.opens = append(c.opens, n)
	for _, l := range o.locks {
		for b, kind := range l.has {
			if kind == 0 || uint32(kind)&o.asked.access() == 0 { // downgraded since
				continue
			}
			op := lockOp(n.id, l.owner, kind, uint64(b), 1)
			op.Oplock.Reclaim = true
			res := m.request(c, m.files[o.file], op)
			m.want(c.name+" reclaims a lock", res.Status, nfs4.NFS4_OK)
			got := res.Resarray[2].Oplock.Resok4.LockStateid
			mine := c.locksOf(l.owner, o.file)
			if mine == nil {
				mine = &mLocks{open: n, owner: l.owner, id: nfs4.Stateid4{Other: got.Other}}
				n.locks = append(n.locks, mine)
			}
			mine.id.Seqid++
			m.same("LOCK", got, mine.id)
			mine.set(kind, b, 1)
		}
	}
}

// say RECLAIM_COMPLETE.
func (m *model) finish(c *mClient) {
	want := nfs4.NFS4_OK
	if c.complete {
		want = nfs4.NFS4ERR_COMPLETE_ALREADY
	}
	res := m.request(c, nfs4.NfsArgop4{Argop: nfs4.OP_RECLAIM_COMPLETE})
	m.want(c.name+" has reclaimed", res.Status, want)
	if want == nfs4.NFS4_OK {
		c.complete, c.before = true, nil
		m.now1[c.name] = true
		m.done(c.name)
	}
}

// restart ends the server and starts another one. Records are kept, all else is lost.
func (m *model) restart() {
	m.say("the server starts anew")
	m.r.serve(m.start(0))
	require.NoError(m.r.t, m.r.cfg.State.Recover())
	known := make(map[string]bool)
	maps.Copy(known, m.known)
	maps.Copy(known, m.now1)
	m.known, m.now1 = known, make(map[string]bool)
	m.waited, m.grace, m.until = maps.Clone(known), len(known) > 0, m.now+leaseOfModel
	m.latest = m.until + leaseOfModel
	for _, c := range m.clients {
		c.before = append(c.before, c.opens...)
		c.opens, c.away = nil, true
	}
}

// pass lets time pass. Leases end.
func (m *model) pass(n uint32) {
	m.now += n
	m.say("it is %d", m.now)
	m.r.cfg.State.Sweep()
	m.r.cfg.Files.Sweep()
	if m.grace && m.now >= m.until {
		m.endGrace()
	}
	for _, c := range m.clients {
		if m.courteous(c) && len(c.opens) == 0 {
			m.end(c)
		}
	}
}

// step does one thing.
func (m *model) step() {
	switch x := m.rnd.IntN(200); {
	case x == 0:
		m.restart()
		return
	case x < 8:
		m.pass(1 + m.rnd.Uint32N(30))
		return
	}
	c := m.clients[m.rnd.IntN(len(m.clients))]
	switch {
	case c.away && m.rnd.IntN(4) == 0:
		if c.s != nil {
			m.r.minor = c.minor
			c.s.slot = 0
			reply := m.send(m.r.compoundOf("", c.s.sequence(), putroot()))
			m.want(c.name+" does not know that it is over", results(m.r.t, reply).Status, nfs4.NFS4ERR_BADSESSION)
		}
		return
	case c.away:
		m.come(c, m.rnd.IntN(4) == 0)
		return
	case m.rnd.IntN(150) == 0:
		m.come(c, true)
		return
	case !c.complete:
		[]func(*mClient){m.reclaim, m.reclaim, m.reclaim, m.finish, m.open, m.again, m.io}[m.rnd.IntN(7)](c)
		return
	}
	ops := []func(*mClient){m.open, m.open, m.open, m.closeOpen, m.downgrade, m.lock, m.lock, m.lock, m.lockTest,
		m.unlock, m.io, m.io, m.again, m.again, m.reclaim}
	ops[m.rnd.IntN(len(ops))](c)
	if m.rnd.IntN(60) == 0 {
		m.finish(c)
	}
}

// compare compares what there is in all.
func (m *model) compare() {
	var clients, opens, locks int
	for _, c := range m.clients {
		if c.away {
			continue
		}
		clients++
		opens += len(c.opens)
		for _, o := range c.opens {
			locks += len(o.locks)
		}
	}
	n, held := m.r.cfg.State.Counts(), m.r.cfg.Files.Counts()
	if n.Clients != clients || n.SlotsBusy != 0 || held.Opens != opens || held.Locks != locks ||
		m.r.cfg.State.InGrace() != m.grace {
		m.r.t.Fatalf("%+v %+v grace %v; want %d clients, %d opens, %d lock stateids, grace %v",
			n, held, m.r.cfg.State.InGrace(), clients, opens, locks, m.grace)
	}
}

func runModel(t *testing.T, seed uint64, steps int) {
	m := &model{course: newCourse(seed), now1: make(map[string]bool)}
	m.begin(t, m.start(0))
	for i := range 4 {
		m.clients = append(m.clients, &mClient{name: fmt.Sprint("c", i), minor: uint32(1 + i%2), away: true})
	}
	for range steps {
		m.step()
		m.compare()
	}
	if m.accepted < steps/5 {
		t.Errorf("only %d of %d steps were allowed", m.accepted, steps)
	}
}

func TestAServerIsLikeAModelOfPlainLists(t *testing.T) { eachSeed(t, runModel) }
