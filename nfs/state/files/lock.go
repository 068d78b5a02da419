package files

import (
	"slices"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
)

// LockArgs is a LOCK (RFC 8881 section 18.10; RFC 7530 section 16.10).
type LockArgs struct {
	Target         // the open if New, else the owner's locks
	New     bool   // new_lock_owner
	Owner   []byte // the lock owner if New; borrowed
	LockSeq uint32 // lock_seqid if New, of version 4.0
	Kind    ranges.Kind
	Offset  uint64
	Length  uint64
	Wait    bool // READW_LT and WRITEW_LT: remember that the owner waits
	Recovery
}

// Lock is who stands in the way of a lock: LOCK4denied. Client 0 is the server's machine itself.
type Lock struct {
	Offset, Length uint64
	Kind           ranges.Kind
	Client         uint64
	Owner          string
}

// local is the owner of the locks of programs of the server's machine.
const local = "local"

// nobody is the number of an owner without locks in a file.
const nobody = ^ranges.Owner(0)

// number is what a state's locks are called by in the file's table.
func (s *state) number() ranges.Owner { return ranges.Owner(s.other.index()) }

// Lock locks a range of a file for a lock owner, upgrades or downgrades it. If it answers Denied,
// the lock that stands in the way is in held. Deadlocks are not looked for.
func (t *Table) Lock(a *LockArgs, held *Lock) (Stateid, Status) {
	r, ok := ranges.Parse(a.Offset, a.Length)
	if !ok || a.Kind != ranges.Read && a.Kind != ranges.Write {
		return Stateid{}, Inval
	}
	if st := a.Judge(OpLock, a.By.Minor); st != OK {
		return Stateid{}, st
	}
	var id Stateid
	for range rounds {
		var self, who *client
		st := t.attempt(a.By.Minor == 0, a.By.Brief, func() Status {
			s, st := t.hold(&a.Target, !a.New, 0)
			if st != OK {
				return st
			}
			var e effects
			self = s.owner.client
			id, st, who = t.lockHeld(s, a, r, held, &e)
			t.release(s)
			t.after(&e)
			return st
		})
		if st == Denied && who != nil {
			if st = t.expire([]*client{who}, self, a.By.Brief, Denied); st == OK {
				continue
			}
		}
		if st == Denied && a.Reclaim {
			st = ReclaimConflict
		}
		return id, st
	}
	return Stateid{}, Delay
}

// lockHeld is one attempt of Lock with s, which is the open or the owner's locks. If the owner of
// another client is in the way, that client is returned. Needs file.mu and client.mu.
func (t *Table) lockHeld(
	s *state, a *LockArgs, r ranges.Range, held *Lock, e *effects,
) (Stateid, Status, *client) {
	f, c := s.file, s.owner.client
	open, l, fresh := s.peer, s, false
	if a.New {
		open = s
	}
	// Read and Write have the same numbers as ways to use a file and as kinds of locks.
	if Share(a.Kind)&^open.access() != 0 {
		return Stateid{}, OpenMode, nil
	}
	if a.New {
		var st Status
		if l, fresh, st = t.lockState(open, a); st != OK {
			return Stateid{}, st, nil
		}
	}
	if f.locks == nil {
		f.locks = new(lockTable)
	}
	w := waiter{open: open, client: c, owner: l.owner.name, number: l.number(), Range: r, kind: a.Kind}
	st, who := t.lockRange(f, l, &w, a.Wait, held, e)
	if st == Denied && a.Wait {
		if fresh {
			w.number = nobody
		}
		t.wait(f, &w)
	}
	switch {
	case st != OK && fresh:
		t.bury(l, OK, e)
	case st != OK:
	case a.New && l.legacy:
		q := l.owner.seq
		q.last, q.known, q.op = a.LockSeq, true, 0
	}
	t.trim(f)
	if st != OK {
		return Stateid{}, st, who
	}
	if !fresh {
		l.step()
	}
	return l.id(), OK, nil
}

// lockState returns the locks of a new owner and an open's file, and whether they had to be made.
// Needs file.mu and client.mu.
func (t *Table) lockState(open *state, a *LockArgs) (l *state, fresh bool, st Status) {
	c, f := open.owner.client, open.file
	o := c.owners[lockOwner][string(a.Owner)]
	if o != nil {
		l = locksOf(o, f)
		// Version 4.0 says new owner for one that is not: RFC 7530 section 16.10.5. One that has
		// nothing locked anywhere is as good as new: its client may have forgotten it.
		if c.legacy && (l != nil && l.ranges > 0 || o.holds() && a.LockSeq != o.seq.last+1 || o.seq.busy) {
			return nil, false, BadSeqid
		}
		if l != nil {
			return l, false, OK
		}
	}
	if o, st = t.owner(c, lockOwner, a.Owner); st != OK {
		return nil, false, st
	}
	if l, st = t.placed(f, o, open); st != OK {
		t.unused(o)
	}
	return l, true, st
}

