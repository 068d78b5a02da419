package transport

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/uringtest"
)

// zcWorld is a world whose zero-copy sends complete at once, as a whole, and whose notifications
// the test sends.
type zcWorld struct {
	*world
	ops    []*uringtest.Op // those that owe a notification
	bytes  [][]byte        // what each has sent
	views  [][][]byte      // and the slabs that these bytes lie in
	copied bool
	hold   bool         // no notifications now
	errs   []unix.Errno // what the next zero-copy sends end with
	owing  bool         // failed sends get a notification, too, as of a copy
	begun  int
	plain  int // large sends with a copy
	held   int // most notifications that were owed at once
}

func newZCWorld(t *testing.T, change func(*Config, *Server)) *zcWorld {
	z := &zcWorld{}
	z.world = newWorld(t, 1, uringtest.Options{}, func(c *Config, s *Server) {
		c.ReadPath = PathZeroCopy
		if change != nil {
			change(c, s)
		}
	})
	z.zero = z.send
	z.act = func(w *world, op *uringtest.Op, p *peer, now bool) bool {
		if op.Code != "RECV" && !now && len(p.sending[op.UserData]) >= ZeroCopyDefault {
			z.plain++
		}
		return w.kind(op, p, now)
	}
	return z
}

// send answers a zero-copy send. Unless now, it may do so later.
func (z *zcWorld) send(op *uringtest.Op, p *peer, now bool) bool {
	if now || slices.Contains(z.ops, op) {
		return false
	}
	z.begun++
	if len(z.errs) > 0 {
		if z.owing {
			op.FailBegun(z.errs[0])
			op.Notify(true)
		} else {
			op.Fail(z.errs[0])
		}
		z.errs = z.errs[1:]
		delete(p.sending, op.UserData)
		return true
	}
	z.ops = append(z.ops, op)
	views := op.Vectors()
	if op.Code == "SEND_ZC" {
		views = [][]byte{op.Memory()}
	}
	z.views = append(z.views, views)
	delete(z.files, op.UserData) // the socket may be closed from here on
	z.bytes = append(z.bytes, bytes.Clone(p.sending[op.UserData]))
	z.held = max(z.held, len(z.ops))
	z.take(op, p, len(p.sending[op.UserData]))
	if !z.hold {
		z.notify()
	}
	return true
}

// notify sends the notifications that are owed. Until then the memory must not have changed.
func (z *zcWorld) notify() {
	for i, op := range z.ops {
		if !bytes.Equal(z.bytes[i], bytes.Join(z.views[i], nil)) {
			z.fail("%v: a slab was used again before its notification", op)
		}
		op.Notify(z.copied)
	}
	z.ops, z.bytes, z.views = nil, nil, nil
}

// fills gives the peer n calls for size bytes each, one record each.
func (z *zcWorld) fills(p *peer, from, n uint32, size int) {
	for xid := from; xid < from+n; xid++ {
		p.in = append(p.in, message(xid, procFill, ask(size))...)
		p.want[xid] = opaque(bytes.Repeat([]byte{byte(xid)}, size))
	}
}

// gauges returns the lane's figures after the end.
func (z *zcWorld) gauges() Stats { return z.ts.srv.Stats()[0] }

func (z *zcWorld) acks() uint64 {
	s := z.gauges()
	return s.Ack.Count()
}

// one makes the peer wait for each reply before it sends the next call.
func (z *zcWorld) one(p *peer, n uint32, size int) {
	calls := make([][]byte, n)
	for xid := range n {
		calls[xid] = message(xid, procFill, ask(size))
		p.want[xid] = opaque(bytes.Repeat([]byte{byte(xid)}, size))
	}
	act := z.act
	z.act = func(w *world, op *uringtest.Op, q *peer, now bool) bool {
		if q == p && op.Code == "RECV" && !now && len(p.in) == 0 && len(calls) > 0 &&
			p.replies == int(n)-len(calls) {
			p.in, calls = calls[0], calls[1:]
		}
		return act(w, op, q, now)
	}
}

