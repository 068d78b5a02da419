package transport

import (
	"net/netip"

	"github.com/ringnfs/ringnfs/uring/futex"
)

// workQueue is where lanes leave the calls that may sleep. Households take turns (rpc.Household),
// however many calls, connections and addresses each of them has. If a household sends a thousand
// calls that wait for the disc, another household's call waits for one of them, not for all.
// Workers take the calls of a household to one volume in their order. The queue has no limit of its
// own, since the connections bound how many calls there are.
//
// Half of the workers are reserved for volumes that use fewer than their part. A volume that hangs
// holds the workers that it has got, and the others go on with theirs. A file system that takes no
// changes, such as a frozen one, can still be read: so a few more workers are reserved for calls
// that change nothing, and one for calls that depend on no volume. Clients can connect and mount
// meanwhile, however many volumes hang.
type workQueue struct {
	// Immutable.
	workers int
	volumes int // volumes' shares: for changes, and behind those for other calls
	extras  int // shares behind those, in which no calls wait

	mu     futex.Mutex
	shares []share    // guarded by mu: the first is for calls that depend on no volume
	turn   int        // guarded by mu: the share that is asked first
	busy   int        // guarded by mu: workers that run a call
	kept   int        // guarded by mu: how many more workers shares are sure to get
	calls  int        // guarded by mu: in the queue
	spare  *peerCalls // guarded by mu
	closed bool       // guarded by mu

	batches batches // guarded by mu: calls that change the same object (batch.go)

	resting *sleeper // guarded by mu: idle workers that nobody has woken, last come first
	coming  int      // guarded by mu: workers that were woken and are not here yet
	// near counts workers that are about to look here for a call, and on whom no call counts yet.
	near int // guarded by mu

	// For brief calls (brief.go), guarded by mu.
	lanes    []briefs
	brief    int    // workers that run brief calls
	epoch    uint32 // counts how often the patrol has written those workers off
	watched  bool   // the patrol is awake
	round    uint32 // of the patrol
	rescuers int    // workers that the patrol sent in its last round

	guard sleeper // where the patrol sleeps
}

// share is what the queue knows of the calls of one kind, changes or others, to one volume. If
// there are more volumes than half the workers, several volumes have one share. All workers at a
// volume's calls are counted in the share of its changes. If that share may have no further worker,
// a worker at a call that changes nothing is counted in an extra share.
type share struct {
	least  int    // workers that the share can have at any time
	houses houses // the households that have calls here
	busy   int    // workers that run a call
}

// houses is a line of households, which take turns. The zero value is an empty line.
type houses struct {
	first *peerCalls // whose turn it is
	last  *peerCalls
	n     int
	// byPeer finds a household in a line that is longer than housesSearched. It is empty while the
	// line is shorter.
	byPeer map[netip.Addr]*peerCalls
}

// housesSearched is how long a line is searched from its beginning: nearly all lines are that short.
const housesSearched = 4

// find returns the household's calls in the line, nil if it has none.
func (l *houses) find(peer netip.Addr) *peerCalls {
	if l.n > housesSearched {
		return l.byPeer[peer]
	}
	for p := l.first; p != nil; p = p.next {
		if p.peer == peer {
			return p
		}
	}
	return nil
}

// enter puts the calls of a household that is not in the line at its end.
func (l *houses) enter(p *peerCalls) {
	l.add(p)
	switch l.n++; {
	case l.n == housesSearched+1:
		if l.byPeer == nil {
			l.byPeer = make(map[netip.Addr]*peerCalls)
		}
		for x := l.first; x != nil; x = x.next {
			l.byPeer[x.peer] = x
		}
	case l.n > housesSearched:
		l.byPeer[p.peer] = p
	}
}

// left says that p has left the line.
func (l *houses) left(p *peerCalls) {
	switch l.n--; {
	case l.n == housesSearched:
		clear(l.byPeer)
	case l.n > housesSearched:
		delete(l.byPeer, p.peer)
	}
}

