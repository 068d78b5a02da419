package transport

import (
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// briefCall is a call of a peer on a lane that has no ring.
func briefCall(lane int, peer byte, xid uint32, brief bool) *job {
	c := callFor(&conn{lane: &lane0s[lane]})
	c.Peer, c.XID = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, peer}), 1000), xid
	c.Brief = brief
	return c.asJob()
}

var lane0s = [2]lane{{place: rpc.Place{Index: 0}}, {place: rpc.Place{Index: 1}}}

func chain(j *job) (xids []uint32) {
	for ; j != nil; j = j.next {
		xids = append(xids, callOf(j).XID)
	}
	return xids
}

// sleepers puts n workers to rest that do not exist.
func sleepers(q *workQueue, n int) {
	for range n {
		q.resting = &sleeper{next: q.resting}
	}
}

func resting(q *workQueue) (n int) {
	for s := q.resting; s != nil; s = s.next {
		n++
	}
	return n
}

func TestOneWorkerIsWokenForTheBriefCallsOfATurn(t *testing.T) {
	var q workQueue
	q.init(2, 32, 1)
	sleepers(&q, 4)
	for xid := range uint32(10) {
		require.Equal(t, kickBrief, q.put(briefCall(0, 1, xid, true)))
	}
	require.Equal(t, 4, resting(&q), "nobody is woken before the end of the turn")
	q.kick(0, kickBrief)
	require.Equal(t, 3, resting(&q))
	q.kick(0, kickBrief)
	require.Equal(t, 3, resting(&q), "somebody is coming")
	require.Zero(t, q.put(briefCall(0, 1, 10, false)))
	require.Equal(t, 2, resting(&q), "a call that sleeps gets a worker of its own")
}

func TestAWorkerThatTakesACallThatSleepsLeavesNoneBehind(t *testing.T) {
	var q workQueue
	q.init(2, 32, 1)
	sleepers(&q, 4)
	q.put(briefCall(0, 1, 0, false)) // wakes one
	q.put(briefCall(0, 1, 1, true))
	q.kick(0, kickBrief) // leaves it to that one
	require.Equal(t, 3, resting(&q))
	q.coming-- // it is here
	c := q.take(idle, nil)
	require.EqualValues(t, 0, callOf(c).XID)
	require.Equal(t, 2, resting(&q))
}

func TestBriefCallsGoBackTogether(t *testing.T) {
	var q workQueue
	q.init(2, 32, 1)
	for xid := range uint32(backMax + 3) {
		q.put(briefCall(0, 1, xid, true))
	}
	c := q.take(idle, nil)
	var back []int
	for c != nil {
		next, b := q.swap(c)
		if b != nil {
			back = append(back, len(chain(b)))
		}
		c = next
	}
	require.Equal(t, []int{backMax, 3}, back)
	require.Zero(t, q.brief)
	require.Zero(t, q.busy)
}

func TestBriefCallsOfAllLanesGoBackBeforeAWorkerSleeps(t *testing.T) {
	var q workQueue
	q.init(2, 32, 1)
	q.put(briefCall(0, 1, 0, true))
	q.put(briefCall(1, 1, 1, true))
	q.put(briefCall(1, 1, 2, false))
	c, back := q.swap(q.take(idle, nil))
	require.Nil(t, back)
	c, back = q.swap(c)
	require.EqualValues(t, 2, callOf(c).XID)
	xids := chain(back)
	slices.Sort(xids)
	require.Equal(t, []uint32{0, 1}, xids)
}

func TestThePatrolSendsOthersWhenTheWorkerAtBriefCallsSleeps(t *testing.T) {
	var q workQueue
	q.init(2, 32, 1)
	for xid := range uint32(20) {
		q.put(briefCall(0, 1, xid, true))
	}
	done := q.take(idle, nil)
	stuck, back := q.swap(done)
	require.Nil(t, back)
	sleepers(&q, 10)
	q.kick(0, kickBrief)
	require.Equal(t, 10, resting(&q), "one is at it")
	back, w := q.patrol()
	require.Nil(t, back)
	require.Nil(t, w, "not for a round")
	back, w = q.patrol()
	require.Equal(t, []uint32{callOf(done).XID}, chain(back), "a reply does not wait for a worker that sleeps")
	require.NotNil(t, w)
	require.Equal(t, 9, resting(&q))
	_, _ = q.patrol()
	require.Equal(t, 7, resting(&q), "twice as many")
	require.True(t, q.watched)
	q.coming = 0
	q.kick(0, kickBrief)
	require.Equal(t, 6, resting(&q), "who sleeps does not count")
	_, back = q.swap(stuck)
	require.Nil(t, back)
	require.Equal(t, 1, q.brief)
}

func TestNoBriefCallIsLost(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var q workQueue
	q.init(2, 32, 1)
	const calls = 3000
	var seen [calls]atomic.Int32
	var left atomic.Int32
	left.Store(calls)
	back := func(j *job) {
		for ; j != nil; j = j.next {
			seen[callOf(j).XID].Add(1)
			left.Add(-1)
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			at := new(sleeper)
			for c := q.take(idle, at); c != nil; {
				if callOf(c).XID%64 == 0 {
					time.Sleep(100 * time.Microsecond)
				}
				b, done := c, c.share
				if c.brief {
					c, b = q.swap(c)
					done = idle
				} else {
					c = nil
				}
				back(b)
				if c == nil {
					c = q.take(done, at)
				}
			}
		})
	}
	var lanes sync.WaitGroup
	for lane := range 2 {
		r := rand.New(rand.NewPCG(seed, uint64(lane)))
		lanes.Go(func() {
			for i := lane; i < calls; {
				for n := r.IntN(8); n >= 0 && i < calls; n-- {
					q.put(briefCall(lane, byte(r.IntN(3)), uint32(i), r.IntN(4) > 0))
					i += 2
				}
				q.kick(lane, kickBrief)
				runtime.Gosched()
			}
		})
	}
	lanes.Wait()
	for left.Load() > 0 { // there is no patrol, and nobody sleeps for long
		runtime.Gosched()
	}
	q.close()
	wg.Wait()
	for i := range seen {
		require.EqualValues(t, 1, seen[i].Load(), i)
	}
}
