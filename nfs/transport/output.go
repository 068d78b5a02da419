package transport

import (
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/bufring"
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
	if !ok || l.waiting[class].head != nil {
		return nil
	}
	b := l.slabs.Take(class)
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
	cn.unsent += n
	cn.touch()
}

// queueBatch moves what waits in the batch to the output queue.
func (cn *conn) queueBatch() {
	if cn.to > cn.from {
		cn.out = append(cn.out, bufring.Segment{Data: cn.batch.Bytes()[cn.from:cn.to:cn.to], Owner: cn.batch.Clone()})
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
	cn.out = append(cn.out, bufring.Segment{Data: record, Owner: b})
	cn.unsent += len(record)
	cn.touch()
}

// flush sends everything that is ready, unless a send is in flight: TCP output
// must stay in order, so there is one at a time, and what becomes ready
// meanwhile leaves together.
func (cn *conn) flush() {
	if cn.sending > 0 || cn.dead {
		return
	}
	cn.queueBatch()
	if len(cn.out) == 0 {
		// An idle connection keeps no send memory.
		cn.dropBatch()
		return
	}
	l := cn.lane
	cn.sending = min(len(cn.out), vectorMax)
	if cn.sending > 1 {
		if cn.vector = l.vector(); cn.vector == nil {
			cn.sending = 1
		}
	}
	cn.inFlight = 0
	for i := range cn.out[:cn.sending] {
		cn.inFlight += len(cn.out[i].Data)
	}
	if !cn.idled {
		cn.progress = l.loop.Now()
	}
	const flags = unix.MSG_NOSIGNAL | unix.MSG_WAITALL
	_, sqe := l.loop.Begin(cn, kindSend)
	cn.ops++
	if cn.sending == 1 {
		sqe.PrepSend(cn.fd, cn.out[0].Data, flags)
		return
	}
	v := cn.vector
	for i := range cn.out[:cn.sending] {
		d := cn.out[i].Data
		v.iov[i].Base = unsafe.SliceData(d)
		v.iov[i].SetLen(len(d))
	}
	v.msg = unix.Msghdr{Iov: &v.iov[0]}
	v.msg.SetIovlen(cn.sending)
	sqe.PrepSendMsg(cn.fd, &v.msg, flags)
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
	pieces := cn.sending
	cn.sending = 0
	if cn.dead {
		for i := range cn.out[:pieces] {
			cn.out[i].Release()
		}
		cn.out = nil
		cn.unsent = 0
		return
	}
	switch errno := unix.Errno(-res); {
	case res >= 0, errno == unix.EINTR, errno == unix.EAGAIN, errno == unix.ENOBUFS, errno == unix.ENOMEM:
		// What is left goes out with the next send.
	default:
		cn.kill("send: " + errno.Error())
		return
	}
	gone := 0
	for gone < pieces && done >= len(cn.out[gone].Data) {
		done -= len(cn.out[gone].Data)
		cn.out[gone].Release()
		gone++
	}
	cn.out = slices.Delete(cn.out, 0, gone)
	if done > 0 {
		cn.out[0].Data = cn.out[0].Data[done:]
	}
}
