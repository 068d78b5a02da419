package transport

import (
	"log/slog"
	"slices"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// The reserve lane waits for no file system. Other lanes may: an unstable WRITE that a lane makes
// itself sleeps while the file system is frozen, and so do all connections of that lane. The
// reserve lane leaves every call but NULL to the workers. It accepts the connections and offers
// each to the lane that has the fewest. If the lane does not take an offer in time, the reserve
// lane withdraws it and serves the connection itself, until a lane moves again.

// offer is a connection on its way to another lane.
type offer struct {
	conn       *conn
	congestion string
	to         *lane
	state      atomic.Int32
	seen       bool // owned by the reserve lane: it has waited for one period
}

// The states of an offer. The lane that changes the state from offered owns the connection.
const (
	offered int32 = iota
	taken
	withdrawn
)

// Run answers the offer, on the other lane's thread.
func (o *offer) Run() {
	if o.state.CompareAndSwap(offered, taken) {
		o.to.adopt(o.conn, o.congestion)
		return
	}
	o.to.missed.Add(-1)
}

// offers are the reserve lane's offers that may not have been taken yet.
type offers struct {
	lane *lane
	list []*offer
	look loop.ID // the timeout until the next look, 0 for none
	// leaving is whether some of the lane's connections are to go to another lane.
	leaving bool
}

// offerTime is the time between two looks at the offers that have not been taken. A look withdraws
// the offers that the look before has seen. A busy lane's turn takes a few milliseconds.
var offerTime = mapTime(50e6)

// deal gives cn to the lane that has the fewest connections among those that move. cn has been
// counted and belongs to no lane yet.
func (l *lane) deal(cn *conn, congestion string) {
	to := l.srv.moving()
	if to == nil {
		to = l
	}
	cn.lane = to
	to.count.Add(1)
	if to == l {
		l.adopt(cn, congestion)
		return
	}
	o := &offer{conn: cn, congestion: congestion, to: to}
	if to.loop.Post(o) != nil {
		o.drop()
		return
	}
	if l.reserve {
		l.offers.add(l, o)
	}
}

// moving returns the lane with the fewest connections among those that have heard of all their
// offers, or nil.
func (s *Server) moving() (to *lane) {
	for _, l := range s.lanes {
		if l.missed.Load() <= 0 && (to == nil || l.count.Load() < to.count.Load()) {
			to = l
		}
	}
	return to
}

// drop closes a connection that no lane has.
func (o *offer) drop() {
	o.conn.forgotten()
	o.conn.become(lifeClosed)
	o.to.srv.over(o.conn)
	_ = unix.Close(o.conn.fd)
	o.to.count.Add(-1)
	o.to.srv.peers.leave(o.conn)
	o.to.srv.conns.Add(-1)
}

func (os *offers) add(l *lane, o *offer) {
	os.lane = l
	os.list = slices.DeleteFunc(os.list, func(o *offer) bool { return o.state.Load() == taken })
	os.list = append(os.list, o)
	os.arm()
}

func (os *offers) arm() {
	if os.look != 0 || len(os.list) == 0 && !os.leaving {
		return
	}
	id, sqe := os.lane.loop.Begin(os, 0)
	sqe.PrepTimeout(offerTime)
	os.look = id
}

// Complete implements loop.Handler: it looks which offers have been taken.
func (os *offers) Complete(loop.ID, loop.Kind, int32, uint32, bool) {
	os.look = 0
	list := os.list
	os.list = nil
	for _, o := range list {
		switch {
		case o.state.Load() == taken:
		case !o.seen && !os.lane.draining:
			o.seen = true
			os.list = append(os.list, o)
		case o.state.CompareAndSwap(offered, withdrawn):
			os.withdraw(o)
		}
	}
	os.stragglers()
	os.arm()
}

// withdraw takes back the offer to a lane that does not move, and serves the connection.
func (os *offers) withdraw(o *offer) {
	if s := os.lane.srv; o.to.missed.Add(1) == 1 {
		s.say(&s.limits.still, slog.LevelWarn, "a lane does not move: new connections go to others until it does",
			"lane", o.to.place.Index, "connections", o.to.count.Load()-1)
	}
	o.to.count.Add(-1)
	os.lane.count.Add(1)
	o.conn.lane = os.lane
	os.lane.adopt(o.conn, o.congestion)
}

// end makes the next look come at once, so that nobody waits for it.
func (os *offers) end() {
	if os.look != 0 {
		os.lane.loop.Cancel(os.look)
	}
}

// abandon closes the connections of a reserve lane that has failed.
func (os *offers) abandon() {
	for _, o := range os.list {
		if o.state.CompareAndSwap(offered, withdrawn) {
			o.drop()
		}
	}
	os.list = nil
}

// move is how often a connection of the reserve lane has tried to leave.
type move struct {
	looks uint8 // at it since it began to leave
	tries uint8 // attempts in a row that failed
	rests uint8 // ticks until it tries again
}

// release lets the reserve lane's connections go to a lane that moves. Each stops receiving, and
// goes when all calls that had come in are answered.
func (l *lane) release() {
	if l.conns == nil || l.draining || l.srv.moving() == nil {
		return
	}
	for cn := l.conns; cn != nil; cn = cn.nxt {
		switch {
		case cn.move.rests > 0:
			cn.move.rests--
		case cn.life == lifeOpen && !cn.eof:
			cn.become(lifeLeaving)
			cn.move.looks = 0
			cn.touch()
			l.offers.watch(l)
		}
	}
}

// watch starts the looks at the connections that are leaving the lane.
func (os *offers) watch(l *lane) {
	os.lane = l
	os.leaving = true
	os.arm()
}

// stragglers lets connections stay whose calls take longer than a period or two, because the lane
// reads nothing else from them meanwhile.
func (os *offers) stragglers() {
	os.leaving = false
	for cn := os.lane.conns; cn != nil; cn = cn.nxt {
		if cn.life != lifeLeaving {
			continue
		}
		if cn.move.looks++; cn.move.looks > 2 || os.lane.draining {
			cn.stay()
		} else {
			os.leaving = true
		}
	}
}

// stay gives up leaving, for a longer time after each attempt.
func (cn *conn) stay() {
	cn.become(lifeOpen)
	cn.move.tries = min(cn.move.tries+1, 6)
	cn.move.rests = 1<<cn.move.tries - 1
	cn.touch()
}

// quiet reports whether the lane has nothing left to do for the connection but its receive.
func (cn *conn) quiet() bool {
	return cn.intake != intakeStarved && !cn.behind() && cn.calls == 0 && cn.allSent() && cn.between()
}

// between reports whether no part of a record has been received.
func (cn *conn) between() bool {
	return len(cn.held) == 0 && cn.spill == nil && cn.records.Between()
}

// leave hands the connection to another lane when its receive has ended and all calls that it
// brought are answered.
func (cn *conn) leave() {
	l := cn.lane
	switch {
	case cn.eof, !cn.receiving() && !cn.behind() && !cn.between():
		// The rest of a record is still to come, on this lane.
		cn.stay()
		return
	case cn.ops > 0, !cn.quiet():
		return
	}
	cn.become(lifeDealt)
	cn.move.tries = 0
	cn.unreached()
	cn.dropBatch()
	if cn.listed {
		cn.listed = false
		l.touched = slices.DeleteFunc(l.touched, func(other *conn) bool { return other == cn })
	}
	l.unlink(cn)
	l.moveOut(cn)
	l.count.Add(-1)
	l.deal(cn, "")
}

// mapTime returns a time in nanoseconds for the kernel to read.
func mapTime(ns int64) *uring.Timespec {
	t, err := uring.MapSlice[uring.Timespec](1)
	if err != nil {
		panic("transport: no memory for a time: " + err.Error())
	}
	t[0].Nsec = ns
	return &t[0]
}
