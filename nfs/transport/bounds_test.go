package transport

import (
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// startOnce serves a program of the one procedure ONCE.
func startOnce(t *testing.T, origin *rpc.Origin, handle func(c *rpc.Call) rpc.Outcome) *testServer {
	t.Helper()
	cfg := testConfig()
	cfg.Origin = func(Ends) (*rpc.Origin, func() *rpc.Origin) { return origin, nil }
	srv, err := New(cfg)
	require.NoError(t, err)
	fd, addr := listenTCP(t)
	procedures := []rpc.Procedure{procOnce: {Name: "ONCE", Class: rpc.Blocking, Once: true, Handle: handle}}
	require.NoError(t, srv.Start([]Listener{{FD: fd, Programs: rpc.NewServer(&rpc.Program{
		Name: "TEST", Number: testProgram, Versions: []rpc.Version{{Number: 1, Procedures: procedures}},
	})}}))
	t.Cleanup(func() { drain(t, srv) })
	return &testServer{t: t, srv: srv, addr: addr}
}

// Two users of one client may number their calls alike, and send them over one connection.
func TestACallOfAnotherUserIsNotADuplicate(t *testing.T) {
	counts := uint32(0) // the calls come one after the other
	ts := startOnce(t, &rpc.Origin{Trust: rpc.Believed}, func(c *rpc.Call) rpc.Outcome {
		counts++
		c.Reply.Uint32(counts)
		return rpc.Done
	})
	c := ts.dial()
	for _, x := range []struct{ uid, gid, want uint32 }{{1, 1, 1}, {2, 1, 2}, {1, 2, 3}, {1, 1, 1}, {2, 1, 2}, {1, 2, 3}} {
		_, err := c.Write(messageAs(7, procOnce, x.uid, x.gid))
		require.NoError(t, err)
		_, res := reply(t, c)
		require.Equal(t, x.want, binary.BigEndian.Uint32(res), "user %d, group %d", x.uid, x.gid)
	}
}

// A reply that counts has 32 bytes with its record mark. A peer that has acknowledged 31 of them
// has not heard it, and an equal call over the peer's next connection is the same call.
func TestAReplyIsHeardWithItsLastByte(t *testing.T) {
	for acked, want := range map[uint64]int{31: 1, 32: 2} {
		ts := startWhere(t, nil, lanes(1), func(s *Server) {
			s.look = func(int) (tcpFacts, bool) {
				return tcpFacts{state: stateEstablished, acked: acked, silent: time.Hour}, true
			}
			s.doubtMax = time.Millisecond
		})
		require.Equal(t, 1, once(t, ts.dial(), 7))
		require.Equal(t, want, once(t, ts.dial(), 7), "%d bytes acknowledged", acked)
	}
}

// stray lends a pipe that belongs to no lane.
type stray struct{ pipe *vfs.Pipe }

func (s stray) Pipe(int) *vfs.Pipe { return s.pipe }

// A call that cannot be answered does not stay in progress: when its client sends it again, the
// second call would wait for the first without end.
func TestACallThatTheServerCannotAnswerMayBeSentAgain(t *testing.T) {
	var fds [2]int
	require.NoError(t, unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK))
	defer func() {
		_ = unix.Close(fds[0])
		_ = unix.Close(fds[1])
	}()
	calls := uint32(0)
	ts := startOnce(t, nil, func(c *rpc.Call) rpc.Outcome {
		if calls++; calls == 1 {
			c.Pipes = stray{&vfs.Pipe{ReadFD: fds[0], WriteFD: fds[1], Room: 4096}}
			return tail(c)
		}
		c.Reply.Uint32(calls)
		return rpc.Done
	})
	call := message(7, procOnce, tailArgs(8, tailLane))
	first := ts.dial()
	_, err := first.Write(call)
	require.NoError(t, err)
	_, err = first.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "the connection ends")
	require.Zero(t, ts.srv.cfg.Duplicates.Stats().InProgress)
	again := ts.dial()
	_, err = again.Write(call)
	require.NoError(t, err)
	require.Equal(t, 2, counted(t, again, 7))
}

// Calls that depend on no volume take as many workers as they need. The last two workers are for
// calls that change nothing, also if there is only one volume.
func TestTheLastWorkersAreNotForChangesOfTheOnlyVolume(t *testing.T) {
	var q workQueue
	q.init(1, 32, 1)
	require.Equal(t, 1+1, q.kept, "one for no volume, and an extra one")
	for range 40 {
		queuedFor(t, &q, 1, 0)
	}
	for range 30 {
		require.Zero(t, q.take(idle, nil).share)
	}
	for q.calls > 0 { // one of the workers runs the rest
		require.Zero(t, q.take(0, nil).share)
	}
	for range 2 {
		queuedFor(t, &q, 1, 1)
	}
	require.True(t, q.ready())
	require.Equal(t, 1, q.take(idle, nil).share)
	require.False(t, q.ready(), "31 are busy")
	require.Equal(t, 31, q.busy)
}

// When all workers have come back the queue is as before: the number of reserved workers neither
// grows nor shrinks, whatever order they came back in.
func TestWorkersThatComeBackLeaveWhatIsKeptAsItWas(t *testing.T) {
	var q workQueue
	q.init(1, 32, 2)
	rest := func() [3]int { return [3]int{q.busy, q.kept, q.calls} }
	at := rest()
	require.Equal(t, [3]int{0, 8 + 8 + 1 + 2, 0}, at, "8 for each volume, one for neither, and 2 extra ones")
	for round := range 3 {
		for volume := range 3 {
			for range 40 {
				queuedFor(t, &q, 1, volume)
			}
		}
		var shares []int
		for q.ready() {
			shares = append(shares, q.take(idle, nil).share)
		}
		require.NotEmpty(t, shares)
		for i := range shares { // from both ends in turn
			k := i / 2
			if i%2 == 1 {
				k = len(shares) - 1 - i/2
			}
			q.leave(shares[k])
		}
		for q.calls > 0 {
			require.True(t, q.ready())
			q.leave(q.take(idle, nil).share)
		}
		require.Equal(t, at, rest(), "after round %d", round)
	}
	for i := range q.shares {
		require.Zero(t, q.shares[i].busy)
	}
}