func TestZeroCopySendsAreCountedAndEndedByTheirNotifications(t *testing.T) {
	z := newZCWorld(t, nil)
	z.one(z.peer(), 40, 100_000)
	z.until()
	z.answered()
	require.Equal(t, 40, z.begun)
	s := z.gauges()
	require.EqualValues(t, 40, s.ZeroCopy)
	require.EqualValues(t, 40, z.acks())
	require.EqualValues(t, 40, s.Sent.Count())
	require.Zero(t, s.Copied)
	require.Zero(t, s.Pinned)
	require.GreaterOrEqual(t, s.PinnedMost, int64(100_000))
}

// Notifications are held back while replies go on. These must not use the slabs that wait for a
// notification.
func TestSlabIsNotUsedAgainBeforeTheNotification(t *testing.T) {
	z := newZCWorld(t, func(c *Config, _ *Server) { c.SendBytes = 40 << 20 })
	z.hold = true
	z.one(z.peer(), 60, 100_000)
	quiet := false
	z.still = func() bool {
		if len(z.ops) == 0 {
			return false
		}
		quiet = true
		z.notify()
		return true
	}
	z.until()
	z.answered()
	require.True(t, quiet)
	require.Greater(t, z.held, 3, "nothing was held back")
	require.NotZero(t, z.plain, "the budget was never reached: what is beyond it is copied")
	s := z.gauges()
	require.Zero(t, s.Pinned)
	require.EqualValues(t, z.begun, z.acks())
}

func TestBudgetOfAConnectionMakesFurtherSendsPlain(t *testing.T) {
	z := newZCWorld(
		t,
		func(c *Config, _ *Server) { c.SendBytes, c.PinnedMax = 40<<20, 3<<20 },
	) // two large slabs
	z.hold = true
	z.one(z.peer(), 20, 100_000)
	z.still = func() bool { n := len(z.ops); z.notify(); return n > 0 }
	z.until()
	z.answered()
	require.Equal(t, 2, z.held)
	require.GreaterOrEqual(t, z.plain, 18-2)
	require.Zero(t, z.gauges().Pinned)
}

func TestWantOfMemoryForZeroCopyMakesSendsPlain(t *testing.T) {
	for i, errno := range []unix.Errno{unix.ENOMEM, unix.ENOBUFS, unix.EOPNOTSUPP, unix.ENOMEM, unix.ENOBUFS, unix.EOPNOTSUPP} {
		z := newZCWorld(t, nil)
		z.errs, z.owing = []unix.Errno{errno}, i >= 3
		z.one(z.peer(), 70, 40_000)
		z.until()
		z.answered()
		if errno == unix.EOPNOTSUPP {
			require.Equal(t, 1, z.begun, "it is not asked again")
		} else {
			require.Equal(t, 1+70-pauseSends, z.begun)
		}
		require.Zero(t, z.gauges().Pinned)
		require.Zero(t, z.gauges().Copied, "a send that failed was not copied")
		require.EqualValues(t, z.begun-1, z.acks(), "nor acknowledged")
	}
}

func TestNotificationAfterTheConnectionsDeathIsWaitedFor(t *testing.T) {
	z := newZCWorld(t, nil)
	z.hold = true
	p := z.peer()
	z.one(p, 3, 100_000)
	other := z.peer()
	other.calls(z.rng, 20, procEcho, procFill)
	act := z.act
	z.act = func(w *world, op *uringtest.Op, q *peer, now bool) bool {
		if q == p && op.Code == "RECV" && !now && len(z.ops) >= 2 {
			p.reset = true
			op.Fail(unix.ECONNRESET)
			return true
		}
		return act(w, op, q, now)
	}
	z.still = func() bool { return false }
	z.until()
	require.GreaterOrEqual(t, len(z.ops), 2)
	require.Positive(t, z.gauges().Pinned)
	require.Equal(t, 2, z.ts.srv.Connections(), "the dead one keeps its slabs")
	z.on(func() { z.still = func() bool { n := len(z.ops); z.notify(); return n > 0 } })
	z.end(context.Background())
	require.Zero(t, z.gauges().Pinned)
}

