package transport

import (
	"log/slog"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// acceptor takes new connections from one listening socket and deals them out. It lives on the
// reserve lane, which moves whatever file systems do, or, without a reserve lane, on the first
// lane.
type acceptor struct {
	lane     *lane
	fd       int
	programs *rpc.Server
	id       loop.ID // the accept in flight, 0 for none
	// congestion is the congestion control for connections from other machines; see unpace.
	congestion string
	stopping   bool
}

// arm starts the multishot accept, if it is not in flight. The lane's tick also calls arm, so that
// an accept that ended for want of descriptors is tried again.
func (a *acceptor) arm() {
	if a.id != 0 || a.stopping {
		return
	}
	id, sqe := a.lane.loop.Begin(a, 0)
	flags := uint32(unix.SOCK_CLOEXEC)
	if a.lane.srv.cfg.ReadPath.Splices() {
		// splice(2) needs O_NONBLOCK to return at once. Operations of the ring wait in
		// spite of it.
		flags |= unix.SOCK_NONBLOCK
	}
	sqe.PrepAcceptMultishot(a.fd, flags)
	a.id = id
}

// retry is called once per tick. It arms an accept that ended with an error, and repeats a
// cancellation that came at the wrong moment.
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
	s := a.lane.srv
	switch errno := unix.Errno(-res); {
	case res >= 0:
		a.deal(int(res))
	case errno == unix.EMFILE, errno == unix.ENFILE, errno == unix.ENOBUFS, errno == unix.ENOMEM:
		if errno == unix.EMFILE || errno == unix.ENFILE {
			a.lane.srv.shed()
		}
		s.say(&s.limits.accept, slog.LevelWarn, "cannot accept a connection", "error", errno,
			"remedy", "raise the limit on open files")
	case errno == unix.ECONNABORTED, errno == unix.EPROTO, errno == unix.EPERM,
		errno == unix.EINTR, errno == unix.EAGAIN:
		// The peer gave up before the accept, for example.
		s.say(&s.limits.acceptDebug, slog.LevelDebug, "accept failed", "error", errno)
		a.arm()
	case errno == unix.ECANCELED:
	default:
		// The error may last. An accept that is tried again at once could keep the lane
		// busy with nothing else.
		s.say(&s.limits.accept, slog.LevelWarn, "cannot accept a connection", "error", errno)
	}
	if a.stopping && a.id == 0 {
		a.close()
	} else if res >= 0 {
		a.arm()
	}
}

// stop ends accepting. The acceptor leaves the lane when none of its operations is in flight.
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

// deal gives a new connection to a lane, unless there are too many connections.
func (a *acceptor) deal(fd int) {
	s := a.lane.srv
	if a.stopping || int(s.conns.Add(1)) > s.cfg.ConnsMax {
		if !a.stopping {
			s.conns.Add(-1)
			s.say(
				&s.limits.full,
				slog.LevelWarn,
				"too many connections: new ones are closed",
				"max",
				s.cfg.ConnsMax,
				"remedy",
				moreConns,
			)
		}
		_ = unix.Close(fd)
		return
	}
	sa, err := unix.Getpeername(fd)
	cn := newConn(a.programs, fd)
	cn.id = s.accepted.Add(1)
	cn.peer, cn.device = sockAddr(sa, err), deviceOf(sa)
	cn.local = sockAddr(unix.Getsockname(fd))
	s.identify(cn)
	if !s.admit(cn) {
		s.conns.Add(-1)
		_ = unix.Close(fd)
		return
	}
	s.directory.add(cn)
	a.lane.deal(cn, a.congestion)
}

// adopt begins to serve a connection, on its lane. congestion is the congestion control for peers
// on other machines; empty means to keep what the connection has.
func (l *lane) adopt(cn *conn, congestion string) {
	cn.records.Init(l.srv.cfg.RecordMax, rpc.EmptyMax)
	if cn.born.IsZero() { // else another lane had it before
		cn.born = time.Now()
	}
	cn.nxt = l.conns
	if l.conns != nil {
		l.conns.prev = cn
	}
	l.conns = cn
	l.moveIn(cn)
	if l.draining {
		// The loop may be over; then the lane begins nothing any more.
		cn.forgotten()
		_ = unix.Close(cn.fd)
		cn.become(lifeClosed)
		l.remove(cn)
		return
	}
	for _, o := range []struct{ level, name, value int }{
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepIdleSeconds},
	} {
		// A connection that died meanwhile refuses the option; its receive will tell.
		_ = unix.SetsockoptInt(cn.fd, o.level, o.name, o.value)
	}
	l.ask(cn)
	cn.zc.local = cn.peer.Addr().IsLoopback() || cn.peer.Addr() == cn.local.Addr()
	if !cn.zc.local && congestion != "" {
		_ = unix.SetsockoptString(cn.fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestion)
	}
	cn.reached(l)
	cn.touch()
}

// keepIdleSeconds is how long a peer is idle before the kernel asks whether it is alive.
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

// deviceOf returns the number of the link that an address belongs to, 0 if it belongs to none.
func deviceOf(sa unix.Sockaddr) uint32 {
	if a, ok := sa.(*unix.SockaddrInet6); ok {
		return a.ZoneId
	}
	return 0
}
