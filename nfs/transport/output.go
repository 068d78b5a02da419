package transport

import (
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/bufring"
	"github.com/ringnfs/ringnfs/uring"
)

// vectorMax is how many pieces go out in one send.
const vectorMax = 64

// vector is what the kernel reads of a send with several pieces. It lies outside
// the Go heap and belongs to the operation until its last completion.
type vector struct {
	msg  unix.Msghdr
	iov  [vectorMax]unix.Iovec
	next *vector
}

// batchRoom returns n bytes or more of memory to encode a reply into, behind the
// replies that wait in the batch, or nil when there is no memory.
func (cn *conn) batchRoom(n int) []byte {
	if cn.batch != nil {
		if b := cn.batch.Bytes()[cn.to:]; len(b) >= n {
			return b
		}
	}
	l := cn.lane
	class, ok := l.slabs.ClassFor(max(n, bufring.MediumSize))
	if !ok || !l.mayTake(class) {
		return nil
	}
	b := l.slabs.TakeFor(&cn.account.slabs, class)
	if b == nil {
		return nil
	}
	cn.queueBatch()
	cn.dropBatch()
	cn.batch = b
	return b.Bytes()
}

// batched says that the first n bytes of batchRoom's memory are a reply now.
func (cn *conn) batched(n int) {
	if cn.dead {
		cn.dropBatch()
		return
	}
	cn.to += n
	cn.put(n)
}

// put counts n bytes more of output.
func (cn *conn) put(n int) {
	cn.unsent += n
	cn.queued += uint64(n)
	cn.touch()
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
func (cn *conn) queueBatch() {
	if cn.to > cn.from {
		cn.out = append(cn.out, piece{data: cn.batch.Bytes()[cn.from:cn.to:cn.to], owner: cn.batch.Clone()})
		cn.from = cn.to
	}
}

func (cn *conn) dropBatch() {
	if cn.batch != nil {
		cn.batch.Release()
		cn.batch = nil
	}
	cn.from, cn.to = 0, 0
}

// queueReply queues a finished record that lies in b. It takes b over. A short
// one is copied to the batch, where it costs no piece of its own.
func (cn *conn) queueReply(record []byte, b *bufring.Buffer) {
	if cn.dead {
		b.Release()
		return
	}
	if len(record) <= copyMax {
		if room := cn.batchRoom(len(record)); room != nil {
			copy(room, record)
			b.Release()
			cn.batched(len(record))
			return
		}
	}
	cn.queueBatch()
	cn.out = append(cn.out, piece{data: record, owner: b})
	cn.put(len(record))
}

// queueTail queues the pipe that follows the reply of a call that has one, and its padding.
func (cn *conn) queueTail(c *call) {
	p := c.pipes.pipe
	c.pipes.pipe = nil
	t := piece{pipe: p, left: c.Tail.Len}
	if cn.dead {
		t.release(cn.lane)
		return
	}
	cn.queueBatch()
	cn.out = append(cn.out, t)
	if c.Tail.Pad > 0 {
		cn.out = append(cn.out, piece{data: padding[:c.Tail.Pad]})
	}
	cn.put(c.Tail.Size())
}

// flush sends everything that is ready, unless a send is in flight: TCP output
// must stay in order, so there is one at a time, and what becomes ready
// meanwhile leaves together.
func (cn *conn) flush() {
	for cn.sending == 0 && !cn.dead && !cn.writable {
		cn.queueBatch()
		if len(cn.out) == 0 {
			// An idle connection keeps no send memory.
			cn.dropBatch()
			return
		}
		if !cn.idled {
			cn.progress = cn.lane.loop.Now()
		}
		n := cn.inMemory()
		switch {
		case n == 0:
			cn.splice()
		case n < len(cn.out) && cn.sendNow(n):
			// The pipe behind it follows at once.
		default:
			// What sendNow has moved is not there any more.
			cn.send(cn.inMemory())
		}
	}
}

// inMemory returns how many of the next pieces, up to what one send takes, are
// in memory.
func (cn *conn) inMemory() int {
	n := min(len(cn.out), vectorMax)
	for i := range cn.out[:n] {
		if cn.out[i].pipe != nil {
			return i
		}
	}
	return n
}

// send begins a send of the first n pieces on the ring.
func (cn *conn) send(n int) {
	l := cn.lane
	cn.sending = n
	if n > 1 {
		if cn.vector = l.vector(); cn.vector == nil {
			cn.sending = 1
		}
	}
	cn.inFlight = 0
	for i := range cn.out[:cn.sending] {
		cn.inFlight += len(cn.out[i].data)
	}
	flags := uint32(unix.MSG_NOSIGNAL | unix.MSG_WAITALL)
	if cn.sending < len(cn.out) {
		flags |= unix.MSG_MORE
	}
	if slabs, ok := cn.mayZC(cn.sending, cn.inFlight); ok {
		cn.sendZC(cn.sending, slabs, flags)
		return
	}
	l.stats.plain.Add(1)
	_, sqe := l.loop.Begin(cn, kindSend)
	cn.ops++
	if cn.sending == 1 {
		sqe.PrepSend(cn.fd, cn.out[0].data, flags)
		return
	}
	sqe.PrepSendMsg(cn.fd, cn.vector.fill(cn.out[:cn.sending]), flags)
}

// fill makes v name the pieces.
func (v *vector) fill(pieces []piece) *unix.Msghdr {
	for i := range pieces {
		d := pieces[i].data
		v.iov[i].Base = unsafe.SliceData(d)
		v.iov[i].SetLen(len(d))
	}
	v.msg = unix.Msghdr{Iov: &v.iov[0]}
	v.msg.SetIovlen(len(pieces))
	return &v.msg
}

// sendNow sends the first n pieces, which a pipe follows, with a system call that
// does not wait, so that the pipe can follow in this turn. It reports false when
// they have to go by the ring.
func (cn *conn) sendNow(n int) bool {
	v := cn.lane.vector()
	if v == nil {
		return false
	}
	defer cn.lane.releaseVector(v)
	const flags = unix.MSG_NOSIGNAL | unix.MSG_DONTWAIT | unix.MSG_MORE
	r, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(cn.fd), uintptr(unsafe.Pointer(v.fill(cn.out[:n]))), flags)
	if errno != 0 {
		return false // the ring meets the same and says what it is
	}
	cn.lane.stats.plain.Add(1)
	cn.idled, cn.roomy = false, false
	cn.unsent -= int(r)
	return cn.advance(n, int(r))
}

