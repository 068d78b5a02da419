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

// model is the cache as one slice that is searched from end to end, entries in
// the order in which they were last used.
type model struct {
	cfg     drc.Config
	now     time.Time
	entries []*modelEntry
	stats   drc.Stats
}

type modelEntry struct {
	key     drc.Key
	done    bool
	reply   string
	waiters []*waiter
	used    time.Time
}

// waiter remembers what it was told.
type waiter struct {
	told  int
	reply []byte
}

func (w *waiter) Replay(reply []byte) {
	w.told++
	w.reply = reply
}

func (m *model) find(k drc.Key) int {
	return slices.IndexFunc(m.entries, func(e *modelEntry) bool { return e.key == k })
}

func (m *model) remove(i int) { m.entries = slices.Delete(m.entries, i, i+1) }

func (m *model) count(peer netip.Addr) (n, bytes int) {
	for _, e := range m.entries {
		if e.key.Peer == peer {
			n++
			bytes += len(e.reply)
		}
	}
	return n, bytes
}

// oldest returns the first done entry of peer, -1 if there is none.
func (m *model) oldest(peer netip.Addr) int {
	return slices.IndexFunc(m.entries, func(e *modelEntry) bool { return e.done && e.key.Peer == peer })
}

// richest returns the entry that is evicted for peer: of the peers that hold no
// less than it does and have a done entry, the one that holds the most; peer
// itself before others, then the one met first.
func (m *model) richest(peer netip.Addr, holds func(netip.Addr) int) int {
	best, most := m.oldest(peer), holds(peer)
	for i, e := range m.entries {
		h := holds(e.key.Peer)
		if e.done && i == m.oldest(e.key.Peer) && (h > most || h == most && best < 0) {
			best, most = i, h
		}
	}
	return best
}

func (m *model) begin(k drc.Key, w *waiter) (drc.Verdict, string) {
	m.entries = slices.DeleteFunc(m.entries, func(e *modelEntry) bool {
		gone := e.done && m.now.Sub(e.used) > m.cfg.TTL
		if gone {
			m.stats.Expired++
		}
		return gone
	})
	if i := m.find(k); i >= 0 {
		e := m.entries[i]
		switch {
		case e.done:
			m.remove(i)
			m.entries = append(m.entries, e)
			e.used = m.now
			m.stats.Replays++
			return drc.Replay, e.reply
		case len(e.waiters) >= m.cfg.WaitersMax:
			m.stats.Refused++
			return drc.Full, ""
		default:
			e.waiters = append(e.waiters, w)
			m.stats.Waits++
			return drc.Busy, ""
		}
	}
	n, _ := m.count(k.Peer)
	var out int
	switch {
	case n >= m.cfg.PerPeerMax:
		out = m.oldest(k.Peer)
	case len(m.entries) >= m.cfg.EntriesMax:
		out = m.richest(k.Peer, func(a netip.Addr) int { n, _ := m.count(a); return n })
	default:
		m.entries = append(m.entries, &modelEntry{key: k})
		return drc.First, ""
	}
	if out < 0 {
		m.stats.Refused++
		return drc.Full, ""
	}
	m.remove(out)
	m.stats.Evicted++
	m.entries = append(m.entries, &modelEntry{key: k})
	return drc.First, ""
}

// end finishes or abandons (reply nil) and returns who is told.
func (m *model) end(k drc.Key, reply []byte) []*waiter {
	i := m.find(k)
	if i < 0 || m.entries[i].done {
		return nil
	}
	e := m.entries[i]
	told := e.waiters
	m.remove(i)
	if reply == nil || len(reply) > m.cfg.BytesMax {
		return told
	}
	e.done, e.reply, e.waiters, e.used = true, string(reply), nil, m.now
	m.entries = append(m.entries, e)
	for m.bytes() > m.cfg.BytesMax {
		m.remove(m.richest(k.Peer, func(a netip.Addr) int { _, b := m.count(a); return b }))
		m.stats.Evicted++
	}
	return told
}

func (m *model) bytes() (n int) {
	for _, e := range m.entries {
		n += len(e.reply)
	}
	return n
}

func (m *model) figures() drc.Stats {
	s := m.stats
	s.Entries = len(m.entries)
	for _, e := range m.entries {
		if !e.done {
			s.InProgress++
		}
	}
	s.Bytes = m.bytes()
	return s
}

func TestTheCacheBehavesLikeItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{now: time.Unix(1000, 0)}
		m.cfg = drc.Config{
			EntriesMax: rapid.IntRange(1, 8).Draw(t, "EntriesMax"),
			BytesMax:   rapid.IntRange(1, 60).Draw(t, "BytesMax"),
			PerPeerMax: rapid.IntRange(1, 8).Draw(t, "PerPeerMax"),
			WaitersMax: 2,
			TTL:        10 * time.Second,
			Shards:     1,
			Now:        func() time.Time { return m.now },
		}
		c := drc.New(m.cfg)
		var running []drc.Key
		key := rapid.Custom(func(t *rapid.T) drc.Key {
			return drc.Key{
				Peer: netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(1, 4).Draw(t, "peer"))}),
				XID:  uint32(rapid.IntRange(1, 6).Draw(t, "xid")),
			}
		})
		end := func(k drc.Key, reply []byte) {
			running = slices.DeleteFunc(running, func(r drc.Key) bool { return r == k })
			told := m.end(k, reply)
			if reply == nil {
				c.Abandon(k)
			} else {
				c.Finish(k, reply)
			}
			for _, w := range told {
				require.Equal(t, 1, w.told)
				require.Equal(t, reply == nil, w.reply == nil)
				require.Equal(t, string(reply), string(w.reply))
			}
		}
		reply := rapid.Custom(func(t *rapid.T) []byte {
			return append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 30).Draw(t, "reply")...)
		})
		t.Repeat(map[string]func(*rapid.T){
			"begin": func(t *rapid.T) {
				k, w := key.Draw(t, "key"), &waiter{}
				want, wantReply := m.begin(k, w)
				got, gotReply := c.Begin(k, w)
				require.Equal(t, want, got)
				require.Equal(t, wantReply, string(gotReply))
				if got == drc.First {
					running = append(running, k)
				}
			},
			"finish": func(t *rapid.T) {
				if len(running) > 0 {
					end(rapid.SampledFrom(running).Draw(t, "key"), reply.Draw(t, "reply"))
				}
			},
			"abandon": func(t *rapid.T) {
				if len(running) > 0 {
					end(rapid.SampledFrom(running).Draw(t, "key"), nil)
				}
			},
			"end any": func(t *rapid.T) {
				if k := key.Draw(t, "key"); !slices.Contains(running, k) {
					end(k, reply.Draw(t, "reply"))
				}
			},
			"time": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(0, 6000).Draw(t, "ms")) * time.Millisecond)
			},
			"": func(t *rapid.T) {
				s := c.Stats()
				require.Equal(t, m.figures(), s)
				require.Equal(t, len(running), s.InProgress)
				require.LessOrEqual(t, s.Entries, m.cfg.EntriesMax)
				require.LessOrEqual(t, s.Bytes, m.cfg.BytesMax)
			},
		})
		for len(running) > 0 {
			end(running[0], []byte("last"))
		}
		require.Zero(t, c.Stats().InProgress)
	})
}
