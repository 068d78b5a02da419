package transport

import (
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// change is a task without a call.
type change struct {
	job
	id      int
	working func(*change) (owes bool)
	settled func(*change)
}

func (c *change) work(*rpc.Place) bool { return c.working(c) }
func (c *change) settle()              { c.settled(c) }
func (*change) answer() bool           { return false }
func (*change) back()                  {}
func (*change) lost()                  {}
func (*change) home() *loop.Loop       { return nil }

// changing queues a change of an object by a household.
func changing(q *workQueue, house byte, object uint64, c *change) kicks {
	c.job = job{task: c, house: netip.AddrFrom4([4]byte{192, 0, 2, house}), volume: 1, object: object}
	return q.put(&c.job)
}

func ids(j *job) (list []int) {
	for ; j != nil; j = j.next {
		list = append(list, j.task.(*change).id)
	}
	return list
}

func TestChangesOfAnObjectAreTakenTogether(t *testing.T) {
	var q workQueue
	q.init(1, 8, 1)
	sleepers(&q, 4)
	for id := range batchMax + 3 {
		require.Equal(t, kickBatch, changing(&q, 1, 77, &change{id: id}))
	}
	require.Equal(t, kickBatch, changing(&q, 1, 78, &change{id: 100}))
	require.Equal(t, 4, resting(&q), "nobody is woken before the end of the turn")
	q.kick(0, kickBatch)
	require.Equal(t, 2, resting(&q), "one for each object")
	require.False(t, q.watched, "the patrol has nothing to do with it")
	q.coming = 0

	first := q.take(idle, nil)
	require.Len(t, ids(first), batchMax)
	require.Equal(t, 0, ids(first)[0])
	other := q.take(idle, nil)
	require.Equal(t, []int{100}, ids(other))
	require.False(t, q.ready(), "the first object is being changed")
	require.Zero(t, changing(&q, 1, 77, &change{id: 200}), "it waits with the others")
	require.False(t, q.ready())

	before := resting(&q)
	q.made(first.batch, false)
	require.Equal(t, before, resting(&q), "the worker that has made them comes back at once")
	rest := q.take(first.share, nil)
	require.Equal(t, []int{batchMax, batchMax + 1, batchMax + 2, 200}, ids(rest))
	require.Zero(t, changing(&q, 1, 77, &change{id: 201}))
	q.made(rest.batch, true)
	require.Equal(t, before-1, resting(&q), "another goes on while that one waits for the disc")
	last := q.take(idle, nil)
	require.Equal(t, []int{201}, ids(last))
	q.made(last.batch, true)
	q.made(other.batch, true)
	require.Empty(t, q.batches.byKey)
	require.Zero(t, q.calls)
}

func TestAHouseholdWaitsForOneBatchOfAnother(t *testing.T) {
	var q workQueue
	q.init(1, 8, 1)
	for id := range 10_000 {
		changing(&q, 1, 77, &change{id: id})
	}
	first := q.take(idle, nil)
	changing(&q, 2, 77, &change{id: 20_000}) // the same object
	changing(&q, 2, 78, &change{id: 20_001}) // another one
	require.Equal(t, []int{20_001}, ids(q.take(idle, nil)), "another object does not wait at all")
	q.made(first.batch, true)
	next := ids(q.take(idle, nil))
	require.Contains(t, next, 20_000)
	require.Len(t, next, batchMax)
}

// The lane that put the first call of a batch may be held up, in a write to a frozen disc, before it
// sends a worker.
func TestALaneThatJoinsABatchSendsAWorkerForAnotherLane(t *testing.T) {
	var q workQueue
	q.init(2, 8, 2)
	sleepers(&q, 4)
	require.Equal(t, kickBatch, changing(&q, 1, 77, &change{}))
	require.Equal(t, kickBatch, changing(&q, 2, 77, &change{id: 1}))
	q.kick(1, kickBatch)
	require.Equal(t, 3, resting(&q))
	require.Zero(t, changing(&q, 2, 77, &change{id: 2}), "one is on its way")
	q.kick(0, kickBatch)
	require.Equal(t, 3, resting(&q))
}

// A household has its turn, whatever else others have that change the same object.
func TestAHouseholdDoesNotWaitForOtherObjectsOfAnother(t *testing.T) {
	for _, joins := range []string{"before", "while", "flooded"} {
		var q workQueue
		q.init(1, 8, 1)
		flood := func() {
			for id := range 1000 {
				changing(&q, 1, uint64(1+id%100), &change{id: id})
			}
		}
		changing(&q, 1, 100, &change{id: 20_000})
		switch joins {
		case "before":
			flood()
			changing(&q, 2, 50, &change{id: 10_000})
			require.NotContains(t, ids(q.take(idle, nil)), 10_000)
			require.Contains(t, ids(q.take(idle, nil)), 10_000, "its turn")
		case "while":
			first := q.take(idle, nil)
			flood()
			changing(&q, 2, 100, &change{id: 10_000})
			q.made(first.batch, true)
			_ = q.take(idle, nil)
			require.Contains(t, ids(q.take(idle, nil)), 10_000)
		case "flooded": // its turn comes while the object is being changed
			first := q.take(idle, nil)
			changing(&q, 1, 100, &change{id: 20_001})
			q.made(first.batch, true)
			flood()
			changing(&q, 2, 100, &change{id: 10_000})
			second := q.take(idle, nil)
			require.Equal(t, []int{20_001, 10_000, 99, 199, 299, 399, 499, 599, 699, 799, 899,
				999}, ids(second))
			q.made(second.batch, true)
		}
	}
}

// What hangs on one volume holds up nobody on another, though the objects have the same hash.
func TestObjectsOfTwoVolumesAreNotOne(t *testing.T) {
	var q workQueue
	q.init(1, 8, 2)
	for volume := range 2 {
		c := &change{id: volume}
		c.job = job{task: c, volume: 1 + volume, object: 77}
		q.put(&c.job)
	}
	require.Equal(t, []int{0}, ids(q.take(idle, nil)))
	require.Equal(t, []int{1}, ids(q.take(idle, nil)))
}

// Brief calls are not in batches, and calls that are in a batch are not brief.
func TestAChangeOfAnObjectIsNotBrief(t *testing.T) {
	for object := range 2 {
		c := callFor(connOf(1))
		args := append(ask(1), ask(object)...)
		require.NoError(t, volumeOf.Parse(&c.Call, message(1, procNull, args)[markLen:], nil))
		c.Brief = true
		j := c.asJob()
		require.EqualValues(t, object, j.object)
		require.Equal(t, object == 0, j.brief)
	}
}

// A token that leads to no call costs its household nothing.
func TestATokenThatIsDroppedIsNoTurn(t *testing.T) {
	var q workQueue
	q.init(1, 8, 1)
	changing(&q, 1, 77, &change{id: 1})
	changing(&q, 2, 77, &change{id: 2}) // is taken in the first household's turn
	changing(&q, 2, 78, &change{id: 3})
	changing(&q, 3, 79, &change{id: 4})
	require.Equal(t, []int{1, 2}, ids(q.take(idle, nil)))
	require.Equal(t, []int{3}, ids(q.take(idle, nil)))
	require.Equal(t, []int{4}, ids(q.take(idle, nil)))
}

// Whatever the order, a household with one call waits until the object is not being changed, and then
// for one turn of each other household. And every token that stands is of use, or is dropped.
func TestTurnsComeWhateverHappens(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	const floods, single = 7, 8 // households
	var q workQueue
	q.init(1, 16, 1)
	var list [4000]change
	taken := map[int]int{}
	waits, waited := -1, 0     // the id of the single household's call, and for how many turns
	changing1 := func() bool { // the object of that call is being changed
		b := q.batches.byKey[batchKey(1, list[waits].object)]
		return b != nil && b.making
	}
	var making []*job
	next := 0
	put := func(house byte) {
		list[next].id = next
		changing(&q, house, uint64(r.IntN(40)), &list[next])
		next++
	}
	take := func() {
		if waits >= 0 && !changing1() {
			waited++
		}
		j := q.take(idle, nil)
		if j.batch != nil {
			making = append(making, j)
		} else {
			q.leave(j.share)
		}
		for _, id := range ids(j) {
			taken[id]++
			if id == waits {
				require.LessOrEqual(t, waited, floods+1)
				waits = -1
			}
		}
	}
	made := func() {
		i := r.IntN(len(making))
		q.made(making[i].batch, r.IntN(2) == 0)
		q.leave(making[i].share)
		making = append(making[:i], making[i+1:]...)
	}
	for next < len(list)-1 {
		switch n := r.IntN(10); {
		case n < 6:
			put(byte(r.IntN(floods)))
		case n < 7 && waits < 0:
			waits, waited = next, 0
			put(single)
		case n < 9 && len(making) < 5 && q.ready():
			take()
		case len(making) > 0:
			made()
		}
	}
	for q.ready() || len(making) > 0 {
		if q.ready() {
			take()
		} else {
			made()
		}
	}
	require.Len(t, taken, next)
	for id, n := range taken {
		require.Equal(t, 1, n, id)
	}
	require.Empty(t, q.batches.byKey)
	require.Zero(t, q.calls)
	require.Zero(t, q.busy)
	for i := range q.shares {
		require.Zero(t, q.shares[i].houses.n)
	}
}

// The calls of other households come in turn, also if the object's batches never end.
func TestABatchTakesOneTurnOfItsHousehold(t *testing.T) {
	var q workQueue
	q.init(1, 8, 1)
	for id := range 100 {
		changing(&q, 1, 77, &change{id: id})
	}
	queuedFor(t, &q, 2, 1)
	queuedFor(t, &q, 2, 1)
	first := q.take(idle, nil)
	q.made(first.batch, true)
	require.Nil(t, q.take(idle, nil).batch, "the other household's turn")
	second := q.take(idle, nil)
	require.NotNil(t, second.batch)
	q.made(second.batch, true)
	require.Nil(t, q.take(idle, nil).batch)
}

func TestAllChangesAreMadeBeforeOneIsSettled(t *testing.T) {
	var q workQueue
	q.init(1, 8, 1)
	var log []int
	for id := range 5 {
		changing(&q, 1, 77, &change{
			id:      id,
			working: func(c *change) bool { log = append(log, c.id); return c.id%2 == 0 },
			settled: func(c *change) {
				_, ok := q.batches.byKey[batchKey(1, 77)]
				require.False(t, ok, "others may change the object by now")
				log = append(log, 100+c.id)
			},
		})
	}
	j := q.take(idle, nil)
	var back [][]int
	last := q.runBatch(nil, j, func(j *job) {
		require.Nil(t, j.batch)
		back = append(back, ids(j))
		log = append(log, 1000)
	})
	require.Equal(t, []int{0, 1, 2, 3, 4, 1000, 100, 102, 104}, log)
	require.Equal(t, [][]int{{1, 3}}, back, "who owes nothing waits for no disc")
	require.Equal(t, []int{0, 2, 4}, ids(last))
}

// A client that waits for its reply sends its next change at once. The worker that has answered is
// about to look for work, and no other need be woken.
func TestAWorkerThatComesByItselfIsNotWoken(t *testing.T) {
	var q workQueue
	q.init(1, 8, 1)
	sleepers(&q, 4)
	send := func(ids ...int) {
		for _, id := range ids {
			changing(&q, 1, uint64(77+id), &change{id: id})
		}
		q.kick(0, kickBatch)
	}
	send(0)
	require.Equal(t, 3, resting(&q))
	q.coming--
	first := q.take(idle, nil)
	q.made(first.batch, true)
	done := q.nearly(first.share)
	require.Zero(t, q.busy)

	send(1)
	require.Equal(t, 3, resting(&q), "one comes by itself")
	send(2, 3)
	require.Equal(t, 1, resting(&q), "one call counts on it, no more")
	require.Equal(t, []int{1}, ids(q.take(done, nil)))
	require.Equal(t, []int{2}, ids(q.take(idle, nil)))
	require.Equal(t, []int{3}, ids(q.take(idle, nil)))

	// Nobody counts on a worker that has come.
	fourth := &change{id: 4}
	changing(&q, 1, 90, fourth)
	q.batches.fresh = 0
	done = q.nearly(0 + q.share(1, false))
	require.Equal(t, idle, done, "there is work for it already")
	require.Equal(t, []int{4}, ids(q.take(done, nil)))
	require.Zero(t, q.near)
	send(5)
	require.Equal(t, 0, resting(&q))
}

func TestABatchAllocatesNothing(t *testing.T) {
	var q workQueue
	q.init(1, 4, 1)
	done, list := idle, make([]change, batchMax+4)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for i := range list {
			changing(&q, byte(i%3), 77, &list[i])
		}
		for range 2 {
			j := q.take(done, nil)
			done = j.share
			q.made(j.batch, true)
		}
	}))
	require.Empty(t, q.batches.byKey)
}