// locksOf returns the locks of an owner in a file, nil if it never locked there. Needs client.mu.
func locksOf(o *owner, f *file) *state {
	for s := o.states; s != nil; s = s.ownNext {
		if s.file == f && !s.gone {
			return s
		}
	}
	return nil
}

// holds reports whether an owner has anything locked. Needs client.mu; what it says of other files
// than one that is locked may be old at once.
func (o *owner) holds() bool { return o.held > 0 }

// lockRange locks what w wants for l. Needs file.mu and client.mu.
func (t *Table) lockRange(f *file, l *state, w *waiter, wait bool, held *Lock, e *effects) (Status, *client) {
	c := w.client
	if wait {
		if first := f.locks.reserved(w, t.now()); first != nil {
			*held = first.lock()
			return Denied, nil
		}
	}
	p := t.plans.Get().(*ranges.Plan)
	defer t.plans.Put(p)
	if other, denied := f.locks.Plan(p, w.number, w.Range, w.kind); denied {
		o := t.index.At(uint32(other.Owner))
		*held = lockOf(other, o.client, o.owner.name)
		return Denied, o.owner.client
	}
	if st := t.mayGrow(f, c, p.Grow); st != OK {
		return st, nil
	}
	if p.Grow > 0 && t.scarce() && !t.withinShare(c, p.Grow*lockBytes) {
		return full(c.legacy), nil
	}
	if m := t.cfg.Mirror; m != nil {
		for _, r := range p.Mirror { // one at most
			var other ranges.Lock
			switch m.Raise(&f.key, r, p.Kind, &other) {
			case Held:
				w.local, f.locks.mirrored = true, true
				*held = lockOf(other, 0, local)
				return Denied, nil
			case Failed:
				return Delay, nil
			case Granted:
				f.locks.mirrored = true
			}
		}
	}
	t.commit(l, p, e)
	t.dropWaiters(f, func(o *waiter) bool { return o.same(w) && o.Range == w.Range })
	return OK, nil
}

// mayGrow says whether a client may have n more ranges locked in a file. Needs file.mu and
// client.mu.
func (t *Table) mayGrow(f *file, c *client, n int) Status {
	switch {
	case n <= 0:
	case f.locks.Len()+n > t.cfg.FileLocksMax, c.ranges+n > t.cfg.ClientLocksMax:
		return full(c.legacy)
	case t.used.Load()+int64(n*lockBytes) > t.cfg.MemoryMax:
		return crowded
	}
	return OK
}

// commit makes a change of the locks of l, which the kernel has been told, and finds out who need
// not wait any more. Needs file.mu and client.mu.
func (t *Table) commit(l *state, p *ranges.Plan, e *effects) {
	f := l.file
	f.locks.Commit(p)
	l.ranges += uint32(p.Grow)
	l.owner.held += p.Grow
	l.owner.client.ranges += p.Grow
	t.used.Add(int64(p.Grow * lockBytes))
	if r, some := p.Freed(); some {
		t.wake(f, r, e)
	}
}

// unlock unlocks a range of l. Needs file.mu and client.mu.
func (t *Table) unlockRange(l *state, r ranges.Range, e *effects) Status {
	f := l.file
	if f.locks == nil {
		return OK
	}
	p := t.plans.Get().(*ranges.Plan)
	defer t.plans.Put(p)
	f.locks.Plan(p, l.number(), r, ranges.None)
	switch st := t.mayGrow(f, l.owner.client, p.Grow); st {
	case OK:
	case crowded:
		return full(l.legacy)
	default:
		return st
	}
	t.commit(l, p, e)
	if m := t.cfg.Mirror; m != nil && len(p.Mirror) > 0 {
		m.Lower(&f.key, p.Mirror)
	}
	t.trim(f)
	return OK
}

// unlockAll unlocks all that l has. Needs file.mu and client.mu.
func (t *Table) unlockAll(l *state, e *effects) {
	if l.ranges > 0 {
		t.unlockRange(l, ranges.All, e) // which grows nothing
	}
}

// waitsForLocal reports whether somebody waits for a program of the machine.
func (l *lockTable) waitsForLocal() bool {
	return slices.ContainsFunc(l.waiters, func(w waiter) bool { return w.local })
}

