package drc_test

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc/drc"
)

func TestTheAgeOfAReplyCountsFromItsLastUse(t *testing.T) {
	now := time.Unix(0, 0)
	c := drc.New(drc.Config{Now: func() time.Time { return now }})
	run(t, c, key(1, 7), "reply")
	now = now.Add(120 * time.Second)
	require.True(t, known(c, key(1, 7)), "the default is two minutes at least")
	now = now.Add(120 * time.Second)
	require.True(t, known(c, key(1, 7)))
	now = now.Add(120*time.Second + 1)
	require.False(t, known(c, key(1, 7)))
	require.EqualValues(t, 1, c.Stats().Expired)
	noLeak(t, c)
}

// The sender of a call waits for its reply, so there is always room for one more.
func TestCallsInProgressNeedNoRoomAndKeepTheirsForAsLongAsTheyTake(t *testing.T) {
	now := time.Unix(0, 0)
	c := drc.New(drc.Config{EntriesMax: 2, PerPeerMax: 2, Shards: 1, Now: func() time.Time { return now }})
	var tickets []drc.Ticket
	for xid := range uint32(1000) {
		v, ticket := begin(c, key(byte(xid%3), xid))
		require.Equal(t, drc.First, v)
		tickets = append(tickets, ticket)
	}
	require.Equal(t, 1000, c.Stats().Entries)
	now = now.Add(time.Hour)
	w := &caller{by: "one"}
	v, _, _ := c.Begin(key(0, 0), w)
	require.Equal(t, drc.Busy, v)
	for _, ticket := range tickets {
		c.Finish(ticket, 0, []byte("reply"))
	}
	require.Equal(t, "reply", string(w.reply))
	require.Equal(t, 2, c.Stats().Entries, "replies do need room")
	require.EqualValues(t, 998, c.Stats().Evicted)
	require.True(t, known(c, key(0, 999)))
	noLeak(t, c)
}

func TestAFloodCostsItsSenderOnly(t *testing.T) {
	t.Run("below the limit of the peer", func(t *testing.T) {
		c := drc.New(drc.Config{EntriesMax: 100, PerPeerMax: 100, Shards: 1})
		for xid := range uint32(10) {
			run(t, c, key(1, xid), "reply")
		}
		for xid := range uint32(10000) {
			run(t, c, key(2, xid), "reply")
		}
		for xid := range uint32(10) {
			require.True(t, known(c, key(1, xid)))
		}
		require.Equal(t, 100, c.Stats().Entries)
		noLeak(t, c)
	})
	t.Run("at the limit of the peer", func(t *testing.T) {
		c := drc.New(drc.Config{EntriesMax: 100, PerPeerMax: 20, Shards: 1})
		for xid := range uint32(1000) {
			run(t, c, key(2, xid), "reply")
		}
		require.Equal(t, 20, c.Stats().Entries)
		require.True(t, known(c, key(2, 999)))
		noLeak(t, c)
	})
	t.Run("by bytes", func(t *testing.T) {
		c := drc.New(drc.Config{BytesMax: 1000, Shards: 1})
		for xid := range uint32(10) {
			run(t, c, key(1, xid), "small")
		}
		for xid := range uint32(100) {
			run(t, c, key(2, xid), string(make([]byte, 300)))
		}
		for xid := range uint32(10) {
			require.True(t, known(c, key(1, xid)))
		}
		require.LessOrEqual(t, c.Stats().Bytes, 1000)
		noLeak(t, c)
	})
	t.Run("by calls in progress", func(t *testing.T) {
		c := drc.New(drc.Config{EntriesMax: 100, PerPeerMax: 100, Shards: 1})
		for xid := range uint32(10) {
			run(t, c, key(1, xid), "reply")
		}
		var tickets []drc.Ticket
		for xid := range uint32(200) {
			_, ticket := begin(c, key(2, xid))
			tickets = append(tickets, ticket)
		}
		for _, ticket := range tickets {
			c.Finish(ticket, 0, []byte("reply"))
		}
		for xid := range uint32(10) {
			require.True(t, known(c, key(1, xid)))
		}
		noLeak(t, c)
	})
	t.Run("from all addresses of its household", func(t *testing.T) {
		c := drc.New(drc.Config{EntriesMax: 100, PerPeerMax: 100, Shards: 1})
		for xid := range uint32(10) {
			run(t, c, key(1, xid), "reply")
		}
		for xid := range uint32(1000) {
			k := key(1, xid)
			a := netip.MustParseAddr("2001:db8::").As16()
			binary.BigEndian.PutUint32(a[12:], xid)
			k.Peer, k.House = netip.AddrFrom16(a), netip.MustParseAddr("2001:db8::")
			run(t, c, k, "reply")
		}
		for xid := range uint32(10) {
			require.True(t, known(c, key(1, xid)))
		}
		noLeak(t, c)
	})
}

// A reply that a peer has lost no longer counts as held by that peer.
func TestAPeerThatLostRepliesHoldsWhatIsLeft(t *testing.T) {
	now := time.Unix(0, 0)
	c := drc.New(drc.Config{BytesMax: 1000, Shards: 1, Now: func() time.Time { return now }})
	modest := key(2, 1000)
	run(t, c, modest, "0123456789")
	for xid := range uint32(20) { // a peer that takes much gives up its own replies
		run(t, c, key(2, xid), string(make([]byte, 300)))
		require.True(t, known(c, modest))
	}
	require.EqualValues(t, 17, c.Stats().Evicted)
	now = now.Add(100 * time.Second)
	require.True(t, known(c, modest))
	now = now.Add(21 * time.Second) // the others have grown old
	for xid := range uint32(3) {
		run(t, c, key(1, xid), string(make([]byte, 300)))
	}
	require.Equal(t, 910, c.Stats().Bytes)
	run(t, c, key(3, 0), string(make([]byte, 200)))
	require.True(t, known(c, modest), "ten bytes are not the most that somebody holds")
	require.False(t, known(c, key(1, 0)))
	require.Equal(t, 10+600+200, c.Stats().Bytes)
	noLeak(t, c)
}

func TestAmongEqualsAPeerMakesRoomItself(t *testing.T) {
	c := drc.New(drc.Config{EntriesMax: 2, PerPeerMax: 2, Shards: 1})
	run(t, c, key(2, 1), "older")
	run(t, c, key(1, 1), "newer")
	run(t, c, key(1, 2), "reply")
	require.True(t, known(c, key(2, 1)))
	require.True(t, known(c, key(1, 2)))
	noLeak(t, c)
}

func TestAReplyBeyondTheBoundIsToldButNotKept(t *testing.T) {
	c := drc.New(drc.Config{BytesMax: 100, Shards: 1})
	k, w := key(1, 7), &caller{by: "one"}
	_, ticket := begin(c, k)
	c.Begin(k, w)
	c.Finish(ticket, 0, make([]byte, 101))
	require.Len(t, w.reply, 101)
	require.False(t, known(c, k))
	require.Zero(t, c.Stats().Bytes)
	noLeak(t, c)
}

func TestAReplyOfJustTheBoundIsKept(t *testing.T) {
	c := drc.New(drc.Config{BytesMax: 100, Shards: 1})
	run(t, c, key(1, 7), string(make([]byte, 100)))
	require.True(t, known(c, key(1, 7)))
	require.Equal(t, 100, c.Stats().Bytes)
	noLeak(t, c)
}
