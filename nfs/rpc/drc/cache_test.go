package drc_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc/drc"
)

// noLeak ends a test: no call is in progress.
func noLeak(t *testing.T, c *drc.Cache) {
	t.Helper()
	require.Zero(t, c.Stats().InProgress, "calls in progress at the end")
}

func key(peer byte, xid uint32) drc.Key {
	return drc.Key{Peer: netip.AddrFrom4([4]byte{192, 0, 2, peer}), XID: xid, Prog: 100003, Vers: 3, Proc: 12, Sum: 1, Len: 60}
}

// run makes one entry.
func run(t *testing.T, c *drc.Cache, k drc.Key, reply string) {
	t.Helper()
	v, _ := c.Begin(k, nil)
	require.Equal(t, drc.First, v)
	c.Finish(k, []byte(reply))
}

// known reports whether the reply of k is still there, without a trace if not.
func known(c *drc.Cache, k drc.Key) bool {
	v, _ := c.Begin(k, nil)
	if v == drc.First {
		c.Abandon(k)
	}
	return v == drc.Replay
}

func TestADuplicateGetsTheFirstReply(t *testing.T) {
	c := drc.New(drc.Config{})
	k := key(1, 7)
	reply := []byte("reply")
	v, _ := c.Begin(k, nil)
	require.Equal(t, drc.First, v)
	c.Finish(k, reply)
	reply[0] = 'X'
	for range 3 {
		v, got := c.Begin(k, nil)
		require.Equal(t, drc.Replay, v)
		require.Equal(t, "reply", string(got), "the cache has a copy of its own")
	}
	noLeak(t, c)
}

func TestAnEmptyReplyIsAReply(t *testing.T) {
	c := drc.New(drc.Config{})
	k := key(1, 7)
	c.Begin(k, nil)
	w := &waiter{}
	c.Begin(k, w)
	c.Finish(k, nil)
	require.Equal(t, 1, w.told)
	require.NotNil(t, w.reply)
	v, got := c.Begin(k, nil)
	require.Equal(t, drc.Replay, v)
	require.Empty(t, got)
	noLeak(t, c)
}

func TestEveryPartOfTheKeyCounts(t *testing.T) {
	c := drc.New(drc.Config{})
	run(t, c, key(1, 7), "reply")
	for name, change := range map[string]func(*drc.Key){
		"peer": func(k *drc.Key) { k.Peer = k.Peer.Next() },
		"xid":  func(k *drc.Key) { k.XID++ },
		"prog": func(k *drc.Key) { k.Prog++ },
		"vers": func(k *drc.Key) { k.Vers++ },
		"proc": func(k *drc.Key) { k.Proc++ },
		"sum":  func(k *drc.Key) { k.Sum++ },
		"len":  func(k *drc.Key) { k.Len++ },
	} {
		k := key(1, 7)
		change(&k)
		require.False(t, known(c, k), name)
	}
	mapped := key(1, 7)
	mapped.Peer = netip.AddrFrom16(mapped.Peer.As16())
	require.True(t, known(c, mapped), "an IPv4 client by an IPv6 socket is the same client")
	noLeak(t, c)
}

func TestDuplicatesOfACallInProgressAreTold(t *testing.T) {
	for _, finish := range []bool{true, false} {
		c := drc.New(drc.Config{WaitersMax: 2})
		k := key(1, 7)
		c.Begin(k, nil)
		w := []*waiter{{}, {}, {}}
		for i, want := range []drc.Verdict{drc.Busy, drc.Busy, drc.Full} {
			v, _ := c.Begin(k, w[i])
			require.Equal(t, want, v)
		}
		if finish {
			c.Finish(k, []byte("reply"))
			assert.Equal(t, "reply", string(w[0].reply))
			assert.Equal(t, "reply", string(w[1].reply))
		} else {
			c.Abandon(k)
			assert.Nil(t, w[0].reply)
			v, _ := c.Begin(k, nil)
			assert.Equal(t, drc.First, v, "an abandoned call is run when it comes again")
			c.Abandon(k)
		}
		assert.Equal(t, []int{1, 1, 0}, []int{w[0].told, w[1].told, w[2].told})
		c.Finish(k, []byte("another"))
		c.Abandon(k)
		assert.Equal(t, 1, w[0].told, "a second end is ignored")
		assert.Equal(t, finish, known(c, k))
		noLeak(t, c)
	}
}

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

