package table

import (
	"sync/atomic"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/uring/futex"
)

// batch is how many entries a method looks at while it holds the lock. Lanes may be waiting for the
// lock.
const batch = 512

// spareLooks is at how many entries Spare looks for each descriptor, beside a batch.
const spareLooks = 4

// Table finds the entries of an FS by handle and by object. Its methods may be called from any
// goroutine.
type Table[S any] struct {
	max   int
	renew func(old *Entry[S]) *Entry[S]

	open  atomic.Int64 // descriptors of all entries, retired ones included
	ids   atomic.Uint64
	going atomic.Int32 // how many entries goers counts

	mu      futex.Mutex
	living  living[S]   // in its list Evict goes round (second chance)
	writers []*Entry[S] // entries that are open for writing, and some dead ones
	hand    int
	spare   int         // where Spare looks next
	retired []*Entry[S] // in no order
	pending int         // how many descriptors the entries of retired have
	users   [usesBits][]*Uses[S]
	// goers are the entries that were retired while somebody used them, or while they had to
	// wait, and that Gone has not forgotten yet: the youngest of each object.
	goers map[vfs.Handle]*Entry[S]
}

// Init makes a table whose entries should not hold more than max descriptors. renew returns an
// entry of old's object that has one descriptor open, or nil if no descriptor is to spare. The
// table calls renew while it is locked.
func (t *Table[S]) Init(max int, renew func(old *Entry[S]) *Entry[S]) {
	t.max, t.renew = max, renew
	t.living.init(max)
	t.goers = make(map[vfs.Handle]*Entry[S])
}

// Max returns how many descriptors the entries should hold at most.
func (t *Table[S]) Max() int { return t.max }

// Open returns how many descriptors the entries hold, retired entries included.
func (t *Table[S]) Open() int { return int(t.open.Load()) }

// Opened counts one more descriptor of an entry.
func (t *Table[S]) Opened() { t.open.Add(1) }

// Closed counts n fewer descriptors.
func (t *Table[S]) Closed(n int) { t.open.Add(int64(-n)) }

// Going returns how many entries are retired and not closed yet, without those that were handed out
// as soon as they were retired.
func (t *Table[S]) Going() int { return int(t.going.Load()) }

// Newest returns the ID of the entry that was added last.
func (t *Table[S]) Newest() uint64 { return t.ids.Load() }

// Full reports whether one more descriptor would exceed the bound.
func (t *Table[S]) Full() bool { return t.Open() >= t.max }

// Find holds the living entry of h in u, and returns nil when there is none.
func (t *Table[S]) Find(h *vfs.Handle, u *Uses[S], slot int) *Entry[S] {
	t.mu.Lock()
	defer t.mu.Unlock()
	return hold(t.living.find(h), u, slot)
}

// FindObject is Find by object.
func (t *Table[S]) FindObject(k *kernel.ObjectKey, u *Uses[S], slot int) *Entry[S] {
	t.mu.Lock()
	defer t.mu.Unlock()
	return hold(t.living.findObject(k), u, slot)
}

// hold publishes an entry of a locked table, which is therefore alive.
func hold[S any](e *Entry[S], u *Uses[S], slot int) *Entry[S] {
	if e != nil {
		u.slots[slot].Store(e)
		e.who.Or(u.mark | fresh)
	}
	return e
}

// Add puts e into the table and holds it in u. If another caller has already put the same object
// in, Add holds and returns that caller's entry instead, and e still belongs to the caller of Add.
func (t *Table[S]) Add(e *Entry[S], u *Uses[S], slot int) *Entry[S] {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := t.living.find(&e.Handle); old != nil {
		return hold(old, u, slot)
	}
	t.addLocked(e)
	return hold(e, u, slot)
}

func (t *Table[S]) addLocked(e *Entry[S]) {
	e.ID = t.ids.Add(1)
	t.living.add(e)
	t.open.Add(int64(e.FDs()))
}

// Writable notes that e is open for writing.
func (t *Table[S]) Writable(e *Entry[S]) {
	e.wrote.Store(true)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writers = append(t.writers, e)
}

// Pin keeps e open until the caller unpins it. Of all methods RetireAll alone retires a pinned
// entry. Pin reports false if e is retired already.
func (t *Table[S]) Pin(e *Entry[S]) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Dead() {
		return false
	}
	e.pins.Add(1)
	return true
}

