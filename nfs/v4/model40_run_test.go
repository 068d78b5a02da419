package v4

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

// pick returns one of a list.
func pick[T any](rnd *rand.Rand, list ...T) T { return list[rnd.IntN(len(list))] }

// number is what a client numbers an operation of an owner: mostly the next one. An owner that
// nobody knows begins anywhere, often where numbers wrap.
func (m *model40) number(o *owner40) uint32 {
	if o == nil || !o.known {
		return pick(m.rnd, 0, 1, math.MaxUint32, math.MaxUint32-1, math.MaxUint32-2, m.rnd.Uint32())
	}
	switch m.rnd.IntN(16) {
	case 0:
		return o.last
	case 1:
		return o.last - 1
	case 2:
		return o.last + 2
	}
	return o.last + 1
}

// bend makes some stateids old, of the future, or nobody's.
func (m *model40) bend(id nfs4.Stateid4) nfs4.Stateid4 {
	switch m.rnd.IntN(16) {
	case 0:
		id.Seqid--
	case 1:
		id.Seqid++
	case 2:
		id.Seqid = 0
	}
	return id
}

// some returns a state of a client, nil if there is none: mostly one that it holds.
func (m *model40) some(c *client40, lock bool) *state40 {
	var all []*state40
	known := m.told[max(0, len(m.told)-60):]
	alive := m.rnd.IntN(8) > 0
	for _, s := range known {
		if s.isLock() == lock && (!alive || s.owner.c == c && m.states[s.id.Other] == s && !s.closed) {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return pick(m.rnd, all...)
}

// on returns arguments for an operation on a state of c.
func (m *model40) on(s *state40) onOpen {
	a := onOpen{s.owner.c.uid, m.bend(s.id), s.file, m.number(s.owner)}
	if m.rnd.IntN(16) == 0 {
		a.file = m.rnd.IntN(len(m.files))
	}
	return a
}

func (m *model40) aShare() mShare {
	return mShare{uint32(1 + m.rnd.IntN(3)), pick[uint32](m.rnd, 0, 0, 0, 0, 1, 2, 3)}
}

// bytes40 is aRange with lengths of 0.
func (m *model40) bytes40() (kind nfs4.NfsLockType4, off, n int) {
	kind, off, n = m.aRange()
	if m.rnd.IntN(16) == 0 {
		n = 0
	}
	return kind, off, n
}

// come has an actor say its name, and confirm it.
func (m *model40) come(a *actor40) {
	verifier, uid := a.verifier, a.uid
	switch m.rnd.IntN(8) {
	case 0:
		verifier++
	case 1:
		uid = pick[uint32](m.rnd, 1000, 1001)
	}
	m.setClientID(a, verifier, uid)
	if len(a.pairs) == 0 {
		return
	}
	last := a.pairs[len(a.pairs)-1]
	if m.rnd.IntN(8) == 0 {
		wrong := last
		wrong.confirm[m.rnd.IntN(len(wrong.confirm))] ^= 1
		m.confirm(a, wrong, uid)
	}
	if m.rnd.IntN(4) > 0 {
		m.confirm(a, last, uid)
		m.usurp(a)
	}
}

// usurp has another user ask for the name of a client that has nothing yet, and confirm that when
// it has something, or not.
func (m *model40) usurp(a *actor40) {
	if m.rnd.IntN(4) > 0 || a.c == nil || m.confirmed[a.name] != a.c {
		return
	}
	uid := 2001 - a.c.uid // 1000 and 1001
	m.setClientID(a, a.verifier, uid)
	m.openAny(a)
	m.confirm(a, a.pairs[len(a.pairs)-1], uid)
}

// confirmAny confirms what an actor was told at some time, right or wrong.
func (m *model40) confirmAny(a *actor40) {
	if len(a.pairs) == 0 {
		return
	}
	p := pick(m.rnd, a.pairs...)
	uid := p.uid
	switch m.rnd.IntN(6) {
	case 0:
		p.confirm[3]++
	case 1:
		p.confirm = pick(m.rnd, a.pairs...).confirm
	case 2:
		uid = pick[uint32](m.rnd, 1000, 1001)
	}
	m.confirm(a, p, uid)
}

func (m *model40) openAny(a *actor40) {
	owner := fmt.Sprint("o", m.rnd.IntN(3))
	file, share, seqid := m.rnd.IntN(len(m.files)), m.aShare(), m.number(a.c.opening[owner])
	m.open(open40{a.c, owner, file, share, seqid, m.rnd.IntN(40) == 0})
}

func (m *model40) confirmOpen(a *actor40) {
	s := m.some(a.c, false)
	for _, x := range m.told {
		if x.unconfirmed && m.states[x.id.Other] == x && m.rnd.IntN(4) > 0 {
			s = x
		}
	}
	if s != nil {
		m.openConfirm(m.on(s))
	}
}

func (m *model40) closeAny(a *actor40) {
	if s := m.some(a.c, false); s != nil {
		m.closeOpen(m.on(s))
	}
}

func (m *model40) downgradeAny(a *actor40) {
	s := m.some(a.c, false)
	if s == nil {
		return
	}
	to := pick(m.rnd, s.asked...)
	if m.rnd.IntN(3) == 0 {
		to = mShare{uint32(m.rnd.IntN(4)), uint32(m.rnd.IntN(4))}
	}
	m.downgrade(m.on(s), to)
}

func (m *model40) lockAny(a *actor40) {
	kind, off, n := m.bytes40()
	reclaim := m.rnd.IntN(40) == 0
	if m.rnd.IntN(2) == 0 {
		if s := m.some(a.c, true); s != nil {
			m.lock(aLock{onOpen: m.on(s), c: s.owner.c, kind: kind, off: off, n: n, reclaim: reclaim})
			return
		}
	}
	s := m.some(a.c, false)
	if s == nil {
		return
	}
	owner := fmt.Sprint("l", m.rnd.IntN(2))
	m.lock(aLock{m.on(s), s.owner.c, owner, m.number(s.owner.c.locking[owner]), kind, off, n, reclaim})
}

func (m *model40) unlockAny(a *actor40) {
	if s := m.some(a.c, true); s != nil {
		_, off, n := m.bytes40()
		m.unlock(m.on(s), off, n)
	}
}

func (m *model40) testAny(a *actor40) {
	kind, off, n := m.bytes40()
	m.lockTest(a.c, fmt.Sprint("l", m.rnd.IntN(2)), m.rnd.IntN(len(m.files)), kind, off, n)
}

func (m *model40) releaseAny(a *actor40) { m.releaseLockOwner(a.c, fmt.Sprint("l", m.rnd.IntN(2))) }

func (m *model40) ioAny(a *actor40) {
	var id nfs4.Stateid4
	file := m.rnd.IntN(len(m.files))
	if s := m.some(a.c, m.rnd.IntN(2) == 0); s != nil && m.rnd.IntN(5) > 0 {
		on := m.on(s)
		id, file = on.id, on.file
	}
	m.io(a.c.uid, file, id, uint32(1+m.rnd.IntN(2)))
}

// againAny sends the last operation of an owner once more.
func (m *model40) againAny(a *actor40) {
	var all []*owner40
	for _, owners := range []map[string]*owner40{a.c.opening, a.c.locking} {
		for _, name := range slices.Sorted(maps.Keys(owners)) {
			if o := owners[name]; o.again != nil {
				all = append(all, o)
			}
		}
	}
	if len(all) > 0 {
		pick(m.rnd, all...).again()
	}
}

// withoutFile sends operations without a current file handle, or of a kind of lock that there is
// not: they do not count.
func (m *model40) withoutFile(a *actor40) {
	s := m.some(a.c, m.rnd.IntN(2) == 0)
	if s == nil {
		return
	}
	seqid := s.owner.last + 1
	op := closeOp(s.id)
	op.Opclose.Seqid = nfs4.Seqid4(seqid)
	if s.isLock() {
		op = lockuOp(s.id, 0, 1)
		op.Oplocku.Seqid = nfs4.Seqid4(seqid)
	}
	m.r.minor, m.r.uid = 0, s.owner.c.uid
	reply := m.send(m.r.compoundOf("", op))
	m.want(fmt.Sprint(op.Argop, " of no file"), results(m.r.t, reply).Status, nfs4.NFS4ERR_NOFILEHANDLE)
	if s.isLock() {
		args := m.r.compoundOf("", m.files[s.file], op)
		args[len(args)-37] = 9 // the kind, before a number, a stateid, an offset and a length
		m.want("LOCKU of no kind", results(m.r.t, m.send(args)).Status, nfs4.NFS4ERR_BADXDR)
	}
}

// reclaim asks for one of the things that an actor had before a restart.
func (m *model40) reclaim(a *actor40) {
	if len(a.before) == 0 {
		return
	}
	i := m.rnd.IntN(len(a.before))
	was := a.before[i]
	a.before = slices.Delete(a.before, i, i+1)
	o := a.c.opening[was.owner.name]
	seqid := uint32(1)
	if o != nil && o.known {
		seqid = o.last + 1
	}
	share := mShare{was.asked.access(), was.asked.deny()}
	if m.open(open40{a.c, was.owner.name, was.file, share, seqid, true}) != nfs4.NFS4_OK {
		return
	}
	o = a.c.opening[was.owner.name]
	s := o.states[slices.IndexFunc(o.states, func(x *state40) bool { return x.file == was.file })]
	for _, l := range was.mine {
		for i, kind := range l.has {
			if kind == 0 {
				continue
			}
			on := aLock{onOpen{s.owner.c.uid, s.id, s.file, o.last + 1}, a.c, l.owner.name, 1, kind, i, 1, true}
			if mine := a.c.locking[l.owner.name]; mine != nil {
				on.lockSeq = mine.last + 1
				if j := slices.IndexFunc(mine.states, func(x *state40) bool { return x.file == was.file }); j >= 0 {
					on.onOpen, on.owner = onOpen{s.owner.c.uid, mine.states[j].id, s.file, mine.last + 1}, ""
				}
			}
			m.lock(on)
			if m.rnd.IntN(4) == 0 { // each reclaim gives time for the next one
				m.pass(1 + m.rnd.Uint32N(10))
			}
		}
	}
}

// sleep has an actor send nothing until its lease is over.
func (m *model40) sleep(a *actor40) {
	if m.rnd.IntN(2) == 0 {
		a.wakes = m.now + leaseOfModel + m.rnd.Uint32N(60)
	}
}

// step does one thing.
func (m *model40) step() {
	switch x := m.rnd.IntN(400); {
	case x == 0:
		m.restart()
		return
	case x == 1:
		m.pass(1 + m.rnd.Uint32N(300))
		return
	case x < 16:
		m.pass(1 + m.rnd.Uint32N(30))
		return
	case m.reclaimer != nil && x < 60: // grace is looked at closely, its end above all
		m.pass(1 + m.rnd.Uint32N(10))
		return
	}
	a := pick(m.rnd, m.actors...)
	if m.now < a.wakes {
		return
	}
	if a.c == nil || m.confirmed[a.name] != a.c && m.rnd.IntN(3) > 0 {
		m.come(a)
		return
	}
	if m.reclaimer != nil && len(a.before) > 0 && m.rnd.IntN(2) == 0 {
		m.reclaim(a)
		return
	}
	ops := []func(*actor40){
		m.openAny, m.openAny, m.openAny, m.openAny, m.confirmOpen, m.confirmOpen, m.confirmOpen, m.closeAny, m.downgradeAny,
		m.lockAny, m.lockAny, m.lockAny, m.lockAny, m.unlockAny, m.testAny, m.ioAny, m.ioAny, m.againAny, m.againAny,
	}
	rare := []func(*actor40){m.come, m.confirmAny, m.confirmAny, m.releaseAny, m.releaseAny, m.withoutFile,
		func(a *actor40) { m.renew(a.c) }, m.reclaim, m.sleep}
	if m.rnd.IntN(6) == 0 {
		ops = rare
	}
	pick(m.rnd, ops...)(a)
}

func runModel40(t *testing.T, seed uint64, steps int, given map[answer40]bool) {
	m := &model40{course: newCourse(seed),
		confirmed: make(map[string]*client40), fresh: make(map[string]*client40),
		states: make(map[[12]byte]*state40), epochs: make(map[[12]byte]uint32),
		current: make(map[string]record40), old: make(map[string]record40),
		given: given}
	m.begin(t, m.start(courtesyOfModel))
	res := m.r.ok(append(walk("x"), getfh())...)
	m.dir = nfs4.NfsArgop4{Argop: nfs4.OP_PUTFH,
		Opputfh: nfs4.PUTFH4args{Object: slices.Clone(res[2].Opgetfh.Resok4.Object)}}
	for i := range 4 {
		m.actors = append(m.actors, &actor40{name: fmt.Sprint("c", i), uid: pick[uint32](m.rnd, 1000, 1001)})
	}
	for range steps {
		m.step()
		m.compare()
	}
	if m.accepted < steps/5 {
		t.Errorf("only %d of %d steps were allowed", m.accepted, steps)
	}
}

// common40 is what operations are told again and again. The run is to meet each of it, and of
// numbered operations what comes with the same number as well.
var common40 = map[nfs4.NfsOpnum4][]nfs4.Nfsstat4{
	nfs4.OP_CLOSE: {nfs4.NFS4_OK, nfs4.NFS4ERR_BAD_SEQID, nfs4.NFS4ERR_BAD_STATEID, nfs4.NFS4ERR_OLD_STATEID,
		nfs4.NFS4ERR_STALE_STATEID},
	nfs4.OP_LOCK: {nfs4.NFS4_OK, nfs4.NFS4ERR_BAD_SEQID, nfs4.NFS4ERR_BAD_STATEID, nfs4.NFS4ERR_DENIED,
		nfs4.NFS4ERR_EXPIRED, nfs4.NFS4ERR_GRACE, nfs4.NFS4ERR_INVAL, nfs4.NFS4ERR_NO_GRACE, nfs4.NFS4ERR_OLD_STATEID,
		nfs4.NFS4ERR_OPENMODE, nfs4.NFS4ERR_STALE_CLIENTID, nfs4.NFS4ERR_STALE_STATEID},
	nfs4.OP_LOCKT: {nfs4.NFS4_OK, nfs4.NFS4ERR_DENIED, nfs4.NFS4ERR_GRACE, nfs4.NFS4ERR_INVAL},
	nfs4.OP_LOCKU: {nfs4.NFS4_OK, nfs4.NFS4ERR_BAD_SEQID, nfs4.NFS4ERR_BAD_STATEID, nfs4.NFS4ERR_OLD_STATEID},
	nfs4.OP_OPEN: {nfs4.NFS4_OK, nfs4.NFS4ERR_BAD_SEQID, nfs4.NFS4ERR_EXPIRED, nfs4.NFS4ERR_GRACE,
		nfs4.NFS4ERR_NO_GRACE, nfs4.NFS4ERR_SHARE_DENIED, nfs4.NFS4ERR_STALE_CLIENTID},
	nfs4.OP_OPEN_CONFIRM: {nfs4.NFS4_OK, nfs4.NFS4ERR_BAD_SEQID, nfs4.NFS4ERR_BAD_STATEID, nfs4.NFS4ERR_EXPIRED,
		nfs4.NFS4ERR_OLD_STATEID, nfs4.NFS4ERR_STALE_STATEID},
	nfs4.OP_OPEN_DOWNGRADE: {nfs4.NFS4_OK, nfs4.NFS4ERR_BAD_SEQID, nfs4.NFS4ERR_BAD_STATEID, nfs4.NFS4ERR_INVAL,
		nfs4.NFS4ERR_OLD_STATEID},
	nfs4.OP_READ:                {nfs4.NFS4_OK, nfs4.NFS4ERR_BAD_STATEID, nfs4.NFS4ERR_GRACE, nfs4.NFS4ERR_LOCKED},
	nfs4.OP_RELEASE_LOCKOWNER:   {nfs4.NFS4_OK, nfs4.NFS4ERR_LOCKS_HELD},
	nfs4.OP_RENEW:               {nfs4.NFS4_OK},
	nfs4.OP_SETCLIENTID:         {nfs4.NFS4_OK, nfs4.NFS4ERR_CLID_INUSE},
	nfs4.OP_SETCLIENTID_CONFIRM: {nfs4.NFS4_OK, nfs4.NFS4ERR_CLID_INUSE, nfs4.NFS4ERR_STALE_CLIENTID},
	nfs4.OP_WRITE:               {nfs4.NFS4_OK, nfs4.NFS4ERR_BAD_STATEID, nfs4.NFS4ERR_GRACE, nfs4.NFS4ERR_OPENMODE},
}

func TestAServerOfMinorVersion0IsLikeAModelOfPlainLists(t *testing.T) {
	given := make(map[answer40]bool)
	eachSeed(t, func(t *testing.T, seed uint64, steps int) { runModel40(t, seed, steps, given) })
	if *modelSeed != 0 || t.Failed() {
		return
	}
	for op, all := range common40 {
		for _, st := range all {
			if !given[answer40{op, st, false}] {
				t.Errorf("no %v was told %v", op, st)
			}
		}
	}
	for _, op := range []nfs4.NfsOpnum4{nfs4.OP_CLOSE, nfs4.OP_LOCK, nfs4.OP_LOCKU, nfs4.OP_OPEN, nfs4.OP_OPEN_CONFIRM,
		nfs4.OP_OPEN_DOWNGRADE} {
		if !given[answer40{op, nfs4.NFS4_OK, true}] {
			t.Errorf("no %v came again", op)
		}
	}
}
