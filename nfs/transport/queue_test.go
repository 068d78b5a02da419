package transport

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// connOf is a connection of a household.
func connOf(peer byte) *conn {
	return &conn{lane: &lane0s[0], house: netip.AddrFrom4([4]byte{192, 0, 2, peer})}
}

// callFor is a call of a connection.
func callFor(cn *conn) *call {
	c := newCall()
	c.conn = cn
	return c
}

// callOf returns the call that a job is about.
func callOf(j *job) *call { return j.task.(*call) }

func queued(q *workQueue, peer byte, xid uint32) {
	c := callFor(connOf(peer))
	c.Peer, c.XID = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, peer}), uint16(1000+xid)), xid
	q.put(c.asJob())
}

// volumeOf is a program whose calls depend on the volume that their first argument names.
var volumeOf = rpc.NewServer(&rpc.Program{
	Name: "VOLUMES", Number: testProgram,
	Versions: []rpc.Version{
		{
			Number: 1,
			Procedures: []rpc.Procedure{
				{Name: "NULL", Handle: func(*rpc.Call) rpc.Outcome { return rpc.Done }},
			},
		},
	},
	Target: func(c *rpc.Call) rpc.Target {
		d := c.Args
		return rpc.Target{Volume: int(d.Uint32()), Object: uint64(d.Uint32())}
	},
})

// queuedFor queues a call to a volume.
func queuedFor(t testing.TB, q *workQueue, peer byte, volume int) {
	t.Helper()
	c := callFor(connOf(peer))
	require.NoError(t, volumeOf.Parse(&c.Call, message(1, procNull, ask(volume))[markLen:], nil))
	c.Peer = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, peer}), 1000)
	q.put(c.asJob())
}

// ready reports whether a worker would get a call now.
func (q *workQueue) ready() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, ok := q.next()
	return ok
}

func TestAVolumeThatHangsLeavesWorkersToTheOthers(t *testing.T) {
	for _, c := range []struct{ workers, volumes, hung, others int }{
		{32, 2, 21, 8}, {32, 4, 15, 4}, {32, 16, 12, 1}, {32, 40, 12, 1}, {8, 2, 4, 2}, {4, 2, 1, 1}, {2, 2, 1, 0}, {1, 2, 1, 0}, {32, 1, 30, 0},
	} {
		var q workQueue
		q.init(1, c.workers, c.volumes)
		for range 100 {
			queuedFor(t, &q, 1, 1)
		}
		n := 0
		for ; n < c.workers && q.ready(); n++ {
			require.NotNil(t, q.take(idle, nil))
		}
		require.Equal(t, c.hung, n, "%+v", c)
		if c.others == 0 {
			continue
		}
		for v := 2; v <= min(c.volumes, c.workers/2); v++ {
			for range 50 {
				queuedFor(t, &q, 2, v)
			}
		}
		for v := 2; v <= min(c.volumes, c.workers/2); v++ {
			for range c.others { // all of them hang, too
				require.True(t, q.ready(), "%+v", c)
				require.NotNil(t, q.take(idle, nil))
			}
		}
		require.Equal(t, c.workers-q.extras-1, q.busy, "%+v", c)
	}
}

func TestWorkersThatComeBackGoToWhoHasAPartLeft(t *testing.T) {
	var q workQueue
	q.init(1, 8, 2)
	for range 20 {
		queuedFor(t, &q, 1, 1)
	}
	for range 4 {
		require.Equal(t, 1, q.take(idle, nil).share)
	}
	require.False(t, q.ready())
	queuedFor(t, &q, 1, 0)
	require.Equal(t, 0, q.take(idle, nil).share, "what depends on no volume is not held up")
	queuedFor(t, &q, 1, 2)
	require.Equal(t, 2, q.take(0, nil).share)
	require.False(t, q.ready())
	queuedFor(t, &q, 1, 2)
	require.Equal(t, 1, q.take(1, nil).share, "the turn is the first's, who has given one back")
	require.Equal(t, 2, q.take(1, nil).share, "the other has a part left")
	require.Equal(t, 1, q.take(2, nil).share)
	require.False(t, q.ready())
	q.close()
	for range 14 {
		require.Equal(t, 1, q.take(1, nil).share, "at the end all is taken")
	}
	require.Nil(t, q.take(1, nil))
}