// Unpin ends a pin of e.
func (t *Table[S]) Unpin(e *Entry[S]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.pins.Add(-1)
}

// Retire takes e out of the table for good, unless it is pinned. The next Reap that finds e unused
// hands it out, and its caller closes the descriptors.
func (t *Table[S]) Retire(e *Entry[S]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !e.Pinned() {
		t.retireLocked(e)
	}
}

// RetireAll retires all entries.
func (t *Table[S]) RetireAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.living.list) > 0 {
		t.retireLocked(t.living.list[0])
	}
}

// retireLocked retires e, and leaves it to Reap.
func (t *Table[S]) retireLocked(e *Entry[S]) {
	if !e.Dead() {
		t.unlink(e)
		t.queue(e)
	}
}

// unlink marks e, which is alive, dead, and takes it out of the table.
func (t *Table[S]) unlink(e *Entry[S]) {
	e.had = e.who.Swap(dead)
	t.living.remove(e)
}

// queue leaves a dead entry to Reap.
func (t *Table[S]) queue(e *Entry[S]) {
	e.held = e.FDs()
	t.pending += e.held
	e.at = len(t.retired)
	t.retired = append(t.retired, e)
	e.goer, e.older = true, t.goers[e.Handle]
	t.goers[e.Handle] = e
	t.going.Add(1)
}

// Release retires e as Retire does. If nobody uses e, and wait returns false for it, Release
// returns true: it has handed e out, as Reap does. Otherwise it leaves e to Reap. later reports
// that only wait has kept it from handing e out. How long Release takes does not depend on how many
// entries or threads there are.
func (t *Table[S]) Release(e *Entry[S], wait func(*Entry[S]) bool) (free, later bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Pinned() || e.Dead() && e.at < 0 {
		return false, false
	}
	return t.release(e, wait)
}

// release is Release for an entry that may be retired, or is, and was not handed out.
func (t *Table[S]) release(e *Entry[S], wait func(*Entry[S]) bool) (free, later bool) {
	queued := e.Dead()
	if !queued {
		t.unlink(e)
	}
	free = !t.used(e)
	later = free && wait(e) // nobody can change e now
	free = free && !later
	switch {
	case !free && !queued:
		t.queue(e)
	case free && queued:
		t.dequeue(e)
	}
	return free, later
}

// dequeue takes an entry that is handed out off the list of those that are left to Reap.
func (t *Table[S]) dequeue(e *Entry[S]) {
	t.retired = without(t.retired, e)
	t.pending -= e.held
}

// Olders returns the entries of h's object that are retired and not closed yet, without those that
// were handed out as soon as they were retired: these had nothing to wait for.
func (t *Table[S]) Olders(h *vfs.Handle) (list []*Entry[S]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for e := t.goers[*h]; e != nil; e = e.older {
		list = append(list, e)
	}
	return list
}

