package transport

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/uring"
)

// link has a server at one end and clients at the other.
type link struct {
	*nfstest.Veth
	t *testing.T
}

func newLink(t *testing.T) *link {
	t.Helper()
	return &link{Veth: nfstest.NewVeth(t), t: t}
}

// serve is startTails with a server at one end of the link.
func (l *link) serve(path ReadPath, hold chan struct{}, change func(*Config, *Server)) *testServer {
	l.t.Helper()
	ts := &testServer{t: l.t, hold: hold}
	cfg := testConfig()
	cfg.ReadPath, cfg.SpliceFrom = path, 32<<10
	srv, err := New(cfg)
	require.NoError(l.t, err)
	if change != nil {
		change(&srv.cfg, srv)
	}
	ts.srv = srv
	var fd int
	l.In(l.Server, func() (err error) {
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		at := netip.MustParseAddr(nfstest.VethServer).As4()
		if err = unix.Bind(fd, &unix.SockaddrInet4{Addr: at}); err != nil {
			return err
		}
		return unix.Listen(fd, 16)
	})
	sa, err := unix.Getsockname(fd)
	require.NoError(l.t, err)
	ts.addr = sockAddr(sa, nil).String()
	require.NoError(l.t, srv.Start([]Listener{{FD: fd, Programs: rpc.NewServer(ts.program())}}))
	l.t.Cleanup(func() {
		drain(l.t, srv)
	})
	if r := srv.lanes[0].ring; !r.Has(uring.SendZC|uring.SendMsgZC) || !srv.lanes[0].reportUsage {
		l.t.Skip("needs IORING_OP_SENDMSG_ZC with IORING_SEND_ZC_REPORT_USAGE: Linux 6.2")
	}
	return ts
}

func (l *link) dial(ts *testServer) net.Conn {
	l.t.Helper()
	var c net.Conn
	l.In(l.Peer, func() (err error) {
		// An address as numbers: the dialer makes its socket on this thread.
		to := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(ts.addr))
		c, err = net.DialTCP("tcp4", nil, to)
		return err
	})
	patiently(c)
	l.t.Cleanup(func() { _ = c.Close() })
	return c
}

// Between namespaces the kernel copies, and says so. auto tries zero-copy a few times, then
// splices, and tries once more after ever more replies.
func TestAutoLeavesZeroCopyWhereItIsCopiedAndComesBackNowAndThen(t *testing.T) {
	l := newLink(t)
	ts := l.serve(PathAuto, nil, nil)
	c := l.dial(ts)
	xid := uint32(0)
	replies := func(n int) (now Stats) {
		for range n {
			xid++
			want := asked{}
			_, err := c.Write(want.tail(nil, xid, 40_000, tailLane))
			require.NoError(t, err)
			want.read(t, c)
		}
		// The last reply may arrive before it is counted.
		until(t, func() bool {
			now = ts.srv.Stats()[0]
			return now.Pinned == 0 && now.ZeroCopy+now.Spliced == uint64(xid)
		}, "all replies are counted")
		return now
	}
	// A notification may come after the next reply has gone.
	const late = 4
	first := replies(200)
	require.GreaterOrEqual(t, int(first.ZeroCopy), strikesMax)
	require.LessOrEqual(t, int(first.ZeroCopy), strikesMax+late)
	require.Equal(t, first.ZeroCopy, first.Copied, "a veth pair copies")

	same := replies(trialAfter - 200 - 2*strikesMax)
	require.Equal(t, first.ZeroCopy, same.ZeroCopy, "it comes back too early")
	once := replies(4 * strikesMax)
	require.Greater(t, once.ZeroCopy, first.ZeroCopy, "it does not come back")
	require.LessOrEqual(t, once.ZeroCopy, first.ZeroCopy+late)
	twice := replies(2*trialAfter - 8*strikesMax)
	require.Equal(t, once.ZeroCopy, twice.ZeroCopy, "the second time takes longer")
	require.Equal(t, twice.ZeroCopy, twice.Copied)
	ts.pipesReturn()
}

// The link goes down under a reply. The reply is on its way: nobody has copied or acknowledged it.
// The peer is dropped at the deadline, and its slabs come back.
func TestPeerBehindADeadLinkKeepsItsSlabsUntilTheDeadline(t *testing.T) {
	l := newLink(t)
	hold := make(chan struct{})
	ts := l.serve(PathZeroCopy, hold, func(_ *Config, s *Server) { s.tick = time.Hour })
	c := l.dial(ts)
	_, err := c.Write(message(1, procSleep, opaque(make([]byte, 200_000))))
	require.NoError(t, err)
	until(t, func() bool { return ts.running.Load() == 1 }, "the call waits")
	l.IP("-n", l.Peer, "link", "set", "v0", "down")
	close(hold)
	until(t, func() bool { return ts.srv.Stats()[0].Pinned > 0 }, "the reply is sent")
	require.Zero(t, ts.srv.Stats()[0].Copied)
	var later time.Duration
	until(t, func() bool {
		ts.tickLater(&later)
		return ts.srv.Connections() == 0 && ts.srv.Stats()[0].Pinned == 0
	}, "the peer is dropped, and its slabs are free")
	s := ts.srv.Stats()[0]
	require.EqualValues(t, 1, s.ZeroCopy)
	require.Zero(t, s.Copied, "a dead link copies nothing")
}
