package v4

import (
	"fmt"
	"slices"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

// This file has the operations of model40: each sends one with given arguments, foretells what
// comes, and does to the model what the server is to have done.

// call sends an operation on an object, and asks afterwards what the current file handle is. The
// result is that of the operation.
func (m *model40) call(
	uid uint32, at, op nfs4.NfsArgop4,
) (reply []byte, res *nfs4.NfsResop4, st nfs4.Nfsstat4) {
	m.r.t.Helper()
	m.r.minor, m.r.uid = 0, uid
	ops := []nfs4.NfsArgop4{at, op, getfh()}
	if slices.Contains([]nfs4.NfsOpnum4{nfs4.OP_SETCLIENTID, nfs4.OP_SETCLIENTID_CONFIRM, nfs4.OP_RENEW,
		nfs4.OP_RELEASE_LOCKOWNER}, op.Argop) {
		ops = ops[1:2]
	}
	reply = m.send(m.r.compoundOf("", ops...))
	all := results(m.r.t, reply)
	n := min(2, len(ops))
	if all.Status == nfs4.NFS4_OK {
		n = len(ops)
	}
	if len(all.Resarray) != n {
		m.r.t.Fatalf("%v: %d results, %v", op.Argop, len(all.Resarray), all.Status)
	}
	m.given[answer40{op.Argop, all.Status, false}] = true
	return reply, &all.Resarray[min(1, len(ops)-1)], all.Status
}

// setClientID is SETCLIENTID (RFC 7530, section 16.33.5).
func (m *model40) setClientID(a *actor40, verifier byte, uid uint32) {
	addr := fmt.Sprint("127.0.0.1.8.", m.rnd.IntN(250))
	op := setclientid(a.name, addr)
	op.Opsetclientid.Client.Verifier = nfs4.Verifier4{verifier}
	what := fmt.Sprintf("%s of user %d says that it is incarnation %d", a.name, uid, verifier)
	_, res, st := m.call(uid, m.dir, op)
	old := m.confirmed[a.name]
	if m.inUse(old) && old.uid != uid {
		m.want(what, st, nfs4.NFS4ERR_CLID_INUSE)
		return
	}
	m.want(what, st, nfs4.NFS4_OK)
	got := pair40{res.Opsetclientid.Resok4.Clientid, res.Opsetclientid.Resok4.SetclientidConfirm, uid}
	if a.pairs = append(a.pairs, got); len(a.pairs) > 4 {
		a.pairs = a.pairs[1:]
	}
	if f := m.fresh[a.name]; f != nil {
		f.phase = gone40
		delete(m.fresh, a.name)
	}
	if old != nil && old.phase == confirmed40 && old.verifier == verifier && old.uid == uid {
		if got.id != old.id {
			m.r.t.Fatalf("%s: it is client %x, and was %x", what, got.id, old.id)
		}
		old.pending, old.wanted = &got, addr
		return
	}
	if m.client(got.id) != nil {
		m.r.t.Fatalf("%s: client %x is another one", what, got.id)
	}
	m.fresh[a.name] = &client40{name: a.name, verifier: verifier, uid: uid, id: got.id, confirm: got.confirm, addr: addr,
		renewed: m.now, opening: make(map[string]*owner40), locking: make(map[string]*owner40)}
}

// confirm is SETCLIENTID_CONFIRM (section 16.34.5).
func (m *model40) confirm(a *actor40, p pair40, uid uint32) {
	op := nfs4.NfsArgop4{Argop: nfs4.OP_SETCLIENTID_CONFIRM, OpsetclientidConfirm: nfs4.SETCLIENTIDCONFIRM4args{
		Clientid: p.id, SetclientidConfirm: p.confirm}}
	what := fmt.Sprintf("%s of user %d confirms", a.name, uid)
	_, _, st := m.call(uid, m.dir, op)
	c := m.client(p.id)
	want := nfs4.NFS4_OK
	switch {
	case c == nil:
		want = nfs4.NFS4ERR_STALE_CLIENTID
	case c.uid != uid:
		want = nfs4.NFS4ERR_CLID_INUSE
	case c.phase == lapsed40:
		want = nfs4.NFS4ERR_STALE_CLIENTID
	case c.phase == confirmed40 && c.pending != nil && c.pending.confirm == p.confirm:
		c.confirm, c.addr, c.pending = p.confirm, c.wanted, nil
	case c.confirm != p.confirm:
		want = nfs4.NFS4ERR_STALE_CLIENTID
	case c.phase == confirmed40: // once more
	case m.inUse(m.confirmed[c.name]) && m.confirmed[c.name].uid != uid:
		want = nfs4.NFS4ERR_CLID_INUSE
	default:
		if old := m.confirmed[c.name]; old != nil {
			m.leave(old)
		}
		delete(m.fresh, c.name)
		c.phase, m.confirmed[c.name] = confirmed40, c
		m.kept = append(m.kept, c)
		a.c, a.uid, a.verifier = c, c.uid, c.verifier
	}
	m.want(what, st, want)
	if st != nfs4.NFS4_OK {
		return
	}
	c.renewed = m.now
	got, gone := m.r.cfg.State.Client0(stateClient(uint64(p.id)))
	if gone != 0 || got.Callback0().Addr != c.addr {
		m.r.t.Fatalf("%s: it is called back elsewhere than at %s", what, c.addr)
	}
}

func (m *model40) renew(c *client40) {
	op := nfs4.NfsArgop4{Argop: nfs4.OP_RENEW, Oprenew: nfs4.RENEW4args{Clientid: c.id}}
	_, _, st := m.call(c.uid, m.dir, op)
	m.want(c.name+" renews", st, m.who(c.id))
}

type open40 struct {
	c       *client40
	owner   string
	file    int
	share   mShare
	seqid   uint32
	reclaim bool
}

// open is OPEN (section 16.16), by name or CLAIM_PREVIOUS.
func (m *model40) open(a open40) nfs4.Nfsstat4 {
	at, op := m.dir, openOp(a.owner, fmt.Sprint("f", a.file), a.share.access, a.share.deny, nfs4.OPEN4_NOCREATE)
	op.Opopen.Seqid, op.Opopen.Owner.Clientid = nfs4.Seqid4(a.seqid), a.c.id
	if a.reclaim {
		at = m.files[a.file]
		op.Opopen.Claim = nfs4.OpenClaim4{Claim: nfs4.CLAIM_PREVIOUS}
	}
	what := fmt.Sprintf("%s opens %d as %s for %v, number %d, reclaim %v",
		a.c.name, a.file, a.owner, a.share, a.seqid, a.reclaim)
	reply, res, st := m.call(a.c.uid, at, op)
	if want := m.who(a.c.id); want != nfs4.NFS4_OK {
		m.want(what, st, want)
		return st
	}
	a.c.recorded = true
	m.current[a.c.name] = record40{a.c.verifier, a.c.uid}
	o := a.c.opening[a.owner]
	if o == nil {
		o = &owner40{c: a.c, name: a.owner}
		a.c.opening[a.owner] = o
	}
	verdict := run40
	if o.known {
		verdict = m.turn(o, nfs4.OP_OPEN, a.seqid)
	}
	switch {
	case verdict == repeat40:
		m.repeated(what, o, reply)
		return st
	case o.known && !o.confirmed: // nothing was promised (section 9.1.11)
		for len(o.states) > 0 {
			m.end(o.states[0])
		}
	case verdict == refuse40:
		m.want(what, st, nfs4.NFS4ERR_BAD_SEQID)
		return st
	}
	want := m.opened(&a, o, what, res)
	m.want(what, st, want)
	m.done(o, nfs4.OP_OPEN, a.seqid, st, reply, func() { m.open(a) })
	return st
}

// opened foretells an OPEN that is in its turn.
func (m *model40) opened(a *open40, o *owner40, what string, res *nfs4.NfsResop4) nfs4.Nfsstat4 {
	r, known := m.reclaimer[a.c.name]
	if st := m.judge(a.reclaim, known && r.uid == a.c.uid); st != nfs4.NFS4_OK {
		return st
	}
	who := m.against(nil, a.file, a.share.access, a.share.deny)
	switch {
	case len(who) > 0 && a.reclaim:
		return nfs4.NFS4ERR_RECLAIM_CONFLICT
	case !m.makeWay(who, a.c):
		return nfs4.NFS4ERR_SHARE_DENIED
	case res.Opopen.Status != nfs4.NFS4_OK:
		return nfs4.NFS4_OK
	}
	got := &res.Opopen.Resok4
	flags := uint32(nfs4.OPEN4_RESULT_LOCKTYPE_POSIX)
	i := slices.IndexFunc(o.states, func(s *state40) bool { return s.file == a.file })
	if i >= 0 {
		s := o.states[i]
		s.asked = append(s.asked, a.share)
		m.changed(what, got.Stateid, s)
	} else {
		s := m.born(o, a.file, got.Stateid)
		s.asked = mShares{a.share}
		o.confirmed = o.confirmed || a.reclaim
		if o.idle = !o.confirmed; o.idle {
			s.unconfirmed, o.since = true, m.now
			flags |= nfs4.OPEN4_RESULT_CONFIRM
		}
	}
	if got.Rflags != flags {
		m.r.t.Fatalf("%s: flags %x, want %x", what, got.Rflags, flags)
	}
	if a.reclaim {
		m.reclaimed()
	}
	return nfs4.NFS4_OK
}

// numbered sends an operation on a state in its owner's turn, and foretells by run what it is told.
func (m *model40) numbered(what string, uid uint32, file int, op nfs4.NfsArgop4, id nfs4.Stateid4, seqid uint32,
	run func(*nfs4.NfsResop4) nfs4.Nfsstat4, again func()) nfs4.Nfsstat4 {
	what = fmt.Sprintf("%s, number %d", what, seqid)
	reply, res, st := m.call(uid, m.files[file], op)
	o, verdict, want := m.turnOf(id, op.Argop, seqid)
	switch verdict {
	case repeat40:
		m.repeated(what, o, reply)
	case refuse40:
		m.want(what, st, want)
	case run40:
		m.want(what, st, run(res))
		m.done(o, op.Argop, seqid, st, reply, again)
	}
	return st
}

// onOpen is the arguments of an operation on an open.
type onOpen struct {
	uid   uint32
	id    nfs4.Stateid4
	file  int
	seqid uint32
}

func (m *model40) openConfirm(a onOpen) {
	op := nfs4.NfsArgop4{Argop: nfs4.OP_OPEN_CONFIRM,
		OpopenConfirm: nfs4.OPENCONFIRM4args{OpenStateid: a.id, Seqid: nfs4.Seqid4(a.seqid)}}
	what := fmt.Sprintf("OPEN_CONFIRM %v", a.id)
	m.numbered(what, a.uid, a.file, op, a.id, a.seqid, func(res *nfs4.NfsResop4) nfs4.Nfsstat4 {
		s, st := m.at(a.id, a.file, false, true)
		switch {
		case st != nfs4.NFS4_OK:
			return st
		case !s.unconfirmed:
			return nfs4.NFS4ERR_BAD_STATEID
		}
		s.unconfirmed, s.owner.confirmed, s.owner.idle = false, true, false
		m.changed("OPEN_CONFIRM", res.OpopenConfirm.Resok4.OpenStateid, s)
		return nfs4.NFS4_OK
	}, func() { m.openConfirm(a) })
}

func (m *model40) downgrade(a onOpen, to mShare) {
	op := nfs4.NfsArgop4{Argop: nfs4.OP_OPEN_DOWNGRADE, OpopenDowngrade: nfs4.OPENDOWNGRADE4args{
		OpenStateid: a.id, Seqid: nfs4.Seqid4(a.seqid), ShareAccess: to.access, ShareDeny: to.deny}}
	what := fmt.Sprintf("OPEN_DOWNGRADE %v to %v", a.id, to)
	m.numbered(what, a.uid, a.file, op, a.id, a.seqid, func(res *nfs4.NfsResop4) nfs4.Nfsstat4 {
		if to.access == 0 {
			return nfs4.NFS4ERR_INVAL
		}
		s, st := m.at(a.id, a.file, false, false)
		if st != nfs4.NFS4_OK {
			return st
		}
		var left []mShare
		var all mShare
		for _, was := range s.asked {
			if was.access&^to.access == 0 && was.deny&^to.deny == 0 {
				left = append(left, was)
				all = mShare{all.access | was.access, all.deny | was.deny}
			}
		}
		if all != to {
			return nfs4.NFS4ERR_INVAL
		}
		s.asked = left
		m.changed(what, res.OpopenDowngrade.Resok4.OpenStateid, s)
		return nfs4.NFS4_OK
	}, func() { m.downgrade(a, to) })
}

func (m *model40) closeOpen(a onOpen) {
	op := closeOp(a.id)
	op.Opclose.Seqid = nfs4.Seqid4(a.seqid)
	what := fmt.Sprintf("CLOSE %v", a.id)
	m.numbered(what, a.uid, a.file, op, a.id, a.seqid, func(res *nfs4.NfsResop4) nfs4.Nfsstat4 {
		s, st := m.at(a.id, a.file, false, false)
		if st != nfs4.NFS4_OK {
			return st
		}
		for len(s.mine) > 0 {
			m.end(s.mine[0])
		}
		m.changed("CLOSE", res.Opclose.OpenStateid, s)
		s.closed, s.owner.closed = true, s
		m.disown(s)
		return nfs4.NFS4_OK
	}, func() { m.closeOpen(a) })
}

// aLock is the arguments of a LOCK.
type aLock struct {
	onOpen  // or on the locks, if there is no owner
	c       *client40
	owner   string // a new one
	lockSeq uint32
	kind    nfs4.NfsLockType4
	off, n  int
	reclaim bool
}

func (m *model40) lock(a aLock) nfs4.Nfsstat4 {
	op := lockOp(a.id, a.owner, a.kind, uint64(a.off), uint64(a.n))
	op.Oplock.Reclaim = a.reclaim
	if a.owner == "" {
		op.Oplock.Locker = nfs4.Locker4{
			LockOwner: nfs4.ExistLockOwner4{LockStateid: a.id, LockSeqid: nfs4.Seqid4(a.seqid)},
		}
	} else {
		l := &op.Oplock.Locker.OpenOwner
		l.OpenSeqid, l.LockSeqid, l.LockOwner.Clientid = nfs4.Seqid4(a.seqid), nfs4.Seqid4(a.lockSeq), a.c.id
	}
	what := fmt.Sprintf("%s locks %d+%d of %d as %q %d with %v, kind %d, reclaim %v", a.c.name, a.off, a.n, a.file,
		a.owner, a.lockSeq, a.id, a.kind, a.reclaim)
	if a.owner != "" {
		if want := m.who(a.c.id); want != nfs4.NFS4_OK {
			_, _, st := m.call(a.uid, m.files[a.file], op)
			m.want(what, st, want)
			return st
		}
	}
	return m.numbered(what, a.uid, a.file, op, a.id, a.seqid, func(res *nfs4.NfsResop4) nfs4.Nfsstat4 {
		return m.locked(&a, what, res)
	}, func() { m.lock(a) })
}

// locked foretells a LOCK that is in its turn.
func (m *model40) locked(a *aLock, what string, res *nfs4.NfsResop4) nfs4.Nfsstat4 {
	if a.n == 0 {
		return nfs4.NFS4ERR_INVAL
	}
	if st := m.judge(a.reclaim, true); st != nfs4.NFS4_OK {
		return st
	}
	s, st := m.at(a.id, a.file, a.owner == "", false)
	if st != nfs4.NFS4_OK {
		return st
	}
	open, l, name := s, s, ""
	if a.owner == "" {
		open, name = s.open, s.owner.name
	} else {
		l, name = nil, a.owner
	}
	if open.asked.access()&uint32(a.kind) == 0 { // READ_LT is 1, WRITE_LT is 2
		return nfs4.NFS4ERR_OPENMODE
	}
	c := s.owner.c
	if a.owner != "" {
		if o := c.locking[a.owner]; o != nil {
			held := 0
			for _, x := range o.states {
				held += x.ranges()
				if x.file == a.file {
					l = x
				}
			}
			if l != nil && l.ranges() > 0 || held > 0 && a.lockSeq != o.last+1 {
				return nfs4.NFS4ERR_BAD_SEQID
			}
		}
	}
	who := m.conflicts(c, name, a.file, a.kind, a.off, a.n)
	if st = m.blocked(c, who); st != nfs4.NFS4_OK {
		if a.reclaim {
			return nfs4.NFS4ERR_RECLAIM_CONFLICT
		}
		if res.Oplock.Status == nfs4.NFS4ERR_DENIED {
			m.denied(what, who, a.kind, a.off, a.n, &res.Oplock.Denied)
		}
		return st
	}
	if res.Oplock.Status != nfs4.NFS4_OK {
		return nfs4.NFS4_OK
	}
	got := res.Oplock.Resok4.LockStateid
	if l == nil {
		o := c.locking[a.owner]
		if o == nil {
			o = &owner40{c: c, name: a.owner, locks: true}
			c.locking[a.owner] = o
		}
		l = m.born(o, a.file, got)
		l.open, open.mine = open, append(open.mine, l)
	} else {
		m.changed(what, got, l)
	}
	if a.owner != "" {
		l.owner.known, l.owner.last, l.owner.kind, l.owner.again = true, a.lockSeq, 0, nil
	}
	l.set(a.kind, a.off, a.n)
	if a.reclaim {
		m.reclaimed()
	}
	return nfs4.NFS4_OK
}

func (s *state40) set(kind nfs4.NfsLockType4, off, n int) {
	for i := range n {
		s.has[off+i] = kind
	}
}

// denied looks whether a denial names a lock that is in the way, with all its bytes.
func (m *model40) denied(
	what string, who []*state40, kind nfs4.NfsLockType4, off, n int, d *nfs4.LOCK4denied,
) {
	if !slices.ContainsFunc(who, func(l *state40) bool {
		if l.owner.name != string(d.Owner.Owner) || l.owner.c.id != d.Owner.Clientid {
			return false
		}
		from, to := int(d.Offset), int(d.Offset)+int(d.Length)
		if from >= off+n || to <= off || to > spanOfModel || !bars(d.Locktype, kind) {
			return false
		}
		for i, k := range l.has {
			inside := i >= from && i < to
			if inside && k != d.Locktype || (i == from-1 || i == to) && k == d.Locktype {
				return false
			}
		}
		return true
	}) {
		m.r.t.Fatalf("%s: it is told of %+v, which is not in the way", what, *d)
	}
}

func (m *model40) lockTest(c *client40, owner string, file int, kind nfs4.NfsLockType4, off, n int) {
	op := locktOp(owner, kind, uint64(off), uint64(n))
	op.Oplockt.Owner.Clientid = c.id
	_, res, st := m.call(c.uid, m.files[file], op)
	what := fmt.Sprintf("%s tests %d+%d of %d as %s, kind %d", c.name, off, n, file, owner, kind)
	want := m.who(c.id)
	switch {
	case want != nfs4.NFS4_OK:
	case n == 0:
		want = nfs4.NFS4ERR_INVAL
	case m.reclaimer != nil:
		want = nfs4.NFS4ERR_GRACE
	default:
		who := m.conflicts(c, owner, file, kind, off, n)
		if want = m.blocked(c, who); want == nfs4.NFS4ERR_DENIED && st == want {
			m.denied(what, who, kind, off, n, &res.Oplockt.Denied)
		}
	}
	m.want(what, st, want)
}

func (m *model40) unlock(a onOpen, off, n int) {
	op := lockuOp(a.id, uint64(off), uint64(n))
	op.Oplocku.Seqid = nfs4.Seqid4(a.seqid)
	what := fmt.Sprintf("LOCKU %v %d+%d", a.id, off, n)
	m.numbered(what, a.uid, a.file, op, a.id, a.seqid, func(res *nfs4.NfsResop4) nfs4.Nfsstat4 {
		if n == 0 {
			return nfs4.NFS4ERR_INVAL
		}
		l, st := m.at(a.id, a.file, true, false)
		if st != nfs4.NFS4_OK {
			return st
		}
		l.set(0, off, n)
		m.changed(what, res.Oplocku.LockStateid, l)
		return nfs4.NFS4_OK
	}, func() { m.unlock(a, off, n) })
}

func (m *model40) releaseLockOwner(c *client40, owner string) {
	op := nfs4.NfsArgop4{Argop: nfs4.OP_RELEASE_LOCKOWNER}
	op.OpreleaseLockowner.LockOwner = nfs4.LockOwner4{Clientid: c.id, Owner: []byte(owner)}
	_, _, st := m.call(c.uid, m.dir, op)
	want := m.who(c.id)
	if o := c.locking[owner]; want == nfs4.NFS4_OK && o != nil {
		for _, l := range o.states {
			if l.ranges() > 0 {
				want = nfs4.NFS4ERR_LOCKS_HELD
			}
		}
		for want == nfs4.NFS4_OK && len(o.states) > 0 {
			m.end(o.states[0])
		}
	}
	m.want(c.name+" releases "+owner, st, want)
}

// io reads or writes, with the stateid of an open or of locks, or with none.
func (m *model40) io(uid uint32, file int, id nfs4.Stateid4, way uint32) {
	op := nfs4.NfsArgop4{Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Stateid: id, Count: 10}}
	if way == 2 {
		op = nfs4.NfsArgop4{Argop: nfs4.OP_WRITE, Opwrite: nfs4.WRITE4args{Stateid: id, Data: []byte("x")}}
	}
	_, _, st := m.call(uid, m.files[file], op)
	m.want(fmt.Sprintf("user %d uses %d, way %d, with %v", uid, file, way, id), st, m.mayUse(file, id, way))
}

