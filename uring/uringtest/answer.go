package uringtest

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

func flagsOf(s *uring.SQE) uring.SQEFlags {
	return uring.SQEFlags((*abi.SQE)(unsafe.Pointer(s)).Flags)
}

// start offers an operation to the script, the fake itself and the sockets. No lock is held.
func (r *Ring) start(o *Op) {
	if r.opt.Script != nil && r.opt.Script(o) {
		return
	}
	switch o.raw.Opcode {
	case abi.OpNop:
		o.Complete(0)
		return
	case abi.OpAsyncCancel:
		r.cancel(o)
		return
	}
	r.mu.Lock()
	s := r.socks[o.FD]
	r.mu.Unlock()
	if s != nil {
		s.take(o)
	}
}

// Complete gives the operation its final completion. After a zero-copy send with a result that is
// not an error, the notification still follows, which Notify sends.
func (o *Op) Complete(res int32) { o.answer(res, 0, true) }

// CompleteFlags is Complete with flags of the completion.
func (o *Op) CompleteFlags(res int32, flags uint32) { o.answer(res, flags, true) }

// Fail completes the operation with an error.
func (o *Op) Fail(errno unix.Errno) { o.answer(-int32(errno), 0, true) }

// FailBegun fails a zero-copy send that the kernel had begun: the notification, which Notify sends,
// still follows. Linux does so with all errors except those of the entry itself.
func (o *Op) FailBegun(errno unix.Errno) {
	o.begun = o.ZeroCopy()
	o.answer(-int32(errno), 0, true)
}

// More gives a multishot operation one completion of several. It returns
// false when a fault made it the final one.
func (o *Op) More(res int32) bool { return o.answer(res, 0, false) }

// MoreFlags is More with flags of the completion.
func (o *Op) MoreFlags(res int32, flags uint32) bool { return o.answer(res, flags, false) }

// Deliver gives a receive the bytes of data. It writes them to the memory that the operation names,
// or to buffers of its group, and completes, with More if the operation is multishot. It returns
// how many bytes the receive took: fewer than len(data) when there was no room, zero when the
// operation ended with ENOBUFS because its group is empty. Empty data is the end of the stream.
func (o *Op) Deliver(data []byte) int {
	r := o.ring
	r.mu.Lock()
	n, res, flags := r.place(o, data)
	r.mu.Unlock()
	o.answer(res, flags, !o.Multishot || res <= 0)
	return n
}

// place puts received data where the operation wants the data. The lock is held.
func (r *Ring) place(o *Op, data []byte) (n int, res int32, flags uint32) {
	if o.Flags&uring.BufferSelect == 0 {
		for _, p := range o.payload() {
			n += copy(p, data[n:])
		}
		return n, int32(n), 0
	}
	if len(data) == 0 {
		return 0, 0, 0
	}
	if o.Len > 0 && len(data) > int(o.Len) {
		data = data[:o.Len]
	}
	g := r.groups[o.Group]
	if g == nil || r.fault(func(f *Faults) float64 { return f.NoBuffers }) {
		return 0, -int32(unix.ENOBUFS), 0
	}
	id, n, more, ok := g.fill(data, o.Bundle)
	if !ok {
		return 0, -int32(unix.ENOBUFS), 0
	}
	flags = abi.CQEBuffer | uint32(id)<<abi.CQEBufferShift
	if more {
		flags |= abi.CQEBufMore
	}
	return n, int32(n), flags
}

// Notify sends the notification of a zero-copy send that has completed.
func (o *Op) Notify(copied bool) {
	r := o.ring
	r.mu.Lock()
	if !o.owedZC {
		r.t.Errorf("uringtest: notification for %v, which owes none", o)
		r.mu.Unlock()
		return
	}
	o.owedZC = false
	c := uring.CQE{UserData: o.UserData, Flags: abi.CQENotif}
	if copied && o.raw.IOPrio&abi.SendZCReportUsage != 0 {
		c.Res = -1 << 31 // IORING_NOTIF_USAGE_ZC_COPIED is the sign bit
	}
	r.finish(o)
	r.deliver(event{c, o})
	r.mu.Unlock()
}

