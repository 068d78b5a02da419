package transport

import (
	"net/netip"
	"sync"
)

// workQueue is where lanes leave the calls that may sleep. Peers take turns, however
// many calls and connections each of them has: one that sends a thousand calls which
// wait for the disc keeps the others waiting for one of them, not for all. The calls
// of a peer to one volume are taken in their order. The queue has no limit of its
// own, since the connections bound how many calls there are.
//
// Half of the workers are kept for volumes that use fewer than their part: one that
// hangs holds the workers that it has got, and the others go on with theirs.
type workQueue struct {
	// Immutable.
	workers int
	least   int // workers that each volume can have at any time

	mu     sync.Mutex
	cond   sync.Cond
	shares []share    // guarded by mu: of volumes; the first is of calls that depend on none
	turn   int        // guarded by mu: the share that is asked first
	busy   int        // guarded by mu: workers that run a call
	kept   int        // guarded by mu: how many more workers volumes can have for certain
	calls  int        // guarded by mu: in the queue
	spare  *peerCalls // guarded by mu
	closed bool       // guarded by mu
}

// share is what the queue knows of one volume, or of several where there are more
// than half as many as workers.
type share struct {
	byPeer map[netip.Addr]*peerCalls // those who have calls here
	first  *peerCalls                // whose turn it is
	last   *peerCalls
	busy   int // workers that run a call
}

// peerCalls are the calls of one address to one volume.
type peerCalls struct {
	peer  netip.Addr
	calls callList
	next  *peerCalls // whose turn is next, or another spare one
}

// init makes the queue ready for calls to volumes 0 to volumes.
func (q *workQueue) init(workers, volumes int) {
	q.cond.L = &q.mu
	q.workers = workers
	n := max(1, min(volumes, workers/2))
	if n > 1 {
		q.least = max(1, workers/(2*n))
	}
	q.kept = n * q.least
	q.shares = make([]share, 1+n)
	for i := range q.shares {
		q.shares[i].byPeer = make(map[netip.Addr]*peerCalls)
	}
}

// share returns the index of a volume's share.
func (q *workQueue) share(volume int) int {
	if volume <= 0 {
		return 0
	}
	return 1 + (volume-1)%(len(q.shares)-1)
}

func (q *workQueue) put(c *call) {
	a := c.Peer.Addr()
	c.share = q.share(c.Volume())
	q.mu.Lock()
	s := &q.shares[c.share]
	p := s.byPeer[a]
	if p == nil {
		if p = q.spare; p == nil {
			p = new(peerCalls)
		} else {
			q.spare = p.next
		}
		p.peer = a
		s.byPeer[a] = p
		s.line(p)
	}
	p.calls.push(c)
	q.calls++
	q.mu.Unlock()
	q.cond.Signal()
}

// line makes p the last whose turn it is.
func (s *share) line(p *peerCalls) {
	p.next = nil
	if s.last == nil {
		s.first = p
	} else {
		s.last.next = p
	}
	s.last = p
}

// idle is what a worker gives take when it has run no call yet.
const idle = -1

// take waits for a call. It returns nil when the queue is closed and empty. done is
// the share of the call that the worker has run before.
func (q *workQueue) take(done int) *call {
	q.mu.Lock()
	defer q.mu.Unlock()
	if done >= 0 {
		q.leave(done)
	}
	i, ok := q.next()
	for !ok {
		if q.closed {
			return nil
		}
		// Nobody else needs to be woken for the worker that has just been free: it
		// has found nothing that it may take.
		q.cond.Wait()
		i, ok = q.next()
	}
	q.enter(i)
	q.turn = i + 1
	q.calls--
	s := &q.shares[i]
	p := s.first
	if s.first = p.next; s.first == nil {
		s.last = nil
	}
	c := p.calls.pop()
	if p.calls.head != nil {
		s.line(p)
	} else {
		delete(s.byPeer, p.peer)
		p.next, q.spare = q.spare, p
	}
	return c
}

// next returns a share that has calls and may have one more worker. mu is held, as
// in enter and leave.
func (q *workQueue) next() (int, bool) {
	if q.calls == 0 {
		return 0, false
	}
	for k := range q.shares {
		i := (q.turn + k) % len(q.shares)
		s := &q.shares[i]
		// What depends on no volume does not hang. At the end all is taken.
		if s.first != nil && (i == 0 || s.busy < q.least || q.busy+q.kept < q.workers || q.closed) {
			return i, true
		}
	}
	return 0, false
}

func (q *workQueue) enter(i int) {
	q.busy++
	if q.shares[i].busy++; i > 0 && q.shares[i].busy <= q.least {
		q.kept--
	}
}

func (q *workQueue) leave(i int) {
	q.busy--
	if q.shares[i].busy--; i > 0 && q.shares[i].busy < q.least {
		q.kept++
	}
}

func (q *workQueue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.cond.Broadcast()
}
