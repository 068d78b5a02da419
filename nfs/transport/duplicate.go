package transport

import (
	"encoding/binary"
	"time"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/drc"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// first looks a call up in the duplicate request cache. It reports whether this is the first time;
// the caller then runs the call. A call that was answered before is answered with the same results.
// A call whose twin is still running waits for the twin's answer. A call that cannot be judged yet
// waits until it can.
func (l *lane) first(c *call) bool {
	c.conn.known()
	c.key = duplicateKey(&c.Call, c.conn)
	verdict, ticket, reply := l.srv.cfg.Duplicates.Begin(c.key, c)
	switch verdict {
	case drc.First:
		c.ticket = ticket
		return true
	case drc.Replay:
		c.replay = reply
		l.runInBatch(c)
	case drc.Busy:
		l.park(c)
	default:
		l.doubt(c)
	}
	return false
}

// By implements drc.Caller.
func (c *call) By() drc.Wire { return c.conn.wire }

// Judge implements drc.Caller. A call is in doubt for a limited time only.
func (c *call) Judge(a drc.Answer) drc.Relation {
	w, l := a.By.(*wire), c.conn.lane
	r, now := w.judge(a, c.conn.born, l.doubts.seen.now(l.thread.Epoch))
	if r == drc.Unknown && a.Done && !c.doubted.IsZero() && now.Sub(c.doubted) >= l.srv.doubtMax {
		return drc.Successor
	}
	return r
}

// Ended implements drc.Caller: the twin has been answered. If reply is nil it has not, and the call
// must look for its twin once more. Any goroutine may call Ended.
func (c *call) Ended(reply []byte) {
	c.replay, c.ended = reply, true
	// The lane runs as long as it has calls, so the post cannot fail.
	_ = c.conn.lane.loop.Post(&c.job)
}

// twinEnded continues a call that waited for its twin.
func (l *lane) twinEnded(c *call) {
	c.ended = false
	switch {
	case c.conn.life >= lifeDead:
		l.retire(c)
	case c.replay != nil:
		l.runInBatch(c)
	default:
		l.askAgain(c)
	}
}

// askAgain looks a parked call up in the cache once more.
func (l *lane) askAgain(c *call) {
	if l.first(c) {
		c.toWorker = true
		l.give(c, replyMin)
	}
}

// doubts are the calls of a lane of which nobody can tell yet whether they are retransmissions. The
// lane looks at them again after a while, a few in each turn. In one turn it asks the kernel once
// about each connection, however many calls are in doubt because of it.
type doubts struct {
	lane  *lane
	calls callList
	due   callList // to be looked at now
	timer bool     // the timer is running
	seen  sights
}

const (
	// doubtsPerTurn is how many calls in doubt the lane looks at in one turn. When it has asked
	// the kernel about so many connections, it looks at no further call.
	doubtsPerTurn = 64
	// doubtsMax is how many calls of a household may be in doubt on a lane. If a connection
	// brings a further one, the lane does not read from the connection until it has looked at
	// that call again.
	doubtsMax = 256
)

// doubtTime is how long the lane waits before it looks at a call in doubt again. By then most peers
// have acknowledged what they got. The kernel reads it, so it lies outside the Go heap.
var doubtTime = mapTime(50e6)

// doubt parks c until the lane looks at it again.
func (l *lane) doubt(c *call) {
	if c.doubted.IsZero() {
		c.doubted = time.Now()
	}
	l.park(c)
	h := c.conn.account.house
	if h.doubts++; h.doubts > doubtsMax {
		c.blocks = true
		c.conn.waiting++
	}
	l.doubts.calls.push(c)
	l.doubts.arm(l)
}

// settled takes c off its household's count of calls in doubt.
func (c *call) settled() {
	cn := c.conn
	cn.account.house.doubts--
	if c.blocks {
		c.blocks = false
		cn.waiting--
		cn.touch()
	}
}

func (d *doubts) arm(l *lane) {
	d.lane = l
	if d.timer || d.due.head != nil || d.calls.head == nil {
		return
	}
	d.timer = true
	_, sqe := l.loop.Begin(d, 0)
	sqe.PrepTimeout(doubtTime)
}

// Complete implements loop.Handler: doubtTime is over.
func (d *doubts) Complete(loop.ID, loop.Kind, int32, uint32, bool) {
	d.timer = false
	d.due, d.calls = d.calls, callList{}
}

// turn looks at some of the calls that are due, and leaves the rest to the next turns.
func (d *doubts) turn() {
	l := d.lane
	for n := 0; n < doubtsPerTurn && (n == 0 || d.seen.count(l.thread.Epoch) < doubtsPerTurn); n++ {
		c := d.due.pop()
		if c == nil {
			break
		}
		c.settled()
		if c.conn.life >= lifeDead {
			l.retire(c)
		} else {
			l.askAgain(c)
		}
	}
	if d.due.head != nil {
		l.loop.Again()
		return
	}
	d.arm(l)
}

// remember keeps the results of a reply that is about to be queued, for retransmissions of its
// call. It also notes where in the output the reply will end.
func (l *lane) remember(c *call) {
	cn := c.conn
	if !c.ticket.Valid() && c.replay == nil {
		return
	}
	end := uint64(drc.Unsent)
	if cn.life < lifeDead && cn.recall() { // else nobody can tell where it ends
		end = cn.queued + uint64(markLen+c.Reply.Len())
		cn.once, cn.onceGot = end, cn.got
	}
	if c.replay != nil {
		l.srv.cfg.Duplicates.Sent(c.key, cn.wire, end)
		return
	}
	results, ok := c.Results()
	if !ok {
		l.forget(c)
		return
	}
	l.srv.cfg.Duplicates.Finish(c.ticket, end, results)
	c.ticket = drc.Ticket{}
}

// forget gives up the cache's entry of a call that was not answered.
func (l *lane) forget(c *call) {
	if c.ticket.Valid() {
		l.srv.cfg.Duplicates.Abandon(c.ticket)
		c.ticket = drc.Ticket{}
	}
}

// discard ends the connection of a call that gets no reply: by TCP a client waits for a reply as
// long as the connection is there.
func (l *lane) discard(c *call) { c.conn.kill("a call was discarded by its flavor") }

func duplicateKey(c *rpc.Call, cn *conn) drc.Key {
	head, size := c.ArgsHead(drc.SumMax)
	return drc.Key{
		Peer: c.Peer.Addr(), House: cn.house, XID: c.XID, Prog: c.Prog, Vers: c.Vers, Proc: c.Proc,
		Caller: callerSum(c), Sum: drc.Sum(head), Len: uint32(size),
	}
}

// callerSum tells callers apart, so that nobody gets the results of another caller's call.
func callerSum(c *rpc.Call) uint64 {
	var b [callerMax]byte
	a := &c.Auth
	n := 0
	for _, v := range []uint32{a.Flavor, a.UID, a.GID} {
		binary.BigEndian.PutUint32(b[n:], v)
		n += 4
	}
	for _, g := range a.Groups() {
		binary.BigEndian.PutUint32(b[n:], g)
		n += 4
	}
	n += copy(b[n:], c.Credential())
	return drc.Sum(b[:n])
}

// callerMax is the most bytes that callerSum looks at.
const callerMax = 12 + 4*rpc.GroupsMax + rpc.CredentialMax
