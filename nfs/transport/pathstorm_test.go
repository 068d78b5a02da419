package transport

import (
	"bytes"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/uringtest"
)

// receive takes up to n bytes that the server has sent by system calls, and reports whether there
// were any.
func (w *world) receive(p *peer, n int) bool {
	if !p.dealt || p.reset {
		return false
	}
	b := make([]byte, n)
	got, _, err := unix.Recvfrom(p.far, b, unix.MSG_DONTWAIT)
	if err != nil || got == 0 {
		return false
	}
	p.got = append(p.got, b[:got]...)
	p.understand(w)
	return true
}

// receiveAll receives what the server has sent by system calls. Those bytes come before whatever
// happens to the peer next.
func (w *world) receiveAll(p *peer) {
	for !w.deaf && w.receive(p, 1<<20) {
	}
}

// receiveSome is receive for some of the peers, with breaks.
func (w *world) receiveSome() bool {
	any := false
	for _, p := range w.peers {
		if w.rng.IntN(3) > 0 && w.receive(p, 1+w.rng.IntN([]int{10, 5000, 300_000}[w.rng.IntN(3)])) {
			any = true
		}
	}
	return any
}

// room answers the waits for room in the socket: late, and sometimes without need, or with an
// error.
func (w *world) room(op *uringtest.Op, p *peer) bool {
	if w.rng.IntN(4) == 0 {
		return false
	}
	fds := []unix.PollFd{{Fd: int32(op.FD), Events: unix.POLLOUT}}
	_, _ = unix.Poll(fds, 0)
	switch {
	case p.killed, fds[0].Revents != 0:
		op.Complete(int32(fds[0].Revents))
	case w.rng.IntN(12) == 0:
		op.Complete(unix.POLLOUT)
	case w.rng.IntN(12) == 0:
		op.Fail([]unix.Errno{unix.EINTR, unix.ENOMEM, unix.ECANCELED}[w.rng.IntN(3)])
	default:
		return false
	}
	return true
}

// reset has the peer vanish.
func (w *world) reset(p *peer) {
	w.receiveAll(p)
	p.reset = true
	_ = unix.Shutdown(p.far, unix.SHUT_RD) // so that system calls meet it, too
}

// remote makes auto take peers for other machines. It also makes auto try zero-copy again soon
// after it has changed to splice.
func (w *world) remote() {
	if len(w.ts.srv.lanes) == 0 {
		return
	}
	for cn := w.ts.srv.lanes[0].conns; cn != nil; cn = cn.nxt {
		cn.zc.local = false
		cn.zc.after = min(cn.zc.after, 3)
	}
}

// owed is the zero-copy sends that have completed and whose notifications are still to come, in any
// order and at any time. Until then their memory must not change.
type owed struct {
	w    *world
	list []owedSend
}

type owedSend struct {
	op    *uringtest.Op
	data  []byte
	views [][]byte
}

func newOwed(w *world) *owed {
	o := &owed{w: w}
	w.zero = o.stormy
	w.still = func() bool { return o.notify(len(o.list) - 1) }
	return o
}

// some notifies from time to time, and reports whether it did.
func (o *owed) some() bool {
	n := len(o.list)
	return n > 0 && o.w.rng.IntN(6) == 0 && o.notify(o.w.rng.IntN(n))
}

func (o *owed) notify(i int) bool {
	if i < 0 {
		return false
	}
	s := o.list[i]
	o.list = slices.Delete(o.list, i, i+1)
	if !bytes.Equal(s.data, bytes.Join(s.views, nil)) {
		o.w.fail("%v: a slab was used again before its notification", s.op)
	}
	s.op.Notify(o.w.rng.IntN(4) > 0)
	return true
}

// stormy answers zero-copy sends in every way that the kernel may.
func (o *owed) stormy(op *uringtest.Op, p *peer, now bool) bool {
	w := o.w
	r := w.rng
	data, is := p.sending[op.UserData]
	if !is {
		return false // it has its result
	}
	if now && r.IntN(2) == 0 || r.IntN(5) == 0 || (p.killed || p.reset) && r.IntN(3) > 0 {
		return false // late
	}
	s := owedSend{op: op, data: data, views: op.Vectors()}
	if op.Code == "SEND_ZC" {
		s.views = [][]byte{op.Memory()}
	}
	all := len(data)
	var errno unix.Errno
	n := all
	switch gone := p.killed || p.reset; {
	case gone && r.IntN(2) == 0:
		errno = []unix.Errno{unix.EPIPE, unix.ECONNRESET, unix.ETIMEDOUT}[r.IntN(3)]
	case gone:
		n = r.IntN(all + 1)
	case r.IntN(6) == 0:
		errno = []unix.Errno{unix.EINTR, unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM, unix.ENOMEM, unix.EOPNOTSUPP}[r.IntN(6)]
	case r.IntN(4) == 0:
		n = 1 + r.IntN(all)
	case r.IntN(10) == 0:
		n = 1
	}
	if errno != 0 {
		delete(p.sending, op.UserData)
		if r.IntN(3) == 0 {
			op.Fail(errno)
			return true
		}
	}
	delete(w.files, op.UserData) // the socket may be closed from here on
	o.list = append(o.list, s)
	if errno != 0 {
		op.FailBegun(errno)
	} else {
		w.take(op, p, n)
	}
	return true
}

func TestStormOfSplicedReplies(t *testing.T)                  { storms(t, 60, PathSplice, false, false) }
func TestStormOfSplicedRepliesToPeersThatVanish(t *testing.T) { storms(t, 60, PathSplice, true, true) }
func TestStormOfZeroCopySends(t *testing.T)                   { storms(t, 80, PathZeroCopy, false, false) }
func TestStormOfZeroCopySendsToPeersThatVanish(t *testing.T)  { storms(t, 60, PathZeroCopy, true, true) }
func TestStormOfRepliesByChangingPaths(t *testing.T)          { storms(t, 60, PathAuto, false, false) }
func TestStormOfChangingPathsToPeersThatVanish(t *testing.T)  { storms(t, 60, PathAuto, true, true) }