// answer posts one completion, and starts or cancels the operations linked behind it.
func (o *Op) answer(res int32, flags uint32, final bool) bool {
	r := o.ring
	r.mu.Lock()
	if o.state != opRunning || o.owedZC {
		dropped := o.dropped
		r.mu.Unlock()
		if !dropped {
			// An operation that was cancelled while the test held it has its answer.
			r.t.Errorf("uringtest: answer %d for %v, which is not running", res, o)
		}
		return false
	}
	if !final && r.fault(func(f *Faults) float64 { return f.EndMultishot }) {
		final = true
	}
	var next *Op
	switch {
	case !final:
		flags |= abi.CQEMore
	case o.ZeroCopy() && (res >= 0 || o.begun):
		flags |= abi.CQEMore
		o.owedZC = true
		next = r.unlink(o)
	default:
		r.finish(o)
		next = r.unlink(o)
	}
	if !final || o.Flags&uring.SkipSuccess == 0 || res < 0 {
		r.deliver(event{uring.CQE{UserData: o.UserData, Res: res, Flags: flags}, o})
	} else {
		r.loose = keep(r.loose, func(l *Op) bool { return l != o })
	}
	if next != nil {
		next.state = opRunning
	}
	r.mu.Unlock()
	if next != nil {
		if failed(o, res) {
			next.answer(-int32(unix.ECANCELED), 0, true)
		} else {
			r.start(next)
		}
	}
	return !final
}

// failed says that the result of o breaks its chain of links.
func failed(o *Op, res int32) bool {
	if o.Flags&uring.Hardlink != 0 {
		return false
	}
	switch o.raw.Opcode {
	case abi.OpRead, abi.OpReadFixed, abi.OpSplice:
		return res < int32(o.Len)
	case abi.OpSend, abi.OpSendZC, abi.OpRecv:
		// A short transfer counts as a failure only with MSG_WAITALL.
		return res < 0 || o.OpFlags&unix.MSG_WAITALL != 0 && res < int32(o.Len)
	}
	return res < 0
}

// unlink detaches and returns what is linked behind o. The lock is held.
func (r *Ring) unlink(o *Op) *Op {
	next := o.next
	o.next = nil
	return next
}

// finish marks the final completion. The lock is held.
func (r *Ring) finish(o *Op) {
	o.state = opDone
	r.live = keep(r.live, func(l *Op) bool { return l != o })
	r.loose = append(r.loose, o)
}

// deliver queues a completion, or holds it back. The lock is held.
func (r *Ring) deliver(e event) {
	if e.op != nil {
		e.op.held++
	}
	if r.mustFollow(e) || r.fault(func(f *Faults) float64 { return f.Delay }) {
		r.late = append(r.late, e)
		return
	}
	r.enqueue(e)
}

// enqueue puts a completion into the queue, or beside the queue when that is full. The lock is
// held.
func (r *Ring) enqueue(e event) {
	if len(r.over) > 0 || len(r.cq) >= r.opt.CQEntries {
		r.over = append(r.over, e)
		return
	}
	if e.op != nil {
		e.op.held--
		e.op.unread++
	}
	r.cq = append(r.cq, e)
}

// flush does the work of an enter: it brings overflowed completions into the queue, then as many
// late ones as are wanted, and some more. The lock is held.
func (r *Ring) flush(want int) {
	for len(r.over) > 0 && len(r.cq) < r.opt.CQEntries {
		e := r.over[0]
		r.over = r.over[1:]
		if e.op != nil {
			e.op.held--
			e.op.unread++
		}
		r.cq = append(r.cq, e)
	}
	for len(r.late) > 0 && (len(r.cq) < want || r.rng.IntN(2) == 0) && len(r.over) == 0 {
		i := r.rng.IntN(len(r.late))
		// The oldest of the same chain goes first.
		for j := range r.late[:i] {
			if r.late[j].sameChain(r.late[i]) {
				i = j
				break
			}
		}
		e := r.late[i]
		r.late = append(r.late[:i], r.late[i+1:]...)
		r.enqueue(e)
	}
}

// mustFollow says that the fake holds an earlier completion of the same chain back.
func (r *Ring) mustFollow(e event) bool {
	for _, l := range r.late {
		if l.sameChain(e) {
			return true
		}
	}
	return false
}

func (e event) sameChain(f event) bool {
	return e.op != nil && f.op != nil && e.op.chain == f.op.chain
}
