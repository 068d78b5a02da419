package state

// Expire takes away what a courteous client holds, because somebody else needs it. It
// reports false, and does nothing, when the client has come back or is gone already; who
// asked looks again in both cases. No lock may be held. It writes to the store.
//
// A client of 4.1 has to begin anew. One of 4.0 is told EXPIRED as long as a lease lasts.
func (t *Table) Expire(c *Client) bool {
	t.mu.Lock()
	if t.confirmed[c.owner] != c || c.phase != confirmed || !c.Courteous() {
		t.mu.Unlock()
		return false
	}
	t.lapse(c)
	t.mu.Unlock()
	t.take(c)
	t.forget(c)
	return true
}

// Relieve has the client lose what it holds whose lease has ended for longest, because memory is
// needed. It reports whether there was one. It writes to the store, and takes as long as the client
// held much.
func (t *Table) Relieve() bool {
	t.mu.Lock()
	first := t.mostOverdue(func(c *Client) bool { return c.phase == confirmed && c.held.Load() > 0 })
	t.mu.Unlock()
	return first != nil && t.Expire(first)
}

// lapse ends a confirmed client whose lease is over. Needs t.mu.
func (t *Table) lapse(c *Client) {
	if c.minor != 0 {
		t.remove(c)
		return
	}
	c.mu.Lock()
	c.phase = lapsed
	c.mu.Unlock()
	c.v0.pending = nil
	c.renewed.Store(t.now()) // how long it is told so
}

// Sweep ends what is over: unconfirmed clients after a lease, clients that hold nothing after
// their lease, courteous ones after Config.CourtesyMax. It is to be called about once a
// second, by one goroutine. It writes to the store.
func (t *Table) Sweep() {
	t.sweepGrace()
	now, lease := t.now(), t.cfg.LeaseSeconds
	var left, told []*Client
	t.mu.Lock()
	for c := t.fresh.oldest; c != nil; {
		newer := c.newer
		c.clockWentBack(now)
		if c.idleFor(now) > lease {
			t.dropFresh(c)
		}
		c = newer
	}
	for _, c := range t.confirmed {
		c.clockWentBack(now)
		idle := c.idleFor(now)
		switch {
		case idle <= lease:
		case c.phase == lapsed:
			t.remove(c)
			told = append(told, c)
		case c.held.Load() > 0 && idle-lease <= t.cfg.CourtesyMax:
		default:
			t.remove(c)
			left = append(left, c)
		}
	}
	t.mu.Unlock()
	for _, c := range append(told, left...) {
		t.release(c)
	}
	t.forget(left...)
}

// clockWentBack makes the lease begin anew when it was renewed in what is now the future.
func (c *Client) clockWentBack(now uint32) {
	if at := c.renewed.Load(); at > now {
		c.renewed.CompareAndSwap(at, now)
	}
}

// ReclaimComplete is RECLAIM_COMPLETE (RFC 8881 section 18.51) of client c. With oneFS it
// says something about a file system that was moved here, which none was, and changes
// nothing. It writes to the store; if that fails, the client is told to come again.
func (t *Table) ReclaimComplete(c *Client, oneFS bool) Status {
	if oneFS {
		return OK
	}
	c.mu.Lock()
	was := c.complete
	if was == incomplete && c.phase == confirmed {
		c.complete = completing
	}
	isOver := c.phase != confirmed
	c.mu.Unlock()
	switch {
	case isOver:
		return StaleClientID
	case was == complete:
		return CompleteAlready
	case was == completing:
		return Delay
	}
	var err error
	if t.cfg.Store != nil {
		r := c.record()
		r.Complete = true
		err = t.cfg.Store.Record([]Record{r})
	}
	c.mu.Lock()
	c.complete = complete
	if err != nil {
		c.complete = incomplete
	}
	c.recorded = c.recorded || err == nil && t.cfg.Store != nil
	isOver = c.phase != confirmed
	c.mu.Unlock()
	switch {
	case isOver:
		t.forget(c) // whoever ended it did not know of the record
		return StaleClientID
	case err != nil:
		return Delay
	}
	t.completed(c)
	return OK
}

// Reclaimed reports whether the client has said that it has reclaimed what it wants.
func (c *Client) Reclaimed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.complete == complete
}
