package state

// This file is where opens, locks and delegations join clients. Their owners are kept with
// Client.mu held, those of a file with the file's lock, which comes before it.
//
// Who adds something takes both locks, looks at the client's phase, adds, and counts it with
// Hold. Who finds a conflict with a Courteous client lets go of all locks, calls Expire, and
// looks again.

// drop ends all that c held. c.phase is lapsed or gone, so nothing is added any more. No lock
// is held.
func (t *Table) drop(c *Client) {
	if t.cfg.Dropped != nil {
		t.cfg.Dropped(c.id)
	}
	c.held.Store(0)
}

// Hold is [Client.Hold] by the client's ID.
func (t *Table) Hold(id ClientID, n int) {
	if c := t.client(id); c != nil {
		c.Hold(n)
	}
}

// Courteous is [Client.Courteous] by the client's ID. A client that is gone is.
func (t *Table) Courteous(id ClientID) bool {
	c := t.client(id)
	return c == nil || c.Courteous()
}

// ExpireID is [Table.Expire] by the client's ID.
func (t *Table) ExpireID(id ClientID) bool {
	c := t.client(id)
	return c == nil || t.Expire(c)
}

// completed is called when a client has said RECLAIM_COMPLETE, after its record says so. No
// lock is held.
func (t *Table) completed(*Client) {}