// peerCalls are the calls of one household in one line.
type peerCalls struct {
	peer netip.Addr
	jobs jobList
	next *peerCalls // whose turn is next, or the next spare value
	// Of a batch's line: token stands in a share for jobs while standing is true. It may stand there
	// for longer than it is of use; until it is dropped, the value is not used again.
	token    job
	standing bool
}

// init makes the queue ready for calls to volumes 0 to volumes.
func (q *workQueue) init(lanes, workers, volumes int) {
	q.lanes = make([]briefs, lanes)
	q.workers = workers
	q.volumes = max(1, min(volumes, workers/2))
	q.extras = min(q.volumes, max(1, workers/8))
	q.shares = make([]share, 1+2*q.volumes+q.extras)
	for i := range q.shares {
		s := &q.shares[i]
		switch {
		case i == 0 && workers >= 4, i > 2*q.volumes && workers >= 2:
			s.least = 1
		case i > 0 && i <= q.volumes && q.volumes > 1:
			s.least = max(1, workers/(2*q.volumes))
		}
		q.kept += s.least
	}
}

// share returns the index of the share in which a call to a volume waits.
func (q *workQueue) share(volume int, reads bool) int {
	switch {
	case volume <= 0:
		return 0
	case reads:
		return 1 + q.volumes + (volume-1)%q.volumes
	default:
		return 1 + (volume-1)%q.volumes
	}
}

// counted returns the share in which a worker counts that takes a call of share i now, and whether
// a worker may take such a call. mu is held.
func (q *workQueue) counted(i int) (int, bool) {
	if i == 0 {
		return 0, true // calls that depend on no volume do not hang
	}
	of := 1 + (i-1)%q.volumes
	if q.shares[of].busy < q.shares[of].least || q.busy+q.kept < q.workers || q.closed {
		return of, true // when the queue is closing, any call may be taken
	}
	if i > q.volumes {
		extra := 1 + 2*q.volumes + (of-1)%q.extras
		return extra, q.shares[extra].busy < q.shares[extra].least
	}
	return of, false
}

// put leaves j to the workers. If kick is not 0, the lane must call kick with it at the end of its
// turn, so that a worker comes for j. put does not block.
func (q *workQueue) put(j *job) (kick kicks) {
	j.share = q.share(j.volume, j.reads)
	var w *sleeper
	q.mu.Lock()
	switch {
	case j.object != 0:
		kick = q.join(j)
	case j.brief:
		kick = kickBrief
		q.enqueue(j)
	default:
		q.enqueue(j)
		w = q.send(nil)
	}
	q.mu.Unlock()
	w.wake()
	return kick
}

// enqueue puts j into its share. mu is held.
func (q *workQueue) enqueue(j *job) {
	j.since = q.round
	q.push(&q.shares[j.share].houses, j)
	q.calls++
}

// push puts j at the end of its household's calls in l, and returns these. mu is held.
func (q *workQueue) push(l *houses, j *job) *peerCalls {
	p := l.find(j.house)
	if p == nil {
		if p = q.spare; p == nil {
			p = new(peerCalls)
		} else {
			q.spare = p.next
		}
		p.peer = j.house
		l.enter(p)
	}
	p.jobs.push(j)
	return p
}

// shift takes the next job of l, which is not empty. It is the turn of the household behind then.
// mu is held.
func (q *workQueue) shift(l *houses) *job {
	p := l.first
	l.step()
	j := p.jobs.pop()
	if p.jobs.head != nil {
		l.add(p)
	} else {
		l.left(p)
		q.ended(p)
	}
	return j
}

// prune drops the tokens at the beginning of l that lead to no call, and reports whether a job is
// left. No household loses its turn by that. mu is held.
func (q *workQueue) prune(l *houses) bool {
	for l.first != nil {
		p := l.first
		if p.jobs.head.calls.ready() {
			return true
		}
		q.drop(p.jobs.pop())
		if p.jobs.head == nil {
			l.step()
			l.left(p)
			q.ended(p)
		}
	}
	return false
}

// ended keeps p, which has no calls any more, for another household, unless its token stands. mu is
// held.
func (q *workQueue) ended(p *peerCalls) {
	if !p.standing {
		p.next, q.spare = q.spare, p
	}
}

