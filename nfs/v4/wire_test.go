package v4

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// wire is the connections of a rig's clients, for what the server asks.
type wire struct {
	t    *testing.T
	asks []*question
	// refused are the connections that take no asks, and why.
	refused map[uint64]error
}

// question is something that the server asks a client, as the client decodes it.
type question struct {
	w    *wire
	conn uint64
	ask  *rpc.Ask
	call rpc.Call
	args nfs4.CBCOMPOUND4args // none of a CB_NULL
}

// callbackProgram is what a client has as a server, to decode headers.
var callbackProgram = rpc.NewServer(&rpc.Program{Name: "cb", Number: 0x40000001, Versions: []rpc.Version{{
	Number: 1, Procedures: []rpc.Procedure{{Name: "NULL", Handle: null},
		{Name: "COMPOUND", Handle: null}},
}}})

func (w *wire) ask(conn uint64, a *rpc.Ask) error {
	if err := w.refused[conn]; err != nil {
		return err
	}
	q := &question{w: w, conn: conn, ask: a}
	require.NoError(w.t, callbackProgram.Parse(&q.call, a.Record, nil))
	require.NotNil(w.t, q.call.Procedure())
	require.Positive(w.t, a.Timeout)
	if q.call.Proc == 1 {
		q.args.Decode(&q.call.Args)
		require.NoError(w.t, q.call.Args.Err())
	}
	require.Zero(w.t, q.call.Args.Left())
	w.asks = append(w.asks, q)
	return nil
}

// next returns the oldest question that nobody has answered.
func (w *wire) next() *question {
	w.t.Helper()
	require.NotEmpty(w.t, w.asks, "nobody is asked")
	q := w.asks[0]
	w.asks = w.asks[1:]
	return q
}

// fail says that the question is not answered.
func (q *question) fail(err error) { q.ask.Answered(nil, err) }

// answer answers with this behind the message type.
func (q *question) answer(words ...any) {
	var e xdr.Encoder
	e.Reset(make([]byte, 1024))
	for _, w := range words {
		switch w := w.(type) {
		case int:
			e.Uint32(uint32(w))
		case nfs4.Nfsstat4:
			e.Uint32(uint32(w))
		case interface{ Encode(*xdr.Encoder) }:
			w.Encode(&e)
		}
	}
	var d xdr.Decoder
	d.Reset(e.Bytes())
	q.ask.Answered(&d, nil)
}

// null answers a CB_NULL.
func (q *question) null() {
	q.w.t.Helper()
	require.Zero(q.w.t, q.call.Proc)
	q.answer(0, 0, 0, 0)
}

// results answers as a client does that has run the callback.
func (q *question) results(sequence, other nfs4.Nfsstat4) {
	q.w.t.Helper()
	require.EqualValues(q.w.t, 1, q.call.Proc)
	a := &q.args.Argarray[0].Opcbsequence
	res := nfs4.CBCOMPOUND4res{Status: sequence}
	res.Resarray = append(res.Resarray, nfs4.NfsCbResop4{
		Resop: nfs4.OP_CB_SEQUENCE,
		Opcbsequence: nfs4.CBSEQUENCE4res{CsrStatus: sequence, CsrResok4: nfs4.CBSEQUENCE4resok{
			CsrSessionid: a.CsaSessionid, CsrSequenceid: a.CsaSequenceid, CsrSlotid: a.CsaSlotid,
			CsrHighestSlotid: 15, CsrTargetHighestSlotid: 15,
		}},
	})
	if sequence == nfs4.NFS4_OK && len(q.args.Argarray) > 1 {
		res.Status = other
		r := nfs4.NfsCbResop4{Resop: q.args.Argarray[1].Argop}
		r.OpcbnotifyLock.CnlrStatus, r.OpcbrecallSlot.RsrStatus = other, other
		res.Resarray = append(res.Resarray, r)
	}
	q.answer(0, 0, 0, 0, &res)
}

// also answers CB_SEQUENCE as a client does that has run the callback, with results of these
// operations behind it.
func (q *question) also(ops ...nfs4.NfsCbOpnum4) {
	a := &q.args.Argarray[0].Opcbsequence
	var res nfs4.CBCOMPOUND4res
	res.Resarray = []nfs4.NfsCbResop4{{Resop: nfs4.OP_CB_SEQUENCE}}
	res.Resarray[0].Opcbsequence.CsrResok4 = nfs4.CBSEQUENCE4resok{
		CsrSessionid: a.CsaSessionid, CsrSequenceid: a.CsaSequenceid, CsrSlotid: a.CsaSlotid,
	}
	for _, n := range ops {
		res.Resarray = append(res.Resarray, nfs4.NfsCbResop4{Resop: n})
	}
	q.answer(0, 0, 0, 0, &res)
}

// slot is the slot and the sequence ID of a callback.
func (q *question) slot() [2]uint32 {
	a := &q.args.Argarray[0].Opcbsequence
	return [2]uint32{uint32(a.CsaSlotid), uint32(a.CsaSequenceid)}
}

