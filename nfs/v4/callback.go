package v4

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/state"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/xdr"
	"github.com/ringnfs/ringnfs/uring/futex"
)

// Callbacks makes the calls of the server to its clients (RFC 8881, section 20). It is made before
// the table of files, which calls Notify. Any goroutine may call its methods; none blocks.
type Callbacks struct {
	// set by New
	table *export.Table
	byID  map[uint32]*export.Export
	state *state.Table
	ask   func(conn uint64, a *rpc.Ask) error

	mu futex.Mutex // taken before the locks of state
	// guarded by mu
	queues map[state.ClientID][]*callback // that wait for a slot, oldest first
	queued int
	later  []*callback // that the clients wanted to come later

	made, answered, failed, probes atomic.Uint64
}

const (
	// callbackTimeout is how long a client may take to answer.
	callbackTimeout = 10 * time.Second
	// clientQueueMax is how many callbacks of one client may wait for a slot, queueMax how many
	// of all.
	clientQueueMax, queueMax = 64, 4096
	// laterMax is how often a client may want a callback to come later.
	laterMax = 8
	// callbackMax is the most bytes in a callback's record. CB_NOTIFY_LOCK for an owner of
	// NFS4_OPAQUE_LIMIT bytes has some 1,700, with the longest credential.
	callbackMax = rpc.AskMax
)

// What becomes of a callback that is not answered, beside what rpc.Ask says.
var (
	errNoPath   = errors.New("v4: the client cannot be called back")
	errCrowded  = errors.New("v4: too many callbacks wait")
	errTooLarge = errors.New("v4: the callback is larger than the client takes")
	errNonsense = errors.New("v4: the client has answered a callback with nonsense")
	errRefused  = errors.New("v4: the client does not know the session of a callback")
)

// callback is a callback of one operation behind CB_SEQUENCE.
type callback struct {
	client  state.ClientID
	session *state.Session // the one that it is about, nil for any of the client's
	op      nfs4.NfsCbOpnum4
	args    func(*xdr.Encoder) // writes the operation's arguments
	// done, if not nil, is told once what became of it: the operation's status, or an error
	// when nobody knows that. It must not block.
	done func(nfs4.Nfsstat4, error)

	b     *state.BackCall // once it has a slot
	delay int             // how often it was put off
}

// NewCallbacks returns what calls the clients of one server back.
func NewCallbacks() *Callbacks {
	return &Callbacks{queues: make(map[state.ClientID][]*callback)}
}

// CallbackCounts counts what Callbacks has done.
type CallbackCounts struct {
	// Made is how many callbacks were begun, of which clients have answered Answered and Failed
	// have come to nothing. Probes counts CB_NULLs.
	Made, Answered, Failed, Probes uint64
	// Waiting is how many wait for a slot or for a later time.
	Waiting int
}

// Counts counts. It does not block.
func (x *Callbacks) Counts() CallbackCounts {
	x.mu.Lock()
	waiting := x.queued + len(x.later)
	x.mu.Unlock()
	return CallbackCounts{x.made.Load(), x.answered.Load(), x.failed.Load(), x.probes.Load(), waiting}
}

// Notify tells clients that they may now have the locks that they wait for (CB_NOTIFY_LOCK, section
// 20.11). It is for [files.Config]. Who does not hear of it asks again anyway.
func (x *Callbacks) Notify(ws []files.Waiter) {
	if x.ask == nil {
		return
	}
	for i := range ws {
		w := &ws[i]
		e := x.byID[w.File.Export]
		if e == nil {
			continue
		}
		x.call(&callback{
			client: state.ClientID(w.Client), op: nfs4.OP_CB_NOTIFY_LOCK,
			args: func(to *xdr.Encoder) {
				a := nfs4.CBNOTIFYLOCK4args{CnlaFh: x.table.Seal(e, &w.File.Handle, nil)}
				a.CnlaLockOwner.Clientid, a.CnlaLockOwner.Owner = nfs4.Clientid4(w.Client), []byte(w.Owner)
				a.Encode(to)
			},
		})
	}
}

// Tick sends again what clients wanted to come later, and asks clients to use fewer slots when
// memory is short (CB_RECALL_SLOT, section 20.8). It is to be called about once a second.
func (x *Callbacks) Tick() {
	if x.ask == nil {
		return
	}
	x.mu.Lock()
	later := x.later
	x.later = nil
	x.mu.Unlock()
	for _, c := range later {
		x.send(c)
	}
	ss, highest := x.state.Overgrown()
	for i, s := range ss {
		x.call(&callback{
			client: s.Client().ID(), session: s, op: nfs4.OP_CB_RECALL_SLOT,
			args: func(to *xdr.Encoder) {
				a := nfs4.CBRECALLSLOT4args{RsaTargetHighestSlotid: nfs4.Slotid4(highest[i])}
				a.Encode(to)
			},
		})
	}
}

