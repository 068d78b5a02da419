package transport

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/xdr"
	"github.com/ringnfs/ringnfs/uring/futex"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// This file is for calls that the server makes to its peers: NFS of version 4.1 calls back by the
// connections that clients have opened. Any goroutine may ask. The lane of the connection sends the
// record behind the replies that wait, and takes the answer out of what the peer sends.

// asksMax is how many calls to the peer of one connection may be under way.
const asksMax = 64

// asks is how other threads reach a connection. Who never asks the peer anything pays for it when
// the connection begins and when it ends.
type asks struct {
	mu futex.Mutex
	// guarded by mu
	lane  *lane      // that serves the connection; nil while it is on its way to one
	queue []*rpc.Ask // that the lane has not taken yet
	n     int        // asks under way, in queue or asked
	over  bool       // nobody is asked any more

	// The lane's, as the connection is.
	asked []sentAsk
	xid   uint32 // of the last ask
	// late is how many answers may still come that nobody waits for.
	late int
}

// sentAsk is a call to the peer that the lane has sent.
type sentAsk struct {
	*rpc.Ask
	xid  uint32
	end  uint64    // where in the output its record ends
	left time.Time // when the record was seen to have left; zero before
}

// directory finds connections by their numbers.
type directory struct {
	mu futex.Mutex
	of map[uint64]*conn // guarded by mu
}

func (x *directory) add(cn *conn) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.of == nil {
		x.of = make(map[uint64]*conn)
	}
	x.of[cn.id] = cn
}

func (x *directory) find(id uint64) *conn {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.of[id]
}

func (x *directory) remove(cn *conn) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.of, cn.id)
}

// Ask makes a call to the peer of a connection (rpc.Call.Conn). If Ask returns an error,
// rpc.ErrGone or rpc.ErrNoRoom, the call is not made, and a.Answered is not called. Else a.Answered
// is called once. The Server has a until then. Any goroutine may call Ask; it does not block.
//
// The answer is not read while the connection has too many calls of the peer in progress: who waits
// for an answer within such a call may wait until the timeout.
func (s *Server) Ask(conn uint64, a *rpc.Ask) error {
	cn := s.directory.find(conn)
	if cn == nil {
		return rpc.ErrGone
	}
	as := &cn.asks
	as.mu.Lock()
	switch {
	case as.over:
		as.mu.Unlock()
		return rpc.ErrGone
	case as.n >= asksMax || len(a.Record) > rpc.AskMax:
		as.mu.Unlock()
		return rpc.ErrNoRoom
	}
	as.n++
	as.queue = append(as.queue, a)
	l := as.lane
	as.mu.Unlock()
	if l != nil {
		// A lane that has ended has told of the connection's end.
		_ = l.loop.Post(loop.TaskFunc(func() { cn.takeAsks(l) }))
	}
	return nil
}

// reached says that the lane l serves the connection now.
func (cn *conn) reached(l *lane) {
	as := &cn.asks
	as.mu.Lock()
	as.lane = l
	some := len(as.queue) > 0
	as.mu.Unlock()
	if some {
		cn.takeAsks(l)
	}
}

// unreached says that the connection is on its way to another lane.
func (cn *conn) unreached() {
	cn.asks.mu.Lock()
	cn.asks.lane = nil
	cn.asks.mu.Unlock()
}

// takeAsks sends what is asked of the peer. It is called on the thread of l. If another lane has
// the connection by now, that one has taken the asks.
func (cn *conn) takeAsks(l *lane) {
	as := &cn.asks
	as.mu.Lock()
	if as.lane != l {
		as.mu.Unlock()
		return
	}
	queue := as.queue
	as.queue = nil
	as.mu.Unlock()
	for _, a := range queue {
		cn.ask(a)
	}
}

// ask puts the record of a behind the replies that wait.
func (cn *conn) ask(a *rpc.Ask) {
	n := markLen + len(a.Record)
	room := cn.batchRoom(n)
	if room == nil {
		cn.tell(a, nil, rpc.ErrNoRoom)
		return
	}
	as := &cn.asks
	as.xid++
	putMark(room, len(a.Record))
	copy(room[markLen:], a.Record)
	binary.BigEndian.PutUint32(room[markLen:], as.xid)
	cn.batched(n)
	as.asked = append(as.asked, sentAsk{Ask: a, xid: as.xid, end: cn.queued})
	cn.lane.stats.asked.Add(1)
}

// answered takes a record that is no call. It reports false if it is no answer that may come: the
// peer has not been asked, or has answered before.
func (cn *conn) answered(first []byte, rest [][]byte) bool {
	as := &cn.asks
	if len(as.asked) == 0 && as.late == 0 {
		return false
	}
	var d xdr.Decoder
	d.ResetSegments(first, rest)
	xid, ok := rpc.ReplyTo(&d)
	if !ok {
		return false
	}
	i := slices.IndexFunc(as.asked, func(a sentAsk) bool { return a.xid == xid })
	if i < 0 {
		if as.late == 0 {
			return false
		}
		as.late--
		cn.lane.stats.late.Add(1)
		return true
	}
	a := as.asked[i].Ask
	as.asked = slices.Delete(as.asked, i, i+1)
	cn.lane.stats.answered.Add(1)
	cn.tell(a, &d, nil)
	return true
}

// tell tells whoever has asked what became of it.
func (cn *conn) tell(a *rpc.Ask, reply *xdr.Decoder, err error) {
	cn.asks.mu.Lock()
	cn.asks.n--
	cn.asks.mu.Unlock()
	a.Answered(reply, err)
}

// overdue gives up the asks that the peer has had for too long. An ask's time begins when its
// record has left, and not while it waits behind others.
func (cn *conn) overdue(now time.Time) {
	as := &cn.asks
	if !cn.recall() {
		return // it is not known how much has been sent
	}
	sent := cn.queued - uint64(cn.unsent)
	var late []*rpc.Ask
	kept := as.asked[:0]
	for _, a := range as.asked {
		switch {
		case a.left.IsZero():
			if sent >= a.end {
				a.left = now
			}
		case now.Sub(a.left) >= a.Timeout:
			late = append(late, a.Ask)
			continue
		}
		kept = append(kept, a)
	}
	clear(as.asked[len(kept):])
	as.asked = kept
	as.late += len(late)
	for _, a := range late {
		cn.lane.stats.silent.Add(1)
		cn.tell(a, nil, rpc.ErrSilent)
	}
}

// hangUp says that nobody can be asked by the connection any more.
func (cn *conn) hangUp() {
	as := &cn.asks
	as.mu.Lock()
	if as.over {
		as.mu.Unlock()
		return
	}
	queue := as.queue
	as.over, as.queue = true, nil
	as.mu.Unlock()
	for _, a := range as.asked {
		queue = append(queue, a.Ask)
	}
	as.asked, as.late = nil, 0
	for _, a := range queue {
		cn.tell(a, nil, rpc.ErrGone)
	}
}
