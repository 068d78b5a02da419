package v4

import (
	"encoding/binary"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/state"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

const (
	// tagMax is the longest tag in bytes: it is sent back.
	tagMax = nfs4.NFS4_OPAQUE_LIMIT
	// operationsMax is how many operations a compound may have that belongs to no session.
	operationsMax = 256
	// resultHeader is what every result begins with: the operation's number and its status.
	resultHeader = 4 + 4
	// failureMax is how many bytes a result has that says that its operation was not run.
	failureMax = resultHeader + 4
)

// compound is a COMPOUND in progress. While it runs it is its place's (work); when it is
// suspended, a copy of it is the call's State.
type compound struct {
	s *server

	minor uint32
	count uint32 // operations in all
	next  uint32 // the operation to run next
	done  int    // bytes of results that there were when it was suspended
	fixed int    // where the number of results stands, in bytes from where the results begin

	current, saved      position
	stateid, savedState files.Stateid // that go with them, from minor version 1 on

	// Of a compound in a session: from SEQUENCE to the end.
	ticket   state.Ticket
	session  *state.Session
	uncached bool // it is a retry of which no reply was kept
	replyMax int  // bytes that the results may have

	// Of one run.
	c    *rpc.Call
	w    *work
	base int // where the results begin in c.Reply
	// plainTo is how long c.Reply may become without a further question: see plain.
	plainTo int
	body    bool // the failed operation's result has more than a status
	// known are the current file handle's attributes as an operation of this run has found
	// them, for the operation number knownFor.
	known    *vfs.Attr
	knownFor uint32
	owed     *owed // the operation whose change is not on stable storage yet, if there is one

	pool *pool
	free *compound // the next in pool
}

// pool keeps the compounds that a lane has suspended. It is the lane's own.
type pool struct{ first *compound }

// suspend copies k aside, for the next run. A lane's is from its pool: the call ends on the
// lane that it began on.
func (k *compound) suspend() *compound {
	if s, ok := k.c.State.(*compound); ok {
		pool := s.pool
		*s = *k
		s.c, s.w, s.known, s.pool = nil, nil, nil, pool
		return s
	}
	var s *compound
	var p *pool
	if !k.c.Place.Thread.MayWait {
		p = &k.w.pool
		if s = p.first; s != nil {
			p.first = s.free
		}
	}
	if s == nil {
		s = new(compound)
	}
	*s = *k
	s.c, s.w, s.known, s.pool, s.free = nil, nil, nil, p, nil
	return s
}

// Drop implements rpc.State. A compound that was lost before its end has not been answered.
func (k *compound) Drop() {
	k.lose()
	p := k.pool
	*k = compound{pool: p}
	if p != nil {
		k.free = p.first
		p.first = k
	}
}

// lose gives up the slot of a compound that ends without an answer, if it has one.
func (k *compound) lose() {
	if k.session != nil {
		k.session = nil
		k.ticket.Abandon()
	}
}

// compound is the procedure COMPOUND (RFC 8881, section 16.2).
func (s *server) compound(c *rpc.Call) rpc.Outcome {
	w := s.work(c)
	k := &w.compound
	defer k.lose() // after a panic; else nothing is left to lose
	if old, ok := c.State.(*compound); ok {
		*k = *old
		old.session = nil // the ticket is k's now
		k.c, k.w, k.base = c, w, c.Reply.Len()-old.done
		return k.run()
	}
	k.reset(s, c, w)
	if out := k.head(); out != rpc.Done {
		return out
	}
	switch {
	case k.minor > minorMax || !s.serves[k.minor]:
		return k.end(nfs4.NFS4ERR_MINOR_VERS_MISMATCH)
	case k.count > operationsMax:
		if k.minor == 0 {
			return k.end(nfs4.NFS4ERR_RESOURCE)
		}
		return k.end(nfs4.NFS4ERR_TOO_MANY_OPS)
	}
	return k.run()
}

// reset makes k a compound of which nothing has been read. k is another one that has ended: end,
// pause and lose have left no ticket, and of handles nobody asks as long as no export goes with
// them.
func (k *compound) reset(s *server, c *rpc.Call, w *work) {
	k.s, k.c, k.w = s, c, w
	k.minor, k.count, k.next, k.done, k.fixed = 0, 0, 0, 0, 0
	k.current.node, k.current.export, k.saved.node, k.saved.export = nil, nil, nil, nil
	k.stateid, k.savedState = files.Stateid{}, files.Stateid{}
	k.session, k.uncached = nil, false
	k.base, k.replyMax = c.Reply.Len(), s.cfg.replyMax()
	k.body, k.plainTo = false, 0
	k.known, k.knownFor, k.owed = nil, 0, nil
}

// head reads what comes before the operations, and writes what comes before the results.
func (k *compound) head() rpc.Outcome {
	c, be := k.c, binary.BigEndian
	e := &c.Reply
	const least = 4 + 4 + 4
	if v := c.Args.Ahead(least); v != nil && be.Uint32(v) == 0 && c.Room(least+resultHeader) { // no tag
		args := (*[least]byte)(c.Args.Run(least))
		k.minor, k.count = be.Uint32(args[4:]), be.Uint32(args[8:])
		*(*[least]byte)(e.Reserve(least)) = [least]byte{}
		k.fixed = 4 + 4
		return rpc.Done
	}
	tag := c.Args.Opaque(tagMax)
	k.minor, k.count = c.Args.Uint32(), c.Args.Uint32()
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	if !c.Room(least + len(tag) + 3 + resultHeader) {
		return rpc.Grow
	}
	e.Uint32(0)
	e.Opaque(tag)
	k.fixed = e.Len() - k.base
	e.Uint32(0)
	return rpc.Done
}

// run runs the operations from k.next on.
func (k *compound) run() rpc.Outcome {
	c, e := k.c, &k.c.Reply
	k.bound()
	for k.next < k.count {
		args, at := c.Args.Left(), e.Len()
		op := c.Args.Uint32()
		if c.Args.Err() != nil {
			// Not even a number: the result says which operation it is that is missing.
			op = uint32(nfs4.OP_ILLEGAL)
			e.Uint32(op)
			e.Uint32(uint32(nfs4.NFS4ERR_BADXDR))
			k.next++
			return k.end(nfs4.NFS4ERR_BADXDR)
		}
		r := rowOf(op, k.minor)
		plain := k.plain(r, at)
		if c.Need = 0; !plain {
			switch {
			case r.class == worker && !c.Place.Thread.MayWait:
				return k.toWorker(r, args, at)
			case !c.Room(resultHeader + int(r.worst)):
				return k.pause(args, at, rpc.Grow)
			case r == &illegal:
				op = uint32(nfs4.OP_ILLEGAL)
			}
		}
		if k.owed != nil && r.needs&harmless == 0 {
			if st := k.pay(); st != nfs4.NFS4_OK {
				return k.end(st)
			}
		}
		if b := e.Reserve(resultHeader); len(b) == resultHeader { // there is room
			binary.BigEndian.PutUint32(b, op)
			binary.BigEndian.PutUint32(b[4:], uint32(nfs4.NFS4_OK))
		}
		k.body = false
		st := nfs4.NFS4_OK
		if !plain {
			st = k.check(op, r)
		}
		if st == nfs4.NFS4_OK {
			if st = r.run(k); st == nfs4.NFS4_OK {
				k.next++
				if r.needs&harmless == 0 && c.Place.Thread.Debts.Owing() {
					k.owe(r, at)
				}
				continue
			}
		}
		switch {
		case st == stOver:
			k.drop()
			return rpc.Done
		case st == stAgain:
			return k.toWorker(r, args, at)
		case st == stGrow:
			return k.pause(args, at, rpc.Grow)
		case !k.body:
			k.cut(r, at)
		}
		e.SetUint32(at+4, uint32(st))
		k.next++
		return k.end(st)
	}
	return k.end(nfs4.NFS4_OK)
}

// cut leaves of the result of r that begins at at what a failure has.
func (k *compound) cut(r *row, at int) {
	e := &k.c.Reply
	e.Truncate(at + resultHeader)
	if r.needs&answersAlways != 0 {
		e.Uint32(0)
	}
}

// bound sets plainTo: how long Reply may become without more of a question, after a SEQUENCE that
// went well.
func (k *compound) bound() {
	k.plainTo = 0
	if k.session != nil {
		k.plainTo = min(k.base+k.replyMax, k.c.Reply.Len()+k.c.Free())
	}
}

// plain reports that the operation of r, whose result begins at at, may run now and here without
// more of a check.
func (k *compound) plain(r *row, at int) bool {
	return r.needs&common != 0 && at+resultHeader+int(r.worst)+failureMax <= k.plainTo &&
		(r.needs&needCurrent == 0 || !k.current.none())
}

// check says whether the operation of r may run now.
func (k *compound) check(op uint32, r *row) nfs4.Nfsstat4 {
	if k.minor > 0 {
		if st := k.inOrder(op, r); st != nfs4.NFS4_OK {
			return st
		}
	}
	switch {
	case r.needs&needCurrent != 0 && k.current.none():
		return nfs4.NFS4ERR_NOFILEHANDLE
	case r.needs&needSaved != 0 && k.saved.none():
		return nfs4.NFS4ERR_NOFILEHANDLE
	case int(r.worst) > k.left():
		return k.tooBig()
	}
	return nfs4.NFS4_OK
}

// inOrder is what sessions ask of the order of operations (section 2.10.6.4 and others).
func (k *compound) inOrder(op uint32, r *row) nfs4.Nfsstat4 {
	first := k.next == 0
	switch {
	case op == uint32(nfs4.OP_SEQUENCE):
		if !first {
			return nfs4.NFS4ERR_SEQUENCE_POS
		}
	case k.uncached:
		return nfs4.NFS4ERR_RETRY_UNCACHED_REP
	case !first:
		if r.needs&alone != 0 {
			return nfs4.NFS4ERR_NOT_ONLY_OP
		}
	case r.needs&(sessionless|alone) == 0:
		if r == &illegal {
			return nfs4.NFS4_OK // which says so itself
		}
		return nfs4.NFS4ERR_OP_NOT_IN_SESSION
	case k.count != 1:
		return nfs4.NFS4ERR_NOT_ONLY_OP
	}
	return nfs4.NFS4_OK
}

// left returns how many bytes the result of the operation may still have. If others follow, the
// next one must be able to say that there is no room for it.
func (k *compound) left() int {
	n := k.replyMax - (k.c.Reply.Len() - k.base)
	if k.next+1 < k.count {
		n -= failureMax
	}
	return n
}

// tooBig is the status of an operation whose result might be more than that.
func (k *compound) tooBig() nfs4.Nfsstat4 {
	if k.minor == 0 {
		return nfs4.NFS4ERR_RESOURCE
	}
	if k.ticket.Keeps() && k.replyMax < int(k.session.Fore().ReplyMax)-replyHeader {
		return nfs4.NFS4ERR_REP_TOO_BIG_TO_CACHE
	}
	return nfs4.NFS4ERR_REP_TOO_BIG
}

// toWorker is pause for an operation, the one of r, that needs a worker. In minor version 0 only
// the duplicate request cache knows a compound that is sent again, so all go there that may change
// what can be changed once. What has begun with an operation on data hardly ever goes on to that,
// and would take much of the cache.
func (k *compound) toWorker(r *row, args, at int) rpc.Outcome {
	c := k.c
	if k.minor == 0 && r.needs&repeatable == 0 {
		c.Once = true
		c.Pipes = nil
	}
	// It needs as much there as it has asked for here, and what it needs at least.
	asked := c.Need
	c.Reply.Truncate(at)
	c.Room(resultHeader + int(r.worst))
	c.Need = max(c.Need, asked)
	return k.pause(args, at, rpc.Wait)
}

// pause suspends the compound before the operation whose arguments begin where args bytes were
// left, and whose result begins at at.
func (k *compound) pause(args, at int, out rpc.Outcome) rpc.Outcome {
	if k.owed != nil { // it may go on at another place
		if st := k.pay(); st != nfs4.NFS4_OK {
			return k.end(st)
		}
	}
	c := k.c
	c.Back(args)
	c.Reply.Truncate(at)
	c.Tail = rpc.Tail{}
	c.Keep = true
	k.done = at - k.base
	c.State = k.suspend()
	k.session = nil // the ticket is its now
	k.drop()
	return out
}

// end ends the compound with the status. If it owes something, finish waits until that is settled.
func (k *compound) end(st nfs4.Nfsstat4) rpc.Outcome {
	k.sum(st)
	if k.c.Place.Thread.Debts.Owing() {
		k.c.State = k.suspend()
		k.session = nil // the ticket is its now
	} else {
		k.finish()
	}
	k.drop()
	return rpc.Done
}

// sum writes how the compound has ended before its results. head has written OK.
func (k *compound) sum(st nfs4.Nfsstat4) {
	e := &k.c.Reply
	if st != nfs4.NFS4_OK {
		e.SetUint32(k.base, uint32(st))
	}
	e.SetUint32(k.base+k.fixed, k.next)
}

// finish ends the compound's slot, if it has one, with the results.
func (k *compound) finish() {
	if k.session != nil {
		k.session = nil
		k.ticket.End(k.c.Reply.Bytes()[k.base:])
	}
}

// drop forgets what is borrowed for one run.
func (k *compound) drop() { k.c, k.w, k.known, k.owed = nil, nil, nil, nil }

// learn keeps attributes of the current file handle, as they were after the present operation, for
// the next one. Nothing comes between the two, so GETATTR need not ask again. They are borrowed
// until then.
func (k *compound) learn(a *vfs.Attr) {
	if a.Filled() {
		k.known, k.knownFor = a, k.next+1
	}
}

// knows returns the current file handle's attributes, nil if the operation before has not told
// them.
func (k *compound) knows() *vfs.Attr {
	if k.knownFor != k.next {
		return nil
	}
	return k.known
}

// bad returns BADXDR when the operation's arguments could not be decoded.
func (k *compound) bad() bool { return k.c.Args.Err() != nil }
