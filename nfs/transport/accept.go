package transport

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// acceptor takes new connections from one listening socket. It lives on the
// first lane and deals the connections out.
type acceptor struct {
	lane     *lane
	fd       int
	programs *rpc.Server
	id       loop.ID // the accept in flight, 0 for none
	// congestion is what connections from elsewhere use; see unpace.
	congestion string
	stopping   bool
	warned     time.Time // when it was last said that there are too many
	warnedOf   time.Time // when it was last said that one peer has too many
}

// warnEvery is how often a peer can make the log say the same.
const warnEvery = 10 * time.Second

// arm starts the multishot accept, if it is not in flight. The lane's tick calls
// it too: an accept that ended for want of descriptors is tried again then.
func (a *acceptor) arm() {
	if a.id != 0 || a.stopping {
		return
	}
	id, sqe := a.lane.loop.Begin(a, 0)
	flags := uint32(unix.SOCK_CLOEXEC)
	if a.lane.srv.cfg.ReadPath.splices() {
		// For splice(2). Operations of the ring wait all the same.
		flags |= unix.SOCK_NONBLOCK
	}
	sqe.PrepAcceptMultishot(a.fd, flags)
	a.id = id
}

// retry is called once per tick: it arms an accept that ended with an error, and
// repeats a cancellation that came at the wrong moment.
func (a *acceptor) retry() {
	if a.stopping && a.id != 0 {
		a.lane.loop.Cancel(a.id)
	}
	a.arm()
}

// Complete implements loop.Handler.
func (a *acceptor) Complete(_ loop.ID, _ loop.Kind, res int32, _ uint32, last bool) {
	if last {
		a.id = 0
	}
	switch errno := unix.Errno(-res); {
	case res >= 0:
		a.deal(int(res))
	case errno == unix.EMFILE, errno == unix.ENFILE, errno == unix.ENOBUFS, errno == unix.ENOMEM:
		a.lane.srv.cfg.Log.Warn("cannot accept a connection", "error", errno,
			"remedy", "raise the limit on open files")
	case errno == unix.ECONNABORTED, errno == unix.EPROTO, errno == unix.EPERM,
		errno == unix.EINTR, errno == unix.EAGAIN:
		// The peer gave up before it was accepted, or the like.
		a.lane.srv.cfg.Log.Debug("accept failed", "error", errno)
		a.arm()
	case errno == unix.ECANCELED:
	default:
		// It may last: tried at once, it could keep the lane busy with nothing else.
		a.lane.srv.cfg.Log.Warn("cannot accept a connection", "error", errno)
	}
	if a.stopping && a.id == 0 {
		a.close()
	} else if res >= 0 {
		a.arm()
	}
}

// stop ends accepting. The acceptor leaves the lane when nothing is in flight.
func (a *acceptor) stop() {
	if a.stopping {
		return
	}
	a.stopping = true
	if a.id != 0 {
		a.lane.loop.Cancel(a.id)
		return
	}
	a.close()
}

func (a *acceptor) close() {
	l := a.lane
	for i, b := range l.acceptors {
		if a == b {
			_ = unix.Close(a.fd)
			l.acceptors = append(l.acceptors[:i], l.acceptors[i+1:]...)
			return
		}
	}
}

// deal gives a new connection to the lane that has the fewest.
func (a *acceptor) deal(fd int) {
	s := a.lane.srv
	if a.stopping || int(s.conns.Add(1)) > s.cfg.ConnsMax {
		if !a.stopping {
			s.conns.Add(-1)
			if now := a.lane.loop.Now(); now.Sub(a.warned) >= warnEvery {
				a.warned = now
				s.cfg.Log.Warn("too many connections: new ones are closed", "max", s.cfg.ConnsMax)
			}
		}
		_ = unix.Close(fd)
		return
	}
	peer := sockAddr(unix.Getpeername(fd))
	if !s.peers.enter(peer.Addr(), s.cfg.PeerConnsMax) {
		s.conns.Add(-1)
		if now := a.lane.loop.Now(); now.Sub(a.warnedOf) >= warnEvery {
			a.warnedOf = now
			s.cfg.Log.Warn("too many connections from one peer: further ones are closed", "peer", peer.Addr(), "max", s.cfg.PeerConnsMax)
		}
		_ = unix.Close(fd)
		return
	}
	to := s.lanes[0]
	for _, l := range s.lanes[1:] {
		if l.count.Load() < to.count.Load() {
			to = l
		}
	}
	to.count.Add(1)
	cn := &conn{lane: to, programs: a.programs, fd: fd, peer: peer}
	if to == a.lane {
		to.adopt(cn, a.congestion)
		return
	}
	if err := to.loop.Post(loop.TaskFunc(func() { to.adopt(cn, a.congestion) })); err != nil {
		_ = unix.Close(fd)
		to.count.Add(-1)
		s.conns.Add(-1)
		s.peers.leave(peer.Addr())
	}
}

// adopt begins to serve a connection, on its lane. congestion is the congestion
// control for peers that are not on this machine; empty for what the connection has.
func (l *lane) adopt(cn *conn, congestion string) {
	cn.records.Init(l.srv.cfg.RecordMax, fragmentsMax)
	cn.nxt = l.conns
	if l.conns != nil {
		l.conns.prev = cn
	}
	l.conns = cn
	if l.draining {
		// The loop may be over; nothing is begun any more.
		_ = unix.Close(cn.fd)
		cn.dead, cn.closed = true, true
		l.remove(cn)
		return
	}
	for _, o := range []struct{ level, name, value int }{
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepIdleSeconds},
	} {
		// A connection that died meanwhile refuses; its receive will say so.
		_ = unix.SetsockoptInt(cn.fd, o.level, o.name, o.value)
	}
	cn.local = sockAddr(unix.Getsockname(cn.fd))
	cn.zc.local = cn.peer.Addr().IsLoopback() || cn.peer.Addr() == cn.local.Addr()
	if !cn.zc.local && congestion != "" {
		_ = unix.SetsockoptString(cn.fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestion)
	}
	cn.touch()
}

// keepIdleSeconds is when the kernel begins to ask whether an idle peer is alive.
const keepIdleSeconds = 300

func sockAddr(sa unix.Sockaddr, err error) netip.AddrPort {
	if err != nil {
		return netip.AddrPort{}
	}
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}