// backSession makes a client with a session that can be called back by conns.
func (r *rig) backSession(owner string, minor, slots uint32, conns ...uint64) *session {
	r.t.Helper()
	r.minor, r.conn = minor, conns[0]
	id := r.ok(exchange(owner, 0))[0].OpexchangeId.EirResok4
	channel := nfs4.ChannelAttrs4{
		CaMaxrequestsize: 1 << 20, CaMaxresponsesize: 1 << 20, CaMaxresponsesizeCached: 4096,
		CaMaxoperations: 16, CaMaxrequests: 64,
	}
	back := nfs4.ChannelAttrs4{
		CaMaxrequestsize: 1100, CaMaxresponsesize: 4096, CaMaxoperations: 2,
		CaMaxrequests: nfs4.Count4(slots),
	}
	res := r.ok(nfs4.NfsArgop4{Argop: nfs4.OP_CREATE_SESSION, OpcreateSession: nfs4.CREATESESSION4args{
		CsaClientid: id.EirClientid, CsaSequence: id.EirSequenceid, CsaForeChanAttrs: channel,
		CsaFlags: nfs4.CREATE_SESSION4_FLAG_CONN_BACK_CHAN, CsaBackChanAttrs: back,
		CsaCbProgram: 0x40000001,
		CsaSecParms: []nfs4.CallbackSecParms4{{CbSecflavor: rpc.AuthSys,
			CbspSysCred: nfs4.AuthsysParms{
				Machinename: []byte("client"), Uid: 5, Gid: 6, Gids: []uint32{7},
			}}},
	}})[0].OpcreateSession.CsrResok4
	require.EqualValues(r.t, nfs4.CREATE_SESSION4_FLAG_CONN_BACK_CHAN, res.CsrFlags)
	s := &session{r: r, id: res.CsrSessionid}
	for _, conn := range conns[1:] {
		s.bind(conn)
	}
	r.conn = conns[0]
	return s
}

func (s *session) bind(conn uint64) {
	s.r.t.Helper()
	s.r.conn = conn
	s.r.ok(nfs4.NfsArgop4{Argop: nfs4.OP_BIND_CONN_TO_SESSION,
		OpbindConnToSession: nfs4.BINDCONNTOSESSION4args{
			BctsaSessid: s.id, BctsaDir: nfs4.CDFC4_BACK_OR_BOTH,
		}})
}

// status returns the flags of a SEQUENCE.
func (s *session) status() uint32 {
	return s.r.ok(s.sequence())[0].Opsequence.SrResok4.SrStatusFlags
}

// waiting is a rig whose client a has f locked, and whose client b waits for that lock and can be
// called back by the connections conns.
type waiting struct {
	*rig
	w    *wire
	a, b *opener
	held *opened
	wait *opened
	lock nfs4.Stateid4
	cfg  Config
}

func newWaiting(t *testing.T, minor, slots uint32, conns ...uint64) *waiting {
	x := &waiting{w: &wire{t: t, refused: make(map[uint64]error)}, cfg: remembers(new(uint32))}
	x.cfg.Ask = x.w.ask
	x.rig = newRig(t, x.cfg, export.Export{Path: "/x", FS: memfs.New(memfs.Config{Mode: 0o777})})
	makeFile(t, x.rig, "f", "content")
	x.a = &opener{x.session("a"), "a", []string{"x"}}
	x.ok(x.a.sequence(), nfs4.NfsArgop4{Argop: nfs4.OP_RECLAIM_COMPLETE})
	x.held = x.a.open("f")
	x.lock = x.held.lock(nfs4.WRITE_LT, 0, toEnd)
	x.b = &opener{x.backSession("b", minor, slots, conns...), "b", []string{"x"}}
	require.Empty(t, x.w.asks, "the client does not know of the session yet")
	x.ok(x.b.sequence(), nfs4.NfsArgop4{Argop: nfs4.OP_RECLAIM_COMPLETE})
	for range conns {
		x.w.next().null()
	}
	require.Empty(t, x.w.asks)
	x.wait = x.b.open("f")
	x.wait.denied(nfs4.WRITEW_LT, 0, toEnd)
	require.Empty(t, x.w.asks)
	return x
}

// by makes the next compounds client o's.
func (x *waiting) by(minor uint32, conn uint64) { x.minor, x.conn = minor, conn }

// handOver unlocks the lock that b waits for.
func (x *waiting) handOver() {
	x.t.Helper()
	minor, conn := x.minor, x.conn
	x.by(1, 0)
	x.lock = x.held.unlock(x.lock, 0, toEnd)
	x.by(minor, conn)
}

// takeBack lets a have the lock again, and b wait for it.
func (x *waiting) takeBack() {
	x.t.Helper()
	minor, conn := x.minor, x.conn
	x.by(1, 0)
	x.lock = x.held.lock(nfs4.WRITE_LT, 0, toEnd)
	x.by(minor, conn)
	x.wait.denied(nfs4.WRITEW_LT, 0, toEnd)
}

// atRest fails the test if anything is under way.
func (x *waiting) atRest() {
	x.t.Helper()
	n := x.cfg.Callbacks.Counts()
	require.Empty(x.t, x.w.asks)
	require.Zero(x.t, n.Waiting)
	require.Equal(x.t, n.Made, n.Answered+n.Failed)
}
