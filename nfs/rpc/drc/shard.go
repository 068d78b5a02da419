package drc

import (
	"net/netip"
	"slices"
	"time"

	"github.com/ringnfs/ringnfs/uring/futex"
)

// limits are one shard's parts of the bounds.
type limits struct {
	entries, bytes, perPeer int
	ttl                     time.Duration
}

// entry is one call. While it is in progress it is in no list.
type entry struct {
	key     Key
	next    *entry // another with the same key, an older one
	peer    *peer
	done    bool
	reply   []byte
	at      time.Time // when it was done
	waiters []waiter
	first   delivery   // to the connection that the call came by
	others  []delivery // to connections that took its place, the latest last
	version uint64     // changes when the Answers about the entry change
	used    time.Time  // when it was done, or last asked for
	turn    uint64     // used as a number that never repeats
	links   [2]link
}

// delivery is a connection that the reply was or will be sent by, and the reply's place there.
type delivery struct {
	by  Wire
	end uint64
}

// othersMax is how many successors of the first connection an entry remembers. Earlier successors
// have broken, like the first connection.
const othersMax = 3

// waiter is a call that waits for the end of another one.
type waiter struct {
	who Caller
	// sure says that the waiting call is the same as the one in progress. If it is not sure,
	// the waiting call must ask again.
	sure bool
}

func (w *waiter) tell(reply []byte) {
	if !w.sure {
		reply = nil
	}
	w.who.Ended(reply)
}

// shard is a part of the cache.
type shard struct {
	limits // immutable

	mu futex.Mutex

	// Guarded by mu.
	entries map[Key]*entry // the newest entry of each key
	count   int            // of entries
	byAddr  map[netip.Addr]*peer
	peers   []*peer // all peers, as a list
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

// answer is what begin found.
type answer struct {
	verdict Verdict
	e       *entry      // First
	reply   []byte      // Replay
	open    []judgement // unjudged
}

// begin is Cache.Begin. judged is what the Caller has said of entries so far.
func (s *shard) begin(k *Key, from Caller, judged []judgement, now time.Time) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	newest := s.entries[*k]
	if newest != nil {
		by := from.By()
		for e := newest; e != nil; e = e.next {
			if e.delivery(by) != nil {
				return s.again(e, from, now)
			}
		}
		if a, over := s.compare(newest, from, judged, now); over {
			return a
		}
		s.stats.Strangers++
	}
	return answer{verdict: First, e: s.enter(k, from.By())}
}

// compare looks for the entry of which a call by another connection is a retransmission. over is
// false when there is none.
func (s *shard) compare(newest *entry, from Caller, judged []judgement, now time.Time) (a answer, over bool) {
	open := false
	for e, n := newest, 0; e != nil && n < judgedMax; e, n = e.next, n+1 {
		i := slices.IndexFunc(judged, func(j judgement) bool { return j.e == e && j.version == e.version })
		if i >= 0 {
			a.open = append(a.open, judged[i])
			continue
		}
		a.open = append(a.open, judgement{e: e, version: e.version, answers: e.answers()})
		open = true
	}
	if open {
		a.verdict = unjudged
		return a, true
	}
	var unknown *entry
	for _, j := range a.open {
		switch {
		case j.is == Successor:
			s.adopt(j.e, from.By())
			return s.again(j.e, from, now), true
		case j.is == Unknown && (unknown == nil || unknown.done):
			unknown = j.e
		}
	}
	switch {
	case unknown == nil:
	case unknown.done:
		s.stats.Doubts++
		return answer{verdict: Doubt}, true
	default:
		unknown.waiters = append(unknown.waiters, waiter{who: from})
		s.stats.Waits++
		return answer{verdict: Busy}, true
	}
	for _, j := range a.open {
		if j.is == Settled && j.e.done {
			s.drop(j.e)
		}
	}
	return answer{}, false
}

// delivery returns e's delivery by a connection, nil if there is none.
func (e *entry) delivery(by Wire) *delivery {
	if e.first.by == by {
		return &e.first
	}
	for i := range e.others {
		if e.others[i].by == by {
			return &e.others[i]
		}
	}
	return nil
}

