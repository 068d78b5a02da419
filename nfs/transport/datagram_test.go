package transport

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
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

// A client that asked one address drops a reply from another.
func TestDatagramIsAnsweredFromTheAddressThatWasAsked(t *testing.T) {
	for name, asked := range map[string]string{"IPv4": "127.0.0.77", "IPv6": "::1"} {
		t.Run(name, func(t *testing.T) {
			addr := netip.MustParseAddr(asked)
			ln := listenUDP(t, addr.Is6())
			port := ln.Addr.Port()
			var local atomic.Value
			ln.Programs = rpc.NewServer(
				&rpc.Program{Name: "TEST", Number: testProgram, Versions: []rpc.Version{{
					Number: 1, Procedures: []rpc.Procedure{{Name: "NULL", Handle: func(c *rpc.Call) rpc.Outcome {
						local.Store(c.Local)
						return rpc.Done
					}}},
				}}},
			)
			startWith(t, ln)
			c, err := net.Dial("udp", netip.AddrPortFrom(addr, port).String())
			require.NoError(t, err)
			defer c.Close()
			patiently(c)
			for _, in := range [][]byte{{1, 2, 3}, {}, message(3, procNull, nil)[4:]} {
				_, err = c.Write(in)
				require.NoError(t, err)
			}
			b := make([]byte, 100)
			n, err := c.Read(b) // a connected socket takes datagrams from that address only
			require.NoError(t, err)
			require.Equal(t, 24, n)
			require.Equal(t, netip.AddrPortFrom(addr, port), local.Load())
		})
	}
}

// A sender that forges another machine's address must not be able to flood that machine.
func TestDatagramRepliesAreNotMuchLongerThanTheirCalls(t *testing.T) {
	ln := listenUDP(t, false)
	port := ln.Addr.Port()
	ln.Programs = rpc.NewServer((&testServer{t: t}).program())
	startWith(t, ln)
	c, err := net.Dial("udp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port).String())
	require.NoError(t, err)
	defer c.Close()
	patiently(c)
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

// payer pays at once, and notes it.
type payer atomic.Bool

func (p *payer) Pay() vfs.Status { (*atomic.Bool)(p).Store(true); return vfs.OK }

func TestADatagramsReplyWaitsForStableStorage(t *testing.T) {
	ln := listenUDP(t, false)
	port := ln.Addr.Port()
	var p payer
	ln.Programs = rpc.NewServer(&rpc.Program{Name: "TEST", Number: testProgram, Versions: []rpc.Version{{
		Number: 1, Procedures: []rpc.Procedure{{Name: "NULL", Handle: func(c *rpc.Call) rpc.Outcome {
			c.Place.Thread.Debts.Owe(&p)
			return rpc.Done
		}}},
	}}})
	startWith(t, ln)
	c := dialDatagrams(t, "127.0.0.1", port)
	c.send(1, procNull)
	c.hears(1)
	require.True(t, (*atomic.Bool)(&p).Load())
}

// datagrams is a socket for calls by UDP that comes from an address of the loopback network.
type datagrams struct {
	t  *testing.T
	nc net.Conn
}

func dialDatagrams(t *testing.T, from string, port uint16) datagrams {
	t.Helper()
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port))
	nc, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(from)}, to)
	require.NoError(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	patiently(nc)
	return datagrams{t, nc}
}

func (d datagrams) send(xid, proc uint32) {
	d.t.Helper()
	_, err := d.nc.Write(message(xid, proc, opaque(nil))[markLen:])
	require.NoError(d.t, err)
}

// hears asserts that the next reply is to xid.
func (d datagrams) hears(xid uint32) {
	d.t.Helper()
	b := make([]byte, 100)
	_, err := d.nc.Read(b)
	require.NoError(d.t, err)
	require.Equal(d.t, xid, binary.BigEndian.Uint32(b))
}

// The server may have to ask other machines who a user is.
func TestDatagramsWaitForNobodyWhoIsNotKnown(t *testing.T) {
	for name, anybody := range map[string]bool{"it matters who calls": false, "it does not": true} {
		t.Run(name, func(t *testing.T) {
			ln := listenUDP(t, false)
			port := ln.Addr.Port()
			program := (&testServer{t: t}).program()
			program.Anybody = anybody
			ln.Programs = rpc.NewServer(program)
			hang := make(chan struct{})
			var asked, running, known atomic.Int32
			serveDatagrams(t, ln, func(c *Config) {
				c.Origin = func(e Ends) (*rpc.Origin, func() *rpc.Origin) {
					asked.Add(1)
					is, _ := userByAddress(e)
					if is.UID == 1001 || known.Load() > 0 {
						return is, nil
					}
					return is, func() *rpc.Origin {
						running.Add(1)
						<-hang
						known.Add(1)
						return is
					}
				}
			})
			let := sync.OnceFunc(func() { close(hang) })
			t.Cleanup(let)
			slow, other := dialDatagrams(t, "127.0.0.2", port), dialDatagrams(t, "127.0.0.1", port)
			for xid := range uint32(100) {
				slow.send(xid, procEcho)
				if anybody {
					slow.hears(xid)
				}
			}
			slow.send(1000, procNull)
			slow.hears(1000)
			other.send(1001, procEcho)
			other.hears(1001)
			if anybody {
				require.Zero(t, asked.Load())
				return
			}
			until(t, func() bool { return running.Load() == 1 }, "it is asked for")
			// However many further questions there are, those under way are bounded.
			for i := range 50 {
				many := dialDatagrams(t, fmt.Sprintf("127.0.0.%d", 10+i), port)
				many.send(7, procEcho)
				many.send(8, procNull)
				many.hears(8)
			}
			until(t, func() bool { return running.Load() == 32 }, "they are asked for")
			require.EqualValues(t, 1+100+50, asked.Load())
			let()
			until(t, func() bool { return known.Load() == 32 }, "it has been found out")
			slow.send(1002, procEcho)
			slow.hears(1002)
			require.EqualValues(t, 32, running.Load())
		})
	}
}

func TestADatagramSaysNoMoreOfItsCallerThanIsSo(t *testing.T) {
	ln := listenUDP(t, false)
	port := ln.Addr.Port()
	ln.Programs = rpc.NewServer((&testServer{t: t}).program())
	serveDatagrams(t, ln, func(c *Config) {
		c.Origin = func(Ends) (*rpc.Origin, func() *rpc.Origin) {
			return &rpc.Origin{Trust: rpc.Shut, UID: 7}, nil
		}
	})
	c := dialDatagrams(t, "127.0.0.1", port)
	for proc, denied := range map[uint32]bool{procNull: false, procEcho: true} {
		c.send(proc, proc)
		b := make([]byte, 100)
		n, err := c.nc.Read(b)
		require.NoError(t, err)
		require.Equal(t, denied, n == 20 && b[11] == 1 && b[19] == 5, "MSG_DENIED with AUTH_TOOWEAK")
	}
}

// startWith serves the listener until the test ends.
func startWith(t *testing.T, ln Listener) {
	t.Helper()
	serveDatagrams(t, ln, func(*Config) {})
}

// serveDatagrams is startWith with a configuration that is changed.
func serveDatagrams(t *testing.T, ln Listener, change func(*Config)) {
	t.Helper()
	cfg := testConfig()
	change(&cfg)
	srv, err := New(cfg)
	require.NoError(t, err)
	require.NoError(t, srv.Start([]Listener{ln}))
	t.Cleanup(func() { require.NoError(t, srv.Close()) })
}
