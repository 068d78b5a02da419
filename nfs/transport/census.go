package transport

import (
	"log/slog"
	"math"
	"net/netip"

	"github.com/ringnfs/ringnfs/uring/futex"
)

// census counts the connections of each household, from when they are dealt out until they are
// closed, so that no household takes the connections of all others. It is asked once per
// connection, not per call.
type census struct {
	mu     futex.Mutex
	by     map[netip.Addr]int // guarded by mu: households that have connections
	guests int                // guarded by mu: connections of all users of this machine
}

// crowd says which of the bounds a connection exceeds.
type crowd uint8

const (
	crowdNone crowd = iota
	crowdHouse
	crowdGuests
)

// enter counts cn, unless its household already has houseMax connections, or cn is a local user's
// and local users have guestsMax.
func (c *census) enter(cn *conn, houseMax, guestsMax int) crowd {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.by[cn.house] >= houseMax:
		return crowdHouse
	case cn.guest && c.guests >= guestsMax:
		return crowdGuests
	}
	if c.by == nil {
		c.by = make(map[netip.Addr]int)
	}
	c.by[cn.house]++
	if cn.guest {
		c.guests++
	}
	return crowdNone
}

// leave ends the count of a connection that has entered.
func (c *census) leave(cn *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[cn.house]--; c.by[cn.house] <= 0 {
		delete(c.by, cn.house)
	}
	if cn.guest {
		c.guests--
	}
}

// moreConns is what to do about too few connections in all. The other bounds are fractions of that
// number.
const moreConns = "raise the limit on open files"

// admit counts a connection for its household, or says that the household has too many. A
// connection whose user is believed is never refused: that user can do whatever the server can.
func (s *Server) admit(cn *conn) bool {
	houseMax := s.cfg.PeerConnsMax
	if cn.origin.Rules() {
		houseMax = math.MaxInt
	}
	switch s.peers.enter(cn, houseMax, s.cfg.GuestConnsMax) {
	case crowdNone:
		return true
	case crowdGuests:
		s.say(&s.limits.guestsFull, slog.LevelWarn,
			"too many connections of users of this machine: further ones are closed, but root's",
			"uid", cn.origin.UID, "max", s.cfg.GuestConnsMax,
			"remedy", "see whose they are (ss -tnpe) and end some, or "+moreConns)
	case crowdHouse:
		if cn.guest {
			s.say(&s.limits.userFull, slog.LevelWarn,
				"too many connections of a user of this machine: that user's further ones are closed",
				"uid", cn.origin.UID, "max", houseMax,
				"remedy", "see what has them (ss -tnpe) and end some, or "+moreConns)
			break
		}
		s.say(&s.limits.peerFull, slog.LevelWarn,
			"too many connections from one peer: further ones are closed",
			"peer", cn.peer.Addr(), "max", houseMax,
			"remedy", "see what has them there and end some, or "+moreConns)
	}
	return false
}
