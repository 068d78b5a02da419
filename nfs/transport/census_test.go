package transport

import (
	"bytes"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
	require.NoError(ts.t, c.SetDeadline(time.Now().Add(20*time.Second)))
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
	for range 3 {
		answers(t, ts.dialFrom("127.0.0.2"))
	}
	require.Equal(t, 1, log.count("too many connections"), "it is not said for each")
	require.Equal(t, 1, log.count("peer=127.0.0.1"))

	require.NoError(t, mine[0].Close())
	require.Eventually(t, func() bool { return ts.srv.Connections() == 22 }, 10*time.Second, time.Millisecond)
	answers(t, ts.dialFrom("127.0.0.1"))
}

func TestConnectionsBeyondAllAreClosedAndTheRestIsServed(t *testing.T) {
	ts := startTest(t, func(c *Config) { c.ConnsMax = 3 })
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

// A client's nconnect is 16 at most; several mounts of many clients behind one
// address are still far below the bound.
func TestPeerConnectionsByDefaultAreAQuarterOfAll(t *testing.T) {
	for conns, want := range map[int]int{0: ConnsDefault / 4, 640: 160, 100: 64, 10: 10} {
		cfg := testConfig()
		cfg.ConnsMax = conns
		require.NoError(t, cfg.fill())
		require.Equal(t, want, cfg.PeerConnsMax, "of %d", conns)
	}
}

func TestCensusCountsAnIPv6NetworkAsOnePeer(t *testing.T) {
	var c census
	enter := func(a string) bool { return c.enter(netip.MustParseAddr(a), 2) }
	require.True(t, enter("2001:db8:1:2::1"))
	require.True(t, enter("2001:db8:1:2:ffff::2"))
	require.False(t, enter("2001:db8:1:2::3"))
	require.True(t, enter("2001:db8:1:3::3"), "another network")
	for _, a := range []string{"fe80::1", "fe80::2", "fe80::3", "192.0.2.1", "192.0.2.2", "192.0.2.3"} {
		require.True(t, enter(a), a)
	}
	c.leave(netip.MustParseAddr("2001:db8:1:2::9"))
	require.True(t, enter("2001:db8:1:2::3"))
	for range 2 {
		c.leave(netip.MustParseAddr("2001:db8:1:2::1"))
	}
	c.leave(netip.MustParseAddr("2001:db8:1:3::3"))
	for _, a := range []string{"fe80::1", "fe80::2", "fe80::3", "192.0.2.1", "192.0.2.2", "192.0.2.3"} {
		c.leave(netip.MustParseAddr(a))
	}
	require.Empty(t, c.by)
}
