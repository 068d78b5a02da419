package transport

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/uringtest"
)

func (w *world) peer() *peer {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	require.NoError(w.t, err)
	p := &peer{
		fd:      pair[0],
		far:     pair[1],
		inode:   inode(pair[0]),
		want:    map[uint32][]byte{},
		sending: map[uint64][]byte{},
	}
	w.peers = append(w.peers, p)
	return p
}

// call has the peer send one call in random fragments.
func (p *peer) call(rng *rand.Rand, xid, proc uint32, args, results []byte) {
	body := message(xid, proc, args)[markLen:]
	for {
		n := len(body)
		if rng.IntN(4) == 0 {
			n = 1 + rng.IntN(n)
		}
		p.in = append(append(p.in, mark(n == len(body), uint32(n))...), body[:n]...)
		if body = body[n:]; len(body) == 0 {
			break
		}
	}
	p.want[xid] = results
}

func inode(fd int) uint64 {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return 0
	}
	return st.Ino
}

// of returns the connection's peer that an operation is about.
func (w *world) of(op *uringtest.Op) *peer {
	for _, p := range w.peers {
		if p.dealt && p.fd == op.FD && p.inode == inode(op.FD) {
			return p
		}
	}
	return nil
}

// verify asserts that each descriptor with an operation in flight is the same file as when the
// operation began.
func (w *world) verify() {
	for _, op := range w.ring.Ops() {
		if was, ok := w.files[op.UserData]; ok {
			if inode(op.FD) != was {
				w.fail("%v: the descriptor was closed with the operation in flight", op)
			}
			w.checked.Add(1)
		}
	}
}

func (w *world) script(op *uringtest.Op) bool {
	switch op.Code {
	case "READ":
		return true
	case "ACCEPT":
		w.served = true
		w.files[op.UserData] = inode(op.FD)
		return true
	case "RECV", "SEND", "SENDMSG", "SEND_ZC", "SENDMSG_ZC":
	case "POLL_ADD":
		w.files[op.UserData] = inode(op.FD)
		return true
	case "ASYNC_CANCEL":
		w.cancelled[op.Target()] = true
		w.cancels++
		return false
	default:
		return false
	}
	w.files[op.UserData] = inode(op.FD)
	p := w.of(op)
	if p == nil {
		w.fail("%v: no such connection", op)
		return true
	}
	if op.Code != "RECV" {
		w.receiveAll(p)
		p.sending[op.UserData] = payload(op)
	}
	w.ask(op, p, true)
	return true
}

func (w *world) ask(op *uringtest.Op, p *peer, now bool) bool {
	if op.Code == "RECV" && !p.reset {
		p.reclaim()
	}
	if op.ZeroCopy() && w.zero != nil {
		return w.zero(op, p, now)
	}
	return w.act(w, op, p, now)
}

func payload(op *uringtest.Op) []byte {
	if op.Code == "SEND" || op.Code == "SEND_ZC" {
		return bytes.Clone(op.Memory())
	}
	return bytes.Join(op.Vectors(), nil)
}

// take completes a send with its first n bytes.
func (w *world) take(op *uringtest.Op, p *peer, n int) {
	now := payload(op)
	if !bytes.Equal(now, p.sending[op.UserData]) {
		w.fail("%v: its memory was used again while it was in flight", op)
	}
	delete(p.sending, op.UserData)
	p.got = append(p.got, now[:n]...)
	op.Complete(int32(n))
	p.understand(w)
}

// understand checks the replies that are complete.
func (p *peer) understand(w *world) {
	for len(p.got) >= markLen {
		n := int(binary.BigEndian.Uint32(p.got) &^ (1 << 31))
		if n < 24 || n > 2<<20 {
			w.fail("a reply of %d bytes", n)
		}
		if len(p.got) < markLen+n {
			return
		}
		r := p.got[markLen : markLen+n]
		xid := binary.BigEndian.Uint32(r)
		want, asked := p.want[xid]
		switch {
		case !asked:
			w.fail("a reply with XID %d, which was not asked or answered before", xid)
		case !bytes.Equal(r[4:24], append([]byte{0, 0, 0, 1}, make([]byte, 16)...)),
			!bytes.Equal(r[24:], want):
			w.fail("a wrong reply to XID %d", xid)
		}
		delete(p.want, xid)
		p.replies++
		p.got = p.got[markLen+n:]
	}
}

// readable answers the waits for something to read. Either the peer sends some bytes, which the
// server reads with a system call, or there is nothing after all.
func (w *world) readable(op *uringtest.Op, p *peer) bool {
	r := w.rng
	p.reclaim()
	switch {
	case w.faulty && r.IntN(3) == 0:
		return false
	case w.faulty && r.IntN(12) == 0:
		op.Fail([]unix.Errno{unix.EINTR, unix.EAGAIN, unix.ECANCELED, unix.ENOMEM}[r.IntN(4)])
		return true
	case w.faulty && r.IntN(12) == 0: // for nothing
	case len(p.in) > 0 && !p.killed && !p.reset:
		n := len(p.in)
		if w.faulty {
			n = min(n, 1+r.IntN([]int{3, 100, 3000, 300_000}[r.IntN(4)]))
		}
		if n, err := unix.Write(p.far, p.in[:n]); err == nil {
			p.in = p.in[n:]
		}
	case p.half || p.killed || p.done || p.reset:
		_ = unix.Shutdown(p.far, unix.SHUT_WR)
	default:
		return false
	}
	w.careful++
	op.Complete(unix.POLLIN)
	return true
}

// reclaim takes back the bytes that the server has not read with system calls. They come first.
func (p *peer) reclaim() {
	var b [64 << 10]byte
	var left []byte
	for {
		n, err := unix.Read(p.fd, b[:])
		if n <= 0 || err != nil {
			break
		}
		left = append(left, b[:n]...)
	}
	if len(left) > 0 {
		p.in = append(left, p.in...)
	}
}

// deliver gives a receive up to n bytes of what the peer sends.
func (p *peer) deliver(op *uringtest.Op, n int) {
	k := op.Deliver(p.in[:min(n, len(p.in))])
	p.in = p.in[k:]
}

// look finds out what the server has done with the connection.
func (w *world) look(p *peer) {
	fds := []unix.PollFd{{Fd: int32(p.far), Events: unix.POLLRDHUP}}
	if n, _ := unix.Poll(fds, 0); n > 0 {
		p.half = p.half || fds[0].Revents&unix.POLLRDHUP != 0
		p.killed = p.killed || fds[0].Revents&unix.POLLHUP != 0
	}
}

// satisfied reports whether the peer waits for nothing.
func (p *peer) satisfied() bool {
	return p.dealt && (p.killed || p.reset || len(p.want) == 0 && len(p.in) == 0)
}
