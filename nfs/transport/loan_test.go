package transport

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// lentSends returns how many replies workers have sent. It asks the lanes, which may not have
// been woken for the last ones.
func (ts *testServer) lentSends() (n int) {
	for _, l := range ts.srv.lanes {
		done := make(chan struct{})
		require.NoError(ts.t, l.loop.Post(loop.TaskFunc(func() { close(done) })))
		<-done
		n += int(l.stats.lent.Load())
	}
	return n
}

func TestAWorkerAnswersWhoWaitsForOneReply(t *testing.T) {
	ts := startTest(t, lanes(1))
	c := ts.dial()
	for xid := range uint32(20) {
		_, err := c.Write(work(xid, 100))
		require.NoError(t, err)
		answered(t, c, xid, 100)
	}
	require.NotZero(t, ts.lentSends()) // not 20: the next call may come before the last one is back
	for i := range 5 {
		require.Equal(t, i+1, once(t, c, uint32(100+i)))
		require.Equal(t, i+1, once(t, c, uint32(100+i)), "a retransmission gets the same")
	}
}

// Replies that need more memory than a worker has at first come from a second run.
func TestAWorkerThatNeedsMoreMemoryAnswersInItsSecondRun(t *testing.T) {
	ts := startTest(t, lanes(1))
	c := ts.dial()
	for xid := range uint32(10) {
		_, err := c.Write(work(xid, 10_000))
		require.NoError(t, err)
		answered(t, c, xid, 10_000)
	}
	require.NotZero(t, ts.lentSends())
	cn := &conn{lane: ts.srv.lanes[0]}
	cn.conn = cn
	cn.ops, cn.calls, cn.intake, cn.life = 1, 1, intakeMultishot, lifeOpen
	one := callFor(cn)
	cn.lend(one)
	require.Equal(t, loanLent, one.loan.state.Load())
	one.outcome = rpc.Grow
	require.False(t, one.answer())
	cn.listed = true // no lane is to serve it
	cn.returned(one)
	require.Equal(t, outputReady, cn.state)
	require.Equal(t, loanNone, one.loan.state.Load(),
		"a worker that gets it again has not got the output")
	require.Equal(t, 1, cn.ops)
}

// A call that a worker takes long for keeps nobody waiting, neither the lane nor other workers.
func TestACallThatLastsDoesNotKeepTheOutput(t *testing.T) {
	hold := make(chan struct{})
	ts := startHeld(t, hold, lanes(1))
	c := ts.dial()
	_, err := c.Write(message(1, procSleep, opaque(make([]byte, 100))))
	require.NoError(t, err)
	until(t, func() bool { return ts.running.Load() == 1 }, "the call waits")
	for xid := range uint32(10) {
		_, err := c.Write(message(10+xid, procNull, nil))
		require.NoError(t, err)
		got, _ := reply(t, c)
		require.Equal(t, 10+xid, got)
		_, err = c.Write(work(100+xid, 100))
		require.NoError(t, err)
		answered(t, c, 100+xid, 100)
	}
	require.Zero(t, ts.lentSends(), "the connection has two calls")
	close(hold)
	got, _ := reply(t, c)
	require.EqualValues(t, 1, got)
}

// The lane decides how large replies leave.
func TestTheLaneSendsLargeReplies(t *testing.T) {
	for _, from := range []int{0, 500} {
		ts := startTest(t, func(c *Config) { c.Lanes, c.ZeroCopyFrom = 1, from })
		c := ts.dial()
		size := answerMax
		if from > 0 {
			size = from
		}
		for xid := range uint32(4) {
			_, err := c.Write(work(xid, size))
			require.NoError(t, err)
			answered(t, c, xid, size)
		}
		require.Zero(t, ts.lentSends())
	}
}