func TestNoChangeIsLost(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var q workQueue
	q.init(2, 32, 1)
	const calls, objects = 4000, 5
	var seen [calls]atomic.Int32
	var at [objects + 1]atomic.Int32 // how many change an object now
	var left atomic.Int32
	left.Store(calls)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			runtime.LockOSThread()
			here := new(sleeper)
			var done int
			for j := q.take(idle, here); j != nil; j = q.take(done, here) {
				done = j.share
				back := func(j *job) {
					for ; j != nil; j = j.next {
						seen[j.task.(*change).id].Add(1)
						left.Add(-1)
					}
				}
				if j.batch != nil {
					last := q.runBatch(nil, j, back)
					done = q.nearly(done)
					back(last)
					continue
				}
				j.task.work(nil)
				back(j)
			}
		})
	}
	var lanes sync.WaitGroup
	for lane := range 2 {
		r := rand.New(rand.NewPCG(seed, uint64(lane)))
		lanes.Go(func() {
			for id := lane; id < calls; {
				var kick kicks
				for n := r.IntN(40); n >= 0 && id < calls; n-- {
					object := r.Uint64N(objects + 1)
					owes := r.IntN(2) == 0
					kick |= changing(&q, byte(r.IntN(3)), object, &change{
						id: id,
						working: func(*change) bool {
							if object > 0 && at[object].Add(1) != 1 {
								t.Error("two change an object at once")
							}
							runtime.Gosched()
							at[object].Add(-1)
							return owes
						},
						settled: func(*change) { runtime.Gosched() },
					})
					id += 2
				}
				if kick != 0 {
					q.kick(lane, kick)
				}
				runtime.Gosched()
			}
		})
	}
	lanes.Wait()
	for left.Load() > 0 {
		runtime.Gosched()
	}
	q.close()
	all.Wait()
	for i := range seen {
		require.EqualValues(t, 1, seen[i].Load(), i)
	}
	require.Empty(t, q.batches.byKey)
	require.Zero(t, q.calls)
}
