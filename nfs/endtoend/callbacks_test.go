package endtoend

import (
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// line4 is a connection of a client of version 4.1, which takes calls of the server.
type line4 struct {
	net.Conn
	t     *testing.T
	calls [][]byte // records of the server that nobody has looked at
}

func (s *testServer) line4(t *testing.T) *line4 {
	t.Helper()
	c, err := net.Dial("tcp", s.addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return &line4{Conn: c, t: t}
}

// read reads one record.
func (l *line4) read() ([]byte, error) {
	var h [4]byte
	if _, err := io.ReadFull(l, h[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(h[:])&(1<<31-1))
	_, err := io.ReadFull(l, b)
	return b, err
}

func (l *line4) write(b []byte) {
	l.t.Helper()
	_, err := l.Write(append(binary.BigEndian.AppendUint32(nil, rpc.Mark(len(b))), b...))
	require.NoError(l.t, err)
}

// do runs a compound, and keeps what the server asks meanwhile.
func (l *line4) do(ops ...nfs4.NfsArgop4) *nfs4.COMPOUND4res {
	l.t.Helper()
	xid := nfstest.NewXID()
	var e xdr.Encoder
	e.Reset(make([]byte, 1<<16))
	rpc.PutHeader(&e, nfs4.NFS4_PROGRAM, 4, 1, &rpc.Caller{Flavor: rpc.AuthSys, Machine: "m"})
	e.SetUint32(0, xid)
	args := nfs4.COMPOUND4args{Minorversion: 1, Argarray: ops}
	args.Encode(&e)
	require.NoError(l.t, e.Err())
	l.write(e.Bytes())
	for {
		b, err := l.read()
		require.NoError(l.t, err)
		var d xdr.Decoder
		d.Reset(b)
		if got, ok := rpc.ReplyTo(&d); !ok || got != xid {
			l.calls = append(l.calls, b)
			continue
		}
		require.NoError(l.t, rpc.Accepted(&d))
		res := new(nfs4.COMPOUND4res)
		res.Decode(&d)
		require.NoError(l.t, d.Err())
		return res
	}
}

func (l *line4) ok(ops ...nfs4.NfsArgop4) []nfs4.NfsResop4 {
	l.t.Helper()
	res := l.do(ops...)
	require.Equal(l.t, nfs4.NFS4_OK, res.Status, "operation %d", len(res.Resarray))
	return res.Resarray
}

// asked returns the XID of the next call of the server, its procedure and its operations.
func (l *line4) asked() (xid, procedure uint32, ops []nfs4.NfsCbArgop4) {
	l.t.Helper()
	if len(l.calls) == 0 {
		b, err := l.read()
		require.NoError(l.t, err)
		l.calls = append(l.calls, b)
	}
	var d xdr.Decoder
	d.Reset(l.calls[0])
	l.calls = l.calls[1:]
	xid = d.Uint32()
	require.Zero(l.t, d.Uint32(), "a call")
	d.Skip(3 * 4)
	procedure = d.Uint32()
	for range 2 {
		d.Uint32()
		d.Opaque(400)
	}
	if procedure == nfs4.CB_COMPOUND {
		var a nfs4.CBCOMPOUND4args
		a.Decode(&d)
		ops = a.Argarray
	}
	require.NoError(l.t, d.Err())
	require.Zero(l.t, d.Left())
	return xid, procedure, ops
}

// reply returns an accepted reply.
func replyOf(xid uint32, encode func(*xdr.Encoder)) []byte {
	var e xdr.Encoder
	e.Reset(make([]byte, 1024))
	for _, w := range []uint32{xid, 1, 0, 0, 0, 0} {
		e.Uint32(w)
	}
	if encode != nil {
		encode(&e)
	}
	return e.Bytes()
}

// ran is the reply of a client that has run a callback.
func ran(xid uint32, ops []nfs4.NfsCbArgop4) []byte {
	a := &ops[0].Opcbsequence
	res := nfs4.CBCOMPOUND4res{Resarray: []nfs4.NfsCbResop4{
		{Resop: nfs4.OP_CB_SEQUENCE, Opcbsequence: nfs4.CBSEQUENCE4res{CsrResok4: nfs4.CBSEQUENCE4resok{
			CsrSessionid: a.CsaSessionid, CsrSequenceid: a.CsaSequenceid, CsrSlotid: a.CsaSlotid,
		}}},
	}}
	if len(ops) > 1 {
		res.Resarray = append(res.Resarray, nfs4.NfsCbResop4{Resop: ops[1].Argop})
	}
	return replyOf(xid, res.Encode)
}

// client4 is a client with a session, which has its first connection for callbacks, too.
type client4 struct {
	*line4
	id  nfs4.Sessionid4
	seq uint32
	fh  []byte // of the file
}

func (s *testServer) client4(t *testing.T, owner string) *client4 {
	t.Helper()
	c := &client4{line4: s.line4(t)}
	id := c.ok(nfs4.NfsArgop4{Argop: nfs4.OP_EXCHANGE_ID, OpexchangeId: nfs4.EXCHANGEID4args{
		EiaClientowner: nfs4.ClientOwner4{CoOwnerid: []byte(owner)},
	}})[0].OpexchangeId.EirResok4
	channel := nfs4.ChannelAttrs4{
		CaMaxrequestsize: 4096, CaMaxresponsesize: 4096, CaMaxoperations: 16, CaMaxrequests: 1,
	}
	res := c.ok(nfs4.NfsArgop4{Argop: nfs4.OP_CREATE_SESSION, OpcreateSession: nfs4.CREATESESSION4args{
		CsaClientid: id.EirClientid, CsaSequence: id.EirSequenceid,
		CsaFlags:         nfs4.CREATE_SESSION4_FLAG_CONN_BACK_CHAN,
		CsaForeChanAttrs: channel, CsaBackChanAttrs: channel, CsaCbProgram: 0x40000000,
		CsaSecParms: []nfs4.CallbackSecParms4{{CbSecflavor: rpc.AuthNone}},
	}})[0].OpcreateSession.CsrResok4
	require.EqualValues(t, nfs4.CREATE_SESSION4_FLAG_CONN_BACK_CHAN, res.CsrFlags)
	c.id = res.CsrSessionid
	c.run(nfs4.NfsArgop4{Argop: nfs4.OP_RECLAIM_COMPLETE})
	c.null(c.line4)
	return c
}

// null answers a CB_NULL that has come by l.
func (c *client4) null(l *line4) {
	l.t.Helper()
	xid, procedure, _ := l.asked()
	require.Zero(l.t, procedure)
	l.write(replyOf(xid, nil))
}

// also makes another connection for callbacks.
func (c *client4) also(l *line4) {
	l.t.Helper()
	l.ok(nfs4.NfsArgop4{Argop: nfs4.OP_BIND_CONN_TO_SESSION, OpbindConnToSession: nfs4.BINDCONNTOSESSION4args{
		BctsaSessid: c.id, BctsaDir: nfs4.CDFC4_BACK_OR_BOTH,
	}})
	c.run()
	c.null(l)
}

// sequence is a SEQUENCE.
func (c *client4) sequence() nfs4.NfsArgop4 {
	c.seq++
	return nfs4.NfsArgop4{Argop: nfs4.OP_SEQUENCE, Opsequence: nfs4.SEQUENCE4args{
		SaSessionid: c.id, SaSequenceid: nfs4.Sequenceid4(c.seq),
	}}
}

// run runs a compound in the session.
func (c *client4) run(ops ...nfs4.NfsArgop4) []nfs4.NfsResop4 {
	c.t.Helper()
	return c.ok(append([]nfs4.NfsArgop4{c.sequence()}, ops...)...)[1:]
}

// open makes and opens a file.
func (c *client4) open(dir, name string) (id nfs4.Stateid4, told bool) {
	c.t.Helper()
	open := nfs4.OPEN4args{
		ShareAccess: nfs4.OPEN4_SHARE_ACCESS_BOTH, Owner: nfs4.OpenOwner4{Owner: []byte("o")},
		Openhow: nfs4.Openflag4{Opentype: nfs4.OPEN4_CREATE}, Claim: nfs4.OpenClaim4{File: nfs4.Component4(name)},
	}
	res := c.run(walk4(dir, nfs4.NfsArgop4{Argop: nfs4.OP_OPEN, Opopen: open},
		nfs4.NfsArgop4{Argop: nfs4.OP_GETFH})...)
	n := len(res)
	c.fh = append([]byte(nil), res[n-1].Opgetfh.Resok4.Object...)
	r := &res[n-2].Opopen.Resok4
	return r.Stateid, r.Rflags&nfs4.OPEN4_RESULT_MAY_NOTIFY_LOCK != 0
}

// waits has b wait for what a has locked, unlocks it, and returns b's open.
func waits(a, b *client4, dir string) (open nfs4.Stateid4) {
	a.t.Helper()
	x, _ := a.open(dir, "f")
	y, _ := b.open(dir, "f")
	held, _ := a.lock(x, "la")
	_, st := b.lock(y, "lb")
	require.Equal(a.t, nfs4.NFS4ERR_DENIED, st)
	a.unlock(held)
	return y
}

// lock asks for a lock of the whole file, and waits for it.
func (c *client4) lock(open nfs4.Stateid4, owner string) (nfs4.Stateid4, nfs4.Nfsstat4) {
	c.t.Helper()
	res := c.do(c.sequence(), nfs4.NfsArgop4{Argop: nfs4.OP_PUTFH, Opputfh: nfs4.PUTFH4args{Object: c.fh}},
		nfs4.NfsArgop4{Argop: nfs4.OP_LOCK, Oplock: nfs4.LOCK4args{
			Locktype: nfs4.WRITEW_LT, Length: 1<<64 - 1,
			Locker: nfs4.Locker4{NewLockOwner: true, OpenOwner: nfs4.OpenToLockOwner4{
				OpenStateid: open, LockOwner: nfs4.LockOwner4{Owner: []byte(owner)},
			}},
		}})
	require.Len(c.t, res.Resarray, 3)
	return res.Resarray[2].Oplock.Resok4.LockStateid, res.Status
}

func (c *client4) unlock(id nfs4.Stateid4) {
	c.t.Helper()
	c.run(nfs4.NfsArgop4{Argop: nfs4.OP_PUTFH, Opputfh: nfs4.PUTFH4args{Object: c.fh}},
		nfs4.NfsArgop4{Argop: nfs4.OP_LOCKU, Oplocku: nfs4.LOCKU4args{
			Locktype: nfs4.WRITE_LT, LockStateid: id, Length: 1<<64 - 1,
		}})
}

func asks(s *testServer) (made, answered uint64) {
	for _, l := range s.Stats() {
		made += l.Asked
		answered += l.Answered
	}
	return made, answered
}

// A lock that becomes free is told by the connection that the client has opened.
func TestALockIsHandedOverByACallback(t *testing.T) {
	s, dir := serve4(t)
	a, b := s.client4(t, "a"), s.client4(t, "b")
	x, _ := a.open(dir, "f")
	y, told := b.open(dir, "f")
	require.True(t, told)
	held, st := a.lock(x, "la")
	require.Equal(t, nfs4.NFS4_OK, st)
	_, st = b.lock(y, "lb")
	require.Equal(t, nfs4.NFS4ERR_DENIED, st)
	a.unlock(held)
	xid, procedure, ops := b.asked()
	require.EqualValues(t, nfs4.CB_COMPOUND, procedure)
	require.Len(t, ops, 2)
	require.Equal(t, b.fh, []byte(ops[1].OpcbnotifyLock.CnlaFh))
	require.Equal(t, "lb", string(ops[1].OpcbnotifyLock.CnlaLockOwner.Owner))
	b.write(ran(xid, ops))
	_, st = b.lock(y, "lb")
	require.Equal(t, nfs4.NFS4_OK, st)
	made, answered := asks(s)
	require.Equal(t, [2]uint64{3, 3}, [2]uint64{made, answered})
}

// The connection that a callback has gone by ends, or is ended for what the client sends there: the
// callback comes by the other one.
func TestACallbackSurvivesItsConnection(t *testing.T) {
	for name, end := range map[string]func(l *line4, xid uint32){
		"closed":       func(l *line4, _ uint32) { _ = l.Close() },
		"another XID":  func(l *line4, xid uint32) { l.write(replyOf(xid+1, nil)) },
		"no message":   func(l *line4, _ uint32) { l.write([]byte{1, 2, 3}) },
		"nonsense":     func(l *line4, _ uint32) { _, _ = l.Write([]byte("HTTP/1.1 200 OK\r\n\r\n")) },
		"half a reply": func(l *line4, xid uint32) { _, _ = l.Write([]byte{0x80, 0, 0, 24, 1}); _ = l.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			s, dir := serve4(t)
			a, b := s.client4(t, "a"), s.client4(t, "b")
			second := s.line4(t)
			b.also(second)
			y := waits(a, b, dir)
			xid, _, first := b.asked()
			end(b.line4, xid)
			xid, _, again := second.asked()
			require.Equal(t, first, again, "a retry")
			second.write(ran(xid, again))
			b.line4 = second
			_, st := b.lock(y, "lb")
			require.Equal(t, nfs4.NFS4_OK, st)
		})
	}
}

// Who answers twice loses the connection, and nothing that it holds.
func TestAnAnswerThatComesTwiceEndsTheConnection(t *testing.T) {
	s, dir := serve4(t)
	a, b := s.client4(t, "a"), s.client4(t, "b")
	y := waits(a, b, dir)
	xid, _, ops := b.asked()
	b.write(ran(xid, ops))
	b.write(ran(xid, ops))
	_, err := b.read()
	require.Error(t, err)
	b.line4 = s.line4(t)
	_, st := b.lock(y, "lb")
	require.Equal(t, nfs4.NFS4_OK, st)
	res := b.ok(b.sequence())
	require.EqualValues(t, 0x201, res[0].Opsequence.SrResok4.SrStatusFlags, "it cannot be called back")
}
