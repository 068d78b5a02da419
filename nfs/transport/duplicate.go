package transport

import (
	"github.com/ringnfs/ringnfs/bufring"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/drc"
)

// first looks a call up in the duplicate request cache. It reports whether this
// is the first time: the caller then runs it. A call that was answered before is
// answered with the same bytes; one whose twin is still running waits for the
// twin's answer, on whichever connection it came.
func (l *lane) first(c *call) bool {
	c.key, c.keyed = duplicateKey(&c.Call), true
	verdict, reply := l.srv.cfg.Duplicates.Begin(c.key, c)
	switch verdict {
	case drc.First:
		return true
	case drc.Replay:
		c.keyed = false
		l.answerAgain(c, reply)
	case drc.Busy:
		c.keyed = false
		l.park(c)
	default:
		// The cache has no room for another waiter; the peer asks again.
		c.keyed = false
		l.drop(c)
	}
	return false
}

// Replay implements drc.Waiter: the twin has been answered, or abandoned when
// reply is nil. It may be called from any goroutine.
func (c *call) Replay(reply []byte) {
	c.replay, c.replayed = reply, true
	// The lane runs as long as it has calls, so the post cannot fail.
	_ = c.conn.lane.loop.Post(c)
}

// twinAnswered goes on with a call that waited for its twin.
func (l *lane) twinAnswered(c *call) {
	reply := c.replay
	c.replay, c.replayed = nil, false
	switch {
	case c.conn.dead:
		l.retire(c)
	case reply != nil:
		l.answerAgain(c, reply)
	case l.first(c):
		c.toWorker = true
		l.give(c, replyMin)
	}
}

// answerAgain answers c with the results of its twin.
func (l *lane) answerAgain(c *call, results []byte) {
	need := markLen + rpc.HeaderMax + len(results)
	room := c.conn.batchRoom(need)
	var own *bufring.Buffer
	if room == nil {
		if class, ok := l.slabs.ClassFor(need); ok {
			own = l.slabs.Take(class)
		}
		if own == nil {
			// No memory: the peer asks again.
			l.drop(c)
			return
		}
		room = own.Bytes()
	}
	c.Reply.Reset(room[markLen:])
	if c.conn.programs.Replay(&c.Call, results) != rpc.Done {
		if own != nil {
			own.Release()
		}
		l.drop(c)
		return
	}
	n := c.Reply.Len()
	putMark(room, n)
	if own != nil {
		c.conn.queueReply(room[:markLen+n], own)
	} else {
		c.conn.batched(markLen + n)
	}
	l.retire(c)
}

// drop ends a call without a reply.
func (l *lane) drop(c *call) {
	l.park(c)
	l.retire(c)
}

// remember keeps a reply's results for retransmissions of its call.
func (l *lane) remember(c *call) {
	if !c.keyed {
		return
	}
	results, ok := c.Results()
	if !ok {
		l.forget(c)
		return
	}
	c.keyed = false
	l.srv.cfg.Duplicates.Finish(c.key, results)
}

// forget gives up the entry of a call that was not answered.
func (l *lane) forget(c *call) {
	if c.keyed {
		c.keyed = false
		l.srv.cfg.Duplicates.Abandon(c.key)
	}
}

func duplicateKey(c *rpc.Call) drc.Key {
	head, size := c.ArgsHead(drc.SumMax)
	return drc.Key{
		Peer: c.Peer.Addr(), XID: c.XID, Prog: c.Prog, Vers: c.Vers, Proc: c.Proc,
		Sum: drc.Sum(head) ^ caller(&c.Auth), Len: uint32(size),
	}
}

// caller tells users of one machine apart: nobody is answered with what another
// one was.
func caller(a *rpc.Auth) uint64 {
	return (uint64(a.UID)<<32 | uint64(a.GID)) * 0x9e3779b97f4a7c15
}
