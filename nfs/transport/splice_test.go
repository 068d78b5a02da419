package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// procTail returns as many bytes as its first argument says, by a pipe if one is lent. Its second
// argument says how.
const procTail = 6

// What procTail does with the pipe.
const (
	tailLane   = iota // on the lane
	tailWorker        // takes the pipe on the lane and fills it on a worker
	tailMemory        // does not ask for a pipe
	// The following ones fill the pipe, and then ...
	tailFail   // return SYSTEM_ERR
	tailPanic  // panic
	tailGrow   // encode more than there is room for
	tailWeak   // want a stronger credential
	tailLess   // say that there is more in it
	tailMore   // say that there is less in it
	tailForget // answer through memory
)

// tailBytes are the bytes of the reply to xid.
func tailBytes(xid uint32, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(uint32(i)*7 + uint32(i>>9) + xid*131)
	}
	return b
}

func tail(c *rpc.Call) rpc.Outcome {
	n, how := int(c.Args.Uint32()), c.Args.Uint32()
	data := tailBytes(c.XID, n)
	if c.Pipes != nil && how != tailMemory {
		if p := c.Pipes.Pipe(n); p != nil {
			if how == tailWorker && !c.Place.Thread.MayWait {
				return rpc.Wait
			}
			if m, err := unix.Write(p.WriteFD, data); m != n || err != nil {
				panic("the pipe that was lent has no room")
			}
			c.Tail = rpc.TailOf(p, n)
			switch how {
			case tailFail:
				return rpc.SystemErr
			case tailPanic:
				panic("as the test wants")
			case tailGrow:
				c.Reply.Reserve(1 << 24)
			case tailWeak:
				return rpc.TooWeak
			case tailLess:
				c.Tail.Len += 4
			case tailMore:
				c.Tail.Len -= 4
			case tailForget:
				c.Tail = rpc.Tail{}
				if !c.Room(n + 8) {
					return rpc.Grow
				}
				c.Reply.Opaque(data)
				return rpc.Done
			}
			c.Reply.Uint32(uint32(n))
			return rpc.Done
		}
	}
	if how == tailWorker && !c.Place.Thread.MayWait {
		return rpc.Wait
	}
	if !c.Room(n + 8) {
		return rpc.Grow
	}
	c.Reply.Opaque(data)
	return rpc.Done
}

func tailArgs(n int, how uint32) []byte {
	return binary.BigEndian.AppendUint32(ask(n), how)
}

// startTails is startTest with procTail, and with sockets that take sndbuf bytes.
func startTails(t *testing.T, sndbuf int, change func(*Config, *Server)) *testServer {
	t.Helper()
	ts := &testServer{t: t}
	cfg := testConfig()
	cfg.ReadPath = PathSplice
	cfg.SpliceFrom = 32 << 10
	srv, err := New(cfg)
	require.NoError(t, err)
	if change != nil {
		change(&srv.cfg, srv)
	}
	ts.srv = srv
	fd, addr := listenTCP(t)
	if sndbuf > 0 {
		require.NoError(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sndbuf))
	}
	ts.addr = addr
	require.NoError(t, srv.Start([]Listener{{FD: fd, Programs: rpc.NewServer(ts.program())}}))
	t.Cleanup(func() {
		drain(t, srv)
	})
	if ts.onLane(func(l *lane) int { return l.pipes.made }) == 0 && srv.cfg.ReadPath == PathSplice {
		t.Skip("needs pipes")
	}
	return ts
}

// tickLater makes the first lane tick, each time an hour later than before. If a peer's kernel has
// taken bytes meanwhile, the deadline begins anew.
func (ts *testServer) tickLater(later *time.Duration) {
	*later += time.Hour
	ts.onLane(func(l *lane) int { l.Tick(l.loop.Now().Add(*later)); return 0 })
}

// onLane runs f on the first lane's thread.
func (ts *testServer) onLane(f func(*lane) int) int {
	ts.t.Helper()
	got := make(chan int, 1)
	l := ts.srv.lanes[0]
	require.NoError(ts.t, l.loop.Post(taskFunc(func() { got <- f(l) })))
	return <-got
}

// pipesReturn waits until all pipes are back, and asserts that all are empty.
func (ts *testServer) pipesReturn() {
	ts.t.Helper()
	until(ts.t, func() bool {
		return ts.onLane(func(l *lane) int { return l.pipes.outstanding() }) == 0
	}, "pipes are given back")
	require.Zero(ts.t, ts.onLane(func(l *lane) (n int) {
		for _, p := range l.pipes.free {
			n += p.bytes()
		}
		return n
	}), "a pipe came back with bytes in it")
	require.Equal(
		ts.t,
		PipesDefault,
		ts.onLane(func(l *lane) int { return l.pipes.made }),
		"pipes were given up",
	)
}

