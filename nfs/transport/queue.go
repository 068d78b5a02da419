package transport

import "sync"

// workQueue is where lanes leave the calls that may sleep. It is a list through
// the calls themselves: it needs no memory and has no limit of its own, since the
// connections bound how many calls there are.
type workQueue struct {
	mu     sync.Mutex
	cond   sync.Cond
	head   *call // guarded by mu
	tail   *call // guarded by mu
	closed bool  // guarded by mu
}

func (q *workQueue) init() { q.cond.L = &q.mu }

func (q *workQueue) put(c *call) {
	c.next = nil
	q.mu.Lock()
	if q.tail == nil {
		q.head = c
	} else {
		q.tail.next = c
	}
	q.tail = c
	q.mu.Unlock()
	q.cond.Signal()
}

// take waits for a call. It returns nil when the queue is closed and empty.
func (q *workQueue) take() *call {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.head == nil {
		if q.closed {
			return nil
		}
		q.cond.Wait()
	}
	c := q.head
	if q.head = c.next; q.head == nil {
		q.tail = nil
	}
	c.next = nil
	return c
}

func (q *workQueue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.cond.Broadcast()
}
