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
	c.held.Store(0)
}

// completed is called when a client has said RECLAIM_COMPLETE, after its record says so. No
// lock is held.
func (t *Table) completed(*Client) {}
