package drc_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

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
	return drc.Key{
		Peer:   netip.AddrFrom4([4]byte{192, 0, 2, peer}),
		XID:    xid,
		Prog:   100003,
		Vers:   3,
		Proc:   12,
		Caller: 1,
		Sum:    1,
		Len:    60,
	}
}

// caller is a call by a connection. It remembers what it was told.
type caller struct {
	by    string
	judge func(a drc.Answer) drc.Relation // nil: it is never asked
	told  int
	reply []byte
}

func (c *caller) By() drc.Wire                    { return c.by }
func (c *caller) Judge(a drc.Answer) drc.Relation { return c.judge(a) }
func (c *caller) Ended(reply []byte)              { c.told, c.reply = c.told+1, reply }
func always(r drc.Relation) func(drc.Answer) drc.Relation {
	return func(drc.Answer) drc.Relation { return r }
}

// by returns a call by a connection; is is the relation of that connection to all others.
func by(name string, is drc.Relation) *caller { return &caller{by: name, judge: always(is)} }

// begin looks k up as a call by the one connection that exists.
func begin(c *drc.Cache, k drc.Key) (drc.Verdict, drc.Ticket) {
	v, ticket, _ := c.Begin(k, &caller{by: "one"})
	return v, ticket
}

// run makes one entry.
func run(t *testing.T, c *drc.Cache, k drc.Key, reply string) {
	t.Helper()
	v, ticket := begin(c, k)
	require.Equal(t, drc.First, v)
	c.Finish(ticket, 0, []byte(reply))
}

// known reports whether the cache has the reply of k. If not, it leaves no trace.
func known(c *drc.Cache, k drc.Key) bool {
	v, ticket := begin(c, k)
	if v == drc.First {
		c.Abandon(ticket)
	}
	return v == drc.Replay
}

func TestADuplicateGetsTheFirstReply(t *testing.T) {
	c := drc.New(drc.Config{})
	k := key(1, 7)
	reply := []byte("reply")
	v, ticket := begin(c, k)
	require.Equal(t, drc.First, v)
	require.True(t, ticket.Valid())
	c.Finish(ticket, 100, reply)
	reply[0] = 'X'
	for range 3 {
		v, ticket, got := c.Begin(k, &caller{by: "one"})
		require.Equal(t, drc.Replay, v)
		require.False(t, ticket.Valid())
		require.Equal(t, "reply", string(got), "the cache has a copy of its own")
	}
	noLeak(t, c)
}

func TestAnEmptyReplyIsAReply(t *testing.T) {
	c := drc.New(drc.Config{})
	k := key(1, 7)
	_, ticket := begin(c, k)
	w := &caller{by: "one"}
	c.Begin(k, w)
	c.Finish(ticket, 0, nil)
	require.Equal(t, 1, w.told)
	require.NotNil(t, w.reply)
	v, _, got := c.Begin(k, w)
	require.Equal(t, drc.Replay, v)
	require.Empty(t, got)
	noLeak(t, c)
}

