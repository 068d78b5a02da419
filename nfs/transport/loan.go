package transport

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/drc"
)

// A worker that has made a reply could post it to the lane, and the lane could wake and send it. For
// a peer that waits for one reply at a time, that is one thread switch too many. So when the lane
// gives a worker the only call of a connection that has nothing to send, it lends the worker the
// connection's output. The worker sends the reply itself, and leaves the call for the lane's next
// turn. The lane sleeps on if it is patient (loop.Loop.Patient), that is, if nothing waits for what
// the call holds.
//
// The lane recalls the output as soon as it has anything else to do with the connection: a worker
// may take long. If the worker has taken the output by then, it sends at this moment, and is about
// to give it back. Only for that time calls that come back from other workers wait.

// loan is what a call has whose connection has lent it the output.
type loan struct {
	// state is the one thing that lane and worker both change.
	state atomic.Uint32
	base  uint64 // how much output there was before
	sent  int    // bytes that the worker has sent
	once  bool   // the worker has told the duplicate request cache of the reply
	got   uint64 // with once: bytes that had been received before the worker sent
}

// The states of a loan.
const (
	loanNone  uint32 = iota // or recalled
	loanLent                // the worker may take the output, or the lane may recall it
	loanTaken               // the worker sends; the call is about to come back
)

// end makes the loan ready for the next call. It belongs to the lane.
func (n *loan) end() {
	n.state.Store(loanNone)
	n.base, n.sent, n.once, n.got = 0, 0, false, 0
}

// lend lends c, which is about to go to a worker, the output of its connection, if it can.
func (cn *conn) lend(c *call) {
	if cn.state != outputReady || cn.zc.sends > 0 || !cn.calm() {
		return
	}
	cn.now(outputLent)
	cn.ops++ // the descriptor stays open
	cn.borrower = c
	c.loan.base = cn.queued
	c.loan.state.Store(loanLent)
}

// calm reports whether the lane has nothing to do with the connection but to receive, and the
// connection has one call. The replies to several calls leave together.
func (cn *conn) calm() bool {
	return cn.calls == 1 && cn.unsent == 0 && !cn.eof && cn.life == lifeOpen &&
		cn.intake == intakeMultishot && !cn.behind() && cn.backed.head == nil
}

// recall takes the output back from the worker that it is lent to, if it is lent. It reports false if
// the worker sends just now.
func (cn *conn) recall() bool {
	if cn.state != outputLent {
		return true
	}
	if !cn.borrower.loan.state.CompareAndSwap(loanLent, loanNone) {
		return false
	}
	cn.gotBack()
	return true
}

// gotBack says that the output is the lane's again.
func (cn *conn) gotBack() {
	cn.borrower = nil
	cn.ops--
	cn.now(outputReady)
	if cn.hurries {
		cn.hurries = false
		cn.lane.hurries--
	}
}

// answerMax is how long a reply may be that a worker sends. Longer ones may leave without being copied,
// as the lane decides.
const answerMax = 16 << 10

// answer implements task. It runs on the worker's thread.
func (c *call) answer() (all bool) {
	n, cn := c.Reply.Len(), c.conn
	if c.outcome != rpc.Done || n == 0 || c.Tail.Pipe != nil || n > answerMax ||
		n >= cn.lane.srv.cfg.ZeroCopyFrom || !c.loan.state.CompareAndSwap(loanLent, loanTaken) {
		return false
	}
	b := c.reply.Bytes()[:markLen+n]
	putMark(b, n)
	if c.ticket.Valid() {
		results, ok := c.Results()
		if !ok {
			return false // the lane knows what to do
		}
		cn.lane.srv.cfg.Duplicates.Finish(c.ticket, c.loan.base+uint64(len(b)), results)
		c.ticket, c.loan.once, c.loan.got = drc.Ticket{}, true, bytesReceived(cn.fd)
	}
	const flags = unix.MSG_NOSIGNAL | unix.MSG_DONTWAIT
	r, _, errno := unix.RawSyscall6(
		unix.SYS_SENDTO,
		uintptr(cn.fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(b))),
		uintptr(len(b)),
		flags,
		0,
		0,
	)
	if errno != 0 {
		return false // the lane's send fails likewise, and tells the error
	}
	c.loan.sent = int(r)
	return c.loan.sent == len(b)
}

// returned takes the output back from c, which comes from a worker and may have it.
func (cn *conn) returned(c *call) {
	if cn.borrower != c {
		return // never lent, or recalled
	}
	c.loan.state.Store(loanNone) // it may go to a worker again
	cn.gotBack()
	l := cn.lane
	cn.queued += uint64(c.loan.sent)
	if c.loan.sent > 0 {
		l.stats.plain.Add(1)
		l.stats.lent.Add(1)
		cn.idled = false
		cn.progress = l.loop.Now()
	}
	if c.loan.once {
		cn.once = c.loan.base + uint64(markLen+c.Reply.Len())
		cn.onceGot = c.loan.got
		if cn.got > cn.onceGot {
			cn.wentOn() // the peer's next bytes came before the call did
		}
	}
	cn.touch()
}

// attend is called when something may have happened to the connection. The lane needs the output if
// there is more to do than to receive. If the worker has it, the lane is not to sleep on when the
// worker gives it back.
func (cn *conn) attend() {
	if cn.state != outputLent || cn.calm() || cn.recall() {
		return
	}
	if !cn.hurries {
		cn.hurries = true
		cn.lane.hurries++
	}
}

// waits reports whether anything on the lane waits for what calls hold that are with workers.
func (l *lane) waits() bool {
	if l.hurries > 0 || l.draining || l.reserve || l.pressed || len(l.starved) > 0 ||
		l.holding.head != nil || l.spilled.head != nil || l.doubts.calls.head != nil ||
		!l.group.Open() {
		return true
	}
	for i := range l.waiting {
		if l.waiting[i].head != nil {
			return true
		}
	}
	return false
}
