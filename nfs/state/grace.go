package state

import (
	"sync/atomic"

	"github.com/ringnfs/ringnfs/uring/futex"
)

// grace is the time after a start of the server in which clients reclaim what they held before
// (RFC 8881 section 8.4.2; RFC 7530 section 9.6.2). It ends when each client that was recorded
// has said RECLAIM_COMPLETE or is gone, and else after Config.GraceSeconds. Clients of version 4.0
// never say that they are done: one of them makes it last that long. A client that is still at it
// then gets more time, up to a lease.
type grace struct {
	on    atomic.Bool
	until atomic.Uint32 // when it ends in any case
	last  uint32        // what until never exceeds; immutable after Recover

	ending futex.Mutex // held while the store is told of the end

	mu futex.Mutex
	// guarded by mu
	known map[string]*known // by owner; nil when grace is over
	open  int               // how many of them are not done
}

// known is a client of before.
type known struct {
	Record
	done bool
}

// Recover loads the records that an earlier server has left. If there are any, grace begins. It
// is called once, before the first request, and blocks for the store.
func (t *Table) Recover() error {
	if t.cfg.Store == nil {
		return nil
	}
	list, err := t.cfg.Store.Load()
	if err != nil || len(list) == 0 {
		return err
	}
	g := &t.grace
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known = make(map[string]*known, len(list))
	for _, r := range list {
		g.known[r.Owner] = &known{Record: r}
	}
	g.open = len(g.known)
	g.until.Store(t.now() + t.cfg.GraceSeconds)
	g.last = t.now() + t.cfg.GraceSeconds + t.cfg.LeaseSeconds
	g.on.Store(true)
	return nil
}

// InGrace reports whether grace goes on. It takes no lock.
func (t *Table) InGrace() bool { return t.grace.on.Load() }

// MayReclaim reports whether the client was recorded by an earlier server, and grace goes on.
func (c *Client) MayReclaim() bool {
	g := &c.table.grace
	g.mu.Lock()
	defer g.mu.Unlock()
	k := g.known[c.owner]
	return k != nil && k.Principal == c.principal && k.Minor == c.minor
}

// MayReclaim is [Client.MayReclaim] by the client's ID.
func (t *Table) MayReclaim(id ClientID) bool {
	c := t.client(id)
	return c != nil && c.MayReclaim()
}

// ExtendGrace says that a client has just reclaimed something, and that there may be more to come:
// grace goes on for a quarter of a lease from now, but not for a lease more than it lasts
// otherwise. It takes no lock.
func (t *Table) ExtendGrace() {
	g := &t.grace
	later := t.now() + max(1, t.cfg.LeaseSeconds/4)
	if int32(later-g.last) > 0 {
		later = g.last
	}
	for {
		now := g.until.Load()
		if int32(later-now) <= 0 || g.until.CompareAndSwap(now, later) {
			return
		}
	}
}

// completed is called when a client has said RECLAIM_COMPLETE, after its record says so, or
// will not come back. It may write to the store. No lock is held.
func (t *Table) completed(c *Client) {
	g := &t.grace
	if !g.on.Load() {
		return
	}
	g.mu.Lock()
	if k := g.known[c.owner]; k != nil && !k.done && c.minor > 0 {
		k.done = true
		g.open--
	}
	over := g.open == 0
	g.mu.Unlock()
	if over {
		t.endGrace()
	}
}

// EndGrace ends grace now: those who have not reclaimed cannot do so any more. It writes to the
// store, and reports whether grace is over: while the store cannot be told, it goes on.
func (t *Table) EndGrace() bool { return t.endGrace() }

func (t *Table) endGrace() bool {
	g := &t.grace
	g.ending.Lock()
	defer g.ending.Unlock()
	if !g.on.Load() {
		return true
	}
	// First the store: a client that could reclaim after the next start what somebody else got
	// in the meantime would have two owners of one lock.
	if t.cfg.Store.EndGrace() != nil {
		return false
	}
	g.mu.Lock()
	g.known = nil
	g.mu.Unlock()
	g.on.Store(false)
	return true
}

// sweepGrace ends grace when its time is over.
func (t *Table) sweepGrace() {
	if t.grace.on.Load() && int32(t.now()-t.grace.until.Load()) >= 0 {
		t.endGrace()
	}
}

// Ensure records the client before it gets its first state, so that it may reclaim that after
// a restart. Clients of version 4.1 are recorded by RECLAIM_COMPLETE, which comes before. It
// writes to the store once for each client; while that fails the client is told to come back.
func (t *Table) Ensure(id ClientID) Status {
	c := t.client(id)
	if c == nil {
		return StaleClientID
	}
	if t.cfg.Store == nil || c.minor > 0 {
		return OK
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.phase != confirmed:
		return Expired
	case c.recorded:
		return OK
	}
	// The client's own lock is held over the store: nobody else waits for it but requests of
	// this client that change its sessions, of which version 4.0 has none.
	if t.cfg.Store.Record([]Record{c.record()}) != nil {
		return Delay
	}
	c.recorded = true
	return OK
}
