package sockdiag

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func kernel(t *testing.T) *Kernel {
	t.Helper()
	k, err := Open()
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EAFNOSUPPORT) {
		t.Skipf("needs netlink: %v", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, k.Close()) })
	return k
}

// connect returns both ends of a connection.
func connect(t *testing.T, network, addr string) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Skipf("needs %s: %v", addr, err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	s, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

func port(a net.Addr) netip.AddrPort { return netip.MustParseAddrPort(a.String()) }

func TestTheOwnerOfAConnectedSocketIsFound(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(at, func(t *testing.T) {
			k := kernel(t)
			c, s := connect(t, "tcp", at)
			uid, err := k.Owner(TCP, port(s.RemoteAddr()), port(s.LocalAddr()), 0)
			require.NoError(t, err)
			require.EqualValues(t, os.Geteuid(), uid)

			other := netip.AddrPortFrom(port(s.RemoteAddr()).Addr(), port(s.RemoteAddr()).Port()^1)
			_, err = k.Owner(TCP, other, port(s.LocalAddr()), 0)
			require.ErrorIs(t, err, ErrNotFound, "the neighbour of its port")

			require.NoError(t, c.CloseWrite())
			_, err = io.ReadAll(s)
			require.NoError(t, err)
			uid, err = k.Owner(TCP, port(s.RemoteAddr()), port(s.LocalAddr()), 0)
			require.NoError(t, err, "a process still has it")
			require.EqualValues(t, os.Geteuid(), uid)
			uid, err = k.Owner(TCP, port(s.LocalAddr()), port(s.RemoteAddr()), 0)
			require.NoError(t, err, "and the other end, which its peer will send no more to")
			require.EqualValues(t, os.Geteuid(), uid)
		})
	}
}

func TestIPv4ThroughASocketOfIPv6IsFound(t *testing.T) {
	k := kernel(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skipf("needs IPv6: %v", err)
	}
	defer func() { require.NoError(t, unix.Close(fd)) }()
	to := port(l.Addr())
	require.NoError(
		t,
		unix.Connect(
			fd,
			&unix.SockaddrInet6{Port: int(to.Port()), Addr: netip.AddrFrom16(to.Addr().As16()).As16()},
		),
	)
	s, err := l.Accept()
	require.NoError(t, err)
	defer s.Close()
	uid, err := k.Owner(
		TCP,
		port(s.RemoteAddr()),
		netip.AddrPortFrom(netip.AddrFrom16(to.Addr().As16()), to.Port()),
		0,
	)
	require.NoError(t, err)
	require.EqualValues(t, os.Geteuid(), uid)
}

// For the kernel a socket that its process has closed belongs to user 0.
func TestAClosedSocketHasNoOwner(t *testing.T) {
	k := kernel(t)
	for name, linger := range map[string]int{"in order": -1, "reset": 0} {
		t.Run(name, func(t *testing.T) {
			c, s := connect(t, "tcp", "127.0.0.1:0")
			own, other := port(s.RemoteAddr()), port(s.LocalAddr())
			require.NoError(t, c.SetLinger(linger))
			require.NoError(t, c.Close())
			// From here on the socket is an orphan, in FIN_WAIT2 or gone.
			_, err := k.Owner(TCP, own, other, 0)
			require.ErrorIs(t, err, ErrNotFound)
		})
	}
}

func TestAListenerIsNotTakenForThePeer(t *testing.T) {
	k := kernel(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, err = k.Owner(TCP, port(l.Addr()), netip.MustParseAddrPort("127.0.0.1:2049"), 0)
	require.ErrorIs(t, err, ErrNotFound)
	uid, err := k.Listener(TCP, port(l.Addr()))
	require.NoError(t, err)
	require.EqualValues(t, os.Geteuid(), uid)
}

func TestTheOwnerOfADatagramSocketIsFound(t *testing.T) {
	k := kernel(t)
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer server.Close()
	uid, err := k.Listener(UDP, port(server.LocalAddr()))
	require.NoError(t, err)
	require.EqualValues(t, os.Geteuid(), uid)

	connected, err := net.Dial("udp", server.LocalAddr().String())
	require.NoError(t, err)
	defer connected.Close()
	open, err := net.ListenUDP("udp4", nil)
	require.NoError(t, err)
	defer open.Close()
	for _, from := range []netip.AddrPort{
		port(connected.LocalAddr()),
		netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port(open.LocalAddr()).Port()),
	} {
		uid, err := k.Owner(UDP, from, port(server.LocalAddr()), 0)
		require.NoError(t, err, from)
		require.EqualValues(t, os.Geteuid(), uid)
	}
	gone := port(connected.LocalAddr())
	require.NoError(t, connected.Close())
	_, err = k.Owner(UDP, gone, port(server.LocalAddr()), 0)
	require.ErrorIs(t, err, ErrNotFound)
}

func TestAddressesOfThisMachineAreKnown(t *testing.T) {
	k := kernel(t)
	own := []string{"127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"}
	addrs, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addrs {
		own = append(own, a.(*net.IPNet).IP.String())
	}
	for _, a := range own {
		local, err := k.Local(netip.MustParseAddr(a), 0)
		require.NoError(t, err, a)
		require.True(t, local, a)
	}
	for _, a := range []string{"192.0.2.1", "2001:db8::1", "fe80::a:b:c:d", "8.8.8.8"} {
		local, err := k.Local(netip.MustParseAddr(a), 0)
		require.NoError(t, err, a)
		require.False(t, local, a)
	}
}

func TestAClosedKernelAnswersNothing(t *testing.T) {
	k := kernel(t)
	require.NoError(t, k.Close())
	_, err := k.Owner(TCP, netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("127.0.0.1:2"), 0)
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrNotFound)
}

func TestAConnectionWithoutItsPeerIsNotAlive(t *testing.T) {
	c, s := connect(t, "tcp", "127.0.0.1:0")
	raw, err := s.SyscallConn()
	require.NoError(t, err)
	alive := func() (alive bool) {
		require.NoError(t, raw.Control(func(fd uintptr) { alive = Alive(int(fd)) }))
		return alive
	}
	require.True(t, alive())
	require.NoError(t, c.SetLinger(0))
	require.NoError(t, c.Close())
	for end := time.Now().Add(time.Minute); alive(); time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(end), "the reset arrives")
	}
}
