package transport

import (
	"log/slog"
	"slices"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// The reserve lane waits for no file system. Other lanes may: an unstable WRITE that
// one makes by itself sleeps while the file system is frozen, with all connections of
// the lane. The reserve lane leaves every call but NULL to the workers. It accepts the
// connections and offers each to the lane that has the fewest. An offer that the lane
// does not take in time is withdrawn, and the reserve lane serves the connection
// itself, until a lane moves again.

// offer is a connection on its way to another lane.
type offer struct {
	conn       *conn
	congestion string
	to         *lane
	state      atomic.Int32
	seen       bool // the reserve lane's: it has waited for one period
}

// The states of an offer. Whoever changes it from offered has the connection.
const (
	offered int32 = iota
	taken
	withdrawn
)

// Run is the lane's answer, on its thread.
func (o *offer) Run() {
	if o.state.CompareAndSwap(offered, taken) {
		o.to.adopt(o.conn, o.congestion)
		return
	}
	o.to.missed.Add(-1)
}

// offers are those of the reserve lane that may not have been taken yet.
type offers struct {
	lane *lane
	list []*offer
	look loop.ID // when it is looked again, 0 for not
	// leaving is whether some of the lane's connections are to go to another.
	leaving bool
}

// offerTime is after how long it is looked which offers have not been taken. Those
// that the look before has seen are withdrawn. A busy lane's turn takes a few
// milliseconds.
var offerTime = mapTime(50e6)

// deal gives cn, which is counted and nobody's yet, to the lane that has the fewest
// among those that move.
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

// moving returns the lane with the fewest connections among those that have taken all
// that they were offered, or nil.
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

// withdraw serves the connection of a lane that does not move.
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

// end makes the look come at once, so that nobody waits for it.
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
	looks uint8 // at it since it began to
	tries uint8 // how often in a row it could not
	rests uint8 // ticks until it tries again
}

// release lets the reserve lane's connections go to a lane that moves. Each stops
// receiving; it goes when all that had come in is answered.
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

// watch looks after the connections that are leaving the lane.
func (os *offers) watch(l *lane) {
	os.lane = l
	os.leaving = true
	os.arm()
}

// stragglers lets those go on where they are whose calls take longer than a period or
// two: nothing else is read from them meanwhile.
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

// stay gives leaving up, for longer each time.
func (cn *conn) stay() {
	cn.become(lifeOpen)
	cn.move.tries = min(cn.move.tries+1, 6)
	cn.move.rests = 1<<cn.move.tries - 1
	cn.touch()
}

// quiet reports whether the lane has nothing of the connection but its receive.
func (cn *conn) quiet() bool {
	return cn.intake != intakeStarved && !cn.behind() && cn.calls == 0 && cn.allSent() && cn.between()
}

// between reports whether no part of a record has been received.
func (cn *conn) between() bool {
	return len(cn.held) == 0 && cn.spill == nil && cn.records.Between()
}

// leave hands the connection to another lane when its receive has ended and all that
// it brought is answered.
func (cn *conn) leave() {
	l := cn.lane
	switch {
	case cn.eof, !cn.receiving() && !cn.behind() && !cn.between():
		// The rest of a record is still to come, and here.
		cn.stay()
		return
	case cn.ops > 0, !cn.quiet():
		return
	}
	cn.become(lifeDealt)
	cn.move.tries = 0
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