// probe sends a CB_NULL by each connection of s of which nobody knows whether it works.
func (x *Callbacks) probe(s *state.Session) {
	if x.ask == nil {
		return
	}
	for _, conn := range s.Unproved() {
		program, sec, ok := s.CallsBackAs()
		if !ok {
			continue
		}
		x.probes.Add(1)
		var e xdr.Encoder
		e.Reset(make([]byte, callbackMax))
		putCallbackHeader(&e, program, nfs4.CB_NULL, &sec)
		id := s.ID()
		answered := func(d *xdr.Decoder, err error) {
			switch {
			case err == nil && rpc.Accepted(d) == nil:
				x.state.Works(id, conn)
			case err == nil:
				x.state.Refuses(id, conn)
			case !errors.Is(err, rpc.ErrNoRoom):
				x.state.Useless(id, conn)
			}
		}
		a := &rpc.Ask{Record: e.Bytes(), Timeout: callbackTimeout, Answered: answered}
		if err := x.ask(conn, a); err != nil {
			answered(nil, err)
		}
	}
}

func putCallbackHeader(e *xdr.Encoder, program, procedure uint32, sec *state.Security) {
	rpc.PutHeader(e, program, nfs4.NFS_CB, procedure, &rpc.Caller{
		Flavor: sec.Flavor, Machine: sec.Machine, UID: sec.UID, GID: sec.GID, GIDs: sec.GIDs,
	})
}

// call begins a callback, or lets it wait for a slot.
func (x *Callbacks) call(c *callback) {
	x.made.Add(1)
	x.mu.Lock()
	st := x.take(c)
	var err error
	switch {
	case st == state.OK:
	case st != state.BackChanBusy:
		err = errNoPath
	case len(x.queues[c.client]) >= clientQueueMax || x.queued >= queueMax:
		err = errCrowded
	default:
		x.queues[c.client] = append(x.queues[c.client], c)
		x.queued++
	}
	x.mu.Unlock()
	switch {
	case err != nil:
		x.end(c, 0, err)
	case st == state.OK:
		x.send(c)
	}
}

// take gets a slot for c. Needs mu: so who waits is not overlooked when one gets free.
func (x *Callbacks) take(c *callback) (st state.Status) {
	if c.session != nil {
		c.b, st = c.session.CallBack()
	} else {
		c.b, st = x.state.CallBack(c.client)
	}
	return st
}

// free frees the slot of c, with unsure if nobody knows what the client has seen, tells what became
// of c, and begins what has waited for the slot.
func (x *Callbacks) free(c *callback, unsure bool, st nfs4.Nfsstat4, err error) {
	c.b.End(unsure)
	x.end(c, st, err)
	for {
		x.mu.Lock()
		queue := x.queues[c.client]
		if len(queue) == 0 {
			x.mu.Unlock()
			return
		}
		next := queue[0]
		st := x.take(next)
		if st == state.BackChanBusy {
			x.mu.Unlock()
			return
		}
		x.queued--
		if len(queue) == 1 {
			delete(x.queues, c.client)
		} else {
			x.queues[c.client] = queue[1:]
		}
		x.mu.Unlock()
		if st == state.OK {
			x.send(next)
			continue
		}
		x.end(next, 0, errNoPath)
	}
}

// end tells what became of c.
func (x *Callbacks) end(c *callback, st nfs4.Nfsstat4, err error) {
	if err != nil {
		x.failed.Add(1)
	} else {
		x.answered.Add(1)
	}
	if c.done != nil {
		c.done(st, err)
	}
}

// send sends c, which has a slot, by the first connection that takes it. The slot's doubts are
// cleared up first.
func (x *Callbacks) send(c *callback) {
	record, ok := c.record()
	if !ok {
		x.free(c, false, 0, errTooLarge)
		return
	}
	for {
		err := x.ask(c.b.Conn, &rpc.Ask{
			Record: record, Timeout: callbackTimeout,
			Answered: func(d *xdr.Decoder, err error) { x.heard(c, d, err) },
		})
		if err == nil {
			return
		}
		if errors.Is(err, rpc.ErrGone) {
			x.state.Useless(c.b.Session, c.b.Conn)
		}
		if !c.b.Another(false) {
			x.free(c, c.b.Unsure(), 0, err)
			return
		}
	}
}