func (m *model40) mayUse(file int, id nfs4.Stateid4, way uint32) nfs4.Nfsstat4 {
	if id == (nfs4.Stateid4{}) {
		switch {
		case m.reclaimer != nil:
			return nfs4.NFS4ERR_GRACE
		case !m.makeWay(m.against(nil, file, way, 0), nil):
			return nfs4.NFS4ERR_LOCKED
		}
		return nfs4.NFS4_OK
	}
	s := m.states[id.Other]
	if s == nil {
		return m.lost(id)
	}
	if c := s.owner.c; c.phase == confirmed40 {
		c.renewed = m.now
	}
	open := s
	if s.isLock() {
		open = s.open
	}
	switch {
	case s.expired:
		return nfs4.NFS4ERR_EXPIRED
	case s.closed, open.unconfirmed, s.file != file:
		return nfs4.NFS4ERR_BAD_STATEID
	}
	st := of40(s, id)
	switch {
	case st != nfs4.NFS4_OK:
		return st
	case open.asked.access()&way != 0:
		return nfs4.NFS4_OK
	case way == 2:
		return nfs4.NFS4ERR_OPENMODE
	case !m.makeWay(m.against(open, file, way, 0), s.owner.c):
		return nfs4.NFS4ERR_LOCKED
	}
	return nfs4.NFS4_OK
}