// A peer that has sent its last call must get its replies: the server does not reset the connection
// as long as the peer has not acknowledged them.
func TestHalfClosedConnectionWaitsForItsNotifications(t *testing.T) {
	z := newZCWorld(t, nil)
	z.hold = true
	p := z.peer()
	z.fills(p, 0, 2, 100_000)
	p.done = true
	z.still = func() bool {
		z.look(p)
		if p.killed && len(z.ops) > 0 {
			z.fail("closed before the replies were acknowledged")
		}
		n := len(z.ops)
		z.notify()
		return n > 0
	}
	z.until()
	z.answered()
	require.NotZero(t, z.begun)
}

func TestPolicyFollowsWhatNotificationsSay(t *testing.T) {
	var z zcPolicy
	for range strikesMax - 1 {
		z.heard(true)
	}
	z.heard(false)
	require.True(t, z.on(), "one that was not copied forgives the others")
	for range strikesMax {
		require.True(t, z.on())
		z.heard(true)
	}
	for after, trial := trialAfter, 0; trial < 12; trial++ {
		for range after - 1 {
			require.False(t, z.on())
		}
		require.True(t, z.on(), "a trial")
		z.heard(true)
		after = min(2*after, trialAfterMax)
	}
	z = zcPolicy{}
	for range strikesMax {
		z.heard(true)
	}
	for range trialAfter {
		require.False(t, z.due())
		z.spliced() // counts as well
	}
	require.True(t, z.on())
	z.heard(false)
	for range strikesMax - 1 {
		z.heard(true)
		require.True(t, z.on())
	}
	require.False(t, (&zcPolicy{local: true}).on())
}

func TestNotificationsOfCopiesSwitchZeroCopyOff(t *testing.T) {
	z := newZCWorld(t, func(c *Config, s *Server) { c.ReadPath = PathAuto })
	z.copied = true
	p := z.peer()
	remote := z.act
	z.act = func(w *world, op *uringtest.Op, q *peer, now bool) bool {
		if l := w.ts.srv.lanes; now && op.Code == "RECV" && len(l) > 0 && q.replies == 0 {
			for cn := l[0].conns; cn != nil; cn = cn.nxt {
				cn.zc.local = false // as if the peer had an address, and another one
			}
		}
		return remote(w, op, q, now)
	}
	z.one(p, 60, 50_000)
	z.until()
	z.answered()
	require.Equal(t, strikesMax, z.begun)
	require.EqualValues(t, strikesMax, z.gauges().Copied)
}

func TestZeroCopyOverLoopbackIsExactAndSaysThatItCopies(t *testing.T) {
	ts := startTails(t, 0, func(c *Config, _ *Server) { c.ReadPath = PathZeroCopy })
	if !ts.srv.lanes[0].ring.Has(uring.SendZC) || !ts.srv.lanes[0].reportUsage {
		t.Skip("needs IORING_OP_SEND_ZC with IORING_SEND_ZC_REPORT_USAGE: Linux 6.2")
	}
	c, want := ts.dial(), asked{}
	var out []byte
	for xid := range uint32(64) {
		out = want.tail(out, xid, 30_000+int(xid)*4001, []uint32{tailLane, tailWorker}[xid%2])
	}
	go func() { _, _ = c.Write(out) }()
	want.read(t, c)
	until(t, func() bool { return ts.srv.Stats()[0].Pinned == 0 }, "all is acknowledged")
	s := ts.srv.Stats()[0]
	require.NotZero(t, s.ZeroCopy)
	require.Equal(t, s.ZeroCopy, s.Copied)
	require.Zero(t, s.Spliced)
}

// The peer goes away with sends unacknowledged, and the server frees the memory.
func TestResetWithZeroCopySendsInFlightFreesTheirSlabs(t *testing.T) {
	ts := startTails(t, 0, func(c *Config, _ *Server) { c.ReadPath = PathZeroCopy })
	for round := range uint32(10) {
		c := ts.dial()
		var out []byte
		for i := range uint32(8) {
			out = asked{}.tail(out, round*100+i, 400_000, tailLane)
		}
		_, err := c.Write(out)
		require.NoError(t, err)
		_, err = c.Read(make([]byte, 1000))
		require.NoError(t, err)
		require.NoError(t, c.Close()) // with unread data: a reset
	}
	until(t, func() bool {
		return ts.srv.Connections() == 0 && ts.srv.Stats()[0].Pinned == 0
	}, "slabs are free")
	ts.works()
}