// step takes the first household out of the line, to its end or for good.
func (l *houses) step() {
	if l.first = l.first.next; l.first == nil {
		l.last = nil
	}
}

// add puts p at the end of the line.
func (l *houses) add(p *peerCalls) {
	p.next = nil
	if l.last == nil {
		l.first = p
	} else {
		l.last.next = p
	}
	l.last = p
}

// What a worker passes to take that does not count in a share.
const (
	idle   = -1 // it has run no call yet, or swap has said that it has ended
	nearby = -2 // nearly has said that the call has ended
)

// nearly says that a worker has run its call of share done. It has only to hand the call back, which
// takes no time, and then calls take with what nearly returns. If the reply brings the next change
// at once, no other worker need be woken for that.
func (q *workQueue) nearly(done int) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.leave(done)
	if _, ok := q.next(); ok {
		return idle // there is work for it already
	}
	q.near++
	return nearby
}

// take waits at the sleeper at until there is a job for the worker. A job that has a batch comes with
// others behind it (pop). take returns nil when the queue is closed and empty. done is the share in
// which the worker counted for its last job.
func (q *workQueue) take(done int, at *sleeper) *job {
	q.mu.Lock()
	switch {
	case done >= 0:
		q.leave(done)
	case done == nearby && q.near > 0: // else a call counts on this worker, or on one like it
		q.near--
	}
	i, ok := q.next()
	for !ok {
		if q.closed {
			q.mu.Unlock()
			return nil
		}
		// No other worker needs to be woken because this one has become free: it has found
		// no call that may be taken.
		at.next, q.resting = q.resting, at
		q.mu.Unlock()
		at.Sleep(0)
		q.mu.Lock()
		q.coming--
		i, ok = q.next()
	}
	j, w := q.pop(i)
	q.mu.Unlock()
	w.wake()
	return j
}

// send takes a resting worker, if there is one, off the list and puts it before the others, the
// chain that the caller wakes after it has released mu. mu is held.
func (q *workQueue) send(others *sleeper) *sleeper {
	s := q.resting
	if s == nil {
		return others // all workers are busy, and look here before they rest
	}
	q.resting = s.next
	q.coming++
	s.next = others
	return s
}

// pop takes the next job of share i and counts the calling worker as busy there. A job with a batch
// comes with others behind it. If the job may sleep and others are queued, pop returns a resting
// worker w, which the caller wakes after it has released mu. mu is held.
func (q *workQueue) pop(i int) (j *job, w *sleeper) {
	at, _ := q.counted(i)
	q.enter(at)
	q.turn = i + 1
	q.calls--
	j = q.shift(&q.shares[i].houses)
	if j.calls != nil {
		j = q.gather(j)
	}
	j.share = at
	if j.brief {
		j.epoch = q.epoch
		q.brief++
		q.lanes[j.lane].busy++
	} else if q.brief == 0 && q.coming == 0 {
		if _, ok := q.next(); ok {
			w = q.send(nil)
		}
	}
	return j, w
}

// next returns a share that has calls and may have one more worker. The next job of the share is a
// call, or a token that leads to one. mu is held, as in enter and leave.
func (q *workQueue) next() (int, bool) {
	if q.calls == 0 {
		return 0, false
	}
	for k := range q.shares {
		i := (q.turn + k) % len(q.shares)
		if q.shares[i].houses.first == nil {
			continue
		}
		if _, ok := q.counted(i); ok && q.prune(&q.shares[i].houses) {
			return i, true
		}
	}
	return 0, false
}

func (q *workQueue) enter(i int) {
	q.busy++
	if q.shares[i].busy++; q.shares[i].busy <= q.shares[i].least {
		q.kept--
	}
}

func (q *workQueue) leave(i int) {
	q.busy--
	if q.shares[i].busy--; q.shares[i].busy < q.shares[i].least {
		q.kept++
	}
}

func (q *workQueue) close() {
	q.mu.Lock()
	q.closed = true
	var all *sleeper
	for q.resting != nil {
		all = q.send(all)
	}
	q.mu.Unlock()
	all.wake()
	q.guard.wake()
}
