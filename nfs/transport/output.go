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

// output is the sending side of a connection: what is to be sent and in which order, the
// send that is in flight, and how large READs leave (way.go). A connection has one by
// value. It belongs to the lane's thread, as the connection does.
//
// Replies come in by batchRoom and batched, queueReply and queueTail. They leave by flush,
// once a turn: by a send on the ring, copied (output.go) or not (zerocopy.go), or as a pipe
// that is spliced to the socket (pipe.go).
type output struct {
	conn  *conn // whose it is; immutable
	state outputState

	// batch is the slab that replies are encoded into one after the other; what
	// lies between from and to has not been queued yet.
	batch    *bufring.Buffer
	from, to int
	// out is queued output, the first sending pieces of it in flight.
	out      []piece
	sending  int
	inFlight int     // bytes of the send in flight
	unsent   int     // bytes in batch and out
	queued   uint64  // bytes that have been there so far
	vector   *vector // of the send in flight, nil when that has one piece
	idled    bool    // the last send has moved nothing
	zc       zcPolicy
	progress time.Time // when the peer last took something
	acked    uint64    // what it had taken then
}

// outputState is what the sending side waits for.
type outputState uint8

// The states of the sending side.
const (
	// outputReady: nothing. What is queued can be sent.
	outputReady outputState = iota
	// outputRoomy: nothing, and the socket has just said that it has room. If it takes
	// nothing all the same, the kernel is short of memory.
	outputRoomy
	// outputSending: the send of the first pieces is in flight.
	outputSending
	// outputFull: the socket has no room, and the wait for some is in flight.
	outputFull
	// outputResting: the kernel had no memory for a send. It is tried again when a time
	// has passed that is in flight.
	outputResting
)

var outputNames = [...]string{
	outputReady: "ready", outputRoomy: "roomy", outputSending: "sending", outputFull: "full", outputResting: "resting",
}

// String returns the state's name.
func (s outputState) String() string { return outputNames[s] }

// outputNext is which states may follow each, a bit for each of them.
var outputNext = [...]uint8{
	outputReady:   1<<outputReady | 1<<outputSending | 1<<outputFull | 1<<outputResting,
	outputRoomy:   1<<outputReady | 1<<outputSending | 1<<outputFull | 1<<outputResting,
	outputSending: 1 << outputReady,
	outputFull:    1<<outputReady | 1<<outputRoomy,
	outputResting: 1 << outputReady,
}

// now is the one place where the state changes. A change that is none of outputNext is a
// bug; the build tag "checks" makes it a panic.
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

// allSent reports whether the peer has taken all output, and acknowledged what is sent
// from where it lies.
func (o *output) allSent() bool {
	return o.unsent == 0 && o.state <= outputRoomy && o.zc.sends == 0
}

// inHands reports whether the peer has to do something before the output goes on.
func (o *output) inHands() bool { return o.state > outputRoomy || o.zc.sends > 0 }

// stuck reports whether the peer has acknowledged nothing for limit.
func (o *output) stuck(now time.Time, limit time.Duration) bool {
	if acked := bytesAcked(o.conn.fd); acked != o.acked {
		o.acked, o.progress = acked, now
		return false
	}
	return now.Sub(o.progress) > limit
}

// bytesAcked asks how much the peer has acknowledged so far.
func bytesAcked(fd int) uint64 {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0
	}
	return info.Bytes_acked
}

// giveUp gives back what no operation in flight needs, at the connection's end.
func (o *output) giveUp() {
	o.dropOutput(o.sending)
	o.dropBatch()
	o.unsent = o.inFlight
}

// batchRoom returns n bytes or more of memory to encode a reply into, behind the
// replies that wait in the batch, or nil when there is no memory.
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

// batched says that the first n bytes of batchRoom's memory are a reply now.
func (o *output) batched(n int) {
	if o.conn.life >= lifeDead {
		o.dropBatch()
		return
	}
	o.to += n
	o.put(n)
}

// put counts n bytes more of output.
func (o *output) put(n int) {
	o.unsent += n
	o.queued += uint64(n)
	o.conn.touch()
}

// piece is a part of the output: bytes in memory, or what is in a pipe.
type piece struct {
	data  []byte
	owner *bufring.Buffer
	pipe  *pipe
	left  int // bytes in the pipe
}

// release gives back what the piece holds, sent or not.
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

// queueBatch moves what waits in the batch to the output queue.
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

// queueReply queues a finished record that lies in b. It takes b over. A short
// one is copied to the batch, where it costs no piece of its own.
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

// flush sends everything that is ready, unless a send is in flight: TCP output
// must stay in order, so there is one at a time, and what becomes ready
// meanwhile leaves together.
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
			// The pipe behind it follows at once.
		default:
			// What sendNow has moved is not there any more.
			o.send(o.inMemory())
		}
	}
}

// inMemory returns how many of the next pieces, up to what one send takes, are
// in memory.
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

// sendNow sends the first n pieces, which a pipe follows, with a system call that
// does not wait, so that the pipe can follow in this turn. It reports false when
// they have to go by the ring.
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
		return false // the ring meets the same and says what it is
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

// rest puts the next send off for a while.
func (o *output) rest() {
	_, sqe := o.conn.lane.loop.Begin(o, kindWritable)
	sqe.PrepTimeout(restTime)
	o.conn.ops++
	o.now(outputResting)
}

// restTime is how long a send is put off that the kernel had no memory for. It is
// outside the Go heap, as everything that the kernel is given.
var restTime = mapTime(20e6)

// advance takes done bytes off the first n pieces of the output and reports
// whether that is all of them.
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
		// What is left goes out with the next send.
	case errno == unix.EAGAIN, errno == unix.ENOBUFS, errno == unix.ENOMEM:
		// The socket may have room all the while, so that waiting for it would be
		// no pause: the lane would do nothing but try.
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

// padding is what follows data whose length is no multiple of four. It is
// outside the Go heap, as everything that the kernel is given.
var padding = mapPadding()

func mapPadding() []byte {
	b, err := uring.Map(4)
	if err != nil {
		panic("transport: no memory for four bytes: " + err.Error())
	}
	return b
}
