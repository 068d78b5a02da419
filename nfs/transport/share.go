package transport

import (
	"net/netip"

	"github.com/ringnfs/ringnfs/bufring"
)

// All connections of a lane share the lane's slabs and pipes. A peer that takes its replies slowly
// holds the memory of those replies for as long. So what a connection and its household hold
// already decides whether the connection may take another slab or pipe (bufring.Share). A call that
// wants more than its connection's share waits for what the connection holds, and for nobody
// else's; calls of others go past it. A READ that finds nothing at all is answered with fewer
// bytes.

// house is a household with connections on a lane.
type house struct {
	slabs bufring.Account
	pipes int
	kept  int // receive buffers
	conns int
	// doubts is how many of the household's calls are in doubt (duplicate.go).
	doubts int
	age    age // of the answers about a local user
}

// account is what a connection holds.
type account struct {
	slabs bufring.Account
	pipes int
	house *house
}

// moveIn gives an account to a connection that begins on the lane.
func (l *lane) moveIn(cn *conn) {
	h := l.houses[cn.house]
	if h == nil {
		if l.houses == nil {
			l.houses = make(map[netip.Addr]*house)
		}
		h = new(house)
		l.houses[cn.house] = h
	}
	h.conns++
	h.age.add(cn.born)
	h.age.learn(cn.origin)
	cn.account = account{house: h, slabs: bufring.Account{Above: &h.slabs}}
}

// moveOut ends the connection's account. What it still holds, such as a record in a slab, is later
// given back to an account that nobody asks.
func (l *lane) moveOut(cn *conn) {
	h := cn.account.house
	if h.conns--; h.conns == 0 {
		delete(l.houses, cn.house)
	}
}

// mayTake reports whether slabs of a class may be taken now. When slabs have come back, the calls
// that wait for them come first; they are asked soon.
func (l *lane) mayTake(class bufring.Class) bool {
	return l.waiting[class].head == nil || !l.returned
}

// slabFor returns a slab of a class for the reply to c. If c would have to wait for what others
// hold, and its reply may be shorter, slabFor returns a smaller slab. It returns nil when c has to
// wait.
func (l *lane) slabFor(c *call, class bufring.Class) *bufring.Buffer {
	a := &c.conn.account.slabs
	c.Short = false
	b := l.slabs.TakeFor(a, class)
	if b != nil || c.Least == 0 || a.Held(class) > 0 {
		return b
	}
	for class > 0 {
		if class--; l.slabs.Size(class) < markLen+c.Least {
			return nil
		}
		if b = l.slabs.TakeFor(a, class); b != nil {
			c.Short = true
			return b
		}
	}
	return nil
}

// starving reports whether a call waits for memory while its connection holds none of that memory:
// it waits for the replies of others, not for its own.
func (l *lane) starving() bool {
	for class := range l.waiting {
		for c := l.waiting[class].head; c != nil; c = c.after {
			if c.conn.account.slabs.Held(bufring.Class(class)) == 0 {
				return true
			}
		}
	}
	return false
}
