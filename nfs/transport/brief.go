package transport

import "time"

// Brief calls may sleep, but hardly ever do: an unstable WRITE copies its data to the page cache,
// and waits only when the file system has to wait. On a worker such a call costs mostly the
// hand-over. So one worker does a lane's brief calls, one after the other, as long as there are
// more. The lane wakes the worker once for all calls of a turn, and the replies go back together.
// If that worker sleeps after all, the patrol notices and sends others.

const (
	// patrolEvery is how often the patrol looks after brief calls while there are some. It acts
	// on what has not moved for one to two such periods.
	patrolEvery = 2 * time.Millisecond
	// backMax is how many calls go back together at most, and backBytes how many bytes of
	// arguments these may have had together, so that no reply waits for long.
	backMax   = 16
	backBytes = 64 << 10
)

// briefs is what the queue knows of one lane's brief calls.
type briefs struct {
	busy  int     // workers that run one of them
	done  jobList // run, and not yet on their way back
	calls int     // how many calls are in done
	bytes int     // of the arguments of the calls in done
	since uint32  // the patrol's round when the first call of done ended
}

// kicks says for what a lane must call kick.
type kicks uint8

const (
	kickBrief kicks = 1 << iota // for brief calls
	kickBatch                   // for calls that change objects (batch.go)
)

// kick makes sure that workers take the calls that a lane has put into the queue in this turn.
func (q *workQueue) kick(lane int, what kicks) {
	q.mu.Lock()
	var w *sleeper
	if what&kickBatch != 0 {
		w = q.sendForBatches(w)
	}
	if what&kickBrief != 0 {
		if _, ok := q.next(); ok {
			if q.lanes[lane].busy == 0 && q.coming == 0 {
				w = q.send(w)
			}
			w = q.watch(w)
		}
	}
	q.mu.Unlock()
	w.wake()
}

// watch wakes the patrol: it returns w with the patrol's sleeper added, for the caller to wake
// after it has released mu. mu is held.
func (q *workQueue) watch(w *sleeper) *sleeper {
	if q.watched || q.closed {
		return w
	}
	q.watched = true
	q.guard.next = w
	return &q.guard
}

// swap ends the brief job j and takes the next job, nil when there is none. The worker must send
// the jobs in back to their lanes. swap does not block.
func (q *workQueue) swap(j *job) (next, back *job) {
	var w *sleeper
	q.mu.Lock()
	l := &q.lanes[j.lane]
	if j.epoch == q.epoch {
		l.busy--
		q.brief--
	}
	q.leave(j.share)
	if l.calls == 0 {
		l.since = q.round
	}
	l.done.push(j)
	l.calls++
	l.bytes += j.size
	if l.calls >= backMax || l.bytes >= backBytes {
		back = l.takeDone()
	}
	if i, ok := q.next(); ok {
		next, w = q.pop(i)
	}
	if next == nil || !next.brief {
		for i := range q.lanes {
			back = join(q.lanes[i].takeDone(), back)
		}
	}
	if q.late() {
		w = q.watch(w)
	}
	q.mu.Unlock()
	w.wake()
	return next, back
}

// takeDone empties done and returns its jobs.
func (l *briefs) takeDone() *job {
	l.calls, l.bytes = 0, 0
	return l.done.take()
}

// join appends the chain of jobs b to the chain a, which should be the short one.
func join(a, b *job) *job {
	if a == nil {
		return b
	}
	last := a
	for last.next != nil {
		last = last.next
	}
	last.next = b
	return a
}

// late reports whether a worker that sleeps now would keep calls or replies waiting. mu is held.
func (q *workQueue) late() bool {
	if _, ok := q.next(); ok {
		return true
	}
	for i := range q.lanes {
		if q.lanes[i].calls > 0 {
			return true
		}
	}
	return false
}

// runPatrol is the goroutine that looks after brief calls while there are some.
func (q *workQueue) runPatrol() {
	for every := time.Duration(0); ; {
		q.guard.Sleep(every)
		q.mu.Lock()
		if q.closed {
			q.mu.Unlock()
			return
		}
		back, w := q.patrol()
		if every = 0; q.watched {
			every = patrolEvery
		}
		q.mu.Unlock()
		w.wake()
		giveBack(back)
	}
}

// patrol looks once. If the next call has been waiting since the round before the last, patrol
// sends more workers, twice as many each time. It also returns the finished jobs, back, that wait
// for a worker to bring more. mu is held.
func (q *workQueue) patrol() (back *job, w *sleeper) {
	q.round++
	for i := range q.lanes {
		if l := &q.lanes[i]; l.calls > 0 && q.round-l.since >= 2 {
			back = join(l.takeDone(), back)
		}
	}
	if i, ok := q.next(); ok && q.round-q.shares[i].houses.first.jobs.head.since >= 2 {
		// Workers that sleep in a brief call no longer count.
		q.epoch++
		q.brief = 0
		for i := range q.lanes {
			q.lanes[i].busy = 0
		}
		q.rescuers = max(1, 2*q.rescuers)
		for range q.rescuers {
			w = q.send(w)
		}
	} else {
		q.rescuers = 0
	}
	q.watched = q.late()
	return back, w
}
