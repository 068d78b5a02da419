package drc

import (
	"net/netip"
	"sync"
	"time"
)

// limits are one shard's part of the bounds.
type limits struct {
	entries, bytes, perPeer, waiters int
	ttl                              time.Duration
}

// entry is one call. While it is in progress it is in no list.
type entry struct {
	key     Key
	peer    *peer
	done    bool
	reply   []byte
	waiters []Waiter
	used    time.Time // when it was done, or last asked for
	turn    uint64    // the same as a number that never repeats
	links   [2]link
}

// peer is one address that has entries.
type peer struct {
	addr    netip.Addr
	at      int // index in shard.peers
	entries int // done and in progress
	bytes   int
	done    list // its done entries, least recently used first
}

// shard is a part of the cache.
type shard struct {
	limits // immutable

	mu sync.Mutex

	// Guarded by mu.
	entries map[Key]*entry
	byAddr  map[netip.Addr]*peer
	peers   []*peer // the same, to be gone through
	done    list    // all done entries, least recently used first
	turn    uint64
	bytes   int
	busy    int // entries in progress
	spare   *entry
	stats   Stats // the counters only
}

func (s *shard) init(l limits) {
	s.limits = l
	s.entries = make(map[Key]*entry)
	s.byAddr = make(map[netip.Addr]*peer)
	s.done.which = inShard
}

func (s *shard) begin(k *Key, w Waiter, now time.Time) (Verdict, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	if e := s.entries[*k]; e != nil {
		return s.again(e, w, now)
	}
	p := s.byAddr[k.Peer]
	if !s.makeRoom(p) {
		s.stats.Refused++
		return Full, nil
	}
	if p = s.byAddr[k.Peer]; p == nil { // also when its last entry made the room
		p = &peer{addr: k.Peer, at: len(s.peers), done: list{which: inPeer}}
		s.byAddr[k.Peer] = p
		s.peers = append(s.peers, p)
	}
	e := s.spare
	if e == nil {
		e = new(entry)
	}
	s.spare = nil
	*e = entry{key: *k, peer: p}
	s.entries[*k] = e
	p.entries++
	s.busy++
	return First, nil
}

// again answers a duplicate.
func (s *shard) again(e *entry, w Waiter, now time.Time) (Verdict, []byte) {
	if e.done {
		s.done.remove(e)
		e.peer.done.remove(e)
		s.use(e, now)
		s.stats.Replays++
		return Replay, e.reply
	}
	if len(e.waiters) >= s.waiters {
		s.stats.Refused++
		return Full, nil
	}
	if w != nil {
		e.waiters = append(e.waiters, w)
	}
	s.stats.Waits++
	return Busy, nil
}

// finish keeps the reply and returns who waits for it. A reply beyond the
// shard's bound is not kept.
func (s *shard) finish(k *Key, reply []byte, now time.Time) []Waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[*k]
	if e == nil || e.done {
		return nil
	}
	waiters := e.waiters
	e.waiters = nil
	s.busy--
	if len(reply) > s.limits.bytes {
		s.forget(e)
		return waiters
	}
	e.done, e.reply = true, reply
	s.bytes += len(reply)
	p := e.peer
	p.bytes += len(reply)
	s.use(e, now)
	for s.bytes > s.limits.bytes {
		s.evict(s.victim(p, func(p *peer) int { return p.bytes }))
	}
	return waiters
}

func (s *shard) abandon(k *Key) []Waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[*k]
	if e == nil || e.done {
		return nil
	}
	s.busy--
	waiters := e.waiters
	s.forget(e)
	return waiters
}

// use makes a done entry the most recently used one.
func (s *shard) use(e *entry, now time.Time) {
	s.turn++
	e.used, e.turn = now, s.turn
	s.done.pushBack(e)
	e.peer.done.pushBack(e)
}

// expire drops the replies that are older than TTL.
func (s *shard) expire(now time.Time) {
	for e := s.done.front; e != nil && now.Sub(e.used) > s.ttl; e = s.done.front {
		s.drop(e)
		s.stats.Expired++
	}
}

// makeRoom makes room for one more entry of p, which is nil for a peer without
// any. It reports false when there is none.
func (s *shard) makeRoom(p *peer) bool {
	var v *entry
	switch {
	case p != nil && p.entries >= s.perPeer:
		v = p.done.front
	case len(s.entries) >= s.limits.entries:
		v = s.victim(p, func(p *peer) int { return p.entries })
	default:
		return true
	}
	if v == nil {
		return false
	}
	s.evict(v)
	return true
}

// victim returns the reply that goes to make room for p: the least recently used
// one of the peer that holds the most, as long as that is no less than p holds.
// Among equals p goes first, then the one with the oldest reply. It is nil when
// all that such peers hold is in progress.
//
// It goes through all peers; with the default bounds a shard has 1024 at most,
// and only when each of them holds one entry.
func (s *shard) victim(p *peer, holds func(*peer) int) *entry {
	least := 0
	if p != nil {
		least = holds(p)
	}
	var best *peer
	for _, q := range s.peers {
		if q.done.front == nil || holds(q) < least {
			continue
		}
		if best == nil || holds(q) > holds(best) ||
			holds(q) == holds(best) && best != p && (q == p || q.done.front.turn < best.done.front.turn) {
			best = q
		}
	}
	if best == nil {
		return nil
	}
	return best.done.front
}

func (s *shard) evict(e *entry) {
	s.drop(e)
	s.stats.Evicted++
}

// drop forgets a done entry.
func (s *shard) drop(e *entry) {
	s.done.remove(e)
	e.peer.done.remove(e)
	s.bytes -= len(e.reply)
	e.peer.bytes -= len(e.reply)
	s.forget(e)
}

// forget removes an entry that is in no list, and its peer with its last one.
func (s *shard) forget(e *entry) {
	delete(s.entries, e.key)
	if p := e.peer; p.entries > 1 {
		p.entries--
	} else {
		delete(s.byAddr, p.addr)
		last := s.peers[len(s.peers)-1]
		s.peers[p.at], last.at = last, p.at
		s.peers[len(s.peers)-1] = nil
		s.peers = s.peers[:len(s.peers)-1]
	}
	*e = entry{}
	s.spare = e
}

func (s *shard) addTo(t *Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.Entries += len(s.entries)
	t.InProgress += s.busy
	t.Bytes += s.bytes
	t.Replays += s.stats.Replays
	t.Waits += s.stats.Waits
	t.Refused += s.stats.Refused
	t.Evicted += s.stats.Evicted
	t.Expired += s.stats.Expired
}