func TestVolumesTakeTurnsAndPeersWithinThem(t *testing.T) {
	var q workQueue
	q.init(1, 4, 2)
	for range 3 {
		queuedFor(t, &q, 1, 1)
	}
	queuedFor(t, &q, 2, 1)
	queuedFor(t, &q, 3, 2)
	queuedFor(t, &q, 3, 2)
	q.close()
	var got [][2]int
	for done := idle; ; {
		c := q.take(done, nil)
		if c == nil {
			break
		}
		done = c.share
		got = append(got, [2]int{c.share, int(callOf(c).Peer.Addr().As4()[3])})
	}
	require.Equal(t, [][2]int{{1, 1}, {2, 3}, {1, 2}, {2, 3}, {1, 1}, {1, 1}}, got)
}

func TestPeersTakeTurnsAtTheWorkers(t *testing.T) {
	var q workQueue
	q.init(1, 4, 1)
	for xid := range uint32(1000) { // over as many connections
		queued(&q, 1, xid)
	}
	queued(&q, 2, 0)
	queued(&q, 3, 0)
	queued(&q, 3, 1)
	q.close()
	var peers []byte
	xids := map[byte]uint32{}
	for c := q.take(idle, nil); c != nil; c = q.take(0, nil) {
		a := callOf(c).Peer.Addr().As4()
		require.Equal(t, xids[a[3]], callOf(c).XID, "in the order in which they came")
		xids[a[3]]++
		peers = append(peers, a[3])
	}
	require.Equal(t, []byte{1, 2, 3, 1, 3, 1, 1}, peers[:7])
	require.Len(t, peers, 1003)
	require.Empty(t, q.shares[0].houses.byPeer)
	require.Zero(t, q.shares[0].houses.n)
}

func TestAQueueThatIsFilledAndEmptiedAllocatesNothing(t *testing.T) {
	var q workQueue
	q.init(1, 4, 1)
	c := callFor(connOf(1))
	c.Peer = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), 1000)
	done := idle
	require.Zero(t, testing.AllocsPerRun(100, func() {
		q.put(c.asJob())
		require.Same(t, &c.job, q.take(done, nil))
		done = 0
	}))
}

func TestTheAddressesOfAHouseholdTakeOneTurn(t *testing.T) {
	var q workQueue
	q.init(1, 4, 1)
	put := func(addr string, xid uint32) {
		a := netip.MustParseAddr(addr)
		c := callFor(&conn{lane: &lane0s[0], house: rpc.Household(a)})
		c.Peer, c.XID = netip.AddrPortFrom(a, 1000), xid
		q.put(c.asJob())
	}
	for xid := range uint32(100) {
		put(fmt.Sprintf("2001:db8::%x", xid+1), xid)
	}
	put("2001:db8:0:1::1", 1000)
	q.close()
	require.EqualValues(t, 0, callOf(q.take(idle, nil)).XID)
	require.EqualValues(t, 1000, callOf(q.take(0, nil)).XID, "another network waits for one call")
	for c := q.take(0, nil); c != nil; {
		c = q.take(0, nil)
	}
}

// Many households take turns as few do, while some come and others go.
func TestALineOfManyHouseholdsIsOneOfFew(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var q workQueue
	var line houses
	type household struct {
		peer netip.Addr
		xids []uint32
	}
	var model []*household
	for xid := range uint32(5000) {
		if r.IntN(100) < 50+tide(xid) {
			peer := netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(12))})
			c := newCall()
			c.XID = xid
			j := &c.job
			j.house = peer
			q.push(&line, j)
			at := slices.IndexFunc(model, func(h *household) bool { return h.peer == peer })
			if at < 0 {
				at = len(model)
				model = append(model, &household{peer: peer})
			}
			model[at].xids = append(model[at].xids, xid)
		} else if len(model) > 0 {
			h := model[0]
			require.Equal(t, h.xids[0], callOf(q.shift(&line)).XID)
			model = model[1:]
			if h.xids = h.xids[1:]; len(h.xids) > 0 {
				model = append(model, h)
			}
		}
		require.Equal(t, len(model), line.n)
		if line.n <= housesSearched {
			require.Empty(t, line.byPeer)
		} else {
			require.Len(t, line.byPeer, line.n)
		}
	}
}

// tide makes the line grow and shrink in turn.
func tide(xid uint32) int {
	if xid/100%2 == 0 {
		return 20
	}
	return -20
}
