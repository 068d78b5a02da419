package transport

import (
	"net/netip"
	"sync"
)

// census counts the connections of each peer, from when they are dealt out until
// they are closed, so that none takes those of all others. It is asked once per
// connection, not per call.
type census struct {
	mu sync.Mutex
	by map[netip.Addr]int // guarded by mu: peers that have connections
}

// enter counts one more connection of the address, unless it has max already.
func (c *census) enter(a netip.Addr, max int) bool {
	a = household(a)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[a] >= max {
		return false
	}
	if c.by == nil {
		c.by = make(map[netip.Addr]int)
	}
	c.by[a]++
	return true
}

// leave ends a connection that has entered.
func (c *census) leave(a netip.Addr) {
	a = household(a)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[a]--; c.by[a] <= 0 {
		delete(c.by, a)
	}
}

// household is whom the connections of an address are counted for. One machine
// has a whole network of IPv6 addresses at its disposal (RFC 4291, section 2.5.1),
// but for the link's own, where all machines share one.
func household(a netip.Addr) netip.Addr {
	if !a.Is6() || a.Is4In6() || a.IsLinkLocalUnicast() {
		return a
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}