func TestAPeerThatVanishesWhileAWorkerHasItsOutput(t *testing.T) {
	for _, how := range []func(c net.Conn){
		func(c net.Conn) { _ = c.Close() },
		func(c net.Conn) { reset(t, c) },
		func(c net.Conn) { _ = c.(*net.TCPConn).CloseWrite() },
	} {
		hold := make(chan struct{})
		ts := startHeld(t, hold, lanes(1))
		c := ts.dial()
		_, err := c.Write(message(7, procSlowOnce, nil))
		require.NoError(t, err)
		until(t, func() bool { return ts.running.Load() == 1 }, "the call waits")
		how(c)
		close(hold)
		until(t, func() bool { return ts.count.Load() == 1 }, "the call has been made")
	}
}

// The lane does not answer while a worker does, and the worker does not once the lane has recalled the
// output.
func TestOneOfLaneAndWorkerHasTheOutput(t *testing.T) {
	ts := startTest(t, lanes(1))
	done := make(chan struct{})
	l := ts.srv.lanes[0]
	require.NoError(t, l.loop.Post(loop.TaskFunc(func() {
		defer close(done)
		tryLoans(t, l)
	})))
	<-done
}

// tryLoans runs on the lane's thread.
func tryLoans(t *testing.T, l *lane) {
	cn := &conn{lane: l}
	cn.conn = cn
	cn.fd, cn.ops, cn.calls, cn.intake, cn.life, cn.listed = -1, 1, 1, intakeMultishot, lifeOpen, true
	c := callFor(cn)

	cn.lend(c)
	assert.True(t, cn.recall())
	assert.Equal(t, outputReady, cn.state)
	assert.False(t, c.loan.state.CompareAndSwap(loanLent, loanTaken), "as a worker would")
	cn.returned(c)
	assert.Equal(t, 1, cn.ops, "it came back before")

	cn.lend(c)
	assert.True(t, c.loan.state.CompareAndSwap(loanLent, loanTaken))
	assert.False(t, cn.recall())
	cn.attend()
	assert.Zero(t, cn.lane.hurries, "there is nothing to do")
	cn.unsent = 1
	cn.attend()
	cn.attend()
	assert.Equal(t, 1, cn.lane.hurries)
	assert.True(t, cn.lane.waits())
	cn.returned(c)
	assert.Zero(t, cn.lane.hurries)
	assert.Equal(t, outputReady, cn.state)

	for name, change := range map[string]func(*conn){
		"something to send":    func(cn *conn) { cn.unsent = 1 },
		"another call":         func(cn *conn) { cn.calls = 2 },
		"a send":               func(cn *conn) { cn.state = outputFull },
		"an unacknowledged":    func(cn *conn) { cn.zc.sends = 1 },
		"the end of the input": func(cn *conn) { cn.eof = true },
		"a receive that ended": func(cn *conn) { cn.intake = intakeNone },
		"its own end":          func(cn *conn) { cn.life = lifeDraining },
	} {
		cn := &conn{lane: l}
		cn.conn = cn
		cn.calls, cn.intake, cn.life, cn.listed = 1, intakeMultishot, lifeOpen, true
		change(cn)
		was := cn.state
		cn.lend(c)
		assert.Equal(t, was, cn.state, "with %s nothing is lent", name)
	}
}

func TestBytesOfASocketAreCountedByTheKernel(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = unix.Close(pair[0]), unix.Close(pair[1]) })
	require.Equal(t, ^uint64(0), bytesReceived(pair[0]), "nobody knows")
	_, ok := unacked(-1)
	require.False(t, ok)
	ts := startTest(t, lanes(1))
	c := ts.dial()
	_, err = c.Write(message(1, procNull, nil))
	require.NoError(t, err)
	_, res := reply(t, c)
	raw, err := c.(*net.TCPConn).SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		require.EqualValues(t, markLen+24+len(res), bytesReceived(int(fd)))
		require.Zero(t, testing.AllocsPerRun(10,
			func() { _, _ = bytesReceived(int(fd)), bytesAcked(int(fd)) }))
		require.Zero(t, testing.AllocsPerRun(10, func() { _, _ = unacked(int(fd)) }))
		n, ok := unacked(int(fd))
		require.True(t, ok)
		require.Zero(t, n)
	}))
}
