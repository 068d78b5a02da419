package transport

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func queued(q *workQueue, peer byte, xid uint32) {
	c := &call{}
	c.Peer, c.XID = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, peer}), uint16(1000+xid)), xid
	q.put(c)
}

func TestPeersTakeTurnsAtTheWorkers(t *testing.T) {
	var q workQueue
	q.init()
	for xid := range uint32(1000) { // over as many connections
		queued(&q, 1, xid)
	}
	queued(&q, 2, 0)
	queued(&q, 3, 0)
	queued(&q, 3, 1)
	q.close()
	var peers []byte
	xids := map[byte]uint32{}
	for c := q.take(); c != nil; c = q.take() {
		a := c.Peer.Addr().As4()
		require.Equal(t, xids[a[3]], c.XID, "in the order in which they came")
		xids[a[3]]++
		peers = append(peers, a[3])
	}
	require.Equal(t, []byte{1, 2, 3, 1, 3, 1, 1}, peers[:7])
	require.Len(t, peers, 1003)
	require.Empty(t, q.byPeer)
}

func TestAQueueThatIsFilledAndEmptiedAllocatesNothing(t *testing.T) {
	var q workQueue
	q.init()
	c := &call{}
	c.Peer = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), 1000)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		q.put(c)
		require.Same(t, c, q.take())
	}))
}
