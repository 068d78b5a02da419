package rpc

import (
	"encoding/binary"
	"runtime/debug"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Run runs the call's procedure on this thread, which is c.Place, and encodes the reply into
// c.Reply, whose memory the caller has set. It returns
//
//   - Done: c.Reply holds the complete reply. If it is empty, the call gets no reply:
//     by TCP the caller must end its connection.
//   - Wait: the procedure must be run on a worker; c is rewound, or goes on there from
//     where it is (Call.Keep). c.Need is the memory that Reply will need there, as far as
//     the procedure has said, else 0.
//   - Grow: the caller must reset c.Reply with at least c.Need bytes of memory and call
//     Run again; c is as with Wait.
//   - Owing: c.Reply holds a reply that must not leave before [Server.Settle]. Only calls that run
//     on a thread that may wait owe.
//
// Whatever else goes wrong in the procedure, a panic included, becomes a reply: GARBAGE_ARGS,
// SYSTEM_ERR or AUTH_ERROR. Run blocks only as long as the procedure does.
func (s *Server) Run(c *Call) Outcome {
	c.succeeded = false
	c.Need, c.Least, c.Brief, c.Keep = 0, 0, false, false
	c.undo(0)
	if c.status.kind != kindRun {
		return c.refuse()
	}
	if !c.begin(ReplyMin + len(c.held)) {
		return Grow
	}
	c.Need = 0
	copy(c.Reply.Reserve(len(c.held)), c.held)
	out := s.invoke(c)
	switch out {
	case Done:
		if c.Debt != 0 {
			return Owing
		}
		s.conclude(c)
		return Done
	case Wait:
		if c.Place != nil && c.Place.Thread != nil && c.Place.Thread.MayWait {
			s.fault(c, ErrNoProgress)
			return Done
		}
		if c.Need > 0 {
			c.Need += c.header + c.behind
		}
		c.putLeast()
	case Grow:
		// Turn room for results into memory for the reply.
		c.Need += c.header + c.behind
		c.putLeast()
		if c.Need <= c.capacity {
			s.fault(c, ErrNoProgress)
			return Done
		}
	case GarbageArgs:
		c.fail(acceptGarbageArgs)
		return Done
	case SystemErr:
		c.fail(acceptSystemErr)
		return Done
	case TooWeak:
		c.status.auth = AuthTooWeak
		c.authError()
		return Done
	default:
		s.fault(c, ErrOutcome)
		return Done
	}
	if c.Keep {
		c.hold()
	} else {
		c.rewind()
	}
	return out
}

// putLeast turns Least, if it is set, into memory for the reply.
func (c *Call) putLeast() {
	if c.Least > 0 {
		c.Least = max(c.Least, ReplyMin) + c.header + c.behind
	}
}

// Fail encodes SYSTEM_ERR as the reply to c, in place of a reply that Run has encoded or had no
// room for. c.Reply must have room for HeaderMax bytes.
func (s *Server) Fail(c *Call) {
	c.succeeded = false
	c.undo(0)
	c.accepted(acceptSystemErr)
}

// Replay encodes a reply to c with the results of an earlier run of the same call ([Call.Results]).
// c was parsed and has not been run. Replay returns Done, or Grow as Run does.
func (s *Server) Replay(c *Call, results []byte) Outcome {
	c.succeeded = false
	c.undo(0)
	if c.status.kind != kindRun {
		return c.refuse()
	}
	if !c.begin(len(results)) {
		return Grow
	}
	copy(c.Reply.Reserve(len(results)), results)
	c.complete()
	return Done
}

// Settle pays what a call owes that Run has left Owing, and completes the reply. It runs on the
// thread that Run ran on, and blocks for stable storage. Calls that have run there one after the
// other share what they owe: the first Settle pays for all of them.
func (s *Server) Settle(c *Call) {
	if out := s.settle(c); out != Done {
		c.fail(acceptSystemErr)
		return
	}
	s.conclude(c)
}

// RunSettled is Run, and Settle if the call owes, for a reply that leaves at once. It does not
// return Owing.
func (s *Server) RunSettled(c *Call) Outcome {
	out := s.Run(c)
	if out == Owing {
		s.Settle(c)
		return Done
	}
	return out
}

// conclude ends a reply with results, if they have had room.
func (s *Server) conclude(c *Call) {
	if c.Reply.Err() != nil || c.Reply.Free() < c.behind {
		s.fault(c, ErrOverflow)
		return
	}
	c.complete()
}

// pay pays what the call owes.
func (c *Call) pay() vfs.Status {
	number := c.Debt
	c.Debt = 0
	return c.Place.Thread.Debts.Pay(number)
}

// settle pays and tells the procedure. It turns a panic into SystemErr.
func (s *Server) settle(c *Call) (out Outcome) {
	defer s.catch(c, &out)
	st := c.pay()
	switch {
	case c.procedure.Settled != nil:
		c.procedure.Settled(c, st)
	case st != vfs.OK:
		return SystemErr
	}
	return Done
}

// invoke runs the procedure and turns a panic into SystemErr.
func (s *Server) invoke(c *Call) (out Outcome) {
	if c.Place == nil || c.Place.Thread == nil || !c.Place.Thread.MayWait {
		return s.handle(c)
	}
	d := &c.Place.Thread.Debts
	d.Open()
	out = s.handle(c)
	if c.Debt = d.Close(); c.Debt != 0 && out != Done {
		s.forgo(c, &out)
	}
	return out
}

// forgo pays what a call owes whose results say nothing of the changes.
func (s *Server) forgo(c *Call, out *Outcome) {
	defer s.catch(c, out)
	_ = c.pay()
}

func (s *Server) handle(c *Call) (out Outcome) {
	defer s.catch(c, &out)
	return c.procedure.Handle(c)
}

// catch is deferred: it turns a panic into SystemErr.
func (s *Server) catch(c *Call, out *Outcome) {
	if v := recover(); v != nil {
		if s.OnPanic != nil {
			s.OnPanic(c, v, debug.Stack())
		}
		*out = SystemErr
	}
}

// begin encodes the header of a successful reply. If there is no room for n bytes of results behind
// the header, it sets Need and reports false.
func (c *Call) begin(n int) bool {
	c.capacity = c.Reply.Free()
	c.before, c.behind = 0, 0
	if c.protection != nil {
		c.Pipes = nil // results that are wrapped must be in memory
		c.before, c.behind = c.protection.Overhead(c)
		n += authBodyMax + c.before + c.behind
	}
	if c.capacity < acceptedFixed+n {
		c.Need = acceptedFixed + n
		return false
	}
	c.accepted(acceptSuccess)
	c.Reply.Reserve(c.before)
	c.header = c.Reply.Len()
	return true
}

// accepted encodes an accepted header with the given status.
func (c *Call) accepted(stat acceptStat) {
	if c.protection == nil {
		if b := c.Reply.Reserve(acceptedFixed); b != nil {
			binary.BigEndian.PutUint32(b, c.XID)
			binary.BigEndian.PutUint32(b[4:], msgReply)
			binary.BigEndian.PutUint32(b[8:], msgAccepted)
			binary.BigEndian.PutUint64(b[12:], AuthNone) // and its length
			binary.BigEndian.PutUint32(b[20:], uint32(stat))
		}
		return
	}
	at := c.Reply.Len()
	b := c.Reply.Reserve(acceptedFixed + authBodyMax)
	if b == nil {
		return
	}
	flavor, n := c.protection.Verifier(c, b[acceptedFixed-4:acceptedFixed-4+authBodyMax])
	binary.BigEndian.PutUint32(b, c.XID)
	binary.BigEndian.PutUint32(b[4:], msgReply)
	binary.BigEndian.PutUint32(b[8:], msgAccepted)
	binary.BigEndian.PutUint32(b[12:], flavor)
	binary.BigEndian.PutUint32(b[16:], uint32(n))
	c.Reply.Truncate(at + acceptedFixed - 4 + n)
	c.Reply.Pad(n)
	c.Reply.Uint32(uint32(stat))
}

// complete ends a successful reply.
func (c *Call) complete() {
	c.succeeded = true
	if c.protection == nil {
		return
	}
	if c.once() {
		c.kept = append(c.kept[:0], c.Reply.Bytes()[c.header:]...)
	}
	c.protection.Wrap(c, c.header-c.before)
}

// fail gives the successful reply that was begun another status. It keeps the verifier and drops
// the results.
func (c *Call) fail(stat acceptStat) {
	at := c.header - c.before
	c.undo(at)
	c.Reply.SetUint32(at-4, uint32(stat))
}

// fault answers a call whose procedure broke its contract.
func (s *Server) fault(c *Call, err error) {
	if s.OnFault != nil {
		s.OnFault(c, err)
	}
	c.fail(acceptSystemErr)
}

// refuse encodes the reply to a call for which no procedure runs.
func (c *Call) refuse() Outcome {
	if c.Reply.Free() < HeaderMax {
		c.Need = HeaderMax
		return Grow
	}
	switch c.status.kind {
	case kindAccept:
		c.accepted(c.status.accept)
		if c.status.accept == acceptProgMismatch {
			c.Reply.Uint32(c.status.low)
			c.Reply.Uint32(c.status.high)
		}
	case kindAuth:
		c.authError()
	case kindMismatch:
		c.Reply.Uint32(c.XID)
		c.Reply.Uint32(msgReply)
		c.Reply.Uint32(msgDenied)
		c.Reply.Uint32(rejectMismatch)
		c.Reply.Uint32(rpcVersion)
		c.Reply.Uint32(rpcVersion)
	case kindDiscard, kindRun:
	}
	return Done
}

// authError turns the reply into a denial with the auth_stat of the call's status.
func (c *Call) authError() {
	c.undo(0)
	c.Reply.Uint32(c.XID)
	c.Reply.Uint32(msgReply)
	c.Reply.Uint32(msgDenied)
	c.Reply.Uint32(rejectAuth)
	c.Reply.Uint32(uint32(c.status.auth))
}

// rewind puts the call back into the state from before its procedure ran.
func (c *Call) rewind() {
	c.undo(0)
	c.Args = c.args
	c.held = c.held[:0]
}

// heldMax is the most memory for first results that a call keeps when it has ended.
const heldMax = 4 << 10

// hold keeps the results so far for the next run.
func (c *Call) hold() {
	c.held = append(c.held[:0], c.Reply.Bytes()[c.header:]...)
	c.undo(0)
}
