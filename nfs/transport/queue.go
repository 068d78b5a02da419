package transport

import (
	"net/netip"
	"sync"
)

// workQueue is where lanes leave the calls that may sleep. Peers take turns, however
// many calls and connections each of them has: one that sends a thousand calls which
// wait for the disc keeps the others waiting for one of them, not for all. The calls
// of a peer are taken in their order. The queue has no limit of its own, since the
// connections bound how many calls there are.
type workQueue struct {
	mu     sync.Mutex
	cond   sync.Cond
	byPeer map[netip.Addr]*peerCalls // guarded by mu: those who have calls here
	first  *peerCalls                // guarded by mu: whose turn it is
	last   *peerCalls                // guarded by mu
	spare  *peerCalls                // guarded by mu
	closed bool                      // guarded by mu
}

// peerCalls are the calls of one address.
type peerCalls struct {
	peer  netip.Addr
	calls callList
	next  *peerCalls // whose turn is next, or another spare one
}

func (q *workQueue) init() {
	q.cond.L = &q.mu
	q.byPeer = make(map[netip.Addr]*peerCalls)
}

func (q *workQueue) put(c *call) {
	a := c.Peer.Addr()
	q.mu.Lock()
	p := q.byPeer[a]
	if p == nil {
		if p = q.spare; p == nil {
			p = new(peerCalls)
		} else {
			q.spare = p.next
		}
		p.peer = a
		q.byPeer[a] = p
		q.line(p)
	}
	p.calls.push(c)
	q.mu.Unlock()
	q.cond.Signal()
}

// line makes p the last whose turn it is. mu is held.
func (q *workQueue) line(p *peerCalls) {
	p.next = nil
	if q.last == nil {
		q.first = p
	} else {
		q.last.next = p
	}
	q.last = p
}

// take waits for a call. It returns nil when the queue is closed and empty.
func (q *workQueue) take() *call {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.first == nil {
		if q.closed {
			return nil
		}
		q.cond.Wait()
	}
	p := q.first
	if q.first = p.next; q.first == nil {
		q.last = nil
	}
	c := p.calls.pop()
	if p.calls.head != nil {
		q.line(p)
	} else {
		delete(q.byPeer, p.peer)
		p.next, q.spare = q.spare, p
	}
	return c
}

func (q *workQueue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.cond.Broadcast()
}
