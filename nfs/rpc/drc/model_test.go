package drc_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringnfs/ringnfs/nfs/rpc/drc"
)

// model is the cache as one slice that is searched from end to end. Entries are in the order in
// which they were last used; those in progress are where they began.
type model struct {
	cfg     drc.Config
	now     time.Time
	began   int
	entries []*modelEntry
	stats   drc.Stats
}

type modelEntry struct {
	key     drc.Key
	by      []string
	number  int // the higher, the newer
	ticket  drc.Ticket
	done    bool
	reply   string
	waiters []modelWaiter
	used    time.Time
}

type modelWaiter struct {
	who  *caller
	sure bool
}

func (m *model) remove(e *modelEntry) {
	m.entries = slices.DeleteFunc(m.entries, func(f *modelEntry) bool { return e == f })
}

// touch makes e the entry that was used last.
func (m *model) touch(e *modelEntry) {
	m.remove(e)
	m.entries = append(m.entries, e)
	e.used = m.now
}

// replies returns how many replies a peer has, and their bytes.
func (m *model) replies(peer netip.Addr) (n, bytes int) {
	for _, e := range m.entries {
		if e.done && e.key.Peer == peer {
			n++
			bytes += len(e.reply)
		}
	}
	return n, bytes
}

// oldest returns the first reply of peer, nil if there is none.
func (m *model) oldest(peer netip.Addr) *modelEntry {
	for _, e := range m.entries {
		if e.done && e.key.Peer == peer {
			return e
		}
	}
	return nil
}

// evict drops a reply to make room for peer. It drops one of the peer that holds the most among
// those that hold no less than peer does. Among equals peer comes before others, and then the one
// met first.
func (m *model) evict(peer netip.Addr, holds func(netip.Addr) int) {
	best, most := m.oldest(peer), holds(peer)
	for _, e := range m.entries {
		h := holds(e.key.Peer)
		if e.done && e == m.oldest(e.key.Peer) && (h > most || h == most && best == nil) {
			best, most = e, h
		}
	}
	m.remove(best)
	m.stats.Evicted++
}

// begin is Begin for a call by a connection whose relation to the entry numbered i is is(i).
func (m *model) begin(
	k drc.Key,
	from *caller,
	is func(i int) drc.Relation,
) (drc.Verdict, string, *modelEntry) {
	m.entries = slices.DeleteFunc(m.entries, func(e *modelEntry) bool {
		gone := e.done && m.now.Sub(e.used) > m.cfg.TTL
		if gone {
			m.stats.Expired++
		}
		return gone
	})
	var equal []*modelEntry // the newest first
	for _, e := range m.entries {
		if e.key == k {
			equal = append(equal, e)
		}
	}
	slices.SortFunc(equal, func(a, b *modelEntry) int { return b.number - a.number })
	again := func(e *modelEntry) (drc.Verdict, string, *modelEntry) {
		if !e.done {
			e.waiters = append(e.waiters, modelWaiter{from, true})
			m.stats.Waits++
			return drc.Busy, "", nil
		}
		m.touch(e)
		m.stats.Replays++
		return drc.Replay, e.reply, nil
	}
	for _, e := range equal {
		if slices.Contains(e.by, from.by) {
			return again(e)
		}
	}
	looked := equal[:min(8, len(equal))]
	for _, e := range looked {
		if is(e.number) == drc.Successor {
			e.by = append(e.by, from.by)
			if len(e.by) > 4 {
				e.by = slices.Delete(e.by, 1, 2)
			}
			return again(e)
		}
	}
	unknown := false
	for _, e := range looked {
		if is(e.number) != drc.Unknown {
			continue
		}
		if unknown = true; !e.done {
			e.waiters = append(e.waiters, modelWaiter{from, false})
			m.stats.Waits++
			return drc.Busy, "", nil
		}
	}
	if unknown {
		m.stats.Doubts++
		return drc.Doubt, "", nil
	}
	for _, e := range looked {
		if e.done && is(e.number) == drc.Settled {
			m.remove(e)
		}
	}
	if len(equal) > 0 {
		m.stats.Strangers++
	}
	m.began++
	e := &modelEntry{key: k, by: []string{from.by}, number: m.began}
	m.entries = append(m.entries, e)
	return drc.First, "", e
}

