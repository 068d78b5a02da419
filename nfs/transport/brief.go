package transport

import "time"

// Brief calls are those that hardly ever sleep, although they may: an unstable
// WRITE copies its data to the page cache, and waits only when the file system has
// to. What they cost on a worker is the hand-over. So one worker does those of a
// lane, one after the other, as long as there are more; it is woken once for all
// calls of a turn, and their replies go back together. When that worker sleeps
// after all, the patrol notices and sends others.

const (
	// patrolEvery is how often the patrol looks after brief calls while there are
	// some. What it finds unchanged is late by one to two of it.
	patrolEvery = 2 * time.Millisecond
	// backMax is how many calls go back together at most, and backBytes how many
	// bytes of arguments they may have had, so that no reply waits for long.
	backMax   = 16
	backBytes = 64 << 10
)

// briefs is what the queue knows of one lane's brief calls.
type briefs struct {
	busy  int     // workers that run one of them
	done  jobList // run, and not yet on their way back
	calls int     // in done
	bytes int     // of their arguments
	since uint32  // the patrol's round when the first of done ended
}

// kick sees to it that somebody takes the brief calls that were put for a lane.
func (q *workQueue) kick(lane int) {
	q.mu.Lock()
	var w *sleeper
	if _, ok := q.next(); ok {
		if q.lanes[lane].busy == 0 && q.coming == 0 {
			w = q.send(nil)
		}
		w = q.watch(w)
	}
	q.mu.Unlock()
	w.wake()
}

// watch gets the patrol up: the caller wakes w too when mu is released. mu is held.
func (q *workQueue) watch(w *sleeper) *sleeper {
	if q.watched || q.closed {
		return w
	}
	q.watched = true
	q.guard.next = w
	return &q.guard
}

// swap ends the brief job j and takes the next one, nil when there is none.
// The worker sends back the jobs that it returns as back. It does not block.
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

// takeDone empties done.
func (l *briefs) takeDone() *job {
	l.calls, l.bytes = 0, 0
	return l.done.take()
}

// join puts two chains of jobs together. The first is short.
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

// late reports whether there is something that a sleeping worker would keep
// waiting. mu is held.
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
		q.guard.sleep(every)
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

// patrol sends more workers, twice as many each time, when the next call has been
// waiting since the round before the last, and sends back what waits for a worker
// to come back with more. mu is held.
func (q *workQueue) patrol() (back *job, w *sleeper) {
	q.round++
	for i := range q.lanes {
		if l := &q.lanes[i]; l.calls > 0 && q.round-l.since >= 2 {
			back = join(l.takeDone(), back)
		}
	}
	if i, ok := q.next(); ok && q.round-q.shares[i].first.jobs.head.since >= 2 {
		// Those who sleep do not count any longer.
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
