package uringtest

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

// Socket is the peer of a simulated stream. It answers the receives, reads and sends of its
// descriptor.
type Socket struct {
	ring *Ring
	fd   int

	// Guarded by ring.mu.
	in      []byte // fed, not yet received
	ended   bool   // nothing follows in
	broken  unix.Errno
	out     []byte
	recvs   []*Op
	notifs  []*Op
	holding bool
	stalled bool
	sends   []*Op
}

// NewSocket gives the descriptor fd (a slot, for fixed files) a peer.
func (r *Ring) NewSocket(fd int) *Socket {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &Socket{ring: r, fd: fd}
	r.socks[fd] = s
	return s
}

// Feed lets the peer send data.
func (s *Socket) Feed(data []byte) {
	s.ring.mu.Lock()
	s.in = append(s.in, data...)
	s.ring.mu.Unlock()
	s.pump()
}

// End lets the peer end its direction: a receive that has taken all data gets zero.
func (s *Socket) End() {
	s.ring.mu.Lock()
	s.ended = true
	s.ring.mu.Unlock()
	s.pump()
}

// Break lets the connection fail: operations in flight and later ones get errno.
func (s *Socket) Break(errno unix.Errno) {
	s.ring.mu.Lock()
	s.broken = errno
	s.ring.mu.Unlock()
	s.pump()
}

// Stall lets the peer stop reading, or go on. While it does not read, sends stay in flight.
func (s *Socket) Stall(on bool) {
	s.ring.mu.Lock()
	s.stalled = on
	s.ring.mu.Unlock()
	s.pump()
}

// Sent returns and forgets the bytes that arrived at the peer.
func (s *Socket) Sent() []byte {
	s.ring.mu.Lock()
	defer s.ring.mu.Unlock()
	out := s.out
	s.out = nil
	return out
}

// Unread returns how many of the bytes that the peer sent have not been received.
func (s *Socket) Unread() int {
	s.ring.mu.Lock()
	defer s.ring.mu.Unlock()
	return len(s.in)
}

// HoldNotifs keeps the notifications of zero-copy sends until FlushNotifs, as if the peer did not
// acknowledge.
func (s *Socket) HoldNotifs(on bool) {
	s.ring.mu.Lock()
	defer s.ring.mu.Unlock()
	s.holding = on
}

// FlushNotifs sends the notifications that HoldNotifs kept: the peer has acknowledged everything.
func (s *Socket) FlushNotifs(copied bool) {
	s.ring.mu.Lock()
	list := s.notifs
	s.notifs = nil
	s.ring.mu.Unlock()
	for _, o := range list {
		o.Notify(copied)
	}
}

// take gets an operation on the descriptor. No lock is held.
func (s *Socket) take(o *Op) {
	switch o.raw.Opcode {
	case abi.OpRecv, abi.OpRead:
		s.ring.mu.Lock()
		s.recvs = append(s.recvs, o)
		s.ring.mu.Unlock()
		s.pump()
	case abi.OpSend, abi.OpSendmsg, abi.OpSendZC, abi.OpSendmsgZC:
		s.ring.mu.Lock()
		s.sends = append(s.sends, o)
		s.ring.mu.Unlock()
		s.pump()
	}
}

func (s *Socket) forget(o *Op) {
	s.ring.mu.Lock()
	defer s.ring.mu.Unlock()
	other := func(p *Op) bool { return p != o }
	s.recvs = keep(s.recvs, other)
	s.sends = keep(s.sends, other)
}

// pump moves bytes until either side has to wait. No lock is held.
func (s *Socket) pump() {
	for s.pumpSend() || s.pumpRecv() {
	}
}

func (s *Socket) pumpRecv() bool {
	r := s.ring
	r.mu.Lock()
	if len(s.recvs) == 0 || len(s.in) == 0 && !s.ended && s.broken == 0 {
		r.mu.Unlock()
		return false
	}
	o := s.recvs[0]
	var res int32
	var flags uint32
	switch {
	case s.broken != 0:
		res = -int32(s.broken)
	case len(s.in) > 0:
		n := s.share(len(s.in))
		n, res, flags = r.place(o, s.in[:n])
		s.in = s.in[n:]
		if len(s.in) > 0 {
			flags |= abi.CQESockNonEmpty
		}
	}
	s.recvs = s.recvs[1:]
	r.mu.Unlock()
	if o.answer(res, flags, !o.Multishot || res <= 0) {
		r.mu.Lock()
		s.recvs = append([]*Op{o}, s.recvs...)
		r.mu.Unlock()
	}
	return true
}

func (s *Socket) pumpSend() bool {
	r := s.ring
	r.mu.Lock()
	if len(s.sends) == 0 || s.stalled && s.broken == 0 {
		r.mu.Unlock()
		return false
	}
	o := s.sends[0]
	s.sends = s.sends[1:]
	var res int32
	switch {
	case s.broken != 0:
		res = -int32(s.broken)
	default:
		for _, p := range o.payload() {
			n := len(p)
			// With MSG_WAITALL the kernel goes on after a part, without being asked.
			if o.OpFlags&unix.MSG_WAITALL == 0 {
				n = s.share(n)
			}
			s.out = append(s.out, p[:n]...)
			res += int32(n)
			if n < len(p) {
				break
			}
		}
	}
	r.mu.Unlock()
	o.answer(res, 0, true)
	if o.owes() {
		r.mu.Lock()
		late := r.fault(func(f *Faults) float64 { return f.LateNotif })
		switch {
		case s.holding:
			s.notifs = append(s.notifs, o)
		case late:
			r.notifs = append(r.notifs, o)
		}
		now := !s.holding && !late
		r.mu.Unlock()
		if now {
			o.Notify(true)
		}
	}
	return true
}

// share returns how many of n bytes are transferred at once. The lock is held.
func (s *Socket) share(n int) int {
	if n > 1 && s.ring.fault(func(f *Faults) float64 { return f.Short }) {
		return 1 + s.ring.rng.IntN(n-1)
	}
	return n
}
