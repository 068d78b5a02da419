package idmap

import (
	"errors"
	"maps"
	"sync/atomic"
	"time"

	"github.com/ringnfs/ringnfs/uring/futex"
)

const (
	// freshFor is how long an answer is good, and unknownFor how long one that says that there is
	// nobody.
	freshFor   = 10 * time.Minute
	unknownFor = 10 * time.Second
	// restFor is how long to wait before a look-up that has failed is made again.
	restFor = time.Second
	// factsMax is how many names, and how many numbers, are remembered.
	factsMax = 4096
	// flightsMax is how many look-ups may wait for their turn.
	flightsMax = 256
)

// finding is an answer of the database. It is immutable.
type finding[V any] struct {
	value V
	err   error
	until time.Time // it is good
}

// fact is what is known about one name or number.
type fact[V any] struct {
	found atomic.Pointer[finding[V]] // the last answer, nil before the first
	late  atomic.Bool                // a look-up is under way that has been waited for in vain

	mu   futex.Mutex
	done chan struct{} // guarded by mu; of the look-up that is under way, or nil
}

// fresh returns what is known if it can be used without a look-up: it is good, or there is no use
// in waiting for better.
func (f *fact[V]) fresh(now time.Time) (*finding[V], bool) {
	x := f.found.Load()
	return x, x != nil && now.Before(x.until) || f.late.Load()
}

// facts are the facts about several. They are read without a lock; who adds one copies the map.
type facts[K comparable, V any] struct {
	by atomic.Pointer[map[K]*fact[V]]
	mu futex.Mutex // held to change by
}

// get returns what there is about k, nil if there is nothing.
func (x *facts[K, V]) get(k K) *fact[V] {
	m := x.by.Load()
	if m == nil {
		return nil
	}
	return (*m)[k]
}

// of is get, and makes what is missing. When there are too many, all are forgotten.
func (x *facts[K, V]) of(k K) *fact[V] {
	if f := x.get(k); f != nil {
		return f
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if f := x.get(k); f != nil {
		return f
	}
	next := make(map[K]*fact[V])
	if m := x.by.Load(); m != nil && len(*m) < factsMax {
		maps.Copy(next, *m)
	}
	f := new(fact[V])
	next[k] = f
	x.by.Store(&next)
	return f
}

// asker makes look-ups.
type asker struct {
	now      func() time.Time
	after    func(time.Duration) <-chan time.Time
	patience time.Duration
	turns    chan struct{} // one token for each look-up under way
	flights  atomic.Int64  // with those that wait for a turn
	lates    atomic.Int64  // of these, those that have been waited for in vain
}

func (a *asker) init(cfg *Config) {
	a.now, a.after, a.patience = cfg.Now, cfg.After, cfg.Patience
	a.turns = make(chan struct{}, LookupsMax)
}

// ask returns what the database says of f, by the function look, or said last. It returns nil if
// that is not known. It waits for as long as the asker has patience.
func ask[V any](a *asker, f *fact[V], look func() (V, error)) *finding[V] {
	x, ok := f.fresh(a.now())
	if ok {
		return x
	}
	done := depart(a, f, look)
	if done == nil {
		return x
	}
	if a.lates.Load() == 0 {
		select {
		case <-done:
			return f.found.Load()
		case <-a.after(a.patience):
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done == done && f.late.CompareAndSwap(false, true) {
		a.lates.Add(1)
	}
	return f.found.Load()
}

// depart begins a look-up, unless one is under way, and returns what is closed when it is over. It
// returns nil if there are too many.
func depart[V any](a *asker, f *fact[V], look func() (V, error)) (done chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done != nil {
		return f.done
	}
	if a.flights.Add(1) > flightsMax {
		a.flights.Add(-1)
		return nil
	}
	done = make(chan struct{})
	f.done = done
	go func() {
		a.turns <- struct{}{}
		v, err := look()
		<-a.turns
		arrive(a, f, v, err)
		close(done)
	}()
	return done
}

// arrive notes what a look-up has found.
func arrive[V any](a *asker, f *fact[V], v V, err error) {
	x := &finding[V]{value: v, err: err, until: a.now().Add(freshFor)}
	switch last := f.found.Load(); {
	case err == nil:
	case errors.Is(err, ErrUnknown):
		x.until = a.now().Add(unknownFor)
	default:
		if last != nil {
			x.value, x.err = last.value, last.err
		}
		x.until = a.now().Add(restFor)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.found.Store(x)
	f.done = nil
	a.flights.Add(-1)
	if f.late.Swap(false) {
		a.lates.Add(-1)
	}
}
