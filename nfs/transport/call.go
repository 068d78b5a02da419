package transport

import (
	"encoding/binary"
	"time"

	"github.com/ringnfs/ringnfs/bufring"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/drc"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// call is a call in progress with everything that it borrows. It belongs to its lane, except from
// workQueue.put until the mailbox returns it: then it belongs to a worker.
type call struct {
	rpc.Call
	job  // what the workers know of the call
	conn *conn
	// views are the record's bytes, one slice per piece. While the call is parked, segs keeps
	// the pieces.
	views [][]byte
	segs  []bufring.Segment
	// own is the call's memory for a short record; nil until first needed.
	own    []byte
	copied bool // own holds the record
	// reply is the call's own reply buffer. It is nil while the call encodes into the
	// connection's batch.
	reply *bufring.Buffer
	// pipes lends the call a pipe, and keeps the pipe while the call is parked.
	pipes callPipes
	loan  loan
	// outcome is the outcome of the call's run on a worker.
	outcome rpc.Outcome
	// toWorker says that the call goes to a worker once it has memory for its reply; otherwise
	// the lane runs it.
	toWorker bool
	// unanswerable says that the call is answered with SYSTEM_ERR and nothing else.
	unanswerable bool
	parked       bool
	// key identifies a call that must not run twice. ticket is the right to end the cache's
	// entry; the first call with the key has it.
	key    drc.Key
	ticket drc.Ticket
	// replay is the results of an earlier call that this one repeats. They are sent again.
	replay  []byte
	ended   bool      // the twin that this call waited for has ended
	doubted time.Time // when the call first came into doubt, see doubts
	blocks  bool      // the call is in doubt, and its connection waits for it
	after   *call     // the next call on the same list of the lane
}

const (
	markLen = rpc.MarkLen
	// replyMin is the memory that any call may need for its reply, unless it asks for more.
	replyMin = markLen + rpc.HeaderMax + rpc.ReplyMin
	// copyMax is the longest finished reply that is copied into the batch, so that it leaves
	// with the batch's send. Longer replies are sent from where they are.
	copyMax = 1024
	// shortMax is the longest record that a parked call takes along as a copy. Every call but
	// WRITE and SYMLINK is shorter.
	shortMax = 2048
	// copiedMax is how many calls of a lane can have such a copy. Send slabs bound the number
	// of calls that wait, but not of those that wait for a twin.
	copiedMax = 8192
)

// newCall returns a call without a connection.
func newCall() *call {
	c := new(call)
	c.task = c
	return c
}

// begin runs or parks a call that has been parsed. It borrows the record's bytes; park clones what
// it keeps.
func (l *lane) begin(c *call) {
	p := c.Procedure()
	if p != nil && p.Once {
		c.Pipes = nil // the cache keeps its results for duplicates
	}
	switch {
	case p != nil && p.Once && !l.first(c):
	case p != nil && (p.Class == rpc.Blocking || l.reserve && c.Proc != 0):
		c.toWorker = true
		l.give(c, replyMin)
	default:
		l.runInBatch(c)
	}
}

// runInBatch runs c on the lane and encodes its reply behind the replies that wait in the
// connection's batch.
func (l *lane) runInBatch(c *call) {
	need := replyMin
	for {
		room := c.conn.batchRoom(need)
		if room == nil {
			l.give(c, need)
			return
		}
		c.Reply.Reset(room[markLen:])
		switch l.run(c) {
		case rpc.Done:
			if !l.whole(c) {
				return
			}
			l.remember(c)
			if n := c.Reply.Len(); n > 0 {
				putMark(room, n+c.Tail.Size())
				c.conn.batched(markLen + n)
				if c.Tail.Pipe != nil {
					c.conn.queueTail(c)
				}
			} else {
				l.discard(c)
			}
			l.retire(c)
			return
		case rpc.Wait:
			need = max(need, markLen+c.Need)
			if c.unjudged() && !l.first(c) {
				return
			}
			c.toWorker = true
			l.give(c, need)
			return
		default: // Grow
			need = markLen + c.Need
		}
	}
}

// runOwn runs c on the lane and encodes the reply into the call's own buffer.
func (l *lane) runOwn(c *call) {
	c.Reply.Reset(c.reply.Bytes()[markLen:])
	l.ran(c, l.run(c))
}

// unjudged reports whether the call turned out to be one that must not run twice while it ran, and
// has not been looked up in the duplicate request cache.
func (c *call) unjudged() bool {
	if !c.Once || c.ticket.Valid() {
		return false
	}
	c.Pipes = nil
	return true
}

func (l *lane) run(c *call) rpc.Outcome {
	if c.replay != nil {
		return c.conn.programs.Replay(&c.Call, c.replay)
	}
	c.Place = &l.place
	return c.conn.programs.Run(&c.Call)
}

// ran acts on the outcome of a call that has a reply buffer of its own.
func (l *lane) ran(c *call, o rpc.Outcome) {
	switch o {
	case rpc.Done:
		l.finish(c)
	case rpc.Wait: // never from a worker
		if c.unjudged() {
			c.reply.Release()
			c.reply = nil
			l.askAgain(c)
			return
		}
		c.toWorker = true
		l.proceed(c)
	default: // Grow
		c.reply.Release()
		c.reply = nil
		l.give(c, markLen+c.Need)
	}
}

// finish queues the reply of a call that has a buffer of its own.
func (l *lane) finish(c *call) {
	if !l.whole(c) {
		return
	}
	l.remember(c)
	if n := c.Reply.Len(); n > 0 {
		if b := c.reply.Bytes()[:markLen+n]; c.loan.sent < len(b) {
			putMark(b, n+c.Tail.Size())
			c.conn.queueReply(b[c.loan.sent:], c.reply)
			c.reply = nil
		}
		if c.Tail.Pipe != nil {
			c.conn.queueTail(c)
		}
	} else {
		l.discard(c)
	}
	l.retire(c)
}

// whole reports whether the pipe that follows the reply holds what the reply says. If not, it ends
// the call.
func (l *lane) whole(c *call) bool {
	if c.Tail.Pipe == nil || c.pipes.holds(&c.Tail) {
		return true
	}
	l.broken(c, "the pipe does not hold what the reply says")
	return false
}

func putMark(b []byte, n int) { binary.BigEndian.PutUint32(b, rpc.Mark(n)) }

// give gets a reply buffer of n bytes for c, now or when one comes back, and sends the call on its
// way.
func (l *lane) give(c *call, n int) {
	class, ok := l.slabs.ClassFor(n)
	if !ok {
		l.tooLarge(c)
		return
	}
	l.park(c)
	if l.mayTake(class) {
		c.reply = l.slabFor(c, class)
	}
	if c.reply == nil {
		c.conn.waiting++
		l.waiting[class].push(c)
		return
	}
	l.proceed(c)
}

// tooLarge answers a call whose reply would be larger than any buffer. The call cannot be done, and
// the connection is not to blame.
func (l *lane) tooLarge(c *call) {
	l.srv.abandoned(c, "a reply would be larger than any buffer")
	c.unanswerable = true
	l.give(c, replyMin)
}

// proceed runs a call that has its buffer, or sends it to a worker.
func (l *lane) proceed(c *call) {
	if c.unanswerable {
		c.Reply.Reset(c.reply.Bytes()[markLen:])
		c.conn.programs.Fail(&c.Call)
		l.finish(c)
		return
	}
	if !c.toWorker {
		l.runOwn(c)
		return
	}
	c.Reply.Reset(c.reply.Bytes()[markLen:])
	c.pipes.lane = nil
	j := c.asJob()
	if !j.brief {
		c.conn.lend(c)
	}
	l.kick |= l.srv.queue.put(j)
}

// park makes c independent of the buffer that is being parsed. The call copies a short record, and
// holds the pieces of a long one.
func (l *lane) park(c *call) {
	if c.parked {
		return
	}
	c.parked = true
	l.parked++
	c.conn.calls++
	if c.copied = l.copied < copiedMax && c.copyRecord(); c.copied {
		l.copied++
	} else {
		l.parsing.move(c)
	}
}

// copyRecord copies the record to the call's own memory, so that a call that waits for long keeps
// no receive memory from others. It reports false when the record is too long.
func (c *call) copyRecord() bool {
	n := 0
	for _, v := range c.views {
		n += len(v)
	}
	if n > shortMax {
		return false
	}
	if c.own == nil {
		c.own = make([]byte, shortMax)
	}
	return c.Move(c.own, c.views[0], c.views[1:])
}

// retire ends a call and returns it to the pool.
func (l *lane) retire(c *call) {
	cn := c.conn
	if c.parked {
		l.parked--
		cn.calls--
		if c.copied {
			l.copied--
			c.copied = false
		}
		for i := range c.segs {
			cn.unkeep(c.segs[i].Owner)
			c.segs[i].Release()
		}
		cn.touch()
	}
	if c.pipes.pipe != nil {
		c.pipes.end(l)
	}
	c.pipes = callPipes{}
	c.Reset()
	c.dropViews()
	// Clear field by field: a call is large, and most fields are clear already.
	c.conn, c.replay, c.after = nil, nil, l.calls
	if c.parked {
		c.unpark()
	}
	l.calls = c
}

// unpark clears what only a parked call has.
func (c *call) unpark() {
	if c.reply != nil {
		c.reply.Release()
		c.reply = nil
	}
	clear(c.segs)
	c.segs, c.parked = c.segs[:0], false
	c.outcome, c.toWorker, c.unanswerable = rpc.Done, false, false
	c.loan.end()
	c.doubted = time.Time{}
}

// dropViews forgets the record, which usually lies in one piece.
func (c *call) dropViews() {
	if len(c.views) == 1 {
		c.views[0] = nil
	} else {
		clear(c.views)
	}
	c.views = c.views[:0]
}

// broken ends a call that the server itself cannot answer. It also ends the connection, so that the
// peer does not wait without end.
func (l *lane) broken(c *call, why string) {
	l.srv.abandoned(c, why)
	cn := c.conn
	l.forget(c)
	l.park(c)
	l.retire(c)
	cn.kill("server fault")
}

// asJob returns the call as the workers' queue knows it.
func (c *call) asJob() *job {
	j := &c.job
	j.house, j.lane = c.conn.house, c.conn.lane.place.Index
	if j.brief = c.Brief; j.brief {
		_, j.size = c.ArgsHead(0)
	}
	p := c.Procedure()
	t := c.Target()
	j.volume, j.object, j.reads = t.Volume, t.Object, p != nil && p.Reads
	j.brief = j.brief && j.object == 0
	return j
}

// work implements task.
func (c *call) work(place *rpc.Place) (owes bool) {
	c.Place = place
	c.outcome = c.conn.programs.Run(&c.Call)
	return c.outcome == rpc.Owing
}

// settle implements task.
func (c *call) settle() {
	c.conn.programs.Settle(&c.Call)
	c.outcome = rpc.Done
}

// home implements task.
func (c *call) home() *loop.Loop { return c.conn.lane.loop }

// lost implements task.
func (c *call) lost() { c.conn.lane.forget(c) }

// back implements task: the call belongs to the lane again.
func (c *call) back() {
	l := c.conn.lane
	c.pipes.lane = l
	cn := c.conn
	if c.ended {
		l.twinEnded(c)
		return
	}
	cn.returned(c)
	if !cn.recall() {
		cn.backed.push(c)
		cn.touch()
		return
	}
	l.ran(c, c.outcome)
	for b := cn.backed.pop(); b != nil; b = cn.backed.pop() {
		l.ran(b, b.outcome)
	}
}

type callList = fifo[call, *call]

// link implements linked.
func (c *call) link() **call { return &c.after }