// spliced returns how many replies have been spliced. It asks the lane, because a reply that a
// client has received may not have been counted yet.
func (ts *testServer) spliced() int {
	return ts.onLane(func(*lane) int { return int(ts.srv.Stats()[0].Spliced) })
}

// asked is the replies that a client waits for, by XID.
type asked map[uint32]int

// tail adds a call to out.
func (a asked) tail(out []byte, xid uint32, n int, how uint32) []byte {
	a[xid] = n
	return append(out, message(xid, procTail, tailArgs(n, how))...)
}

// read reads all replies.
func (a asked) read(t *testing.T, r io.Reader) {
	t.Helper()
	for len(a) > 0 {
		xid, res := reply(t, r)
		n, ok := a[xid]
		require.True(t, ok, "a reply to XID %d, which was not asked", xid)
		require.True(
			t,
			bytes.Equal(opaque(tailBytes(xid, n)), res),
			"wrong bytes in the reply to XID %d of %d bytes",
			xid,
			n,
		)
		delete(a, xid)
	}
}

// slowly reads a little at a time.
type slowly struct {
	io.Reader
	rng  *rand.Rand
	left int // reads that are slow
}

func (s *slowly) Read(b []byte) (int, error) {
	if s.left > 0 && s.rng.IntN(4) == 0 {
		s.left--
		time.Sleep(time.Millisecond)
	}
	return s.Reader.Read(b[:min(len(b), 1+s.rng.IntN(20_000))])
}

func TestSplicedRepliesAreExactAmongOthers(t *testing.T) {
	for sndbuf, calls := range map[int]uint32{0: 400, 4096: 40, 60_000: 100} {
		seed := rand.Uint64()
		rng := rand.New(rand.NewPCG(seed, 1))
		t.Logf("send buffer %d, seed %d", sndbuf, seed)
		ts := startTails(t, sndbuf, nil)
		c := ts.dial()
		want := asked{}
		var out []byte
		for xid := range calls {
			n := []int{1 + rng.IntN(900), 1100 + rng.IntN(3000), SpliceDefault + rng.IntN(200_000), 1 << 20}[min(rng.IntN(12)/3, rng.IntN(4))]
			how := []uint32{tailLane, tailWorker, tailMemory}[rng.IntN(3)]
			out = want.tail(out, xid, n, how)
		}
		go func() { _, _ = c.Write(out) }()
		want.read(t, &slowly{c, rng, 100})
		require.NotZero(t, ts.spliced())
		ts.pipesReturn()
	}
}

func TestPipesFilledOnAWorkerAreSpliced(t *testing.T) {
	ts := startTails(t, 0, nil)
	c := ts.dial()
	want := asked{}
	var out []byte
	for xid := range uint32(20) {
		out = want.tail(out, xid, 100_001+int(xid), tailWorker)
	}
	_, err := c.Write(out)
	require.NoError(t, err)
	want.read(t, c)
	require.Equal(t, 20, ts.spliced())
	ts.pipesReturn()
}

func TestPeerThatReadsNothingHoldsUpNobodyAndIsDropped(t *testing.T) {
	ts := startTails(t, 20_000, func(_ *Config, s *Server) { s.tick = time.Hour })
	stuck := ts.dial()
	var out []byte
	for xid := range uint32(4) {
		out = asked{}.tail(out, xid, 1<<20, tailLane)
	}
	_, err := stuck.Write(out)
	require.NoError(t, err)
	until(t, func() bool {
		return ts.onLane(func(l *lane) int { return l.pipes.outstanding() }) > 0
	}, "a reply is under way")
	c := ts.dial()
	for xid := range uint32(30) {
		want := asked{}
		_, err := c.Write(want.tail(nil, xid, 50_000, tailLane))
		require.NoError(t, err)
		want.read(t, c)
	}
	var later time.Duration
	until(t, func() bool {
		ts.tickLater(&later)
		return ts.srv.Connections() == 1
	}, "it is dropped")
	ts.pipesReturn()
}

func TestWithoutAPipeLeftRepliesAreCopied(t *testing.T) {
	ts := startTails(t, 0, nil)
	var taken []*pipe
	ts.onLane(func(l *lane) int { taken, l.pipes.free = l.pipes.free, nil; return 0 })
	c := ts.dial()
	for xid, how := range []uint32{tailLane, tailWorker, tailLane} {
		want := asked{}
		_, err := c.Write(want.tail(nil, uint32(xid), 200_000, how))
		require.NoError(t, err)
		want.read(t, c)
	}
	require.Zero(t, ts.spliced())
	ts.onLane(func(l *lane) int { l.pipes.free = taken; return 0 })
	want := asked{}
	_, err := c.Write(want.tail(nil, 9, 200_000, tailLane))
	require.NoError(t, err)
	want.read(t, c)
	require.Equal(t, 1, ts.spliced())
	ts.pipesReturn()
}