// answers is what the cache tells Judge of e.
func (e *entry) answers() []Answer {
	list := make([]Answer, 0, 1+len(e.others))
	list = append(list, Answer{By: e.first.by, End: e.first.end, Done: e.done, At: e.at})
	for _, d := range e.others {
		list = append(list, Answer{By: d.by, End: d.end, Done: e.done, At: e.at})
	}
	return list
}

// adopt adds by to the connections that e's reply is sent by.
func (s *shard) adopt(e *entry, by Wire) {
	if len(e.others) == othersMax {
		e.others = slices.Delete(e.others, 0, 1)
	}
	e.others = append(e.others, delivery{by, Unsent})
	s.change(e)
}

// change notes that the answers about e are no longer what they were.
func (s *shard) change(e *entry) {
	s.turn++
	e.version = s.turn
}

// enter makes an entry.
func (s *shard) enter(k *Key, by Wire) *entry {
	p := s.byAddr[k.House]
	if p == nil {
		p = &peer{addr: k.House, at: len(s.peers), done: list{which: inPeer}}
		s.byAddr[k.House] = p
		s.peers = append(s.peers, p)
	}
	e := s.spare
	if e == nil {
		e = new(entry)
	}
	s.spare = nil
	*e = entry{key: *k, peer: p, next: s.entries[*k], first: delivery{by, Unsent}}
	s.change(e)
	s.entries[*k] = e
	s.count++
	p.busy++
	s.busy++
	return e
}

// again answers a duplicate of e.
func (s *shard) again(e *entry, from Caller, now time.Time) answer {
	if e.done {
		s.done.remove(e)
		e.peer.done.remove(e)
		s.use(e, now)
		s.stats.Replays++
		return answer{verdict: Replay, reply: e.reply}
	}
	e.waiters = append(e.waiters, waiter{from, true})
	s.stats.Waits++
	return answer{verdict: Busy}
}

// finish keeps the reply and returns the calls that wait for it. It does not keep a reply that is
// longer than the shard's bound.
func (s *shard) finish(e *entry, end uint64, reply []byte, now time.Time) []waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiters := e.waiters
	e.waiters = nil
	if len(reply) > s.limits.bytes {
		s.forget(e)
		return waiters
	}
	p := e.peer
	s.makeRoom(p)
	s.busy--
	p.busy--
	p.kept++
	e.done, e.reply, e.at, e.first.end = true, reply, now, end
	s.change(e)
	s.bytes += len(reply)
	p.bytes += len(reply)
	s.use(e, now)
	for s.bytes > s.limits.bytes {
		s.evict(s.victim(p, func(p *peer) int { return p.bytes }))
	}
	return waiters
}

func (s *shard) abandon(e *entry) []waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiters := e.waiters
	s.forget(e)
	return waiters
}

// sent is Cache.Sent. Of several replies by one connection the last one counts: a peer that asks
// again has not heard the earlier ones.
func (s *shard) sent(k *Key, by Wire, end uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := s.entries[*k]; e != nil; e = e.next {
		if d := e.delivery(by); d != nil {
			d.end = end
			s.change(e)
			return
		}
	}
}

// forget removes an entry that is in no list.
func (s *shard) forget(e *entry) {
	if newest := s.entries[e.key]; newest != e {
		for newest.next != e {
			newest = newest.next
		}
		newest.next = e.next
	} else if e.next != nil {
		s.entries[e.key] = e.next
	} else {
		delete(s.entries, e.key)
	}
	s.count--
	if e.done {
		e.peer.kept--
	} else {
		s.busy--
		e.peer.busy--
	}
	s.leave(e.peer)
	*e = entry{}
	s.spare = e
}

func (s *shard) addTo(t *Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.Entries += s.count
	t.InProgress += s.busy
	t.Bytes += s.bytes
	t.Replays += s.stats.Replays
	t.Waits += s.stats.Waits
	t.Doubts += s.stats.Doubts
	t.Strangers += s.stats.Strangers
	t.Evicted += s.stats.Evicted
	t.Expired += s.stats.Expired
}