// splice moves the pipe at the head of the output to the socket as far as it
// takes it without waiting, and waits for room on the ring. A socket that has room
// and takes nothing is short of memory: then a wait for room would be no pause. The
// kernel asks the socket's O_NONBLOCK whether it may wait, not SPLICE_F_NONBLOCK.
func (cn *conn) splice() {
	p := &cn.out[0]
	before := p.left
	flags := uintptr(unix.SPLICE_F_MOVE | unix.SPLICE_F_NONBLOCK)
	if len(cn.out) > 1 {
		flags |= unix.SPLICE_F_MORE
	}
	for p.left > 0 {
		r, _, errno := unix.RawSyscall6(unix.SYS_SPLICE, uintptr(p.pipe.ReadFD), 0, uintptr(cn.fd), 0, uintptr(p.left), flags)
		switch {
		case errno == unix.EINTR:
		case errno == unix.EAGAIN:
			if cn.idled = p.left == before; cn.idled && cn.roomy {
				cn.rest()
			} else {
				cn.awaitRoom()
			}
			return
		case errno != 0:
			cn.kill("splice: " + errno.Error())
			return
		case r == 0:
			// The pipe has fewer bytes than were put in, which cannot be; the
			// record cannot be completed.
			cn.kill("splice: the pipe is empty")
			return
		default:
			p.left -= int(r)
			cn.unsent -= int(r)
		}
	}
	cn.idled, cn.roomy = false, false
	cn.zc.spliced()
	cn.lane.stats.spliced.Add(1)
	p.release(cn.lane)
	cn.out = slices.Delete(cn.out, 0, 1)
}

// awaitRoom waits on the ring until the socket takes more.
func (cn *conn) awaitRoom() {
	_, sqe := cn.lane.loop.Begin(cn, kindWritable)
	sqe.PrepPollAdd(cn.fd, unix.POLLOUT, false)
	cn.ops++
	cn.writable = true
}

// rest puts the next send off for a while.
func (cn *conn) rest() {
	_, sqe := cn.lane.loop.Begin(cn, kindWritable)
	sqe.PrepTimeout(restTime, 0, 0)
	cn.ops++
	cn.writable = true
}

// restTime is how long a send is put off that the kernel had no memory for. It is
// outside the Go heap, as everything that the kernel is given.
var restTime = mapTime(20e6)

// advance takes done bytes off the first n pieces of the output and reports
// whether that is all of them.
func (cn *conn) advance(n, done int) bool {
	gone := 0
	for gone < n && done >= len(cn.out[gone].data) {
		done -= len(cn.out[gone].data)
		cn.out[gone].release(cn.lane)
		gone++
	}
	cn.out = slices.Delete(cn.out, 0, gone)
	if gone < n {
		cn.out[0].data = cn.out[0].data[done:]
	}
	return gone == n
}

// sent handles the completion of the send.
func (cn *conn) sent(res int32) {
	if cn.vector != nil {
		cn.lane.releaseVector(cn.vector)
		cn.vector = nil
	}
	done := max(int(res), 0)
	cn.unsent -= done
	cn.inFlight = 0
	cn.idled = done == 0
	cn.roomy = cn.roomy && cn.idled
	pieces := cn.sending
	cn.sending = 0
	if cn.dead {
		cn.dropOutput(0)
		cn.unsent = 0
		return
	}
	switch errno := unix.Errno(-res); {
	case res >= 0, errno == unix.EINTR:
		// What is left goes out with the next send.
	case errno == unix.EAGAIN, errno == unix.ENOBUFS, errno == unix.ENOMEM:
		// The socket may have room all the while, so that waiting for it would be
		// no pause: the lane would do nothing but try.
		cn.rest()
	default:
		cn.kill("send: " + errno.Error())
		return
	}
	cn.advance(pieces, done)
}

// dropOutput gives up the output behind the first n pieces.
func (cn *conn) dropOutput(n int) {
	for i := n; i < len(cn.out); i++ {
		cn.out[i].release(cn.lane)
	}
	cn.out = cn.out[:n]
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
