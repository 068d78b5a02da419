package transport

import (
	"encoding/binary"
	"time"

	"github.com/ringnfs/ringnfs/bufring"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/drc"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// call is a call in progress with everything that it borrows. It belongs to its
// lane, but for the time between workQueue.put and its return by the mailbox,
// when it is the worker's.
type call struct {
	rpc.Call
	job  // what the workers know of it
	conn *conn
	// views are the record's bytes, one per piece; segs keeps the pieces while
	// the call is parked.
	views [][]byte
	segs  []bufring.Segment
	// own is the call's memory for a short record, nil until it has been needed.
	own    []byte
	copied bool // the record lies there
	// reply is the call's own reply buffer; nil while it encodes into the
	// connection's batch.
	reply *bufring.Buffer
	// pipes lends the call a pipe, and keeps it while the call is parked.
	pipes callPipes
	// outcome is what the worker made of it.
	outcome rpc.Outcome
	// toWorker says where the call goes when it has got its memory.
	toWorker bool
	// unanswerable says that SYSTEM_ERR is all that it gets.
	unanswerable bool
	parked       bool
	// key is what a call that must not run twice is known by. ticket is the right to
	// end it, of the first of its kind.
	key    drc.Key
	ticket drc.Ticket
	// replay is the results of the call that this one was found to be, sent again.
	replay  []byte
	ended   bool      // the twin that this call waited for has ended
	doubted time.Time // when it could not be told first whether there is one
	blocks  bool      // it is in doubt, and its connection waits for it
	after   *call     // the next of the lane's list that it is on
}

const (
	markLen = rpc.MarkLen
	// replyMin is the memory that any call may need for its reply, unless it asks
	// for more.
	replyMin = markLen + rpc.HeaderMax + rpc.ReplyMin
	// copyMax is the longest finished reply that is copied into the batch, so
	// that it shares the batch's send; longer ones are sent from where they are.
	copyMax = 1024
	// shortMax is the longest record that a parked call takes along as a copy. That is
	// every call but WRITE and SYMLINK, with room to spare.
	shortMax = 2048
	// copiedMax is how many calls of a lane can have one. Send slabs bound the calls that
	// wait, but not those that wait for a twin.
	copiedMax = 8192
)

// newCall returns a call of nobody.
func newCall() *call {
	c := new(call)
	c.task = c
	return c
}

// begin runs or parks a call that has been parsed. The record's bytes are
// borrowed: park clones what it keeps.
func (l *lane) begin(c *call) {
	p := c.Procedure()
	if p != nil && p.Once {
		c.Pipes = nil // its results are kept for duplicates
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

// runInBatch runs c on the lane and encodes its reply behind those that wait in
// the connection's batch.
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
			c.toWorker = true
			l.give(c, max(need, markLen+c.Need))
			return
		default: // Grow
			need = markLen + c.Need
		}
	}
}

// runOwn runs c on the lane into the reply buffer of its own.
func (l *lane) runOwn(c *call) {
	c.Reply.Reset(c.reply.Bytes()[markLen:])
	l.ran(c, l.run(c))
}

func (l *lane) run(c *call) rpc.Outcome {
	if c.replay != nil {
		return c.conn.programs.Replay(&c.Call, c.replay)
	}
	c.Place = &l.place
	return c.conn.programs.Run(&c.Call)
}

// ran deals with the outcome of a call that has a reply buffer of its own.
func (l *lane) ran(c *call, o rpc.Outcome) {
	switch o {
	case rpc.Done:
		l.finish(c)
	case rpc.Wait: // never from a worker
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
		b := c.reply.Bytes()
		putMark(b, n+c.Tail.Size())
		c.conn.queueReply(b[:markLen+n], c.reply)
		c.reply = nil
		if c.Tail.Pipe != nil {
			c.conn.queueTail(c)
		}
	} else {
		l.discard(c)
	}
	l.retire(c)
}

// whole reports whether the reply's tail is what the reply says. It ends the call
// when it is not.
func (l *lane) whole(c *call) bool {
	if c.Tail.Pipe == nil || c.pipes.holds(&c.Tail) {
		return true
	}
	l.broken(c, "the pipe does not hold what the reply says")
	return false
}

func putMark(b []byte, n int) { binary.BigEndian.PutUint32(b, rpc.Mark(n)) }

// give gets a reply buffer of n bytes for c, now or when one comes back, and
// sends the call on its way.
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

// tooLarge answers a call whose reply no buffer has room for: what it asks for cannot be
// had, and the connection is not to blame.
func (l *lane) tooLarge(c *call) {
	l.srv.abandoned(c, "a reply would be larger than any buffer")
	c.unanswerable = true
	l.give(c, replyMin)
}

// proceed sends a call that has its buffer to where it runs.
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
	l.kick = l.srv.queue.put(c.asJob()) || l.kick
}

// park makes c independent of the buffer that is being parsed: it has a copy of a short
// record, and holds the pieces of another one.
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

// copyRecord makes the call independent of receive memory, which one that waits for long
// would keep from everybody. It reports false when the record is too long for that.
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
	// Field by field: a call is large, and most of it is in order already.
	c.conn, c.replay, c.after = nil, nil, l.calls
	if c.parked {
		c.unpark()
	}
	l.calls = c
}

// unpark forgets what only a call that was parked has.
func (c *call) unpark() {
	if c.reply != nil {
		c.reply.Release()
		c.reply = nil
	}
	clear(c.segs)
	c.segs, c.parked = c.segs[:0], false
	c.outcome, c.toWorker, c.unanswerable = rpc.Done, false, false
	c.doubted = time.Time{}
}

// dropViews lets go of the record, which mostly is in one piece.
func (c *call) dropViews() {
	if len(c.views) == 1 {
		c.views[0] = nil
	} else {
		clear(c.views)
	}
	c.views = c.views[:0]
}

// broken ends a call that the server itself cannot answer, and its connection,
// since the peer must not wait for ever.
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
	j.volume, j.reads = c.Volume(), p != nil && p.Reads
	return j
}

// work implements task.
func (c *call) work(place *rpc.Place) {
	c.Place = place
	c.outcome = c.conn.programs.Run(&c.Call)
}

// home implements task.
func (c *call) home() *loop.Loop { return c.conn.lane.loop }

// lost implements task.
func (c *call) lost() { c.conn.lane.forget(c) }

// back implements task: the call is the lane's again.
func (c *call) back() {
	l := c.conn.lane
	c.pipes.lane = l
	if c.ended {
		l.twinEnded(c)
		return
	}
	l.ran(c, c.outcome)
}

type callList = fifo[call, *call]

// link implements linked.
func (c *call) link() **call { return &c.after }
