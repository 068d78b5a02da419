package nfs

import (
	"net/netip"
	"time"

	"github.com/ringnfs/ringnfs/nfs/transport"
)

// LaneStats is what a lane has done since the start, and what its zero-copy sends hold now.
type LaneStats = transport.Stats

// Stats returns the figures of each lane, or nil before Serve has started them. Any goroutine may
// call it at any time, also when the server has ended. It does not block, and costs the lanes
// nothing.
func (s *Server) Stats() []LaneStats {
	select {
	case <-s.started:
		return s.transport.Stats()
	default:
		return nil
	}
}

// Withdrawn returns the Dirs of the exports that are Exclusive in the Config, but that somebody else
// has changed, so that the server asks the kernel each time. Any goroutine may call it at any time,
// from when Serve has begun. It does not block.
func (s *Server) Withdrawn() (dirs []string) {
	for _, x := range s.cfg.Exports {
		fs, ok := x.FS.(interface{ Exclusive() (on, withdrawn bool) })
		if !ok {
			continue
		}
		if _, withdrawn := fs.Exclusive(); withdrawn {
			dirs = append(dirs, x.Dir)
		}
	}
	return dirs
}

// ClientStats is what the server remembers of the clients of version 4, and what they hold.
type ClientStats struct {
	InGrace     bool // nobody gets new opens or locks, since clients reclaim those from before
	Clients     int
	Courteous   int // of these, with a lease that is over
	Unconfirmed int // have only said their name
	Sessions    int
	Connections int // that belong to sessions
	Files       int // that are open
	Opens       int
	Locks       int   // owners of locks, once for each file
	Ranges      int   // that they have locked
	Waiters     int   // for locks
	Bytes       int64 // of memory, of all of this
	// Busiest are those that hold most.
	Busiest []ClientStat
}

// ClientStat is one client of version 4.
type ClientStat struct {
	Owner     string         // what it calls itself: any bytes
	Peer      netip.AddrPort // where it has last said so
	Minor     uint8          // 0: version 4.0; 1: 4.1 and later
	Idle      time.Duration  // since its last word
	Courteous bool
	Sessions  int
	Opens     int
	Locks     int
	Ranges    int
}

// Clients returns what there is to tell of the clients of version 4, and up to most of them. It is
// not ok if the server does not answer version 4. Any goroutine may call it at any time. It waits
// for locks that are held for a moment.
func (s *Server) Clients(most int) (c ClientStats, ok bool) {
	x := s.state4
	if x == nil {
		return c, false
	}
	n, held := x.clients.Counts(), x.held.Counts()
	c = ClientStats{
		InGrace: x.clients.InGrace(), Clients: n.Clients, Courteous: n.Courteous, Unconfirmed: n.Unconfirmed,
		Sessions: n.Sessions, Connections: n.Conns, Files: held.Files, Opens: held.Opens, Locks: held.Locks,
		Ranges: held.Ranges, Waiters: held.Waiters, Bytes: n.Bytes + held.Bytes,
	}
	for _, i := range x.clients.Busiest(most) {
		y := ClientStat{
			Owner: i.Owner, Peer: i.From, Minor: i.Minor, Idle: time.Duration(i.Idle) * time.Second,
			Courteous: i.Courteous, Sessions: i.Sessions,
		}
		y.Opens, y.Locks, y.Ranges = x.held.CountsOf(uint64(i.ID))
		c.Busiest = append(c.Busiest, y)
	}
	return c, true
}
