package transport

import (
	"encoding/binary"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/bufring"
	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// dialSlow connects from an address, with a receive buffer that is soon full.
func (ts *testServer) dialSlow(addr string) net.Conn {
	ts.t.Helper()
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addr)}}).Dial("tcp", ts.addr)
	require.NoError(ts.t, err)
	require.NoError(ts.t, c.(*net.TCPConn).SetReadBuffer(4096))
	patiently(c)
	ts.t.Cleanup(func() { _ = c.Close() })
	return c
}

// startPatient starts a server that never gives a peer up.
func startPatient(t *testing.T, change func(*Config)) *testServer {
	t.Helper()
	cfg := testConfig()
	change(&cfg)
	srv, err := New(cfg)
	require.NoError(t, err)
	srv.tick = time.Hour
	fd, addr := listenTCP(t)
	ts := &testServer{t: t, srv: srv, addr: addr}
	require.NoError(t, srv.Start([]Listener{{FD: fd, Programs: rpc.NewServer(ts.program())}}))
	t.Cleanup(func() { require.NoError(t, srv.Close()) })
	return ts
}

// fill is the argument of procFill.
func fill(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// hog makes a peer ask, by so many connections, for more than it is ever given, and take nothing of
// it, until the lane holds as many slabs for the peer as it will.
func (ts *testServer) hog(addr string, conns int, proc, calls uint32) {
	ts.t.Helper()
	for range conns {
		c := ts.dialSlow(addr)
		var all []byte
		for xid := range calls {
			all = append(all, message(xid, proc, fill(1<<20-100))...)
		}
		_, err := c.Write(all)
		require.NoError(ts.t, err)
	}
	until(ts.t, func() bool {
		return conns == ts.onLane(func(l *lane) (stopped int) {
			for cn := l.conns; cn != nil; cn = cn.nxt {
				if cn.waiting > 0 || cn.unsent >= l.srv.cfg.OutputMax {
					stopped++
				}
			}
			return stopped
		})
	}, "the replies of slow readers fill the memory")
}

// Slow readers keep only themselves waiting.
func TestSlowReadersKeepNobodyElseWaiting(t *testing.T) {
	const mine, theirs = "127.0.0.1", "127.0.0.2"
	for name, c := range map[string]struct {
		send, conns int
		from        string
	}{
		"more of one household than there are slabs": {send: 24 << 20, conns: 30, from: theirs},
		"a few of the same household":                {send: 64 << 20, conns: 12, from: mine},
	} {
		t.Run(name, func(t *testing.T) {
			ts := startPatient(t, func(cfg *Config) { cfg.SendBytes, cfg.ReadPath = c.send, PathCopy })
			ts.hog(c.from, c.conns, procFill, 16)
			victim := ts.dialFrom(mine)
			for xid := uint32(100); xid < 104; xid++ {
				_, err := victim.Write(
					append(message(2*xid, procFill, fill(1<<20-100)), message(2*xid+1, procNull, nil)...),
				)
				require.NoError(t, err)
				for range 2 {
					got, _ := reply(t, victim)
					require.Equal(t, xid, got/2)
				}
			}
			// A reply that has arrived gives its slab back when its send has completed.
			until(
				t,
				func() bool { return ts.onLane(func(l *lane) int { return l.slabs.Free(bufring.Large) }) > 0 },
				"something is left for those who come later",
			)
		})
	}
}

// If a household has more slow readers than there are slabs of a size, its other connections get
// shorter answers and wait for nobody.
func TestReadsAreShortRatherThanWaitForSlowReaders(t *testing.T) {
	ts := startPatient(t, func(cfg *Config) {
		cfg.SendBytes, cfg.ReadPath, cfg.OutputMax = 96<<20, PathCopy, 128<<10
	})
	ts.hog("127.0.0.1", 60, procShort, 300)
	victim := ts.dialFrom("127.0.0.1")
	short := 0
	for xid := range uint32(20) {
		_, err := victim.Write(
			append(message(2*xid, procShort, fill(1<<20-100)), message(2*xid+1, procNull, nil)...),
		)
		require.NoError(t, err)
		for range 2 {
			got, res := reply(t, victim)
			require.Equal(t, xid, got/2)
			if got%2 == 0 {
				require.GreaterOrEqual(t, len(res), 2048)
				if len(res) < 1<<20-100 {
					short++
				}
			}
		}
	}
	// Bytes on their way to the slow readers may still leave, and make room for a whole answer.
	require.Positive(t, short)
	other := ts.dialFrom("127.0.0.2")
	_, err := other.Write(message(7, procShort, fill(1<<20-100)))
	require.NoError(t, err)
	_, res := reply(t, other)
	require.Len(t, res, 4+1<<20-100, "who holds nothing gets all")
}

func TestNoHouseholdGetsAllPipes(t *testing.T) {
	var pp pipePool
	pp.open(64<<10, PipesDefault)
	if pp.made < 8 {
		t.Skipf("needs pipes, and the kernel gives %d", pp.made)
	}
	var h, other house
	conns := make([]account, pp.made)
	var lent []*pipe
	for i := range conns {
		conns[i].house = &h
		for p := pp.take(&conns[i]); p != nil; p = pp.take(&conns[i]) {
			lent = append(lent, p)
		}
	}
	require.Equal(t, pp.made-pp.made/8, len(lent))
	require.Equal(t, len(lent), h.pipes)
	require.Equal(t, pp.made-pp.made/2, conns[0].pipes, "one alone gets half")
	stranger := account{house: &other}
	p := pp.take(&stranger)
	require.NotNil(t, p)
	for _, p := range append(lent, p) {
		pp.put(p)
	}
	require.Zero(t, h.pipes+other.pipes+conns[0].pipes+conns[1].pipes+stranger.pipes)
	require.Zero(t, pp.outstanding())
	require.NoError(t, pp.close())
}