// trim forgets a file's locks when there are none, and nobody waits. Needs file.mu.
func (t *Table) trim(f *file) {
	if f.locks == nil || f.locks.Len() > 0 {
		return
	}
	if m := t.cfg.Mirror; m != nil && f.locks.mirrored && !f.locks.waitsForLocal() {
		m.Done(&f.key)
		f.locks.mirrored = false
	}
	if len(f.locks.waiters) == 0 {
		f.locks = nil
	}
}

// lockOf is how a reply names a lock.
func lockOf(l ranges.Lock, client uint64, owner string) Lock {
	offset, length := l.Wire()
	return Lock{Offset: offset, Length: length, Kind: l.Kind, Client: client, Owner: owner}
}

// TestArgs is a LOCKT (RFC 8881 section 18.11).
type TestArgs struct {
	By     Caller // in version 4.0, too, with the client ID of the lock owner
	Owner  []byte // borrowed
	Kind   ranges.Kind
	Offset uint64
	Length uint64
	Recovery
}

// LockT says whether a lock could be had now. If it answers Denied, the lock that stands in the way
// is in held.
func (t *Table) LockT(key *File, a *TestArgs, held *Lock) Status {
	r, ok := ranges.Parse(a.Offset, a.Length)
	if !ok || a.Kind != ranges.Read && a.Kind != ranges.Write {
		return Inval
	}
	if st := a.Judge(OpLockT, a.By.Minor); st != OK {
		return st
	}
	c := t.client(a.By.Client)
	if c == nil || c.legacy != (a.By.Minor == 0) {
		return StaleClientID
	}
	for range rounds {
		who := t.lockT(key, c, a, r, held)
		if who == nil {
			return OK
		}
		if st := t.expire([]*client{who}, c, a.By.Brief, Denied); st != OK {
			return st
		}
	}
	return Delay
}

// lockT returns the client whose lock is in the way; the caller's if it is not a client's.
func (t *Table) lockT(key *File, c *client, a *TestArgs, r ranges.Range, held *Lock) *client {
	f := t.lock(key, false)
	if f != nil {
		defer t.unlock(f)
	}
	if f != nil && f.locks != nil {
		number := nobody
		c.mu.Lock()
		if o := c.owners[lockOwner][string(a.Owner)]; o != nil {
			if l := locksOf(o, f); l != nil {
				number = l.number()
			}
		}
		c.mu.Unlock()
		if other, denied := f.locks.Conflict(number, r, a.Kind); denied {
			o := t.index.At(uint32(other.Owner))
			*held = lockOf(other, o.client, o.owner.name)
			return o.owner.client
		}
	}
	if m := t.cfg.Mirror; m != nil {
		if other, denied := m.Holder(key, r, a.Kind); denied {
			*held = lockOf(other, 0, local)
			return c
		}
	}
	return nil
}

// LockU is LOCKU (RFC 8881 section 18.12).
func (t *Table) LockU(x *Target, offset, length uint64) (Stateid, Status) {
	r, ok := ranges.Parse(offset, length)
	if !ok {
		return Stateid{}, Inval
	}
	l, st := t.hold(x, true, 0)
	if st != OK {
		return Stateid{}, st
	}
	var e effects
	var res Stateid
	if st = t.unlockRange(l, r, &e); st == OK {
		l.step()
		res = l.id()
	}
	t.release(l)
	t.after(&e)
	return res, st
}

// ReleaseLockOwner is RELEASE_LOCKOWNER (RFC 7530 section 16.37): a lock owner that has nothing
// locked is forgotten.
func (t *Table) ReleaseLockOwner(client uint64, name []byte) Status {
	c := t.client(client)
	if c == nil || !c.legacy {
		return StaleClientID
	}
	c.mu.Lock()
	o := c.owners[lockOwner][string(name)]
	if o == nil {
		c.mu.Unlock()
		return OK
	}
	if o.holds() || o.seq.busy {
		c.mu.Unlock()
		return LocksHeld
	}
	var all []*state
	for s := o.states; s != nil; s = s.ownNext {
		all = append(all, s)
	}
	c.mu.Unlock()
	for _, s := range all {
		t.endUnlocked(s)
	}
	return OK
}

// endUnlocked ends locks, if there are none.
func (t *Table) endUnlocked(s *state) {
	var e effects
	s.file.mu.Lock()
	s.owner.client.mu.Lock()
	if !s.gone && s.ranges == 0 {
		t.bury(s, OK, &e)
	}
	t.release(s)
	t.after(&e)
}