// record encodes c. It reports false if the client does not take records of that size.
func (c *callback) record() (record []byte, ok bool) {
	b := c.b
	var e xdr.Encoder
	e.Reset(make([]byte, callbackMax))
	putCallbackHeader(&e, b.Program, nfs4.CB_COMPOUND, &b.Security)
	e.Opaque(nil) // no tag
	e.Uint32(uint32(b.Minor))
	e.Uint32(0) // callback_ident, of minor version 0
	if b.Asks {
		e.Uint32(1)
	} else {
		e.Uint32(2)
	}
	e.Uint32(uint32(nfs4.OP_CB_SEQUENCE))
	seq := nfs4.CBSEQUENCE4args{
		CsaSessionid: nfs4.Sessionid4(b.Session), CsaSequenceid: nfs4.Sequenceid4(b.Seqid),
		CsaSlotid: nfs4.Slotid4(b.Slot), CsaHighestSlotid: nfs4.Slotid4(b.Highest),
	}
	seq.Encode(&e)
	if !b.Asks {
		e.Uint32(uint32(c.op))
		c.args(&e)
	}
	return e.Bytes(), e.Err() == nil && uint32(e.Len()) <= b.Limits.RequestMax
}

// heard goes on with c when its record was answered, or was not.
func (x *Callbacks) heard(c *callback, d *xdr.Decoder, err error) {
	switch {
	case errors.Is(err, rpc.ErrNoRoom):
		x.again(c, false, err)
		return
	case err != nil: // gone or silent
		x.state.Useless(c.b.Session, c.b.Conn)
		x.again(c, true, err)
		return
	}
	if err := rpc.Accepted(d); err != nil { // it has not been run
		x.state.Refuses(c.b.Session, c.b.Conn)
		x.again(c, false, err)
		return
	}
	var r nfs4.CBSEQUENCE4res
	st, target, ok := c.sequenced(d, &r)
	next := state.BackBroken
	if ok {
		next = c.b.Answered(state.Status(st), target)
	} else {
		c.b.Answered(state.ServerFault, 0)
	}
	switch next {
	case state.BackSend:
		x.send(c)
	case state.BackLater:
		if c.delay++; c.delay > laterMax {
			x.free(c, c.b.Unsure(), 0, errCrowded)
			return
		}
		x.mu.Lock()
		x.later = append(x.later, c)
		x.mu.Unlock()
	case state.BackBroken:
		why := errRefused
		if !ok {
			why = errNonsense
		}
		x.free(c, true, 0, why)
	case state.BackDone:
		res, err := c.result(d, st)
		x.free(c, false, res, err)
	}
}

// again sends c by another connection, as a retry if the client may have seen it.
func (x *Callbacks) again(c *callback, seen bool, err error) {
	if c.b.Another(seen) {
		x.send(c)
		return
	}
	x.free(c, c.b.Unsure(), 0, err)
}

// sequenced reads the result of CB_SEQUENCE. It reports false if there is none, or if it is another
// one's.
func (c *callback) sequenced(d *xdr.Decoder, r *nfs4.CBSEQUENCE4res) (st nfs4.Nfsstat4, target uint32, ok bool) {
	d.Uint32() // the status of the last operation
	d.Opaque(tagMax)
	n, op := d.Uint32(), d.Uint32()
	r.Decode(d)
	if d.Err() != nil || n == 0 || n > 2 || op != uint32(nfs4.OP_CB_SEQUENCE) {
		return 0, 0, false
	}
	k := &r.CsrResok4
	if r.CsrStatus == nfs4.NFS4_OK && (state.SessionID(k.CsrSessionid) != c.b.Session ||
		uint32(k.CsrSequenceid) != c.b.Seqid || uint32(k.CsrSlotid) != c.b.Slot) {
		return 0, 0, false
	}
	return r.CsrStatus, uint32(k.CsrTargetHighestSlotid), true
}

// result reads the status of the operation behind CB_SEQUENCE, which the client has seen. The
// status of CB_SEQUENCE is sequenced; if it is not OK, the operation has run before, and its answer
// is lost.
func (c *callback) result(d *xdr.Decoder, sequenced nfs4.Nfsstat4) (nfs4.Nfsstat4, error) {
	if sequenced != nfs4.NFS4_OK {
		return sequenced, nil
	}
	op, st := d.Uint32(), nfs4.Nfsstat4(d.Uint32())
	if d.Err() != nil || op != uint32(c.op) {
		return 0, errNonsense
	}
	return st, nil
}
