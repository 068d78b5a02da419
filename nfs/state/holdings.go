package state

// This file is where opens, locks and delegations meet clients. Package files has them, and
// knows clients by their IDs; it counts them here by Hold.
//
// Who finds a conflict with a courteous client lets go of all locks, calls Expire, and looks
// again.

// drop ends all that c held, the first time. c.phase is lapsed or gone. No lock is held.
func (t *Table) drop(c *Client) {
	if !c.dropped.CompareAndSwap(false, true) {
		return // one of 4.0 that was told EXPIRED
	}
	if t.cfg.Dropped != nil {
		t.cfg.Dropped(c.id)
	}
	c.held.Store(0)
}

// take ends all that c held, whose lease is over and who stands in somebody's way. No lock is
// held.
func (t *Table) take(c *Client) {
	if c.minor != 0 || t.cfg.Lapsed == nil {
		t.drop(c)
		return
	}
	t.cfg.Lapsed(c.id)
	c.held.Store(0)
}

// Hold is [Client.Hold] by the client's ID. It takes no lock.
func (t *Table) Hold(id ClientID, n int) {
	if c := t.client(id); c != nil {
		c.Hold(n)
	}
}

// Courteous is [Client.Courteous] by the client's ID. A client that is gone is. It takes no
// lock.
func (t *Table) Courteous(id ClientID) bool {
	c := t.client(id)
	return c == nil || c.Courteous()
}

// ExpireID is [Table.Expire] by the client's ID. It reports true of a client that is gone,
// even if another thread has not finished dropping what that one held.
func (t *Table) ExpireID(id ClientID) bool {
	c := t.client(id)
	return c == nil || t.Expire(c)
}
