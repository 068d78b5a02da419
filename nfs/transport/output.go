package transport

import (
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/bufring"
	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/checks"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// output is the sending side of a connection: the bytes to send and their order, the send that is
// in flight, and the way in which large READs leave (way.go). A connection contains one by value.
// It belongs to the lane's thread, as the connection does.
//
// Replies enter by batchRoom and batched, queueReply and queueTail. They leave by flush, once a
// turn, in one of three ways: by a send on the ring that copies (output.go) or does not
// (zerocopy.go), or as a pipe that is spliced to the socket (pipe.go).
type output struct {
	conn  *conn // the connection that it is part of; immutable
	state outputState

	// batch is the slab that replies are encoded into, one after the other. The bytes between
	// from and to are not queued yet.
	batch    *bufring.Buffer
	from, to int
	// out is the queued output. The first sending pieces of it are in flight.
	out      []piece
	sending  int
	inFlight int      // bytes of the send in flight
	unsent   int      // bytes in batch and out
	queued   uint64   // bytes that have ever been in batch or out
	vector   *vector  // of the send in flight; nil when it has one piece
	idled    bool     // the last send has moved nothing
	borrower *call    // to which the output is lent
	hurries  bool     // see attend
	backed   callList // calls that are back from workers, and wait for an output that is lent
	zc       zcPolicy
	progress time.Time // when the peer last took something
	acked    uint64    // what it had taken then
}

// outputState is what the sending side waits for.
type outputState uint8

// The states of the sending side.
const (
	// outputReady: the output waits for nothing. What is queued can be sent.
	outputReady outputState = iota
	// outputRoomy: the output waits for nothing, and the socket has just said that it has room.
	// If the socket then takes nothing, the kernel is short of memory.
	outputRoomy
	// outputSending: the send of the first pieces is in flight.
	outputSending
	// outputFull: the socket has no room, and a wait for room is in flight.
	outputFull
	// outputResting: the kernel had no memory for a send. A timeout is in flight, after which
	// the send is tried again.
	outputResting
	// outputLent: a worker sends the reply of a call itself (loan.go).
	outputLent
)

var outputNames = [...]string{
	outputReady: "ready", outputRoomy: "roomy", outputSending: "sending", outputFull: "full", outputResting: "resting",
	outputLent: "lent",
}

// String returns the state's name.
func (s outputState) String() string { return outputNames[s] }

// outputNext has for each state the states that may follow it, as bits.
var outputNext = [...]uint8{
	outputReady:   1<<outputReady | 1<<outputSending | 1<<outputFull | 1<<outputResting | 1<<outputLent,
	outputRoomy:   1<<outputReady | 1<<outputSending | 1<<outputFull | 1<<outputResting,
	outputSending: 1 << outputReady,
	outputFull:    1<<outputReady | 1<<outputRoomy,
	outputResting: 1 << outputReady,
	outputLent:    1 << outputReady,
}

// now is the one place where the state changes. A change that outputNext does not allow is a bug;
// with the build tag "checks" it panics.
func (o *output) now(next outputState) {
	if checks.Enabled && (outputNext[o.state]&(1<<next) == 0 || (o.sending > 0) != (next == outputSending)) {
		checks.Unreachable("transport: an output that is " + o.state.String() + " becomes " + next.String())
	}
	o.state = next
}

// The operations of a connection's sending side.
const (
	kindSend loop.Kind = iota
	kindWritable
)

// Complete implements loop.Handler for the sending side.
func (o *output) Complete(_ loop.ID, kind loop.Kind, res int32, _ uint32, _ bool) {
	o.conn.ops--
	switch {
	case kind == kindSend:
		o.sent(res)
	case o.state == outputFull && res > 0:
		o.now(outputRoomy)
	default:
		o.now(outputReady) // the next splice or send finds out
	}
	o.conn.touch()
}

// allSent reports whether the peer has taken all output, and has acknowledged what is sent from the
// place where it lies.
func (o *output) allSent() bool {
	return o.unsent == 0 && o.state <= outputRoomy && o.zc.sends == 0
}

// inHands reports whether the output goes on only after the peer has done something.
func (o *output) inHands() bool {
	return o.state > outputRoomy && o.state != outputLent || o.zc.sends > 0
}

// stuck reports whether the peer has acknowledged nothing for at least limit.
func (o *output) stuck(now time.Time, limit time.Duration) bool {
	if acked := bytesAcked(o.conn.fd); acked != o.acked {
		o.acked, o.progress = acked, now
		return false
	}
	return now.Sub(o.progress) > limit
}

// bytesAcked asks the kernel how many bytes the peer has acknowledged so far.
func bytesAcked(fd int) uint64 {
	var info unix.TCPInfo
	if !tcpInfo(fd, &info) {
		return 0
	}
	return info.Bytes_acked
}

// giveUp gives back, at the connection's end, what no operation in flight needs.
func (o *output) giveUp() {
	o.dropOutput(o.sending)
	o.dropBatch()
	o.unsent = o.inFlight
}

// batchRoom returns at least n bytes of memory to encode a reply into, behind the replies that wait
// in the batch. It returns nil when there is no memory.
func (o *output) batchRoom(n int) []byte {
	if o.batch != nil {
		if b := o.batch.Bytes()[o.to:]; len(b) >= n {
			return b
		}
	}
	l := o.conn.lane
	class, ok := l.slabs.ClassFor(max(n, bufring.MediumSize))
	if !ok || !l.mayTake(class) {
		return nil
	}
	b := l.slabs.TakeFor(&o.conn.account.slabs, class)
	if b == nil {
		return nil
	}
	o.queueBatch()
	o.dropBatch()
	o.batch = b
	return b.Bytes()
}

// batched says that the first n bytes of batchRoom's memory now are a reply.
func (o *output) batched(n int) {
	if o.conn.life >= lifeDead {
		o.dropBatch()
		return
	}
	o.to += n
	o.put(n)
}

// put counts n more bytes of output.
func (o *output) put(n int) {
	o.unsent += n
	o.queued += uint64(n)
	o.conn.touch()
}

// piece is a part of the output: bytes in memory, or the contents of a pipe.
type piece struct {
	data  []byte
	owner *bufring.Buffer
	pipe  *pipe
	left  int // bytes in the pipe
}

// release gives back what the piece holds, whether or not it has been sent.
func (p *piece) release(l *lane) {
	switch {
	case p.owner != nil:
		p.owner.Release()
	case p.left > 0:
		l.pipes.drain(p.pipe)
	case p.pipe != nil:
		l.pipes.put(p.pipe)
	}
	*p = piece{}
}

// queueBatch moves the replies that wait in the batch to the output queue.
func (o *output) queueBatch() {
	if o.to > o.from {
		o.out = append(o.out, piece{data: o.batch.Bytes()[o.from:o.to:o.to], owner: o.batch.Clone()})
		o.from = o.to
	}
}

func (o *output) dropBatch() {
	if o.batch != nil {
		o.batch.Release()
		o.batch = nil
	}
	o.from, o.to = 0, 0
}

// queueReply queues a finished record that lies in b. It owns b. It copies a short record to the
// batch, where the record needs no piece of its own.
func (o *output) queueReply(record []byte, b *bufring.Buffer) {
	if o.conn.life >= lifeDead {
		b.Release()
		return
	}
	if len(record) <= copyMax {
		if room := o.batchRoom(len(record)); room != nil {
			copy(room, record)
			b.Release()
			o.batched(len(record))
			return
		}
	}
	o.queueBatch()
	o.out = append(o.out, piece{data: record, owner: b})
	o.put(len(record))
}

// flush sends everything that is ready, unless a send is in flight. TCP output must stay in order,
// so one send is in flight at a time, and replies that become ready meanwhile leave together.
func (o *output) flush() {
	for o.state <= outputRoomy && o.conn.life < lifeDead {
		o.queueBatch()
		if len(o.out) == 0 {
			// An idle connection keeps no send memory.
			o.dropBatch()
			return
		}
		if !o.idled {
			o.progress = o.conn.lane.loop.Now()
		}
		n := o.inMemory()
		switch {
		case n == 0:
			o.splice()
		case n < len(o.out) && o.sendNow(n):
			// Splice the pipe behind these pieces at once.
		default:
			// sendNow may have moved some of the pieces, so count again.
			o.send(o.inMemory())
		}
	}
}

// inMemory returns how many of the next pieces are in memory, up to what one send takes.
func (o *output) inMemory() int {
	n := min(len(o.out), vectorMax)
	for i := range o.out[:n] {
		if o.out[i].pipe != nil {
			return i
		}
	}
	return n
}

// send begins a send of the first n pieces on the ring.
func (o *output) send(n int) {
	l := o.conn.lane
	o.sending = n
	if n > 1 {
		if o.vector = l.takeVector(); o.vector == nil {
			o.sending = 1
		}
	}
	o.inFlight = 0
	for i := range o.out[:o.sending] {
		o.inFlight += len(o.out[i].data)
	}
	o.now(outputSending)
	flags := uint32(unix.MSG_NOSIGNAL | unix.MSG_WAITALL)
	if o.sending < len(o.out) {
		flags |= unix.MSG_MORE
	}
	if slabs, ok := o.mayZC(o.sending, o.inFlight); ok {
		o.sendZC(o.sending, slabs, flags)
		return
	}
	l.stats.plain.Add(1)
	_, sqe := l.loop.Begin(o, kindSend)
	o.conn.ops++
	if o.sending == 1 {
		sqe.PrepSend(o.conn.fd, o.out[0].data, flags)
		return
	}
	sqe.PrepSendMsg(o.conn.fd, o.vector.fill(o.out[:o.sending]), flags)
}

// sendNow sends the first n pieces, which a pipe follows, with a system call that does not wait, so
// that the pipe can follow in this turn. It reports false when the pieces have to go by the ring.
func (o *output) sendNow(n int) bool {
	v := o.conn.lane.takeVector()
	if v == nil {
		return false
	}
	defer o.conn.lane.putVector(v)
	const flags = unix.MSG_NOSIGNAL | unix.MSG_DONTWAIT | unix.MSG_MORE
	r, _, errno := unix.RawSyscall(
		unix.SYS_SENDMSG,
		uintptr(o.conn.fd),
		uintptr(unsafe.Pointer(v.fill(o.out[:n]))),
		flags,
	)
	if errno != 0 {
		return false // the send on the ring fails likewise, and tells the error
	}
	o.conn.lane.stats.plain.Add(1)
	o.idled = false
	o.now(outputReady)
	o.unsent -= int(r)
	return o.advance(n, int(r))
}

// awaitRoom waits on the ring until the socket takes more.
func (o *output) awaitRoom() {
	_, sqe := o.conn.lane.loop.Begin(o, kindWritable)
	sqe.PrepPollAdd(o.conn.fd, unix.POLLOUT, false)
	o.conn.ops++
	o.now(outputFull)
}

// rest puts the next send off for restTime.
func (o *output) rest() {
	_, sqe := o.conn.lane.loop.Begin(o, kindWritable)
	sqe.PrepTimeout(restTime)
	o.conn.ops++
	o.now(outputResting)
}

// restTime is how long a send waits after the kernel had no memory for it. The kernel reads it, so
// it lies outside the Go heap.
var restTime = mapTime(20e6)

// advance takes done bytes off the first n pieces of the output. It reports whether that is all of
// them.
func (o *output) advance(n, done int) bool {
	gone := 0
	for gone < n && done >= len(o.out[gone].data) {
		done -= len(o.out[gone].data)
		o.out[gone].release(o.conn.lane)
		gone++
	}
	o.out = slices.Delete(o.out, 0, gone)
	if gone < n {
		o.out[0].data = o.out[0].data[done:]
	}
	return gone == n
}

// sent handles the completion of the send.
func (o *output) sent(res int32) {
	if o.vector != nil {
		o.conn.lane.putVector(o.vector)
		o.vector = nil
	}
	done := max(int(res), 0)
	o.unsent -= done
	o.inFlight = 0
	o.idled = done == 0
	pieces := o.sending
	o.sending = 0
	o.now(outputReady)
	if o.conn.life >= lifeDead {
		o.dropOutput(0)
		o.unsent = 0
		return
	}
	switch errno := unix.Errno(-res); {
	case res >= 0, errno == unix.EINTR:
		// The next send takes what is left.
	case errno == unix.EAGAIN, errno == unix.ENOBUFS, errno == unix.ENOMEM:
		// The socket may have room all the time. Waiting for room would then be no pause,
		// and the lane would do nothing but try.
		o.rest()
	default:
		o.conn.kill("send: " + errno.Error())
		return
	}
	o.advance(pieces, done)
}

// dropOutput gives up the output behind the first n pieces.
func (o *output) dropOutput(n int) {
	for i := n; i < len(o.out); i++ {
		o.out[i].release(o.conn.lane)
	}
	o.out = o.out[:n]
}

// padding follows data whose length is no multiple of four. The kernel reads it, so it lies outside
// the Go heap.
var padding = mapPadding()

func mapPadding() []byte {
	b, err := uring.Map(4)
	if err != nil {
		panic("transport: no memory for four bytes: " + err.Error())
	}
	return b
}
