package drc

import (
	"net/netip"
	"time"
)

// peer is one household that has entries.
type peer struct {
	addr  netip.Addr
	at    int // index in shard.peers
	busy  int // entries in progress
	kept  int // done entries
	bytes int
	done  list // its done entries, least recently used first
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

// makeRoom makes room for one more reply of p.
func (s *shard) makeRoom(p *peer) {
	switch {
	case p.kept >= s.perPeer:
		s.evict(p.done.front)
	case s.count-s.busy >= s.limits.entries:
		s.evict(s.victim(p, func(p *peer) int { return p.kept }))
	}
}

// victim returns the reply to drop to make room for p: the least recently used one of the peer that
// holds the most, if that is no less than p holds. Among equals p comes first, then the peer with
// the oldest reply. The shard must have a reply.
//
// victim looks at all peers, which are at most as many as the entries, and only when the shard is
// full.
func (s *shard) victim(p *peer, holds func(*peer) int) *entry {
	least := holds(p)
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

// leave forgets p if it has no entries left.
func (s *shard) leave(p *peer) {
	if p.busy+p.kept > 0 {
		return
	}
	delete(s.byAddr, p.addr)
	last := s.peers[len(s.peers)-1]
	s.peers[p.at], last.at = last, p.at
	s.peers[len(s.peers)-1] = nil
	s.peers = s.peers[:len(s.peers)-1]
}
