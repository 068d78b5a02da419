package transport

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/checks"
)

// life is how far a connection has come. It only moves forward, with one exception: a connection
// that is leaving its lane may stay, or be dealt out once more.
//
//	dealt --> asking --> open <--> leaving --> dealt
//	  |          |         |          |
//	  |          +---------+----------+----> owing, draining --> finishing --> dead --> closed
//	  +--> asking, open or closed
//
// The states stand in this order, so that one comparison tells how much is over: from lifeDraining
// on no call is begun, and from lifeDead on nothing is sent.
type life uint8

// The states of a connection.
const (
	// lifeDealt: the connection is on its way to a lane, which does not serve it yet.
	lifeDealt life = iota
	// lifeAsking: its lane has it, and reads nothing until the server knows who opened it
	// (origin.go).
	lifeAsking
	// lifeOpen: the lane takes calls and answers them.
	lifeOpen
	// lifeLeaving: the connection is to go to another lane (reserve.go). Its receive ends; the
	// calls that had come in are answered.
	lifeLeaving
	// lifeOwing: the peer has ended its side and has all its replies, and our side is shut
	// down. We do not know yet whether the peer has heard the last reply that must not be given
	// twice (wire.go).
	lifeOwing
	// lifeDraining: no further call is begun, because the server ends or will not serve this
	// peer. Calls that have begun are answered.
	lifeDraining
	// lifeFinishing: the replies are sent and our side is shut down. The peer has time to see
	// the end and to close. If we closed first, that could reset the connection and take the
	// replies from the peer.
	lifeFinishing
	// lifeDead: both sides are shut down, and all memory that no operation in flight needs has
	// been given back.
	lifeDead
	// lifeClosed: the descriptor is closed, since no operation names it any more. Calls that
	// are with a worker and sends that are not acknowledged may still name the connection.
	lifeClosed
)

var lifeNames = [...]string{
	lifeDealt: "dealt", lifeAsking: "asking", lifeOpen: "open", lifeLeaving: "leaving", lifeOwing: "owing",
	lifeDraining: "draining", lifeFinishing: "finishing", lifeDead: "dead", lifeClosed: "closed",
}

// String returns the state's name.
func (l life) String() string { return lifeNames[l] }

// lifeNext has for each state the states that may follow it, as bits.
var lifeNext = [...]uint16{
	lifeDealt:     1<<lifeAsking | 1<<lifeOpen | 1<<lifeClosed,
	lifeAsking:    1<<lifeOpen | 1<<lifeDraining | 1<<lifeDead | 1<<lifeClosed,
	lifeOpen:      1<<lifeLeaving | 1<<lifeOwing | 1<<lifeDraining | 1<<lifeDead | 1<<lifeClosed,
	lifeLeaving:   1<<lifeDealt | 1<<lifeOpen | 1<<lifeOwing | 1<<lifeDraining | 1<<lifeDead | 1<<lifeClosed,
	lifeOwing:     1<<lifeFinishing | 1<<lifeDead | 1<<lifeClosed,
	lifeDraining:  1<<lifeFinishing | 1<<lifeDead | 1<<lifeClosed,
	lifeFinishing: 1<<lifeDead | 1<<lifeClosed,
	lifeDead:      1 << lifeClosed,
	lifeClosed:    0,
}

// become is the one place where the connection's life changes. A change that lifeNext does not
// allow is a bug; with the build tag "checks" it panics.
func (cn *conn) become(next life) {
	if checks.Enabled && lifeNext[cn.life]&(1<<next) == 0 {
		checks.Unreachable(
			"transport: a connection that is " + cn.life.String() + " becomes " + next.String(),
		)
	}
	cn.life = next
	if next >= lifeOwing {
		cn.hangUp()
	}
}

// over tells Config.Ended that a connection is over.
func (s *Server) over(cn *conn) {
	s.directory.remove(cn)
	if s.cfg.Ended != nil {
		s.cfg.Ended(cn.id)
	}
}

// finish shuts our side down, so that the peer sees the end. next is lifeOwing or lifeFinishing.
func (cn *conn) finish(next life) {
	cn.become(next)
	cn.ended = cn.lane.loop.Now()
	_ = unix.Shutdown(cn.fd, unix.SHUT_WR)
}

// endInput drops the input that has not been parsed. The connection ends when its replies are sent.
func (cn *conn) endInput() {
	switch {
	case cn.life >= lifeDead:
		return
	case cn.life == lifeOwing:
		cn.become(lifeFinishing)
	case cn.life < lifeDraining:
		cn.become(lifeDraining)
	}
	cn.dropInput()
	cn.touch()
}

// intake is what is under way to receive from a connection.
type intake uint8

// The states of the receiving side.
const (
	// intakeNone: nothing is under way.
	intakeNone intake = iota
	// intakeStarved: nothing is under way, and the connection waits for memory on its lane's
	// list.
	intakeStarved
	// intakeMultishot: a multishot receive is in flight, which fills buffers that the kernel
	// has.
	intakeMultishot
	// intakeCareful: the lane waits on the ring until there is something to read (careful.go).
	intakeCareful
	// intakeEnding: one of these two is in flight, and the kernel has been asked to end it.
	intakeEnding
)

var intakeNames = [...]string{
	intakeNone: "none", intakeStarved: "starved", intakeMultishot: "multishot", intakeCareful: "careful", intakeEnding: "ending",
}

// String returns the state's name.
func (i intake) String() string { return intakeNames[i] }

// receiving reports whether a receive is in flight.
func (cn *conn) receiving() bool { return cn.intake >= intakeMultishot }

// endReceive asks the kernel to end the receive, unless it has been asked already.
func (cn *conn) endReceive() {
	if cn.intake == intakeMultishot || cn.intake == intakeCareful {
		cn.intake = intakeEnding
		cn.lane.loop.Cancel(cn.receive)
	}
}
