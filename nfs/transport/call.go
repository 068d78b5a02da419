package transport

import (
	"encoding/binary"

	"github.com/ringnfs/ringnfs/bufring"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/drc"
)

// call is a call in progress with everything that it borrows. It belongs to its
// lane, but for the time between workQueue.put and its return by the mailbox,
// when it is the worker's.
type call struct {
	rpc.Call
	conn *conn
	// views are the record's bytes, one per piece; segs keeps the pieces while
	// the call is parked.
	views [][]byte
	segs  []bufring.Segment
	// reply is the call's own reply buffer; nil while it encodes into the
	// connection's batch.
	reply *bufring.Buffer
	// pipes lends the call a pipe, and keeps it while the call is parked.
	pipes callPipes
	// outcome is what the worker made of it.
	outcome rpc.Outcome
	// toWorker says where the call goes when it has got its memory.
	toWorker bool
	share    int // of the workers, set when the call goes to one
	parked   bool
	// brief and the next are for the workers' queue: see brief.go.
	brief bool
	size  int
	since uint32
	epoch uint32
	key   drc.Key
	keyed bool
	// replay is another call's reply, for a call that was sent twice.
	replay   []byte
	replayed bool
	next     *call
}

const (
	markLen = rpc.MarkLen
	// replyMin is the memory that any call may need for its reply, unless it asks
	// for more.
	replyMin = markLen + rpc.HeaderMax + rpc.ReplyMin
	// copyMax is the longest finished reply that is copied into the batch, so
	// that it shares the batch's send; longer ones are sent from where they are.
	copyMax = 1024
)

// begin runs or parks a call that has been parsed. The record's bytes are
// borrowed: park clones what it keeps.
func (l *lane) begin(c *call) {
	p := c.Procedure()
	if p != nil && p.Once {
		c.Pipes = nil // its results are kept for duplicates
	}
	switch {
	case p != nil && p.Once && !l.first(c):
	case p != nil && p.Class == rpc.Blocking:
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
			if n := c.Reply.Len(); n > 0 {
				putMark(room, n+c.TailLen+c.TailPad)
				c.conn.batched(markLen + n)
				c.conn.queueTail(c)
			}
			l.remember(c)
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
		putMark(b, n+c.TailLen+c.TailPad)
		c.conn.queueReply(b[:markLen+n], c.reply)
		c.reply = nil
		c.conn.queueTail(c)
	}
	l.retire(c)
}

// whole reports whether the reply's tail is what the reply says. It ends the call
// when it is not.
func (l *lane) whole(c *call) bool {
	if c.Tail == nil || c.pipes.holds(c.Tail, c.TailLen) && uint(c.TailPad) < 4 {
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
		l.broken(c, "a reply would be larger than any buffer")
		return
	}
	l.park(c)
	if l.waiting[class].head == nil {
		c.reply = l.slabs.Take(class)
	}
	if c.reply == nil {
		c.conn.waiting++
		l.waiting[class].push(c)
		return
	}
	l.proceed(c)
}

// proceed sends a call that has its buffer to where it runs.
func (l *lane) proceed(c *call) {
	if !c.toWorker {
		l.runOwn(c)
		return
	}
	c.Reply.Reset(c.reply.Bytes()[markLen:])
	c.pipes.lane = nil
	l.kick = l.srv.queue.put(c) || l.kick
}

// park makes c independent of the buffer that is being parsed: it holds the
// pieces of its record from now on.
func (l *lane) park(c *call) {
	if c.parked {
		return
	}
	c.parked = true
	l.parked++
	c.conn.calls++
	l.parsing.move(c)
}

// retire ends a call and returns it to the pool.
func (l *lane) retire(c *call) {
	cn := c.conn
	if c.parked {
		l.parked--
		cn.calls--
		for i := range c.segs {
			cn.pinned -= l.pinnedBy(&c.segs[i])
			c.segs[i].Release()
		}
		cn.touch()
	}
	if c.reply != nil {
		c.reply.Release()
	}
	c.pipes.end(l)
	c.Reset()
	clear(c.views)
	c.views = c.views[:0]
	// Field by field: a call is large, and most of it is in order already.
	c.conn, c.reply, c.next = nil, nil, l.calls
	c.outcome, c.toWorker, c.keyed = rpc.Done, false, false
	c.replay, c.replayed = nil, false
	if c.parked {
		clear(c.segs)
		c.segs, c.parked = c.segs[:0], false
	}
	l.calls = c
}

// broken ends a call that the server itself cannot answer, and its connection,
// since the peer must not wait for ever.
func (l *lane) broken(c *call, why string) {
	name := "none"
	if p := c.Procedure(); p != nil {
		name = p.Name
	}
	l.srv.cfg.Log.Error("call abandoned", "procedure", name, "peer", c.Peer, "why", why)
	cn := c.conn
	l.forget(c)
	l.park(c)
	l.retire(c)
	cn.kill("server fault")
}

// Run is the return of a chain of calls from workers, on the lane's thread.
func (c *call) Run() {
	for c != nil {
		next := c.next
		c.next = nil
		c.back()
		c = next
	}
}

func (c *call) back() {
	l := c.conn.lane
	c.pipes.lane = l
	if c.replayed {
		l.twinAnswered(c)
		return
	}
	l.ran(c, c.outcome)
}

// callList is a queue of calls through themselves.
type callList struct{ head, tail *call }

func (q *callList) push(c *call) {
	c.next = nil
	if q.tail == nil {
		q.head = c
	} else {
		q.tail.next = c
	}
	q.tail = c
}

func (q *callList) pop() *call {
	c := q.head
	if c == nil {
		return nil
	}
	if q.head = c.next; q.head == nil {
		q.tail = nil
	}
	c.next = nil
	return c
}
