package transport

import (
	"fmt"
	"log/slog"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/bufring"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// conn is one TCP connection. It belongs to its lane's thread.
//
// It has three states with names: its life (life.go), the intake of its receiving side, and the
// state of its sending side (output.go).
type conn struct {
	// Immutable once a lane serves it.
	lane     *lane
	programs *rpc.Server
	fd       int
	id       uint64 // see rpc.Call.Conn
	peer     netip.AddrPort
	device   uint32 // of the peer's address, if the address belongs to a link
	local    netip.AddrPort
	house    netip.Addr // the household that the connection counts for
	guest    bool       // the connection counts among those of the machine's users
	born     time.Time  // when the first lane adopted it

	// origin is who opened the connection, as asked once, with the groups of then or of a later
	// renewal (renew.go). later is what is still to be asked, nil for nothing.
	origin *rpc.Origin
	later  func() *rpc.Origin

	life life
	// listed says that the connection is on the lane's list of those to serve at the end of the
	// turn.
	listed  bool
	ops     int       // operations in flight on fd
	calls   int       // parked calls
	waiting int       // parked calls that wait for memory, or with too many in doubt
	ended   time.Time // when our side was shut down, see finish
	input
	output
	asks    asks
	account account // what the connection holds of what the lane's connections share
	move    move

	// For the duplicate request cache.
	wire *wire  // nil until the cache gets a call of the connection
	once uint64 // where in the output the last reply ends that must not be given twice
	// got is how many bytes have been received, and onceGot how many of them the peer may have sent
	// before that reply was sent. On a lane that sends itself these are the ones received by then.
	got, onceGot uint64
	went         uint64 // how much output the peer had acknowledged when it sent more

	prev, nxt *conn // the lane's list
}

// input is the receiving side of a connection: the bytes that have been received and are not yet a
// call, and the way in which more is received.
type input struct {
	intake  intake
	eof     bool    // the peer sends no more
	receive loop.ID // the receive in flight

	records rpc.Records
	// held is the part of the present record that has been received, in pieces.
	held []bufring.Segment
	// spill is the slab that held's one piece is being copied to, after the receive memory ran
	// short.
	spill *bufring.Buffer
	since time.Time // when the present record began
	// in is the lane's list, of connections in the middle of a record, that this one is on.
	in            *connList
	before, after *conn
	// backlog is what was received while the connection was blocked; the part from backlogAt on
	// is not parsed yet.
	backlog   []bufring.Segment
	backlogAt int
	// kept are the receive buffers that held, backlog and parked calls keep from being used
	// again.
	kept []keep
	// reading is the buffer that the careful receive fills, from readAt on; nil until it reads.
	reading *bufring.Buffer
	readAt  int
}

// newConn returns a connection with the descriptor fd that belongs to no lane yet.
func newConn(programs *rpc.Server, fd int) *conn {
	cn := &conn{programs: programs, fd: fd}
	cn.conn = cn
	return cn
}

// The operations of a connection's receiving side.
const (
	kindReceive loop.Kind = iota
	kindReadable
)

// touch puts the connection on the lane's list of those to serve at the end of the turn.
func (cn *conn) touch() {
	if !cn.listed {
		cn.listed = true
		cn.lane.touched = append(cn.lane.touched, cn)
	}
}

// blocked reports whether the lane may take no further call from the connection now.
func (cn *conn) blocked() bool {
	cfg := &cn.lane.srv.cfg
	return cn.life >= lifeDraining || cn.waiting > 0 || cn.calls >= cfg.CallsMax || cn.unsent >= cfg.OutputMax
}

// service moves the connection on as far as it goes: it parses what waited, sends what is ready,
// and starts or stops receiving.
func (cn *conn) service() {
	if cn.life < lifeDead {
		cn.unblock()
		cn.attend()
		cn.flush()
		cn.steer()
		if cn.behind() && !cn.blocked() {
			// A spliced reply has left, and no completion will come for it. The calls
			// behind it waited for that.
			cn.touch()
		}
	}
	cn.attend()
	switch {
	case cn.life >= lifeDead:
		cn.bury()
	case cn.life == lifeLeaving:
		cn.leave()
	}
}

// steer arms or cancels the receive. It ends a connection that has nothing more to do.
func (cn *conn) steer() {
	// Closing a connection with zero-copy sends that are not acknowledged would reset it.
	idle := cn.calls == 0 && cn.allSent()
	switch {
	case cn.life >= lifeDead, cn.life == lifeAsking:
	case cn.eof && idle && (cn.life >= lifeDraining || !cn.behind()):
		switch {
		case !cn.owed():
			cn.kill("")
		case cn.life != lifeOwing:
			// The peer sees the end at once. The lane's tick sees a little later
			// whether the peer has heard the last reply that must not be given twice.
			cn.finish(lifeOwing)
		}
	case cn.life >= lifeDraining && idle:
		if cn.life == lifeDraining {
			cn.finish(lifeFinishing)
		}
		if cn.intake == intakeNone {
			cn.arm()
		}
	case cn.receiving():
		if cn.life == lifeLeaving || cn.blocked() || cn.intake == intakeMultishot && cn.full() {
			cn.endReceive()
		}
	case cn.intake == intakeNone && cn.life != lifeLeaving && !cn.blocked() && !cn.eof:
		cn.arm()
	}
}

// arm starts the multishot receive, or the careful one when memory is short.
func (cn *conn) arm() {
	if !cn.lane.group.Open() || cn.full() {
		cn.armCareful()
		return
	}
	cn.dropReading()
	id, sqe := cn.lane.loop.Begin(cn, kindReceive)
	sqe.PrepRecvMultishot(cn.fd, groupID, cn.lane.bundle)
	cn.receive, cn.intake = id, intakeMultishot
	cn.ops++
}

// Complete implements loop.Handler for the receiving side.
func (cn *conn) Complete(id loop.ID, kind loop.Kind, res int32, flags uint32, last bool) {
	if last {
		cn.ops--
	}
	if kind == kindReceive {
		cn.received(res, flags, last)
	} else {
		cn.readable(res)
	}
	cn.touch()
}

// received handles a completion of the multishot receive.
func (cn *conn) received(res int32, flags uint32, last bool) {
	l := cn.lane
	switch {
	case last:
		cn.intake = intakeNone
	case cn.life < lifeDead:
		// Repeat a cancellation that came at the wrong moment (EALREADY).
		cn.intake = intakeMultishot
	}
	if res > 0 {
		cn.mayHaveHeard(int(res))
		segs, err := l.consume(res, flags)
		if err != nil {
			l.loop.Fail(err)
			return
		}
		for i := range segs {
			cn.arrived(&segs[i])
		}
		return
	}
	switch errno := unix.Errno(-res); {
	case res == 0:
		cn.endOfInput()
	case errno == unix.ENOBUFS:
		cn.starve()
	case errno == unix.ECANCELED, errno == unix.EINTR, errno == unix.EAGAIN:
	default:
		cn.kill("receive: " + errno.Error())
	}
}

// endOfInput says that the peer has ended its side.
func (cn *conn) endOfInput() {
	cn.eof = true
	if cn.wire != nil {
		cn.wire.ended()
	}
}

// starve puts the connection on the list of those that wait for memory before they receive.
func (cn *conn) starve() {
	if cn.intake == intakeNone && cn.life < lifeDead {
		cn.intake = intakeStarved
		cn.lane.starved = append(cn.lane.starved, cn)
	}
}

// arrived takes a piece of received bytes.
func (cn *conn) arrived(s *bufring.Segment) {
	switch {
	case cn.life >= lifeDraining:
		s.Release()
	case cn.blocked() || cn.behind():
		cn.keep(s.Owner)
		cn.backlog = append(cn.backlog, *s)
	default:
		cn.parse(*s)
	}
}

// behind reports whether received bytes wait to be parsed.
func (cn *conn) behind() bool { return cn.backlogAt < len(cn.backlog) }

// unblock parses the bytes that waited, until the connection is blocked again.
func (cn *conn) unblock() {
	for cn.behind() && !cn.blocked() {
		s := cn.backlog[cn.backlogAt]
		cn.backlog[cn.backlogAt] = bufring.Segment{}
		cn.backlogAt++
		cn.unkeep(s.Owner)
		cn.parse(s)
	}
	if !cn.behind() && cn.backlogAt > 0 {
		cn.backlogAt = 0
		if cn.backlog = cn.backlog[:0]; cap(cn.backlog) > heldMax {
			cn.backlog = nil
		}
	}
}

// putBack makes s the first piece to be parsed when the connection is no longer blocked.
func (cn *conn) putBack(s bufring.Segment) {
	cn.keep(s.Owner)
	if cn.backlogAt > 0 {
		cn.backlogAt--
		cn.backlog[cn.backlogAt] = s
		return
	}
	cn.backlog = append(cn.backlog, s) // backlog is empty: nothing is parsed past it
}

// parse takes the records out of s and begins their calls. It owns s.
func (cn *conn) parse(s bufring.Segment) {
	chunk := s.Data
	for len(chunk) > 0 {
		if cn.blocked() && cn.life < lifeDead {
			s.Data = chunk
			cn.putBack(s)
			return
		}
		if cn.life >= lifeDead {
			break
		}
		seg, rest, complete, err := cn.records.Next(chunk)
		if err != nil {
			cn.kill(err.Error())
			break
		}
		chunk = rest
		if complete {
			cn.record(bufring.Segment{Data: seg, Owner: s.Owner})
		} else if len(seg) > 0 {
			cn.hold(seg, s.Owner)
		}
	}
	s.Release()
}

// record begins the call whose record ends with last. It borrows last.
func (cn *conn) record(last bufring.Segment) {
	l := cn.lane
	c := l.call(cn)
	for i := range cn.held {
		c.views = append(c.views, cn.held[i].Data)
	}
	if len(last.Data) > 0 || len(c.views) == 0 {
		c.views = append(c.views, last.Data)
	}
	l.parsing.last = last
	if len(cn.held) > 0 {
		l.parsing.held = append(l.parsing.held[:0], cn.held...)
		clear(cn.held)
		cn.held = cn.held[:0]
	}
	cn.dropSpill()
	if cn.in != nil {
		cn.list(nil)
	}
	if err := cn.programs.Parse(&c.Call, c.views[0], c.views[1:]); err != nil {
		answer := err == rpc.ErrNotCall && cn.answered(c.views[0], c.views[1:])
		l.retire(c)
		if !answer {
			cn.kill(err.Error())
		}
	} else {
		l.begin(c)
	}
	// The call has read the pieces that it did not keep.
	for i := range l.parsing.held {
		cn.unkeep(l.parsing.held[i].Owner)
		l.parsing.held[i].Release()
	}
	l.parsing.end()
}

// parsing is the record whose call is being begun, for calls that must keep it.
type parsing struct {
	held []bufring.Segment
	last bufring.Segment
}

// move gives the record's pieces to c.
func (p *parsing) move(c *call) {
	c.segs = append(c.segs, p.held...)
	clear(p.held)
	p.held = p.held[:0]
	if p.last.Owner != nil && len(p.last.Data) > 0 {
		s := bufring.Segment{Data: p.last.Data, Owner: p.last.Owner.Clone()}
		c.conn.keep(s.Owner)
		c.segs = append(c.segs, s)
	}
	p.last = bufring.Segment{}
}

func (p *parsing) end() {
	clear(p.held)
	p.held = p.held[:0]
	p.last = bufring.Segment{}
}

// heldMax is how many pieces of a record may be kept before they are copied together. A system call
// takes at most 1024, and a peer that sends byte by byte must not make the server keep a header for
// each.
const heldMax = 512

// hold keeps a piece of an incomplete record.
func (cn *conn) hold(seg []byte, owner *bufring.Buffer) {
	l := cn.lane
	if len(cn.held) == 0 {
		cn.since = l.loop.Now()
	}
	if cn.spill != nil {
		cn.spillMore(seg)
		return
	}
	if cn.in == nil && owner.Provided() {
		cn.list(&l.holding)
	}
	if n := len(cn.held); n > 0 {
		// Receives into one incremental buffer lie end to end, so extend the last piece.
		if p := &cn.held[n-1]; p.Owner == owner &&
			unsafe.Add(
				unsafe.Pointer(unsafe.SliceData(p.Data)),
				len(p.Data),
			) == unsafe.Pointer(
				unsafe.SliceData(seg),
			) {
			p.Data = unsafe.Slice(unsafe.SliceData(p.Data), len(p.Data)+len(seg))
			return
		}
	}
	s := bufring.Segment{Data: seg, Owner: owner.Clone()}
	cn.keep(owner)
	cn.held = append(cn.held, s)
	// While calls are in progress the lane receives carefully from the connection, and the
	// memory that they keep comes back.
	if len(cn.held) >= heldMax || len(cn.kept) >= l.keptMax && cn.calls == 0 {
		cn.spillHeld()
	}
}

// kill ends the connection. Nothing more is read, parsed or sent, and all memory that no operation
// in flight needs is given back. The socket is closed when its last operation has completed. why is
// logged unless it is empty.
func (cn *conn) kill(why string) {
	if cn.life >= lifeDead {
		return
	}
	if why != "" {
		s := cn.lane.srv
		s.say(&s.limits.closed, slog.LevelDebug, "connection closed", "peer", cn.peer, "why", why)
	}
	cn.become(lifeDead)
	cn.forgotten()
	cn.endReceive()
	_ = unix.Shutdown(cn.fd, unix.SHUT_RDWR)
	cn.dropInput()
	cn.giveUp()
	cn.touch()
}

// dropInput gives back all bytes that were received and not parsed.
func (cn *conn) dropInput() {
	for _, list := range [][]bufring.Segment{cn.held, cn.backlog[cn.backlogAt:]} {
		for i := range list {
			cn.unkeep(list[i].Owner)
			list[i].Release()
		}
	}
	cn.held, cn.backlog, cn.backlogAt = nil, nil, 0
	cn.dropSpill()
	cn.dropReading()
	cn.list(nil)
}

// bury closes the socket of a dead connection once no operation names it, and forgets the
// connection once no call does.
func (cn *conn) bury() {
	if cn.ops > 0 {
		return
	}
	if cn.life != lifeClosed {
		cn.become(lifeClosed)
		if cn.zc.sends > 0 {
			// Zero-copy sends that are not acknowledged would stay pinned until the
			// kernel gives the peer up. A reset frees them.
			_ = unix.SetsockoptLinger(cn.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		}
		_ = unix.Close(cn.fd)
	}
	if cn.calls == 0 && cn.zc.sends == 0 {
		cn.lane.remove(cn)
	}
}

func (cn *conn) String() string { return fmt.Sprintf("%v -> %v", cn.peer, cn.local) }
