package transport

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// lockedLog keeps what is logged.
type lockedLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lockedLog) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

// dialFrom connects from an address of the loopback network.
func (ts *testServer) dialFrom(from string) net.Conn {
	ts.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", ts.addr)
	require.NoError(ts.t, err)
	patiently(c)
	ts.t.Cleanup(func() { _ = c.Close() })
	return c
}

// answers asserts that a call on c is answered.
func answers(t *testing.T, c net.Conn) {
	t.Helper()
	_, err := c.Write(message(1, procNull, nil))
	require.NoError(t, err)
	reply(t, c)
}

func TestOnePeerCannotTakeTheConnectionsOfOthers(t *testing.T) {
	var log lockedLog
	ts := startTest(t, func(c *Config) {
		c.Lanes, c.ConnsMax, c.PeerConnsMax = 2, 100, 20
		c.Origin = nil // as peers elsewhere are
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	var mine []net.Conn
	for range 20 {
		c := ts.dialFrom("127.0.0.1")
		answers(t, c)
		mine = append(mine, c)
	}
	for range 5 {
		closedByServer(t, ts.dialFrom("127.0.0.1"))
	}
	closedByServer(t, ts.dialFrom("127.0.0.2")) // it is the same machine
	require.Equal(t, 1, log.count("too many connections"), "it is not said for each")
	require.Equal(t, 1, log.count("peer=127.0.0.1"))
	require.Equal(t, 1, log.count("remedy="))

	require.NoError(t, mine[0].Close())
	until(t, func() bool { return ts.srv.Connections() == 19 }, "it is gone")
	answers(t, ts.dialFrom("127.0.0.1"))
}

// rootAndUsers makes 127.0.0.1 root, and other addresses users about whom a slow question must be
// asked.
func rootAndUsers(e Ends) (*rpc.Origin, func() *rpc.Origin) {
	is, _ := userByAddress(e)
	if is.UID == 1001 {
		return &rpc.Origin{Trust: rpc.Believed}, nil
	}
	return &rpc.Origin{Trust: rpc.Nameless, UID: is.UID}, func() *rpc.Origin { return is }
}

// ended asserts that all connections have left the census as the household that they entered as.
func (ts *testServer) ended() {
	ts.t.Helper()
	until(ts.t, func() bool { return ts.srv.Connections() == 0 }, "all connections are gone")
	c := &ts.srv.peers
	c.mu.Lock()
	defer c.mu.Unlock()
	require.Zero(ts.t, c.guests)
	require.Empty(ts.t, c.by)
}

func TestUsersOfTheMachineKeepNobodyElseOut(t *testing.T) {
	for name, reserve := range map[string]bool{"without a reserve lane": false, "with one": true} {
		t.Run(name, func(t *testing.T) {
			var log lockedLog
			ts := startTest(t, func(c *Config) {
				c.Lanes, c.ConnsMax, c.PeerConnsMax, c.Reserve, c.Origin = 2, 100, 20, reserve, rootAndUsers
				c.Log = slog.New(slog.NewTextHandler(&log, nil))
			})
			var all []net.Conn
			serves := func(from string, n int) {
				t.Helper()
				for range n {
					c := ts.dialFrom(from)
					answers(t, c)
					all = append(all, c)
				}
			}
			serves("127.0.0.2", 20)
			closedByServer(t, ts.dialFrom("127.0.0.2"))
			require.Equal(t, 1, log.count("too many connections of a user of this machine"))
			serves("127.0.0.3", 20)
			serves("127.0.0.4", 10) // half of all are users'
			closedByServer(t, ts.dialFrom("127.0.0.4"))
			closedByServer(t, ts.dialFrom("127.0.0.5"))
			require.Equal(t, 1, log.count("too many connections of users of this machine"))
			serves("127.0.0.1", 50) // root has all that there is
			closedByServer(t, ts.dialFrom("127.0.0.1"))
			require.Equal(t, 3, log.count("too many connections"))
			require.Equal(t, 3, log.count("remedy="))
			for i, c := range all {
				if i%2 == 0 {
					reset(t, c)
				} else {
					require.NoError(t, c.Close())
				}
			}
			ts.ended()
			serves("127.0.0.2", 20)
		})
	}
}

// This holds also if the server never finds out who they are.
func TestUsersWhoAreStillAskedForCount(t *testing.T) {
	hang := make(chan struct{})
	ts := startTest(t, func(c *Config) {
		c.ConnsMax, c.PeerConnsMax = 40, 10
		c.Origin = func(e Ends) (*rpc.Origin, func() *rpc.Origin) {
			is, later := rootAndUsers(e)
			if later != nil {
				later = func() *rpc.Origin { <-hang; return &rpc.Origin{Trust: rpc.Bound, UID: is.UID} }
			}
			return is, later
		}
	})
	t.Cleanup(func() { close(hang) })
	for range 10 {
		ts.dialFrom("127.0.0.2")
	}
	closedByServer(t, ts.dialFrom("127.0.0.2"))
	for range 30 {
		answers(t, ts.dial())
	}
}

// A user whom the server does not serve has no use for the connection.
func TestAConnectionThatIsNotServedEndsWhenItHasBeenTold(t *testing.T) {
	ts := startQuick(t, func(c *Config) {
		c.Origin = func(Ends) (*rpc.Origin, func() *rpc.Origin) {
			return &rpc.Origin{Trust: rpc.Shut, UID: 7}, nil
		}
	})
	for range 3 {
		c := ts.dial()
		_, err := c.Write(message(1, procEcho, opaque(nil)))
		require.NoError(t, err)
		b, err := io.ReadAll(c)
		require.NoError(t, err, "it ends in order")
		// A record mark, XID, REPLY, MSG_DENIED, AUTH_ERROR, AUTH_TOOWEAK.
		require.Len(t, b, 24)
		require.EqualValues(t, 5, b[23])
		require.NoError(t, c.Close())
	}
	ts.ended()
}

// startQuick is startTest with ticks that come soon.
func startQuick(t testing.TB, change func(*Config)) *testServer {
	t.Helper()
	return startWhere(t, nil, change, func(s *Server) { s.tick = time.Millisecond })
}

func TestConnectionsBeyondAllAreClosedAndTheRestIsServed(t *testing.T) {
	ts := startTest(t, func(c *Config) { c.ConnsMax, c.Origin = 3, nil })
	var all []net.Conn
	for range 3 {
		all = append(all, ts.dial())
		answers(t, all[len(all)-1])
	}
	closedByServer(t, ts.dial())
	for _, c := range all {
		answers(t, c)
	}
}

// A client's nconnect is at most 16. Several mounts of many clients behind one address are still
// far below the bound.
func TestPeerConnectionsByDefaultAreAQuarterOfAll(t *testing.T) {
	for conns, want := range map[int]int{0: ConnsDefault / 4, 640: 160, 100: 64, 10: 10} {
		cfg := testConfig()
		cfg.ConnsMax = conns
		require.NoError(t, cfg.fill())
		require.Equal(t, want, cfg.PeerConnsMax, "of %d", conns)
		require.Equal(t, cfg.ConnsMax/2, cfg.GuestConnsMax)
	}
}

func TestCensusCountsAnIPv6NetworkAsOnePeer(t *testing.T) {
	var c census
	of := func(a string) *conn { return &conn{house: rpc.Household(netip.MustParseAddr(a))} }
	enter := func(a string) bool { return c.enter(of(a), 2, 0) == crowdNone }
	require.True(t, enter("2001:db8:1:2::1"))
	require.True(t, enter("2001:db8:1:2:ffff::2"))
	require.False(t, enter("2001:db8:1:2::3"))
	require.True(t, enter("2001:db8:1:3::3"), "another network")
	for _, a := range []string{"fe80::1", "fe80::2", "fe80::3", "192.0.2.1", "192.0.2.2", "192.0.2.3"} {
		require.True(t, enter(a), a)
	}
	c.leave(of("2001:db8:1:2::9"))
	require.True(t, enter("2001:db8:1:2::3"))
	for range 2 {
		c.leave(of("2001:db8:1:2::1"))
	}
	c.leave(of("2001:db8:1:3::3"))
	for _, a := range []string{"fe80::1", "fe80::2", "fe80::3", "192.0.2.1", "192.0.2.2", "192.0.2.3"} {
		c.leave(of(a))
	}
	require.Empty(t, c.by)
}
