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
//
// A household has a token in the share of the batch. Tokens stand where the household's other calls
// stand. So a household that has calls for many objects comes in its turn for each of them, and
// another household, which has a call for one of these objects only, comes in its own turn.

// batchMax is how many calls are in a batch at most: with twice as many each costs 5 % less, and
// others wait twice as long.
const batchMax = 32

// batch is the calls that change one object and that no worker has taken yet.
type batch struct {
	share  int
	key    uint64 // see batchKey
	houses houses // the calls
	making bool   // a worker is making earlier changes of the object
	next   *batch // the next spare value
}

// batches are the batches of a workQueue.
type batches struct {
	byKey map[uint64]*batch // that have calls, or that are being made
	spare *batch
	fresh int // batches for which no worker has been sent yet
}

// batchKey is what the calls of a batch have in common: a share and an object. Should two objects have
// the same key by accident, their changes wait for each other, and are right.
func batchKey(share int, object uint64) uint64 { return object ^ uint64(share)<<48 }

// join puts j, which has an object, into the object's batch. mu is held.
func (q *workQueue) join(j *job) (kick kicks) {
	b := q.batchOf(j)
	if p := q.push(&b.houses, j); !b.making {
		q.stand(b, p)
	}
	if q.batches.fresh > 0 {
		// Also if the batch is another lane's: that lane may be held up before the end of its turn.
		return kickBatch
	}
	return 0
}

// batchOf returns the batch for j, a new one if there is none. mu is held.
func (q *workQueue) batchOf(j *job) *batch {
	key := batchKey(j.share, j.object)
	b := q.batches.byKey[key]
	if b != nil {
		return b
	}
	if b = q.batches.spare; b != nil {
		q.batches.spare = b.next
	} else {
		b = new(batch)
	}
	if q.batches.byKey == nil {
		q.batches.byKey = make(map[uint64]*batch)
	}
	b.share, b.key = j.share, key
	q.batches.byKey[key] = b
	q.batches.fresh++
	return b
}

// stand puts a household's token into the share of b, if it does not stand there. p is the
// household's calls in b. mu is held.
func (q *workQueue) stand(b *batch, p *peerCalls) {
	if p.standing {
		return
	}
	p.standing = true
	t := &p.token
	t.share, t.house, t.lane, t.batch, t.calls = b.share, p.peer, p.jobs.head.lane, b, p
	q.enqueue(t)
}

// drop ends the standing of a token that has left its share. mu is held.
func (q *workQueue) drop(t *job) {
	q.calls--
	t.calls.standing = false
	if t.calls.jobs.head == nil {
		q.ended(t.calls)
	}
}

// ready reports whether a job of a share can be taken: a call can, and a token if it leads to calls.
// p is what the token stands for, nil for a call. Tokens whose calls have been taken by another
// token's turn lead to none. When a batch has been made, the tokens of those who are left stand.
func (p *peerCalls) ready() bool {
	return p == nil || p.jobs.head != nil && !p.token.batch.making
}

// sendForBatches adds resting workers to w, one for each batch for which nobody has been sent, less
// those that come by themselves. mu is held.
func (q *workQueue) sendForBatches(w *sleeper) *sleeper {
	for ; q.batches.fresh > 0; q.batches.fresh-- {
		if q.near > 0 {
			q.near--
		} else {
			w = q.send(w)
		}
	}
	return w
}

// gather takes the next calls of a batch, of which the token t has been taken, as a chain. The
// caller makes their changes, and calls made. mu is held.
func (q *workQueue) gather(t *job) *job {
	b := t.batch
	b.making, t.calls.standing = true, false
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
		for p := b.houses.first; p != nil; p = p.next {
			q.stand(b, p)
		}
		if waits {
			w = q.send(nil)
		}
	}
	q.mu.Unlock()
	w.wake()
}

// runBatch makes the changes of a chain of jobs, which gather has returned, on a worker's thread.
// Before it waits for the disc, it hands back the jobs that owe nothing. It returns those that the
// caller hands back.
func (q *workQueue) runBatch(place *rpc.Place, first *job, back func(*job)) (last *job) {
	b := first.batch
	first.batch = nil
	var done, owing jobList
	chain := jobList{head: first}
	for j := chain.pop(); j != nil; j = chain.pop() {
		if j.task.work(place) {
			owing.push(j)
		} else {
			done.push(j)
		}
	}
	q.made(b, owing.head != nil)
	if owing.head == nil {
		return done.head
	}
	if done.head != nil {
		back(done.head)
	}
	for j := owing.head; j != nil; j = j.next {
		j.task.settle()
	}
	return owing.head
}