// Pages of a dead connection's replies must not reach the next connection, which uses the dead
// one's pipes.
func TestResetWithSplicedRepliesInFlightLeaksNothing(t *testing.T) {
	ts := startTails(t, 30_000, nil)
	for round := range uint32(20) {
		c := ts.dial()
		var out []byte
		for i := range uint32(16) {
			out = asked{}.tail(out, round*1000+i, 200_000, []uint32{tailLane, tailWorker}[i%2])
		}
		_, err := c.Write(out)
		require.NoError(t, err)
		_, err = io.ReadFull(c, make([]byte, 1+int(round)*9000))
		require.NoError(t, err)
		require.NoError(t, c.(*net.TCPConn).SetLinger(0))
		require.NoError(t, c.Close())

		next, want := ts.dial(), asked{}
		out = nil
		for i := range uint32(16) {
			out = want.tail(out, round*1000+500+i, 100_000+int(i), tailLane)
		}
		_, err = next.Write(out)
		require.NoError(t, err)
		want.read(t, next)
		require.NoError(t, next.Close())
	}
	ts.pipesReturn()
}

// A spliced reply may leave at once. Then the next call need not wait, and no completion tells of
// that.
func TestCallsBehindASplicedReplyDoNotWaitForAnEvent(t *testing.T) {
	ts := startTails(t, 0, func(c *Config, _ *Server) { c.OutputMax = 1 })
	c, want := ts.dial(), asked{}
	var out []byte
	for xid := range uint32(20) {
		out = want.tail(out, xid, 40_000+int(xid), []uint32{tailLane, tailWorker}[xid%5/4])
	}
	_, err := c.Write(out)
	require.NoError(t, err)
	want.read(t, c)
	require.Equal(t, 20, ts.spliced())
	ts.pipesReturn()
}

// refused reads a reply that is accepted or denied, and returns its bytes from
// the reply_stat on.
func refused(t *testing.T, r io.Reader) []byte {
	t.Helper()
	var h [4]byte
	_, err := io.ReadFull(r, h[:])
	require.NoError(t, err)
	b := make([]byte, binary.BigEndian.Uint32(h[:])&^(1<<31))
	_, err = io.ReadFull(r, b)
	require.NoError(t, err)
	return b[8:]
}

func TestProcedureThatFailsAfterFillingThePipeLeaksNothing(t *testing.T) {
	systemErr := append(make([]byte, 15), 5)
	weak := []byte{0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 5}
	ts := startTails(t, 0, nil)
	c := ts.dial()
	xid := uint32(0)
	for range PipesDefault/4 + 1 { // each leaks four, if it does
		for how, want := range map[uint32][]byte{tailFail: systemErr, tailPanic: systemErr, tailGrow: systemErr, tailWeak: weak} {
			xid++
			_, err := c.Write(message(xid, procTail, tailArgs(40_001, how)))
			require.NoError(t, err)
			require.Equal(t, want, refused(t, c), "how %d", how)
		}
		for _, how := range []uint32{tailForget, tailLane} {
			xid++
			w := asked{}
			_, err := c.Write(w.tail(nil, xid, 40_001, how))
			require.NoError(t, err)
			w.read(t, c)
		}
	}
	ts.pipesReturn()
}

// The pipe does not hold what the reply would say, so no byte of it may leave.
func TestReplyThatLiesAboutItsPipeEndsTheConnection(t *testing.T) {
	ts := startTails(t, 0, nil)
	for range PipesDefault/2 + 1 {
		for _, how := range []uint32{tailLess, tailMore} {
			c := ts.dial()
			_, err := c.Write(message(1, procTail, tailArgs(40_000, how)))
			require.NoError(t, err)
			closedByServer(t, c)
			require.NoError(t, c.Close())
		}
	}
	ts.works()
	ts.pipesReturn()
}

func TestDrainSendsSplicedRepliesToTheirEnd(t *testing.T) {
	ts := startTails(t, 20_000, nil)
	c, want := ts.dial(), asked{}
	var out []byte
	for xid := range uint32(4) {
		out = want.tail(out, xid, 900_001, tailLane)
	}
	_, err := c.Write(out)
	require.NoError(t, err)
	until(t, func() bool {
		return ts.onLane(func(l *lane) int { return l.pipes.outstanding() }) == 4
	}, "all replies are under way")
	done := make(chan error, 1)
	go func() { done <- ts.srv.Drain(context.Background()) }()
	want.read(t, c)
	n, err := c.Read(make([]byte, 1))
	require.Zero(t, n)
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, c.Close())
	require.NoError(t, <-done)
}

func TestServerWithoutPipesLeavesOtherDescriptorsAlone(t *testing.T) {
	was := inode(0)
	for _, p := range []ReadPath{PathCopy, PathZeroCopy, PathSplice} {
		ts := startTest(t, func(c *Config) { c.ReadPath = p })
		ts.works()
		require.NoError(t, ts.srv.Close())
		require.Equal(t, was, inode(0))
	}
}