// Gone forgets a retired entry that has been flushed and is being closed.
func (t *Table[S]) Gone(e *Entry[S]) {
	if !e.goer { // it was handed out by somebody who held the lock
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if first := t.goers[e.Handle]; first != e {
		for first.older != e {
			first = first.older
		}
		first.older = e.older
	} else if e.older != nil {
		t.goers[e.Handle] = e.older
	} else {
		delete(t.goers, e.Handle)
	}
	t.going.Add(-1)
}

// Evict retires entries until extra more descriptors fit, and hands them out as [Table.Release]
// does. It takes an entry that is costly to close only if nothing else is left. It never takes an
// entry that an operation is using, because that would close nothing.
func (t *Table[S]) Evict(extra int, costly, wait func(*Entry[S]) bool) (free []*Entry[S], later bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	least := t.Open() - t.pending + extra - t.max // how many descriptors are still to be given up
	for pass := range 3 {                         // the first pass only clears the marks
		for range len(t.living.list) {
			if least <= 0 || len(t.living.list) == 0 {
				return free, later
			}
			if t.hand >= len(t.living.list) {
				t.hand = 0
			}
			e := t.living.list[t.hand]
			if pass < 2 && (!e.stale() || costly(e)) || e.Pinned() || t.used(e) {
				e.idle = 0
				t.hand++
				continue
			}
			least -= e.FDs() // another entry moves under the hand
			if now, wants := t.release(e, wait); now {
				free = append(free, e)
			} else {
				later = later || wants
			}
		}
	}
	return free, later
}

// Spare retires entries that have n descriptors together, and hands them out as [Table.Release]
// does. It only takes entries that nobody has used since Evict's hand or Sweep last came by, and for
// which wait returns false. It looks at few entries, and returns what it has found.
func (t *Table[S]) Spare(n int, wait func(*Entry[S]) bool) (free []*Entry[S]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for range min(spareLooks*n+batch, len(t.living.list)) {
		if n <= 0 || len(t.living.list) == 0 {
			break
		}
		if t.spare >= len(t.living.list) {
			t.spare = 0
		}
		e := t.living.list[t.spare]
		if e.who.Load()&fresh != 0 || wait(e) || e.Pinned() || t.used(e) {
			t.spare++
			continue
		}
		n -= e.FDs() // another entry moves to this place
		if now, _ := t.release(e, wait); now {
			free = append(free, e)
		}
	}
	return free
}

// Reap returns the retired entries that nobody uses, each once, for the caller to close. Entries
// for which wait returns true stay. later reports whether there are such entries.
func (t *Table[S]) Reap(wait func(*Entry[S]) bool) (free []*Entry[S], later bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := 0; i < len(t.retired); {
		e := t.retired[i]
		switch {
		case t.used(e):
			i++
		case wait(e):
			later = true
			i++
		default:
			t.dequeue(e) // another entry moves to i
			free = append(free, e)
		}
	}
	return free, later
}

// Rest retires entries that somebody has written to, but not since Rest last came by, and that are
// not busy. While a file is open for writing, nobody can execute it or make the file system
// read-only. If replace is set, another entry of the same object takes the place of each.
func (t *Table[S]) Rest(replace bool, busy func(*Entry[S]) bool) {
	for i := 0; ; {
		t.mu.Lock()
		for end := i + batch; i < min(end, len(t.writers)); {
			e := t.writers[i]
			if !e.Dead() {
				if e.wrote.Swap(false) || e.Pinned() || busy(e) {
					i++
					continue
				}
				t.restLocked(e, replace)
			}
			last := len(t.writers) - 1
			t.writers[i], t.writers[last] = t.writers[last], nil
			t.writers = t.writers[:last]
			end--
		}
		done := i >= len(t.writers)
		t.mu.Unlock()
		if done {
			return
		}
	}
}

// restLocked retires e. If replace is set and a descriptor is to spare, a new entry with only that
// descriptor keeps the object open.
func (t *Table[S]) restLocked(e *Entry[S], replace bool) {
	var n *Entry[S]
	if replace {
		n = t.renew(e)
	}
	t.retireLocked(e)
	if n != nil {
		t.addLocked(n)
	}
}

// Sweep visits all living entries. It retires those that nobody has used during the last rounds
// Sweeps, unless keep is set. After each batch of entries it releases the lock and calls each with
// the entries of the batch that due has picked.
func (t *Table[S]) Sweep(rounds uint8, keep bool, due func(*Entry[S]) bool, each func(*Entry[S])) {
	var picked []*Entry[S]
	for i := 0; ; {
		t.mu.Lock()
		end := min(i+batch, len(t.living.list))
		for i < end {
			e := t.living.list[i]
			if due(e) {
				picked = append(picked, e)
			}
			if !e.stale() || e.Pinned() {
				e.idle = 0
			} else if e.idle++; e.idle >= rounds && !keep {
				t.retireLocked(e) // another entry moves to index i
				end--
				continue
			}
			i++
		}
		done := i >= len(t.living.list)
		t.mu.Unlock()
		for _, e := range picked { // somebody may close the entry meanwhile
			each(e)
		}
		if picked = picked[:0]; done {
			return
		}
	}
}

// Counts is how many entries of each kind there are.
type Counts struct {
	Living  int
	Writing int // open for writing; some may be dead since Rest last came by
	Retired int // retired, and not yet handed out by Reap
	Going   int // objects with entries that are retired and that Gone has not forgotten yet
}

// Counts counts the entries.
func (t *Table[S]) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Counts{Living: len(t.living.list), Writing: len(t.writers), Retired: len(t.retired),
		Going: len(t.goers)}
}