func TestEveryPartOfTheKeyCounts(t *testing.T) {
	c := drc.New(drc.Config{})
	run(t, c, key(1, 7), "reply")
	for name, change := range map[string]func(*drc.Key){
		"peer":   func(k *drc.Key) { k.Peer = k.Peer.Next() },
		"xid":    func(k *drc.Key) { k.XID++ },
		"prog":   func(k *drc.Key) { k.Prog++ },
		"vers":   func(k *drc.Key) { k.Vers++ },
		"proc":   func(k *drc.Key) { k.Proc++ },
		"caller": func(k *drc.Key) { k.Caller++ },
		"sum":    func(k *drc.Key) { k.Sum++ },
		"len":    func(k *drc.Key) { k.Len++ },
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

// There may be any number: each is a call that its connection waits for.
func TestAllDuplicatesOfACallInProgressAreTold(t *testing.T) {
	for _, finish := range []bool{true, false} {
		c := drc.New(drc.Config{})
		k := key(1, 7)
		_, ticket := begin(c, k)
		var all []*caller
		for range 1000 {
			w := &caller{by: "one"}
			v, _, _ := c.Begin(k, w)
			require.Equal(t, drc.Busy, v)
			all = append(all, w)
		}
		if finish {
			c.Finish(ticket, 0, []byte("reply"))
		} else {
			c.Abandon(ticket)
		}
		for _, w := range all {
			require.Equal(t, 1, w.told)
			require.Equal(t, finish, string(w.reply) == "reply")
			require.Equal(t, finish, w.reply != nil)
		}
		require.Equal(t, finish, known(c, k), "an abandoned call is run when it comes again")
		noLeak(t, c)
	}
}

func TestACallByAnotherConnectionIsWhatThatIsToTheFirst(t *testing.T) {
	for _, done := range []bool{true, false} {
		for is, want := range map[drc.Relation]drc.Verdict{
			drc.Successor: map[bool]drc.Verdict{true: drc.Replay, false: drc.Busy}[done],
			drc.Unknown:   map[bool]drc.Verdict{true: drc.Doubt, false: drc.Busy}[done],
			drc.Stranger:  drc.First,
			drc.Settled:   drc.First,
		} {
			c := drc.New(drc.Config{})
			k := key(1, 7)
			_, first := begin(c, k)
			if done {
				c.Finish(first, 123, []byte("one's"))
			}
			second := by("two", is)
			v, ticket, reply := c.Begin(k, second)
			require.Equal(t, want, v, "relation %d, done %v", is, done)
			if v == drc.Replay {
				require.Equal(t, "one's", string(reply))
			}
			if !done {
				c.Finish(first, 123, []byte("one's"))
			}
			if v == drc.Busy {
				require.Equal(t, 1, second.told)
				require.Equal(
					t,
					is == drc.Successor,
					second.reply != nil,
					"who may be another has to ask again",
				)
			}
			if v == drc.First {
				require.EqualValues(t, 1, c.Stats().Strangers)
				c.Finish(ticket, 50, []byte("two's"))
				v, _, reply = c.Begin(k, second)
				require.Equal(t, drc.Replay, v)
				require.Equal(t, "two's", string(reply), "each connection has its own")
				v, _, reply = c.Begin(k, &caller{by: "one", judge: always(drc.Stranger)})
				if is == drc.Settled && done {
					require.Equal(t, drc.First, v, "what nobody can ask for any more is forgotten")
					continue
				}
				require.Equal(t, drc.Replay, v)
				require.Equal(t, "one's", string(reply))
			}
			noLeak(t, c)
		}
	}
}

// The connection that heard the reply counts, not the first one.
func TestASuccessorIsJudgedInPlaceOfThoseBeforeIt(t *testing.T) {
	c := drc.New(drc.Config{})
	k := key(1, 7)
	_, ticket := begin(c, k)
	c.Finish(ticket, 100, []byte("reply"))
	var asked []drc.Answer
	heard := map[string]bool{}
	next := func(name string) (drc.Verdict, drc.Ticket) {
		asked = nil
		v, ticket, _ := c.Begin(k, &caller{by: name, judge: func(a drc.Answer) drc.Relation {
			asked = append(asked, a)
			if heard[a.By.(string)] && a.End != drc.Unsent {
				return drc.Stranger
			}
			return drc.Successor
		}})
		return v, ticket
	}
	ends := func() (list []string) {
		for _, a := range asked {
			require.True(t, a.Done)
			require.False(t, a.At.IsZero())
			list = append(list, fmt.Sprintf("%v %d", a.By, int64(a.End)))
		}
		return list
	}
	v, _ := next("two")
	require.Equal(t, drc.Replay, v)
	require.Equal(t, []string{"one 100"}, ends())
	v, _ = next("three")
	require.Equal(t, drc.Replay, v)
	require.Equal(t, []string{"one 100", "two -1"}, ends(), "the reply has not been queued")
	c.Sent(k, "three", 300)
	c.Sent(k, "three", 400)
	c.Sent(k, "somebody", 400)
	for _, name := range []string{"four", "five"} {
		v, _ = next(name)
		require.Equal(t, drc.Replay, v)
	}
	require.Equal(t, []string{"one 100", "two -1", "three 400", "four -1"}, ends())
	v, _ = next("three")
	require.Equal(t, drc.Replay, v)
	require.Empty(t, asked, "it is one of them")
	heard["three"] = true
	v, ticket = next("six")
	require.Equal(t, drc.First, v)
	c.Abandon(ticket)
	noLeak(t, c)
}

// One delivery that was heard is enough, even if nobody can tell about the others.
func TestAStrangerToOneOfSeveralConnectionsIsOne(t *testing.T) {
	for _, order := range [][2]drc.Relation{{drc.Stranger, drc.Unknown}, {drc.Unknown, drc.Stranger}} {
		c := drc.New(drc.Config{})
		k := key(1, 7)
		run(t, c, k, "reply")
		v, _, _ := c.Begin(k, by("two", drc.Successor))
		require.Equal(t, drc.Replay, v)
		v, ticket, _ := c.Begin(k, &caller{by: "three", judge: func(a drc.Answer) drc.Relation {
			return map[drc.Wire]drc.Relation{"one": order[0], "two": order[1]}[a.By]
		}})
		require.Equal(t, drc.First, v)
		c.Abandon(ticket)
		noLeak(t, c)
	}
}

// The cache acts on the same entry that it asks about, also if the entry changes meanwhile.
func TestAnEntryThatChangesWhileItIsJudgedIsJudgedAgain(t *testing.T) {
	c := drc.New(drc.Config{})
	k := key(1, 7)
	_, first := begin(c, k)
	asked := 0
	v, _, reply := c.Begin(k, &caller{by: "two", judge: func(a drc.Answer) drc.Relation {
		if asked++; asked == 1 {
			require.False(t, a.Done)
			c.Finish(first, 9, []byte("reply"))
			return drc.Unknown
		}
		require.True(t, a.Done)
		require.EqualValues(t, 9, a.End)
		return drc.Successor
	}})
	require.Equal(t, drc.Replay, v)
	require.Equal(t, "reply", string(reply))
	require.Equal(t, 2, asked)

	gone := key(1, 8)
	_, first = begin(c, gone)
	v, ticket, _ := c.Begin(gone, &caller{by: "two", judge: func(drc.Answer) drc.Relation {
		c.Abandon(first)
		return drc.Unknown
	}})
	require.Equal(t, drc.First, v)
	c.Abandon(ticket)
	noLeak(t, c)
}

// Equal calls by many connections at once: each asks about a few.
func TestEqualCallsOfManyConnectionsAreAskedAboutAFewTimes(t *testing.T) {
	c := drc.New(drc.Config{EntriesMax: 1600, PerPeerMax: 1600})
	k := key(1, 7)
	var tickets []drc.Ticket
	for i := range 100 {
		asked := 0
		v, ticket, _ := c.Begin(k, &caller{by: fmt.Sprint(i), judge: func(drc.Answer) drc.Relation {
			asked++
			return drc.Stranger
		}})
		require.Equal(t, drc.First, v)
		require.Equal(t, min(i, 8), asked)
		tickets = append(tickets, ticket)
	}
	require.Equal(t, 100, c.Stats().Entries)
	for i, ticket := range tickets {
		c.Finish(ticket, 0, fmt.Append(nil, i))
	}
	for i := range 100 {
		v, _, reply := c.Begin(k, by(fmt.Sprint(i), drc.Stranger))
		require.Equal(t, drc.Replay, v)
		require.Equal(t, fmt.Sprint(i), string(reply))
	}
	noLeak(t, c)
}

func TestAHouseholdIsOneByWhicheverFamilyItsAddressComes(t *testing.T) {
	c := drc.New(drc.Config{EntriesMax: 100, PerPeerMax: 2, Shards: 1})
	house := netip.MustParseAddr("192.0.2.99")
	for xid := range uint32(3) {
		k := key(byte(xid), xid)
		if k.House = house; xid%2 == 1 {
			k.House = netip.AddrFrom16(house.As16())
		}
		run(t, c, k, "reply")
	}
	require.Equal(t, 2, c.Stats().Entries)
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

// waiting passes what it is told to a goroutine.
type waiting struct {
	caller
	ended chan []byte
}

func (w *waiting) Ended(reply []byte) { w.ended <- reply }

// Several connections of each of several clients send the same calls, all at once, and each
// connection has taken the place of the earlier ones. Each call runs exactly once, and every
// connection gets its reply.
func TestACallRunsOnceHoweverManySendIt(t *testing.T) {
	const clients, connections, calls = 3, 4, 300
	c := drc.New(drc.Config{})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var runs [clients][calls]atomic.Int32
	var wg sync.WaitGroup
	for client := range clients {
		for conn := range connections {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(client*connections+conn)))
				w := &waiting{*by(fmt.Sprint(client, conn), drc.Successor), make(chan []byte, 1)}
				for _, xid := range r.Perm(calls) {
					k := key(byte(client), uint32(xid))
					want := fmt.Sprintf("%d/%d", client, xid)
					v, ticket, got := c.Begin(k, w)
					for v == drc.Busy {
						if got = <-w.ended; got != nil {
							break
						}
						v, ticket, got = c.Begin(k, w) // it was abandoned
					}
					if v == drc.First {
						if r.IntN(10) == 0 {
							c.Abandon(ticket)
							continue
						}
						runs[client][xid].Add(1)
						c.Finish(ticket, uint64(xid), []byte(want))
						continue
					}
					c.Sent(k, w.By(), uint64(xid))
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
	from := &caller{by: "one"}
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		xid := uint32(0)
		for b.Loop() {
			xid++
			k := key(1, xid)
			binary.BigEndian.PutUint32(args, xid)
			k.Sum = drc.Sum(args)
			_, ticket, _ := c.Begin(k, from)
			c.Finish(ticket, 0, reply)
		}
	})
	b.Run("replay", func(b *testing.B) {
		b.ReportAllocs()
		k := key(2, 1)
		_, ticket, _ := c.Begin(k, from)
		c.Finish(ticket, 0, reply)
		for b.Loop() {
			c.Begin(k, from)
		}
	})
}