func TestACallInProgressIsNeverEvictedAndNeverExpires(t *testing.T) {
	now := time.Unix(0, 0)
	c := drc.New(drc.Config{EntriesMax: 2, PerPeerMax: 2, Shards: 1, Now: func() time.Time { return now }})
	for xid := range uint32(2) {
		v, _ := c.Begin(key(1, xid), nil)
		require.Equal(t, drc.First, v)
	}
	now = now.Add(time.Hour)
	for _, peer := range []byte{1, 2} {
		v, _ := c.Begin(key(peer, 9), nil)
		require.Equal(t, drc.Full, v)
	}
	v, _ := c.Begin(key(1, 0), nil)
	require.Equal(t, drc.Busy, v)
	c.Finish(key(1, 0), []byte("reply"))
	run(t, c, key(2, 9), "reply")
	c.Finish(key(1, 1), []byte("reply"))
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
		for xid := range uint32(90) {
			v, _ := c.Begin(key(2, xid), nil)
			require.Equal(t, drc.First, v)
		}
		v, _ := c.Begin(key(2, 90), nil)
		require.Equal(t, drc.Full, v)
		for xid := range uint32(10) {
			require.True(t, known(c, key(1, xid)))
		}
		for xid := range uint32(90) {
			c.Abandon(key(2, xid))
		}
		noLeak(t, c)
	})
}

func TestAmongEqualsAPeerMakesRoomItself(t *testing.T) {
	c := drc.New(drc.Config{EntriesMax: 2, PerPeerMax: 2, Shards: 1})
	for _, peer := range []byte{1, 2} {
		v, _ := c.Begin(key(peer, 1), nil)
		require.Equal(t, drc.First, v)
	}
	c.Finish(key(2, 1), []byte("older"))
	c.Finish(key(1, 1), []byte("newer"))
	run(t, c, key(1, 2), "reply")
	require.True(t, known(c, key(2, 1)))
	require.True(t, known(c, key(1, 2)))
	noLeak(t, c)
}

func TestAReplyBeyondTheBoundIsToldButNotKept(t *testing.T) {
	c := drc.New(drc.Config{BytesMax: 100, Shards: 1})
	k, w := key(1, 7), &waiter{}
	c.Begin(k, nil)
	c.Begin(k, w)
	c.Finish(k, make([]byte, 101))
	require.Len(t, w.reply, 101)
	require.False(t, known(c, k))
	require.Zero(t, c.Stats().Bytes)
	noLeak(t, c)
}

func TestNewRefusesShardsThatAreNoPowerOfTwo(t *testing.T) {
	require.Panics(t, func() { drc.New(drc.Config{Shards: 12}) })
}

func TestConsecutiveXIDsUseAllShards(t *testing.T) {
	c := drc.New(drc.Config{EntriesMax: 1600, PerPeerMax: 1600})
	for xid := range uint32(1600) {
		run(t, c, key(1, xid), "reply")
	}
	require.Greater(t, c.Stats().Entries, 1400, "evenly enough that the bounds of the shards cost little")
	noLeak(t, c)
}

func TestSumTellsBytesApart(t *testing.T) {
	require.Equal(t, drc.Sum([]byte("abc")), drc.Sum([]byte("abc")))
	require.NotEqual(t, drc.Sum([]byte("abc")), drc.Sum([]byte("abd")))
	require.NotEqual(t, drc.Sum(nil), drc.Sum([]byte{0}))
}

// onceWaiter sends what it is told to a goroutine.
type onceWaiter chan []byte

func (w onceWaiter) Replay(reply []byte) { w <- reply }

// Several connections of each of several clients send the same calls, all at
// once: each call runs exactly once, and everybody gets its reply.
func TestACallRunsOnceHoweverManySendIt(t *testing.T) {
	const clients, connections, calls = 3, 4, 300
	c := drc.New(drc.Config{WaitersMax: connections})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var runs [clients][calls]atomic.Int32
	var wg sync.WaitGroup
	for client := range clients {
		for conn := range connections {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(client*connections+conn)))
				w := make(onceWaiter, 1)
				for _, xid := range r.Perm(calls) {
					k := key(byte(client), uint32(xid))
					want := fmt.Sprintf("%d/%d", client, xid)
					v, got := c.Begin(k, w)
					for v == drc.Busy {
						if got = <-w; got != nil {
							break
						}
						v, got = c.Begin(k, w) // it was abandoned
					}
					if v == drc.First {
						if r.IntN(10) == 0 {
							c.Abandon(k)
							continue
						}
						runs[client][xid].Add(1)
						c.Finish(k, []byte(want))
						continue
					}
					assert.Equal(t, want, string(got))
				}
			})
		}
	}
	wg.Wait()
	for client := range clients {
		for xid := range calls {
			assert.LessOrEqual(t, runs[client][xid].Load(), int32(1))
		}
	}
	noLeak(t, c)
}

func BenchmarkCache(b *testing.B) {
	c := drc.New(drc.Config{EntriesMax: 1024})
	reply := make([]byte, 120)
	args := make([]byte, drc.SumMax)
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		xid := uint32(0)
		for b.Loop() {
			xid++
			k := key(1, xid)
			binary.BigEndian.PutUint32(args, xid)
			k.Sum = drc.Sum(args)
			c.Begin(k, nil)
			c.Finish(k, reply)
		}
	})
	b.Run("replay", func(b *testing.B) {
		b.ReportAllocs()
		k := key(2, 1)
		c.Begin(k, nil)
		c.Finish(k, reply)
		for b.Loop() {
			c.Begin(k, nil)
		}
	})
}
