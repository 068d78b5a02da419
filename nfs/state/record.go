package state

import "net/netip"

// This file is how records of clients come into the table and leave it, whatever the version.
// What has left is handed to Table.release when Table.mu is free.

// add makes an unconfirmed record for an owner that has none. Needs t.mu.
func (t *Table) add(owner string, v Verifier, p Principal, minor uint8, from netip.AddrPort) (*Client, Status) {
	if t.fresh.n >= t.cfg.UnconfirmedMax {
		t.dropFresh(t.fresh.oldest)
	}
	i, ok := t.clients.Take()
	if !ok {
		return nil, Delay
	}
	id, ok := t.newClientID(i)
	if !ok {
		t.clients.Give(i)
		return nil, ServerFault
	}
	c := &Client{table: t, id: id, owner: owner, verifier: v, principal: p, minor: minor, from: from}
	c.renew(t.now())
	t.fresh.add(c)
	t.clients.Put(i, c)
	return c, OK
}

// dropFresh removes an unconfirmed client. Needs t.mu.
func (t *Table) dropFresh(c *Client) {
	if c == nil {
		return
	}
	t.fresh.remove(c)
	t.leave(c)
}

// confirm makes room for c, which is unconfirmed, among the confirmed clients, and makes it
// one. It returns who has left for it: an earlier incarnation, or a courteous client if the
// table was full. Needs t.mu; c.mu must be free.
func (t *Table) confirm(c *Client) (left *Client, st Status) {
	if left = t.confirmed[c.owner]; left == nil {
		if left, st = t.room(); st != OK {
			return nil, st
		}
	}
	if left != nil {
		t.remove(left)
	}
	t.fresh.remove(c)
	t.confirmed[c.owner] = c
	t.budget.clients.Store(int64(len(t.confirmed)))
	c.mu.Lock()
	c.phase = confirmed
	c.mu.Unlock()
	if t.cfg.Confirmed != nil { // before c can end, by another thread, and be Dropped
		t.cfg.Confirmed(c.id, c.minor)
	}
	c.renew(t.now())
	return left, OK
}

// room returns who is to leave before another client is confirmed, nil when there is room.
// Needs t.mu.
func (t *Table) room() (*Client, Status) {
	if len(t.confirmed) < t.cfg.ClientsMax {
		return nil, OK
	}
	first := t.mostOverdue(func(*Client) bool { return true })
	if first == nil {
		return nil, Delay
	}
	return first, OK
}

// mostOverdue returns the client whose lease has ended for longest, of those that will do; nil when
// there is none. Needs t.mu.
func (t *Table) mostOverdue(willDo func(*Client) bool) (first *Client) {
	longest, now := t.cfg.LeaseSeconds, t.now()
	for _, c := range t.confirmed {
		if idle := c.idleFor(now); idle > longest && willDo(c) {
			first, longest = c, idle
		}
	}
	return first
}

// remove removes a confirmed client. What it held is dropped by release. Needs t.mu.
func (t *Table) remove(c *Client) {
	delete(t.confirmed, c.owner)
	t.budget.clients.Store(int64(len(t.confirmed)))
	t.leave(c)
}

// leave ends c, which is in no list any more. Needs t.mu.
func (t *Table) leave(c *Client) {
	t.clients.Give(c.id.index())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase = gone
	c.killSessions()
}

// killSessions needs c.mu.
func (c *Client) killSessions() {
	for len(c.sessions) > 0 {
		c.sessions[len(c.sessions)-1].kill()
	}
}

// release drops what a client that has left the table held; nil is nobody. No lock is held.
func (t *Table) release(c *Client) {
	if c != nil {
		t.drop(c)
	}
}

// replaced is release for who has left because the client with ID by was confirmed. The record
// of an earlier incarnation stays until the later one's takes its place; its verifier says
// whose it is. That of a client with another name goes.
func (t *Table) replaced(left *Client, by ClientID) {
	if left == nil {
		return
	}
	t.release(left)
	if c := t.client(by); c == nil || c.owner != left.owner {
		t.forget(left)
	}
}

// forget removes the records of clients that will not come back. It may block.
func (t *Table) forget(cs ...*Client) {
	if t.cfg.Store == nil {
		return
	}
	var rs []Record
	for _, c := range cs {
		t.completed(c)
		c.mu.Lock()
		if c.recorded {
			rs = append(rs, c.record())
		}
		c.mu.Unlock()
	}
	if len(rs) > 0 {
		// A record too many lets its client reclaim what nobody else can have got, for as
		// long as one grace period. The store tells of its failure itself.
		_ = t.cfg.Store.Forget(rs)
	}
}
