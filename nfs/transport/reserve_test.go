package transport

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/uring/loop"
)

// exchange makes c send one call, and waits for its reply.
func exchange(t testing.TB, c net.Conn, xid, proc uint32) {
	t.Helper()
	_, err := c.Write(message(xid, proc, opaque([]byte("abc"))))
	require.NoError(t, err)
	got, _ := reply(t, c)
	require.Equal(t, xid, got)
}

// looksMax is how often until looks. Beside other processes a look takes longer, and so does the
// work that it waits for.
const looksMax = 60_000

// until waits for a condition. It counts looks, not seconds.
func until(t testing.TB, done func() bool, what string) {
	t.Helper()
	for looks := 0; !done(); looks++ {
		if looks == looksMax {
			t.Fatalf("not in %d looks: %s", looks, what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestNewConnectionsAreServedWhileEveryLaneStandsStill(t *testing.T) {
	for _, lanes := range []int{1, 2} {
		hold := make(chan struct{})
		ts := startStalling(t, hold, lanes)
		srv := ts.srv
		var stalled []net.Conn
		for i := range lanes {
			c := ts.dial()
			exchange(t, c, 1, procNull) // so the next one is the other lane's
			// If a lane was slow to take it, it gets it later.
			until(t, func() bool { return srv.reserve.count.Load() == 0 }, "an ordinary lane has it")
			_, err := c.Write(message(2, procStall, opaque([]byte("abc"))))
			require.NoError(t, err)
			stalled = append(stalled, c)
			until(t, func() bool { return int(ts.running.Load()) == i+1 }, "a lane stands still")
		}
		var fresh []net.Conn
		for range 40 {
			fresh = append(fresh, ts.dial())
		}
		for _, c := range fresh {
			exchange(t, c, 3, procNull)
			exchange(t, c, 4, procStall) // by a worker, which may wait
		}
		require.EqualValues(t, len(fresh), srv.reserve.count.Load())
		for _, l := range srv.lanes {
			require.EqualValues(t, 1, l.count.Load())
			require.Positive(t, l.missed.Load())
		}

		close(hold)
		for _, c := range stalled {
			xid, _ := reply(t, c)
			require.EqualValues(t, 2, xid)
		}
		until(t, func() bool {
			missed := int32(0)
			for _, l := range srv.lanes {
				missed += max(l.missed.Load(), 0)
			}
			return missed == 0 && srv.reserve.count.Load() == 0
		}, "lanes that move get the connections")
		for _, c := range append(fresh, ts.dial()) {
			exchange(t, c, 6, procStall)
			exchange(t, c, 7, procNull)
		}
		drain(t, srv)
	}
}

// startStalling starts a server with a reserve lane whose lanes stand still until hold is closed.
// The end of the test closes hold in any case.
func startStalling(t *testing.T, hold chan struct{}, lanes int) *testServer {
	t.Helper()
	ts := startHeld(t, hold, func(c *Config) { c.Lanes, c.Reserve = lanes, true })
	t.Cleanup(func() {
		select {
		case <-hold:
		default:
			close(hold)
		}
	})
	return ts
}

func TestConnectionsThatMoveLoseNothing(t *testing.T) {
	hold := make(chan struct{})
	ts := startStalling(t, hold, 1)
	one := ts.dial()
	exchange(t, one, 1, procNull)
	until(t, func() bool { return ts.srv.reserve.count.Load() == 0 }, "an ordinary lane has it")
	_, err := one.Write(message(2, procStall, opaque([]byte("abc"))))
	require.NoError(t, err)
	until(t, func() bool { return ts.running.Load() == 1 }, "the lane stands still")
	var busy []net.Conn
	for range 8 {
		c := ts.dial()
		exchange(t, c, 3, procNull)
		busy = append(busy, c)
	}
	close(hold)
	// The clients go on calling while their connections move. No reply is lost or comes twice.
	for xid := uint32(10); ts.srv.reserve.count.Load() > 0; xid++ {
		require.Less(t, xid, uint32(1<<20), "never")
		for _, c := range busy {
			_, err := c.Write(
				append(message(2*xid, procEcho, opaque([]byte("abc"))), message(2*xid+1, procNull, nil)...),
			)
			require.NoError(t, err)
		}
		for _, c := range busy {
			a, _ := reply(t, c)
			b, _ := reply(t, c)
			require.ElementsMatch(t, []uint32{2 * xid, 2*xid + 1}, []uint32{a, b})
		}
	}
	for _, c := range busy {
		exchange(t, c, 4, procStall)
	}
}

func TestAConnectionWithACallThatLastsGoesOnWhereItIs(t *testing.T) {
	hold := make(chan struct{})
	ts := startStalling(t, hold, 1)
	reserve := ts.srv.reserve
	one := ts.dial()
	exchange(t, one, 1, procNull)
	until(t, func() bool { return reserve.count.Load() == 0 }, "an ordinary lane has it")
	_, err := one.Write(message(2, procStall, opaque([]byte("abc"))))
	require.NoError(t, err)
	until(t, func() bool { return ts.running.Load() == 1 }, "the lane stands still")
	c := ts.dial()
	exchange(t, c, 3, procNull)
	_, err = c.Write(message(4, procSleep, opaque([]byte("abc"))))
	require.NoError(t, err)
	until(t, func() bool { return ts.running.Load() == 2 }, "a worker has its call")
	hold <- struct{}{} // for the call that has waited longest
	xid, _ := reply(t, one)
	require.EqualValues(t, 2, xid)

	// The connection tries to leave, gives up, and can call meanwhile.
	for tried := uint8(0); tried == 0; {
		exchange(t, c, 5, procNull)
		looked := make(chan uint8)
		require.NoError(t, reserve.loop.Post(loop.TaskFunc(func() { looked <- reserve.conns.move.tries })))
		tried = <-looked
	}
	require.EqualValues(t, 1, reserve.count.Load())
	close(hold)
	xid, _ = reply(t, c)
	require.EqualValues(t, 4, xid)
	until(t, func() bool { return reserve.count.Load() == 0 }, "it goes when the call is answered")
	exchange(t, c, 6, procNull)
}
