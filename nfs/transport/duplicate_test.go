package transport

import (
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/bufring"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/drc"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// The states of a connection that the kernel tells (include/net/tcp_states.h).
const (
	stateEstablished = 1
	stateClose       = 7
	stateCloseWait   = 8
	stateLastAck     = 9
)

// once sends a call that counts, and returns what it counted.
func once(t *testing.T, c net.Conn, xid uint32) int {
	t.Helper()
	_, err := c.Write(message(xid, procOnce, nil))
	require.NoError(t, err)
	return counted(t, c, xid)
}

// counted reads the reply to a call that counts.
func counted(t *testing.T, c net.Conn, xid uint32) int {
	t.Helper()
	got, res := reply(t, c)
	require.Equal(t, xid, got)
	return int(binary.BigEndian.Uint32(res))
}

// reset ends a connection by a reset.
func reset(t *testing.T, c net.Conn) {
	t.Helper()
	require.NoError(t, c.(*net.TCPConn).SetLinger(0))
	require.NoError(t, c.Close())
}

// waits waits until n calls wait for another call.
func (ts *testServer) waits(n int) {
	ts.t.Helper()
	until(
		ts.t,
		func() bool { return ts.srv.cfg.Duplicates.Stats().Waits >= uint64(n) },
		"calls wait for their twin",
	)
}

func lanes(n int) func(*Config) { return func(c *Config) { c.Lanes = n } }

func TestEqualCallsByConnectionsThatAreBothAliveAreTwo(t *testing.T) {
	for n := range 3 {
		ts := startTest(t, lanes(1+n))
		var conns []net.Conn
		for i := range 4 {
			c := ts.dial()
			require.Equal(t, i+1, once(t, c, 7))
			conns = append(conns, c)
		}
		for i, c := range conns {
			require.Equal(t, i+1, once(t, c, 7), "by its own connection it is the same")
		}
		require.EqualValues(t, 4, ts.count.Load())
	}
}

func TestACallThatTurnsOutToRunOnceRunsOnce(t *testing.T) {
	hold := make(chan struct{})
	ts := startHeld(t, hold, lanes(1))
	c := ts.dial()
	answer := func(xid uint32, n int) {
		got, res := reply(t, c)
		require.Equal(t, xid, got)
		require.EqualValues(t, 77, binary.BigEndian.Uint32(res), "what was there before it waited")
		require.EqualValues(t, n, binary.BigEndian.Uint32(res[4:]))
	}
	for range 2 {
		_, err := c.Write(message(7, procFound, nil))
		require.NoError(t, err)
	}
	until(t, func() bool { return ts.running.Load() > 0 }, "a call waits")
	ts.waits(1)
	close(hold)
	answer(7, 1)
	answer(7, 1)
	for i, xid := range []uint32{7, 8, 7, 8} {
		_, err := c.Write(message(xid, procFound, nil))
		require.NoError(t, err)
		answer(xid, []int{1, 2, 1, 2}[i])
	}
	require.EqualValues(t, 2, ts.count.Load())
}

func TestEqualCallsAtOnceByConnectionsThatAreBothAliveAreTwo(t *testing.T) {
	hold := make(chan struct{})
	ts := startHeld(t, hold, lanes(2))
	conns := []net.Conn{ts.dial(), ts.dial(), ts.dial()}
	for _, c := range conns {
		_, err := c.Write(message(7, procSlowOnce, nil))
		require.NoError(t, err)
	}
	until(t, func() bool { return ts.running.Load() > 0 }, "a call waits")
	close(hold)
	sum := 0
	for _, c := range conns {
		sum += counted(t, c, 7)
	}
	require.Equal(t, 1+2+3, sum, "each has its own")
}

// Each call comes from a process of its own, which numbers its calls from 1.
func TestACallByAConnectionAfterOneThatEndedInOrderIsANewOne(t *testing.T) {
	for name, end := range map[string]func(c net.Conn){
		"closed": func(c net.Conn) { require.NoError(t, c.Close()) },
		"closed after the end of the server's side": func(c net.Conn) {
			require.NoError(t, c.(*net.TCPConn).CloseWrite())
			_, err := c.Read(make([]byte, 1))
			require.ErrorIs(t, err, io.EOF)
			require.NoError(t, c.Close())
		},
		"reset after it went on": func(c net.Conn) {
			answers(t, c)
			reset(t, c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ts := startTest(t, lanes(2))
			for i := range 5 {
				c := ts.dial()
				require.Equal(t, i+1, once(t, c, 1))
				end(c)
			}
		})
	}
}

// A peer that sends no more calls may still wait for a reply, and has heard it when it arrives.
func TestACallByAConnectionAfterOneThatWasHalfClosedIsANewOne(t *testing.T) {
	ts := startTest(t, lanes(2))
	for i := range 3 {
		c := ts.dial()
		_, err := c.Write(message(1, procOnce, nil))
		require.NoError(t, err)
		require.NoError(t, c.(*net.TCPConn).CloseWrite())
		require.Equal(t, i+1, counted(t, c, 1))
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		require.NoError(t, c.Close())
	}
}

func TestACallSentAgainAfterAResetIsAnsweredAsTheFirst(t *testing.T) {
	ts := startTest(t, lanes(2))
	for range 5 {
		c := ts.dial()
		require.Equal(t, 1, once(t, c, 1234))
		require.Equal(t, 1, once(t, c, 1234), "by the same connection")
		reset(t, c)
	}
	require.Equal(t, 2, once(t, ts.dial(), 1235), "another call was taken for a duplicate")
}

// A call that was received before the reply was sent does not show that the peer has got the reply,
// even if the call runs after it.
func TestACallSentAgainByAClientThatDoesNotWaitIsAnsweredAsTheFirst(t *testing.T) {
	ts := startTest(t, func(c *Config) { c.Lanes, c.CallsMax = 2, 1 })
	for range 3 {
		c := ts.dial()
		all := message(7, procOnce, nil)
		for xid := range uint32(20) {
			all = append(all, message(100+xid, procSleep, opaque([]byte("abc")))...)
		}
		_, err := c.Write(all)
		require.NoError(t, err)
		require.Equal(t, 1, counted(t, c, 7))
		for range 20 {
			_, _ = reply(t, c)
		}
		reset(t, c)
	}
}

// The client has given up the connection before the reply was there.
func TestACallSentAgainWhileItRunsWaitsForTheAnswer(t *testing.T) {
	for name, end := range map[string]func(*testing.T, net.Conn){
		"reset":  reset,
		"closed": func(t *testing.T, c net.Conn) { require.NoError(t, c.Close()) },
	} {
		t.Run(name, func(t *testing.T) {
			hold := make(chan struct{})
			ts := startHeld(t, hold, lanes(2))
			first := ts.dial()
			_, err := first.Write(message(99, procSlowOnce, nil))
			require.NoError(t, err)
			until(t, func() bool { return ts.running.Load() == 1 }, "the call waits")
			end(t, first)
			again := ts.dial()
			_, err = again.Write(message(99, procSlowOnce, nil))
			require.NoError(t, err)
			ts.waits(1)
			close(hold)
			require.Equal(t, 1, counted(t, again, 99))
			require.EqualValues(t, 1, ts.count.Load())
		})
	}
}

// These are as many as a connection may have at a time.
func TestAllDuplicatesOfASlowCallAreAnswered(t *testing.T) {
	hold := make(chan struct{})
	ts := startHeld(t, hold, nil)
	c := ts.dial()
	const n = 300 // more than CallsMax: some are read only when others are answered
	go func() {
		for range n {
			_, _ = c.Write(message(99, procSlowOnce, nil))
		}
	}()
	ts.waits(CallsDefault - 1)
	close(hold)
	for range n {
		require.Equal(t, 1, counted(t, c, 99))
	}
}

func TestADuplicateWaitsForMemoryForItsReply(t *testing.T) {
	ts := startTest(t, nil)
	c := ts.dial()
	require.Equal(t, 1, once(t, c, 7))
	l := ts.srv.lanes[0]
	on := func(f func()) {
		done := make(chan struct{})
		require.NoError(t, l.loop.Post(loop.TaskFunc(func() { f(); close(done) })))
		<-done
	}
	until(t, func() (idle bool) {
		on(func() { idle = l.conns.batch == nil })
		return idle
	}, "an idle connection has no memory")
	var taken []*bufring.Buffer
	on(func() {
		for class := range bufring.Class(classes) {
			for b := l.slabs.Take(class); b != nil; b = l.slabs.Take(class) {
				taken = append(taken, b)
			}
		}
	})
	_, err := c.Write(message(7, procOnce, nil))
	require.NoError(t, err)
	until(t, func() (waiting bool) {
		on(func() { waiting = l.conns.waiting == 1 })
		return waiting
	}, "the duplicate waits for memory")
	on(func() {
		for _, b := range taken {
			b.Release()
		}
	})
	require.Equal(t, 1, counted(t, c, 7))
}

// The client's machine is cut off, so the server hears nothing of the old connection.
func TestACallSentAgainAfterASilentBreakIsAnsweredAsTheFirst(t *testing.T) {
	var silent atomic.Bool
	ts := startLooking(t, nil, lanes(2), func(int) (tcpFacts, bool) {
		f := tcpFacts{state: stateEstablished, silent: time.Hour} // unheard
		if silent.Load() {
			f.acked = 1 << 40
		}
		return f, true
	})
	first, again := ts.dial(), ts.dial()
	require.Equal(t, 1, once(t, first, 7))
	_, err := again.Write(message(7, procOnce, nil))
	require.NoError(t, err)
	until(t, func() bool { return ts.srv.cfg.Duplicates.Stats().Doubts > 1 }, "the call is in doubt")
	require.Equal(t, 1, counted(t, again, 7), "when there has been time enough for an acknowledgement")
	require.EqualValues(t, 1, ts.count.Load())
	silent.Store(true) // now it has heard, and both connections are alive
	require.Equal(t, 2, once(t, ts.dial(), 7))
}

// startDoubting is startLooking with doubts that last until they are settled.
func startDoubting(t *testing.T, change func(*Config), look func(int) (tcpFacts, bool)) *testServer {
	t.Helper()
	return startWhere(t, nil, change, func(s *Server) { s.look, s.doubtMax = look, time.Hour })
}

// Other connections have their turns in between. The kernel is asked about a connection once,
// however much depends on the answer.
func TestCallsInDoubtAreLookedAtAFewInATurn(t *testing.T) {
	const n = 200
	var at atomic.Pointer[lane]
	var epoch, before uint64                         // the lane's, as the next ones
	looks, mostLooks, mostCalls, turns := 0, 0, 0, 0 // in a turn, and in all
	var enough atomic.Bool
	var ts *testServer
	ts = startDoubting(t, lanes(1), func(int) (tcpFacts, bool) {
		if l := at.Load(); l != nil {
			now, judged := l.thread.Epoch, ts.srv.cfg.Duplicates.Stats().Doubts
			if now != epoch {
				if turns++; turns > 1 {
					mostCalls = max(mostCalls, int(judged-before))
				}
				epoch, before, looks = now, judged, 0
				enough.Store(turns > 10)
			}
			looks++
			mostLooks = max(mostLooks, looks)
		}
		return tcpFacts{state: stateCloseWait}, true // unheard
	})
	first, again := ts.dial(), ts.dial()
	var all []byte
	for xid := range uint32(n) {
		once(t, first, xid)
		all = append(all, message(xid, procOnce, nil)...)
	}
	_, err := again.Write(all)
	require.NoError(t, err)
	until(t, func() bool { return ts.srv.cfg.Duplicates.Stats().Doubts >= n }, "all are in doubt")
	ts.onLane(func(l *lane) int { at.Store(l); return 0 })
	until(t, enough.Load, "they are looked at again")
	ts.onLane(func(*lane) int { at.Store(nil); return 0 })
	require.Equal(t, 1, mostLooks, "of one connection")
	require.LessOrEqual(t, mostCalls, 64)
	require.Greater(t, mostCalls, 1)
	reset(t, again)
	ts.onLane(func(l *lane) int { l.srv.doubtMax = 0; return 0 }) // the rest may end
}

func TestAConnectionIsAskedAboutOnceInATurn(t *testing.T) {
	var s sights
	looks := 0
	sight := func(w *wire) { s.now(1).of(w) }
	var all []*wire
	for range 100 {
		all = append(all, &wire{look: func(int) (tcpFacts, bool) { looks++; return tcpFacts{}, true }})
	}
	for range 3 {
		for _, w := range all {
			sight(w)
		}
	}
	require.Equal(t, 100, looks)
	require.Equal(t, 100, s.count(1))
	require.Zero(t, s.count(2), "another turn")
}

// A household with too many calls in doubt is not read from. Nothing is lost, and others go on.
func TestAHouseholdHasABoundOnWhatIsInDoubt(t *testing.T) {
	const n = 600
	var heard atomic.Bool
	ts := startDoubting(t, func(c *Config) { c.CallsMax = 10 * n }, func(int) (tcpFacts, bool) {
		f := tcpFacts{state: stateCloseWait}
		if heard.Load() {
			f.acked = 1 << 40
		}
		return f, true
	})
	var all []byte
	for xid := range uint32(n) {
		all = append(all, message(xid, procOnce, nil)...)
	}
	for _, from := range []string{"127.0.0.1", "127.0.0.2"} {
		first := ts.dialFrom(from)
		go func() { _, _ = first.Write(all) }()
		for range n {
			_, _ = reply(t, first)
		}
	}
	var conns []net.Conn
	in := func(uid byte) int {
		return ts.onLane(func(l *lane) int {
			for _, h := range l.houses {
				for cn := l.conns; cn != nil; cn = cn.nxt {
					if cn.account.house == h && cn.peer.Addr().As4()[3] == uid {
						return h.doubts
					}
				}
			}
			return 0
		})
	}
	send := func(from string) {
		c := ts.dialFrom(from)
		go func() { _, _ = c.Write(all) }()
		conns = append(conns, c)
	}
	send("127.0.0.1")
	until(t, func() bool { return in(1) == 256+1 }, "it has all that it may")
	send("127.0.0.1")
	until(t, func() bool { return in(1) == 256+2 }, "each connection finds out by itself")
	send("127.0.0.2")
	until(t, func() bool { return in(2) == 256+1 }, "another household has its own")
	for range 3 {
		answers(t, ts.dialFrom("127.0.0.1")) // who has nothing in doubt
	}
	require.Equal(t, 256+2, in(1))
	heard.Store(true)
	for _, c := range conns {
		seen := make(map[uint32]bool)
		for range n {
			xid, _ := reply(t, c)
			require.False(t, seen[xid])
			seen[xid] = true
		}
	}
	require.EqualValues(t, 5*n, ts.count.Load())
	require.Zero(t, in(1)+in(2))
}

func TestWhatAConnectionIsToAnEarlierOne(t *testing.T) {
	born := time.Unix(1000, 0)
	now := born.Add(time.Minute)
	fresh, old := 10*time.Millisecond, time.Minute+10*time.Millisecond
	const before, after = 99, 100
	for _, c := range []struct {
		name string
		is   drc.Relation
		f    tcpFacts
		eof  bool
		done time.Duration // ago; negative: in progress
		over bool
		went uint64
	}{
		{name: "heard", is: drc.Stranger, f: tcpFacts{stateEstablished, after, old}, done: time.Hour},
		{name: "heard, and its side ended", is: drc.Stranger, f: tcpFacts{stateCloseWait, after, old}, eof: true, done: time.Hour},
		{name: "heard, and both sides ended", is: drc.Stranger, f: tcpFacts{stateLastAck, after, old}, eof: true, done: time.Hour},
		{name: "heard, both ended, nothing left", is: drc.Stranger, f: tcpFacts{stateClose, after + 1, old}, eof: true, done: time.Hour},
		{name: "heard, and just reset", is: drc.Unknown, f: tcpFacts{stateClose, after, old}, done: time.Hour},
		{name: "just reset", is: drc.Successor, f: tcpFacts{stateClose, before, old}, done: time.Hour},
		{name: "reset in progress", is: drc.Successor, f: tcpFacts{stateClose, before, old}, done: -1},
		{name: "closed unheard, just now", is: drc.Unknown, f: tcpFacts{stateCloseWait, before, old}, eof: true, done: time.Millisecond},
		{name: "closed unheard, and silent", is: drc.Successor, f: tcpFacts{stateCloseWait, before, old}, eof: true, done: time.Minute},
		{name: "closed unheard, with a late sign of life", is: drc.Unknown, f: tcpFacts{stateCloseWait, before, fresh}, eof: true, done: time.Minute},
		{name: "unheard, with a sign of life", is: drc.Stranger, f: tcpFacts{stateEstablished, before, fresh}, done: time.Minute},
		{name: "unheard, just now", is: drc.Unknown, f: tcpFacts{stateEstablished, before, old}, done: time.Millisecond},
		{name: "unheard, and silent", is: drc.Successor, f: tcpFacts{stateEstablished, before, old}, done: time.Minute},
		{name: "unheard, at the edge of silence", is: drc.Successor, f: tcpFacts{stateEstablished, before, old}, done: 5 * time.Second},
		{name: "unheard, before the edge of silence", is: drc.Unknown, f: tcpFacts{stateEstablished, before, old}, done: 5*time.Second - 1},
		{name: "in progress, with a sign of life", is: drc.Stranger, f: tcpFacts{stateEstablished, before, fresh}, done: -1},
		{name: "in progress, life too near to the birth", is: drc.Unknown, f: tcpFacts{stateEstablished, before, time.Minute - 20*time.Millisecond}, done: -1},
		{name: "in progress, and silent", is: drc.Unknown, f: tcpFacts{stateEstablished, before, old}, done: -1},
		{name: "over in order, heard", is: drc.Settled, f: tcpFacts{acked: after}, eof: true, over: true, done: time.Hour},
		{name: "over in order, unheard", is: drc.Successor, f: tcpFacts{acked: before}, eof: true, over: true, done: time.Hour},
		{name: "broken, heard", is: drc.Successor, f: tcpFacts{acked: after}, over: true, went: before, done: time.Hour},
		{name: "broken, heard, went on", is: drc.Settled, f: tcpFacts{acked: after}, over: true, went: after, done: time.Hour},
		{name: "broken, unheard, went on", is: drc.Successor, f: tcpFacts{acked: before}, over: true, went: after, done: time.Hour},
		{name: "over in progress", is: drc.Successor, f: tcpFacts{acked: after}, eof: true, over: true, went: after, done: -1},
	} {
		w := &wire{fd: 3, eof: c.eof, look: func(int) (tcpFacts, bool) { return c.f, true }}
		if c.over {
			w.over(c.went)
			w.look = func(int) (tcpFacts, bool) { t.Error("the descriptor is used"); return tcpFacts{}, false }
		}
		a := drc.Answer{By: w, End: drc.Unsent}
		if c.done >= 0 {
			a.Done, a.End, a.At = true, after, now.Add(-c.done)
		}
		is, _ := w.judge(a, born, &sights{by: map[*wire]sight{w: {c.f, true, now}}})
		require.Equal(t, c.is, is, c.name)
	}
	w := &wire{fd: 3, look: func(fd int) (tcpFacts, bool) {
		require.Equal(t, 3, fd)
		return tcpFacts{}, false
	}}
	is, _ := w.judge(drc.Answer{By: w, Done: true, End: 5}, born, &sights{})
	require.Equal(t, drc.Stranger, is, "it is there, the kernel does not say more")
}

// The kernel's counters count as this package does.
func TestTheKernelCountsWhatThePeerHasAcknowledged(t *testing.T) {
	ts := startTest(t, nil)
	c := ts.dial()
	for i := range uint32(3) {
		require.EqualValues(t, i+1, once(t, c, i))
		answers(t, c)
	}
	type seen struct {
		f    tcpFacts
		sent uint64
	}
	got := make(chan seen)
	look := func() seen {
		l := ts.srv.lanes[0]
		require.NoError(t, l.loop.Post(loop.TaskFunc(func() {
			f, _ := tcpLook(l.conns.fd)
			got <- seen{f, l.conns.queued}
		})))
		return <-got
	}
	var s seen
	until(t, func() bool { s = look(); return s.f.acked == s.sent }, "everything is acknowledged")
	require.EqualValues(t, 3*(4+24+4)+3*(4+24), s.sent)
	require.EqualValues(t, stateEstablished, s.f.state)
}

// silentFlavor discards every call, as RPCSEC_GSS discards a call that it has seen before.
type silentFlavor struct{}

func (silentFlavor) Number() uint32                                { return 5 }
func (silentFlavor) Accept(*rpc.Call, *rpc.Presented) rpc.AuthStat { return rpc.AuthDiscard }

func TestAConnectionWithACallThatGetsNoReplyEnds(t *testing.T) {
	ts := &testServer{t: t}
	srv, err := New(testConfig())
	require.NoError(t, err)
	ts.srv = srv
	fd, addr := listenTCP(t)
	ts.addr = addr
	programs := rpc.NewServer(ts.program())
	programs.Use(silentFlavor{})
	require.NoError(t, srv.Start([]Listener{{FD: fd, Programs: programs}}))
	t.Cleanup(func() { drain(t, srv) })
	c := ts.dial()
	answers(t, c)
	msg := message(2, procNull, nil)
	binary.BigEndian.PutUint32(msg[markLen+24:], 5) // the flavor
	_, err = c.Write(append(msg, message(3, procNull, nil)...))
	require.NoError(t, err)
	closedByServer(t, c)
}

// The replies that the cache keeps are bounded; what it must know of calls in progress is not.
func TestMoreCallsInProgressThanTheCacheKeepsAreAllAnswered(t *testing.T) {
	hold := make(chan struct{})
	ts := startHeld(
		t,
		hold,
		func(c *Config) { c.Duplicates = drc.New(drc.Config{EntriesMax: 16, Shards: 1}) },
	)
	c := ts.dial()
	const n = 200
	for xid := range uint32(n) {
		_, err := c.Write(message(xid, procSlowOnce, nil))
		require.NoError(t, err)
	}
	until(t, func() bool { return ts.srv.cfg.Duplicates.Stats().InProgress == n }, "all are in progress")
	close(hold)
	seen := map[uint32]bool{}
	for range n {
		xid, _ := reply(t, c)
		seen[xid] = true
	}
	require.Len(t, seen, n)
	require.EqualValues(t, n, ts.count.Load())
}
