package transport

import (
	"net/netip"

	"github.com/ringnfs/ringnfs/bufring"
)

// Slabs and pipes are a lane's, and all its connections share them. A peer that takes
// its replies slowly holds what they lie in for as long, so who may take another one
// depends on what the connection and its household hold already (bufring.Share). What
// a connection wants beyond that waits for its own, and for nobody else's: calls of
// others go past it. A READ that finds nothing at all is answered with fewer bytes.

// house is a household with connections on a lane.
type house struct {
	slabs bufring.Account
	pipes int
	kept  int // receive buffers
	conns int
	// doubts is how many of its calls are in doubt (duplicate.go).
	doubts int
	age    age // of what is known of a local user
}

// account is what a connection holds.
type account struct {
	slabs bufring.Account
	pipes int
	house *house
}

// moveIn gives a connection that begins on the lane its account.
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

// moveOut ends it. What is still held, such as a record in a slab, is given back to an
// account that nobody asks.
func (l *lane) moveOut(cn *conn) {
	h := cn.account.house
	if h.conns--; h.conns == 0 {
		delete(l.houses, cn.house)
	}
}

// mayTake reports whether slabs of a class may be taken now. When some have come back
// those that wait are asked first, which happens soon.
func (l *lane) mayTake(class bufring.Class) bool {
	return l.waiting[class].head == nil || !l.returned
}

// slabFor returns a slab of a class for the reply to c, or a smaller one when the reply
// may be shorter and c would wait for what others hold. It returns nil when c is to wait.
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

// starving reports whether a call waits for memory whose connection holds none of it:
// others' replies keep it waiting, and not its own.
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
