package transport

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/bufring"
	"github.com/ringnfs/ringnfs/uring/uringtest"
)

// Several peers take everything and acknowledge nothing. Each pins less than it may, all together
// half of the lane's slabs of each size. Then replies are copied, to everybody.
func TestBudgetOfALaneMakesFurtherSendsPlain(t *testing.T) {
	const size, peers, each = 300_000, 8, 4
	z := newZCWorld(t, nil)
	z.hold = true
	most, budget := 0, 0
	act := z.act
	z.act = func(w *world, op *uringtest.Op, p *peer, now bool) bool {
		if len(w.ts.srv.lanes) > 0 {
			l := w.ts.srv.lanes[0]
			sum := 0
			for cn := l.conns; cn != nil; cn = cn.nxt {
				sum += cn.zc.pinned
				if cn.zc.pinned > l.srv.cfg.PinnedMax {
					z.fail("one connection pins %d bytes", cn.zc.pinned)
				}
			}
			if budget = l.slabs.Share(bufring.Large) / 2; sum != l.pinned.sum() || sum > budget {
				z.fail("connections pin %d bytes, the lane says %d of %d", sum, l.pinned.sum(), budget)
			}
			most = max(most, sum)
		}
		return act(w, op, p, now)
	}
	for range peers {
		z.one(z.peer(), each, size)
	}
	z.until()
	// All peers have all replies, and nothing was acknowledged.
	for _, p := range z.peers {
		require.Equal(t, each, p.replies)
	}
	require.Len(t, z.ops, z.begun)
	require.EqualValues(t, z.gauges().Pinned, most)
	require.Greater(t, most, budget-(2<<20), "the budget was not used")
	require.NotZero(t, z.plain)
	z.on(func() { z.still = func() bool { n := len(z.ops); z.notify(); return n > 0 } })
	z.answered()
	require.Zero(t, z.gauges().Pinned)
}

// A peer that takes all that it is sent into its window, and acknowledges nothing, keeps slabs. At
// the deadline it is dropped, and the slabs come back.
func TestPeerThatAcknowledgesNothingIsDroppedAtTheDeadline(t *testing.T) {
	z := newZCWorld(t, nil)
	z.hold = true
	silent := z.peer()
	z.one(silent, 3, 300_000)
	act := z.act
	z.act = func(w *world, op *uringtest.Op, p *peer, now bool) bool {
		if p == silent && p.killed && op.Code == "RECV" && !now {
			op.Fail(unix.ECONNRESET)
			return true
		}
		return act(w, op, p, now)
	}
	ticks := 0
	z.still = func() bool {
		z.look(silent)
		switch {
		case silent.killed && len(z.ops) > 0:
			z.notify() // the reset lets go of the memory
			return true
		case silent.killed || silent.replies < 3 || ticks == 2:
			return false
		}
		z.tick(z.conn(silent).progress.Add(SendTimeoutDefault + time.Duration(ticks))) // the first is too early
		ticks++
		return true
	}
	z.until()
	require.Zero(t, z.ts.srv.Connections(), "it is not dropped")
	require.Equal(t, 2, ticks, "it was dropped before the deadline")
	require.NotZero(t, z.gauges().ZeroCopy)
	require.Zero(t, z.gauges().Pinned)
	z.end(context.Background())
	require.Equal(t, 3, silent.replies, "it had its replies")
	require.True(t, silent.killed)
}
