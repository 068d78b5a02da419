package files

import (
	"slices"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
)

// Waiter is a lock owner that may now have the lock that it waits for.
type Waiter struct {
	Client uint64
	Owner  string
	File   File
}

// waiter is a lock owner that waits for a lock (RFC 8881 section 9.6). It asks for the lock again
// and again, and is told when that is worth while. A client that does not ask for a lease time has
// given up. Guarded by file.mu.
type waiter struct {
	ranges.Range
	kind   ranges.Kind
	open   *state
	client *client
	owner  string
	number ranges.Owner // of its locks, or nobody
	until  uint32       // when it has given up
	local  bool         // what it waits for is held by a program of the machine
	// told says that the lock is free, and its owner knows. Until kept nobody else who would wait
	// gets it.
	told bool
	kept uint32
}

// same reports whether two are of the same owner.
func (w *waiter) same(o *waiter) bool { return w.client == o.client && w.owner == o.owner }

// bars reports whether one lock excludes the other one.
func (w *waiter) bars(o *waiter) bool {
	return w.Overlaps(o.Range) && (w.kind == ranges.Write || o.kind == ranges.Write)
}

func (w *waiter) lock() Lock {
	return lockOf(ranges.Lock{Range: w.Range, Kind: w.kind}, w.client.id, w.owner)
}

// past reports whether a moment is over, on a clock of 32 bits.
func past(moment, now uint32) bool { return int32(now-moment) > 0 }

// reserved returns who is to have first what w wants, nil if nobody.
func (l *lockTable) reserved(w *waiter, now uint32) *waiter {
	for i := range l.waiters {
		o := &l.waiters[i]
		if o.told && !past(o.kept, now) && !past(o.until, now) && !o.same(w) && o.bars(w) {
			return o
		}
	}
	return nil
}

// wait remembers a waiter, or that one still waits. Beyond the bounds nobody is remembered. Needs
// f.mu.
func (t *Table) wait(f *file, w *waiter) {
	now := t.now()
	w.until = now + t.cfg.LeaseSeconds
	for i := range f.locks.waiters {
		if o := &f.locks.waiters[i]; o.same(w) && o.Range == w.Range && o.kind == w.kind {
			*o = *w // it has been told in vain, if it was
			return
		}
	}
	c := w.client
	if len(f.locks.waiters) >= t.cfg.FileWaitersMax || int(c.waiters.Load()) >= t.cfg.ClientWaitersMax ||
		t.scarce() && !t.withinShare(c, w.bytes()) || !t.take(w.bytes()) {
		return
	}
	if len(f.locks.waiters) == 0 {
		t.waiting.mu.Lock()
		t.waiting.files[f] = struct{}{}
		t.waiting.mu.Unlock()
	}
	f.locks.waiters = append(f.locks.waiters, *w)
	c.waiters.Add(1)
	c.waiting.Add(int64(w.bytes()))
}

func (w *waiter) bytes() int { return waiterBytes + len(w.owner) }

// dropWaiters forgets the waiters of a file that gone reports. Needs f.mu.
func (t *Table) dropWaiters(f *file, gone func(*waiter) bool) {
	if f.locks == nil || len(f.locks.waiters) == 0 {
		return
	}
	f.locks.waiters = slices.DeleteFunc(f.locks.waiters, func(w waiter) bool {
		if !gone(&w) {
			return false
		}
		w.client.waiters.Add(-1)
		w.client.waiting.Add(int64(-w.bytes()))
		t.give(w.bytes())
		return true
	})
	if len(f.locks.waiters) == 0 {
		t.waiting.mu.Lock()
		delete(t.waiting.files, f)
		t.waiting.mu.Unlock()
	}
}

// wake finds those who waited for bytes of a range and can have their locks now, in the order in
// which they came. Needs f.mu.
func (t *Table) wake(f *file, r ranges.Range, e *effects) {
	now := t.now()
	t.dropWaiters(f, func(w *waiter) bool { return past(w.until, now) })
	for i := range f.locks.waiters {
		w := &f.locks.waiters[i]
		if w.Overlaps(r) && (!w.told || past(w.kept, now)) {
			t.tell(f, w, now, e)
		}
	}
}

// tell tells a waiter if it can have its lock. Needs f.mu.
func (t *Table) tell(f *file, w *waiter, now uint32, e *effects) {
	if f.locks.reserved(w, now) != nil {
		return
	}
	if _, denied := f.locks.Conflict(w.number, w.Range, w.kind); denied {
		return
	}
	w.told, w.kept = true, now+t.cfg.ReserveSeconds
	e.notify = append(e.notify, Waiter{w.client.id, w.owner, f.key})
}

// Poll looks after waiters for whom nobody unlocks anything: those that wait for a program of the
// machine, and those behind one that was told and did not come. It is to be called about twice a
// second. It asks the mirror about each waiter of the first kind.
func (t *Table) Poll() {
	t.waiting.mu.Lock()
	files := make([]*file, 0, len(t.waiting.files))
	for f := range t.waiting.files {
		files = append(files, f)
	}
	t.waiting.mu.Unlock()
	for _, f := range files {
		var e effects
		f.mu.Lock()
		t.poll(f, &e)
		t.unlock(f)
		t.after(&e)
	}
}

// poll is Poll for a file. Needs f.mu.
func (t *Table) poll(f *file, e *effects) {
	now := t.now()
	t.dropWaiters(f, func(w *waiter) bool { return past(w.until, now) })
	if f.locks == nil {
		return
	}
	for i := range f.locks.waiters {
		w := &f.locks.waiters[i]
		if w.told {
			continue
		}
		if m := t.cfg.Mirror; m != nil && w.local {
			if _, held := m.Holder(&f.key, w.Range, w.kind); held {
				continue
			}
		}
		t.tell(f, w, now, e)
	}
	t.trim(f)
}
