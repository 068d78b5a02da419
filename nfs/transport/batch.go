package transport

import "github.com/ringnfs/ringnfs/nfs/rpc"

// Calls that change the same object, such as names of one directory, wait for each other: for the
// object's lock, and for the disc. So one worker makes the changes of an object one after the
// other, has them flushed together, and sends their replies back together. They are a batch.
//
// While a batch is being made, further changes of the object gather. As soon as the worker turns to
// the disc, another worker takes those: so the object is changed while the disc is busy, and the
// flushes of several batches can become one. A batch has at most batchMax calls, in which the
// households that have some take turns. So a household waits for one batch, however many calls
// another household has for the same object.

// batchMax is how many calls are in a batch at most: with twice as many each costs 5 % less, and
// others wait twice as long.
const batchMax = 32

// batch is the calls that change one object and that no worker has taken yet.
type batch struct {
	share  int
	key    uint64 // see batchKey
	houses houses // the calls
	making bool   // a worker is making earlier changes of the object
	// token stands in a share for all calls of houses, unless making. There it is in the household
	// whose turn it is there.
	token job
	next  *batch // the next spare value
}

// batches are the batches of a workQueue.
type batches struct {
	byKey map[uint64]*batch // that have calls, or that are being made
	spare *batch
	fresh int // tokens for which no worker has been sent yet
}

// batchKey is what the calls of a batch have in common: a share and an object. Should two objects have
// the same key by accident, their changes wait for each other, and are right.
func batchKey(share int, object uint64) uint64 { return object ^ uint64(share)<<48 }

// join puts j, which has an object, into the object's batch. mu is held.
func (q *workQueue) join(j *job) (kick kicks) {
	key := batchKey(j.share, j.object)
	b := q.batches.byKey[key]
	if b != nil {
		q.push(&b.houses, j)
		return 0
	}
	if b = q.batches.spare; b != nil {
		q.batches.spare = b.next
	} else {
		b = q.batches.make()
	}
	b.share, b.key = j.share, key
	q.batches.byKey[key] = b
	q.push(&b.houses, j)
	q.stand(b)
	q.batches.fresh++
	return kickBatch
}

// make returns a new batch.
func (s *batches) make() *batch {
	if s.byKey == nil {
		s.byKey = make(map[uint64]*batch)
	}
	b := new(batch)
	b.token.batch = b
	return b
}

// stand puts b's token into its share, for the household whose turn it is. mu is held.
func (q *workQueue) stand(b *batch) {
	first := b.houses.first
	t := &b.token
	t.share, t.house, t.lane = b.share, first.peer, first.jobs.head.lane
	q.enqueue(t)
}

// sendForBatches adds resting workers to w, one for each batch for which nobody has been sent. mu is
// held.
func (q *workQueue) sendForBatches(w *sleeper) *sleeper {
	for ; q.batches.fresh > 0; q.batches.fresh-- {
		w = q.send(w)
	}
	return w
}

// gather takes the next calls of b, whose token has been taken, as a chain. The caller makes their
// changes, and calls made. mu is held.
func (q *workQueue) gather(b *batch) *job {
	b.making = true
	var list jobList
	for range batchMax {
		list.push(q.shift(&b.houses))
		if b.houses.first == nil {
			break
		}
	}
	list.head.batch = b
	return list.head
}

// made ends what gather began. If the caller is about to wait for the disc, and others have come, a
// worker is sent for them.
func (q *workQueue) made(b *batch, waits bool) {
	var w *sleeper
	q.mu.Lock()
	b.making = false
	if b.houses.first == nil {
		delete(q.batches.byKey, b.key)
		b.next, q.batches.spare = q.batches.spare, b
	} else {
		q.stand(b)
		if waits {
			w = q.send(nil)
		}
	}
	q.mu.Unlock()
	w.wake()
}

// runBatch makes the changes of a chain of jobs, which gather has returned, on a worker's thread,
// and returns the chain. It waits for the disc.
func (q *workQueue) runBatch(place *rpc.Place, first *job) {
	b := first.batch
	first.batch = nil
	var owing [batchMax]task
	n := 0
	for j := first; j != nil; j = j.next {
		if j.task.work(place) {
			owing[n] = j.task
			n++
		}
	}
	q.made(b, n > 0)
	for i := range n {
		owing[i].settle()
	}
}