// end finishes or abandons (reply nil) e.
func (m *model) end(e *modelEntry, reply []byte) {
	if reply == nil || len(reply) > m.cfg.BytesMax {
		m.remove(e)
		return
	}
	count := func(a netip.Addr) int { n, _ := m.replies(a); return n }
	all := 0
	for _, f := range m.entries {
		if f.done {
			all++
		}
	}
	if count(e.key.Peer) >= m.cfg.PerPeerMax {
		m.remove(m.oldest(e.key.Peer))
		m.stats.Evicted++
	} else if all >= m.cfg.EntriesMax {
		m.evict(e.key.Peer, count)
	}
	e.done, e.reply = true, string(reply)
	m.touch(e)
	for m.figures().Bytes > m.cfg.BytesMax {
		m.evict(e.key.Peer, func(a netip.Addr) int { _, b := m.replies(a); return b })
	}
}

func (m *model) figures() drc.Stats {
	s := m.stats
	s.Entries = len(m.entries)
	for _, e := range m.entries {
		if !e.done {
			s.InProgress++
		}
		s.Bytes += len(e.reply)
	}
	return s
}

func TestTheCacheBehavesLikeItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{now: time.Unix(1000, 0)}
		m.cfg = drc.Config{
			EntriesMax: rapid.IntRange(1, 8).Draw(t, "EntriesMax"),
			BytesMax:   rapid.IntRange(1, 60).Draw(t, "BytesMax"),
			PerPeerMax: rapid.IntRange(1, 8).Draw(t, "PerPeerMax"),
			TTL:        10 * time.Second,
			Shards:     1,
			Now:        func() time.Time { return m.now },
		}
		c := drc.New(m.cfg)
		var running []*modelEntry
		key := rapid.Custom(func(t *rapid.T) drc.Key {
			return drc.Key{
				Peer: netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(1, 3).Draw(t, "peer"))}),
				XID:  uint32(rapid.IntRange(1, 3).Draw(t, "xid")),
			}
		})
		end := func(e *modelEntry, reply []byte) {
			running = slices.DeleteFunc(running, func(r *modelEntry) bool { return r == e })
			m.end(e, reply)
			if reply == nil {
				c.Abandon(e.ticket)
			} else {
				c.Finish(e.ticket, uint64(e.number), reply)
			}
			for _, w := range e.waiters {
				require.Equal(t, 1, w.who.told)
				require.Equal(t, reply == nil || !w.sure, w.who.reply == nil)
				if w.sure {
					require.Equal(t, string(reply), string(w.who.reply))
				}
			}
			e.waiters = nil
		}
		reply := rapid.Custom(func(t *rapid.T) []byte {
			return append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 30).Draw(t, "reply")...)
		})
		t.Repeat(map[string]func(*rapid.T){
			"begin": func(t *rapid.T) {
				k := key.Draw(t, "key")
				seed := rapid.IntRange(0, 1000).Draw(t, "relations")
				is := func(i int) drc.Relation { return drc.Relation((seed / i) % 4) }
				from := &caller{by: rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "by")}
				// A connection is in at most one entry of a key, so it names the
				// entry.
				from.judge = func(a drc.Answer) drc.Relation {
					i := slices.IndexFunc(m.entries, func(e *modelEntry) bool {
						return e.key == k && slices.Contains(e.by, a.By.(string))
					})
					require.Equal(t, m.entries[i].done, a.Done)
					return is(m.entries[i].number)
				}
				got, ticket, gotReply := c.Begin(k, from)
				want, wantReply, e := m.begin(k, from, is)
				require.Equal(t, want, got)
				require.Equal(t, wantReply, string(gotReply))
				if e != nil {
					e.ticket = ticket
					running = append(running, e)
				}
			},
			"finish": func(t *rapid.T) {
				if len(running) > 0 {
					end(rapid.SampledFrom(running).Draw(t, "entry"), reply.Draw(t, "reply"))
				}
			},
			"abandon": func(t *rapid.T) {
				if len(running) > 0 {
					end(rapid.SampledFrom(running).Draw(t, "entry"), nil)
				}
			},
			"time": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(0, 6000).Draw(t, "ms")) * time.Millisecond)
			},
			"": func(t *rapid.T) {
				s := c.Stats()
				require.Equal(t, m.figures(), s)
				require.Equal(t, len(running), s.InProgress)
				require.LessOrEqual(t, s.Entries-s.InProgress, m.cfg.EntriesMax)
				require.LessOrEqual(t, s.Bytes, m.cfg.BytesMax)
			},
		})
		for len(running) > 0 {
			end(running[0], []byte("last"))
		}
		require.Zero(t, c.Stats().InProgress)
	})
}
