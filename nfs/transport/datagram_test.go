package transport

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// listenUDP binds a UDP socket to all addresses of a family.
func listenUDP(t *testing.T, six bool) Listener {
	t.Helper()
	domain, sa := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{})
	if six {
		domain, sa = unix.AF_INET6, &unix.SockaddrInet6{}
	}
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no sockets of this family: %v", err)
	}
	require.NoError(t, unix.Bind(fd, sa))
	got, err := unix.Getsockname(fd)
	require.NoError(t, err)
	return Listener{FD: fd, Datagram: true, Addr: sockAddr(got, nil)}
}

// A client that asked one address and is answered from another drops the reply.
func TestDatagramIsAnsweredFromTheAddressThatWasAsked(t *testing.T) {
	for name, asked := range map[string]string{"IPv4": "127.0.0.77", "IPv6": "::1"} {
		t.Run(name, func(t *testing.T) {
			addr := netip.MustParseAddr(asked)
			ln := listenUDP(t, addr.Is6())
			port := ln.Addr.Port()
			var local atomic.Value
			ln.Programs = rpc.NewServer(&rpc.Program{Name: "TEST", Number: testProgram, Versions: []rpc.Version{{
				Number: 1, Procedures: []rpc.Procedure{{Name: "NULL", Handle: func(c *rpc.Call) rpc.Outcome {
					local.Store(c.Local)
					return rpc.Done
				}}},
			}}})
			startWith(t, ln)
			c, err := net.Dial("udp", netip.AddrPortFrom(addr, port).String())
			require.NoError(t, err)
			defer c.Close()
			require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
			for _, in := range [][]byte{{1, 2, 3}, {}, message(3, procNull, nil)[4:]} {
				_, err = c.Write(in)
				require.NoError(t, err)
			}
			b := make([]byte, 100)
			n, err := c.Read(b) // a connected socket takes datagrams from the asked address only
			require.NoError(t, err)
			require.Equal(t, 24, n)
			require.Equal(t, netip.AddrPortFrom(addr, port), local.Load())
		})
	}
}

// Whoever gives another's address as his own must not have it flooded.
func TestDatagramRepliesAreNotMuchLongerThanTheirCalls(t *testing.T) {
	ln := listenUDP(t, false)
	port := ln.Addr.Port()
	ln.Programs = rpc.NewServer((&testServer{t: t}).program())
	startWith(t, ln)
	c, err := net.Dial("udp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port).String())
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	b := make([]byte, datagramMax)
	for n, refused := range map[int]bool{0: false, 3*44 - 28: false, 3*44 - 27: true, 8000: true, 65000: true, 1 << 20: true} {
		call := message(uint32(n), procFill, ask(n))[markLen:]
		require.Len(t, call, 44)
		_, err = c.Write(call)
		require.NoError(t, err)
		got, err := c.Read(b)
		require.NoError(t, err)
		require.LessOrEqual(t, got, 3*len(call))
		require.Equal(t, uint32(n), binary.BigEndian.Uint32(b))
		stat := binary.BigEndian.Uint32(b[20:])
		if refused {
			require.Equal(t, 24, got)
			require.EqualValues(t, 5, stat, "SYSTEM_ERR")
		} else {
			require.Equal(t, (24+4+n+3)&^3, got)
			require.Zero(t, stat)
		}
	}
}

// startWith serves the listener until the test ends.
func startWith(t *testing.T, ln Listener) {
	t.Helper()
	srv, err := New(testConfig())
	require.NoError(t, err)
	require.NoError(t, srv.Start([]Listener{ln}))
	t.Cleanup(func() { require.NoError(t, srv.Close()) })
}
