package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/state"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
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
	base int  // where the results begin in c.Reply
	body bool // the failed operation's result has more than a status
	over bool // the results are an earlier run's: nothing more is to be written
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
	*k = compound{s: s, c: c, w: w, base: c.Reply.Len(), replyMax: s.cfg.replyMax()}
	tag := c.Args.Opaque(tagMax)
	k.minor = c.Args.Uint32()
	k.count = c.Args.Uint32()
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	if !c.Room(4 + 4 + len(tag) + 3 + 4 + resultHeader) {
		return rpc.Grow
	}
	e := &c.Reply
	e.Uint32(0)
	e.Opaque(tag)
	k.fixed = e.Len() - k.base
	e.Uint32(0)
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

// run runs the operations from k.next on.
func (k *compound) run() rpc.Outcome {
	c, e := k.c, &k.c.Reply
	for k.next < k.count {
		args, at := c.Args, e.Len()
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
		if r.class == worker && !c.Place.Thread.MayWait {
			return k.toWorker(r, args, at)
		}
		if k.owed != nil && r.needs&harmless == 0 {
			if st := k.pay(); st != nfs4.NFS4_OK {
				return k.end(st)
			}
		}
		if !c.Room(resultHeader + int(r.worst)) {
			return k.pause(args, at, rpc.Grow)
		}
		if r == &illegal {
			op = uint32(nfs4.OP_ILLEGAL)
		}
		e.Uint32(op)
		e.Uint32(0)
		k.body = false
		st := k.check(op, r)
		if st == nfs4.NFS4_OK {
			st = r.run(k)
		}
		switch {
		case k.over:
			k.drop()
			return rpc.Done
		case st == stAgain:
			return k.toWorker(r, args, at)
		case st == stGrow:
			return k.pause(args, at, rpc.Grow)
		case st == nfs4.NFS4_OK:
		case !k.body:
			e.Truncate(at + resultHeader)
			if r.needs&answersAlways != 0 {
				e.Uint32(0)
			}
		}
		e.SetUint32(at+4, uint32(st))
		k.next++
		if st != nfs4.NFS4_OK {
			return k.end(st)
		}
		if r.needs&harmless == 0 && c.Place.Thread.Debts.Owing() {
			k.owe(op, r, at)
		}
	}
	return k.end(nfs4.NFS4_OK)
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
func (k *compound) toWorker(r *row, args xdr.Decoder, at int) rpc.Outcome {
	if k.minor == 0 && r.needs&repeatable == 0 {
		k.c.Once = true
		k.c.Pipes = nil
	}
	return k.pause(args, at, rpc.Wait)
}

// pause suspends the compound before the operation whose arguments begin at args and whose
// result begins at at.
func (k *compound) pause(args xdr.Decoder, at int, out rpc.Outcome) rpc.Outcome {
	if k.owed != nil { // it may go on at another place
		if st := k.pay(); st != nfs4.NFS4_OK {
			return k.end(st)
		}
	}
	c := k.c
	c.Args = args
	c.Reply.Truncate(at)
	c.Tail = rpc.Tail{}
	c.Keep = true
	k.done = at - k.base
	c.State = k.suspend()
	k.session = nil // the ticket is its now
	k.drop()
	return out
}

// end writes how the compound has ended. If it owes something, finish waits until that is settled.
func (k *compound) end(st nfs4.Nfsstat4) rpc.Outcome {
	e := &k.c.Reply
	e.SetUint32(k.base, uint32(st))
	e.SetUint32(k.base+k.fixed, k.next)
	if k.c.Place.Thread.Debts.Owing() {
		k.c.State = k.suspend()
		k.session = nil // the ticket is its now
	} else {
		k.finish()
	}
	k.drop()
	return rpc.Done
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

// learn keeps attributes of the current file handle, as they were after the present operation, for the
// next one. Nothing comes between the two, so GETATTR need not ask again. They are borrowed until then.
func (k *compound) learn(a *vfs.Attr) {
	if a.Filled() {
		k.known, k.knownFor = a, k.next+1
	}
}

// bad returns BADXDR when the operation's arguments could not be decoded.
func (k *compound) bad() bool { return k.c.Args.Err() != nil }
