package state

import (
	"cmp"
	"net/netip"
	"slices"
)

// Info is what there is to tell of a confirmed client.
type Info struct {
	ID        ClientID
	Owner     string // what it calls itself
	From      netip.AddrPort
	Minor     uint8  // 0: version 4.0; 1: 4.1 and later
	Idle      uint32 // seconds since it renewed its lease
	Courteous bool
	Sessions  int
	Held      int64 // opens, locks and delegations
}

// Busiest returns up to most confirmed clients: those that hold most first, and of those that hold
// the same the one that was heard of last. It locks the table, and each client for a moment.
func (t *Table) Busiest(most int) []Info {
	now := t.now()
	t.mu.Lock()
	all := make([]Info, 0, len(t.confirmed))
	for _, c := range t.confirmed {
		all = append(all, Info{
			ID: c.id, Owner: c.owner, From: c.from, Minor: c.minor, Idle: c.idleFor(now),
			Courteous: c.Courteous(), Held: c.held.Load(), Sessions: c.sessionCount(),
		})
	}
	t.mu.Unlock()
	slices.SortFunc(all, func(a, b Info) int {
		return cmp.Or(cmp.Compare(b.Held, a.Held), cmp.Compare(a.Idle, b.Idle), cmp.Compare(a.ID, b.ID))
	})
	return all[:min(most, len(all))]
}

func (c *Client) sessionCount() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sessions)
}
