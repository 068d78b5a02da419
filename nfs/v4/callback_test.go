package v4

import (
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/state"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

func TestALockThatIsFreeIsTold(t *testing.T) {
	for _, minor := range []uint32{1, 2} {
		x := newWaiting(t, minor, 16, 11)
		x.handOver()
		q := x.w.next()
		require.EqualValues(t, 11, q.conn)
		require.Equal(t, [2]uint32{5, 6}, [2]uint32{q.call.Auth.UID, q.call.Auth.GID})
		require.Equal(t, []uint32{7}, q.call.Auth.Groups())
		require.Equal(t, minor, q.args.Minorversion, "the session's")
		require.Len(t, q.args.Argarray, 2)
		seq := q.args.Argarray[0].Opcbsequence
		require.Equal(t, nfs4.CBSEQUENCE4args{CsaSessionid: x.b.id, CsaSequenceid: 1}, seq)
		tell := q.args.Argarray[1]
		require.Equal(t, nfs4.OP_CB_NOTIFY_LOCK, tell.Argop)
		require.Equal(t, x.wait.fh, []byte(tell.OpcbnotifyLock.CnlaFh), "the handle that the client knows")
		require.Equal(t, "locks b", string(tell.OpcbnotifyLock.CnlaLockOwner.Owner))
		q.results(nfs4.NFS4_OK, nfs4.NFS4_OK)
		lock := x.wait.lock(nfs4.WRITEW_LT, 0, toEnd)
		x.wait.unlock(lock, 0, toEnd)
		x.takeBack()
		x.handOver()
		q = x.w.next()
		require.Equal(t, [2]uint32{0, 2}, q.slot())
		q.results(nfs4.NFS4_OK, nfs4.NFS4ERR_BADHANDLE) // an answer as well
		x.atRest()
		require.Equal(t, CallbackCounts{Made: 2, Answered: 2, Probes: 1}, x.cfg.Callbacks.Counts())
	}
}

// The rule: OPEN says that a lock will be told of if the client has answered a callback.
func TestOpenSaysWhetherLocksAreTold(t *testing.T) {
	w := &wire{t: t, refused: make(map[uint64]error)}
	cfg := remembers(new(uint32))
	cfg.Ask = w.ask
	r := newRig(t, cfg, export.Export{Path: "/x", FS: memfs.New(memfs.Config{Mode: 0o777})})
	makeFile(t, r, "f", "content")
	b := &opener{r.backSession("b", 1, 4, 11), "b", []string{"x"}}
	r.ok(b.sequence(), nfs4.NfsArgop4{Argop: nfs4.OP_RECLAIM_COMPLETE})
	flag := func() uint32 {
		claim := nfs4.OpenClaim4{Claim: nfs4.CLAIM_NULL, File: nfs4.Component4("f")}
		res := r.ok(in(b.sequence(), append(walk("x"), b.args(claim))...)...)
		return res[len(res)-1].Opopen.Resok4.Rflags & nfs4.OPEN4_RESULT_MAY_NOTIFY_LOCK
	}
	require.Zero(t, flag(), "the client has not answered CB_NULL")
	w.next().null()
	require.NotZero(t, flag())
	cfg.State.Disconnect(11)
	r.conn = 12
	require.Zero(t, flag())
	require.EqualValues(t, 0x201, b.status())
	b.bind(13)
	require.Zero(t, flag())
	require.Zero(t, b.status())
	q := w.next()
	require.EqualValues(t, 13, q.conn)
	q.answer(1, 1, 5) // AUTH_ERROR
	require.Zero(t, b.status(), "a client that refuses callbacks would only bind again")
	require.Zero(t, flag())
	require.Empty(t, w.asks, "it is not asked again")
	_, st := cfg.State.SessionByID(state.SessionID(b.id)).CallBack()
	require.Equal(t, state.CBPathDown, st, "nor called back")
	cfg.State.Disconnect(13)
	b.bind(16)
	w.refused[16] = rpc.ErrNoRoom
	require.Zero(t, flag())
	require.Zero(t, b.status(), "the connection may be a good one")
	cfg.State.Disconnect(16)
	r.conn = 12
	b.bind(14)
	w.refused[14] = rpc.ErrGone
	require.Zero(t, flag())
	require.Empty(t, w.asks)
	b.bind(15)
	b.status()
	w.next().fail(rpc.ErrSilent)
	require.EqualValues(t, 0x201, b.status())
	b.bind(15)
	b.status()
	w.next().null()
	require.NotZero(t, flag())
	require.Zero(t, b.status())
}

// A callback that fails, wherever, takes nothing away: its slot can be used, the client hears that
// it cannot be called, and who asks again gets the lock.
func TestACallbackThatFailsLosesNothing(t *testing.T) {
	garbage := func(words ...any) func(*question) { return func(q *question) { q.answer(words...) } }
	refuse := func(st nfs4.Nfsstat4) func(*question) { return func(q *question) { q.results(st, 0) } }
	for _, c := range []struct {
		name  string
		fail  func(*question)
		flags uint32
		asks  bool // the slot is asked about before it is used again
	}{
		{"gone", func(q *question) { q.fail(rpc.ErrGone) }, 0x201, true},
		{"silent", func(q *question) { q.fail(rpc.ErrSilent) }, 0x201, true},
		{"no memory", func(q *question) { q.fail(rpc.ErrNoRoom) }, 0, false},
		{"denied", garbage(1, 1, 5), 0, false},
		{"no program", garbage(0, 0, 0, 1), 0, false},
		{"empty", garbage(), 0, false},
		{"no results", garbage(0, 0, 0, 0, 0, 0, 0), 0x400, true},
		{"too many results", garbage(0, 0, 0, 0, 0, 0, 1000), 0x400, true},
		{"three results", func(q *question) { q.also(nfs4.OP_CB_NOTIFY_LOCK, nfs4.OP_CB_NOTIFY_LOCK) }, 0x400, true},
		{"another operation", garbage(0, 0, 0, 0, 0, 0, 1, 13, 0), 0x400, true},
		{"another session", garbage(0, 0, 0, 0, 0, 0, 1, 11, 0, 1, 2, 3, 4, 1, 0, 15, 15), 0x400, true},
		{"another number", func(q *question) {
			q.args.Argarray[0].Opcbsequence.CsaSequenceid++
			q.results(nfs4.NFS4_OK, nfs4.NFS4_OK)
		}, 0x400, true},
		{"another slot", func(q *question) {
			q.args.Argarray[0].Opcbsequence.CsaSlotid++
			q.results(nfs4.NFS4_OK, nfs4.NFS4_OK)
		}, 0x400, true},
		{"bad session", refuse(nfs4.NFS4ERR_BADSESSION), 0x400, true},
		{"bad slot", refuse(nfs4.NFS4ERR_BADSLOT), 0x400, true},
		{"misordered", refuse(nfs4.NFS4ERR_SEQ_MISORDERED), 0x400, true},
		{"a retry that is none", refuse(nfs4.NFS4ERR_RETRY_UNCACHED_REP), 0x400, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newWaiting(t, 1, 1, 11)
			x.handOver()
			c.fail(x.w.next())
			x.atRest()
			require.Equal(t, CallbackCounts{Made: 1, Failed: 1, Probes: 1}, x.cfg.Callbacks.Counts())
			require.Equal(t, c.flags, x.b.status())
			b, st := x.cfg.State.SessionByID(state.SessionID(x.b.id)).CallBack()
			if c.name == "no memory" {
				require.Equal(t, state.OK, st)
				b.End(false)
			} else {
				require.Equal(t, state.CBPathDown, st, "not by this connection, as it is")
			}
			x.wait.unlock(x.wait.lock(nfs4.WRITEW_LT, 0, toEnd), 0, toEnd)
			x.takeBack()
			x.b.bind(12)
			require.Zero(t, x.b.status())
			for len(x.w.asks) > 0 {
				x.w.next().null()
			}
			x.handOver()
			q := x.w.next()
			if c.asks {
				require.Len(t, q.args.Argarray, 1, "CB_SEQUENCE alone")
				require.Equal(t, [2]uint32{0, 1}, q.slot())
				q.results(nfs4.NFS4_OK, 0)
				q = x.w.next()
				require.Equal(t, [2]uint32{0, 2}, q.slot())
			} else {
				require.Equal(t, [2]uint32{0, 1}, q.slot())
			}
			require.Len(t, q.args.Argarray, 2)
			q.results(nfs4.NFS4_OK, nfs4.NFS4_OK)
			x.atRest()
		})
	}
}

// A client that has seen a callback, and answers another one, has used up the number.
func TestTheResultOfAnotherCallbackIsNone(t *testing.T) {
	for _, ops := range [][]nfs4.NfsCbOpnum4{{nfs4.OP_CB_RECALL_SLOT}, nil} {
		x := newWaiting(t, 1, 1, 11)
		x.handOver()
		x.w.next().also(ops...)
		x.atRest()
		require.Equal(t, CallbackCounts{Made: 1, Failed: 1, Probes: 1}, x.cfg.Callbacks.Counts())
		require.Zero(t, x.b.status())
		x.wait.unlock(x.wait.lock(nfs4.WRITEW_LT, 0, toEnd), 0, toEnd)
		x.takeBack()
		x.handOver()
		q := x.w.next()
		require.Equal(t, [2]uint32{0, 2}, q.slot())
		q.results(nfs4.NFS4_OK, nfs4.NFS4_OK)
		x.atRest()
	}
}

// Two connections are dead, in one way or the other; the third one works.
func TestACallbackFindsTheConnectionThatWorks(t *testing.T) {
	for _, refused := range []bool{true, false} {
		x := newWaiting(t, 1, 1, 11, 12, 13)
		if refused {
			x.w.refused[11], x.w.refused[12] = rpc.ErrGone, rpc.ErrNoRoom
		}
		x.handOver()
		if !refused {
			first := x.w.next()
			first.fail(rpc.ErrGone)
			second := x.w.next()
			require.EqualValues(t, 12, second.conn)
			require.Equal(t, first.ask.Record, second.ask.Record, "a retry is the same")
			second.fail(rpc.ErrSilent)
		}
		q := x.w.next()
		require.EqualValues(t, 13, q.conn)
		require.Equal(t, [2]uint32{0, 1}, q.slot())
		if refused {
			q.results(nfs4.NFS4_OK, nfs4.NFS4_OK)
		} else {
			q.results(nfs4.NFS4ERR_RETRY_UNCACHED_REP, 0) // the first one had arrived
		}
		x.atRest()
		require.EqualValues(t, 1, x.cfg.Callbacks.Counts().Answered)
		var back []uint64
		for _, b := range x.cfg.State.SessionByID(state.SessionID(x.b.id)).Bindings() {
			if b.Dir&state.Back != 0 {
				back = append(back, b.Conn)
			}
		}
		if refused {
			require.Equal(t, []uint64{12, 13}, back, "what had no room may have some later")
		} else {
			require.Equal(t, []uint64{13}, back)
		}
		require.Zero(t, x.b.status())
	}
}

func TestACallbackThatComesTooEarlyComesAgain(t *testing.T) {
	x := newWaiting(t, 1, 1, 11)
	x.handOver()
	for i := range 8 {
		x.w.next().results(nfs4.NFS4ERR_DELAY, 0)
		require.Empty(t, x.w.asks, "not at once")
		require.Equal(t, 1, x.cfg.Callbacks.Counts().Waiting, "%d", i)
		x.cfg.Callbacks.Tick()
	}
	q := x.w.next()
	require.Equal(t, [2]uint32{0, 1}, q.slot())
	q.results(nfs4.NFS4ERR_DELAY, 0)
	x.atRest()
	require.EqualValues(t, 1, x.cfg.Callbacks.Counts().Failed)
	require.Zero(t, x.b.status())
	x.wait.lock(nfs4.WRITEW_LT, 0, toEnd)
}

// More callbacks than slots wait for each other, at most 64 of a client.
func TestCallbacksWaitForASlot(t *testing.T) {
	for many, failed := range map[int]int{3: 0, 64: 0, 65: 0, 66: 1} {
		x := newWaiting(t, 1, 1, 11)
		var ends []string
		for i := range many {
			x.cfg.Callbacks.call(&callback{
				client: x.clientOf(x.b), op: nfs4.OP_CB_RECALL_SLOT,
				args: func(e *xdr.Encoder) { e.Uint32(uint32(i)) },
				done: func(st nfs4.Nfsstat4, err error) { ends = append(ends, fmt.Sprint(i, st, err)) },
			})
		}
		require.Len(t, ends, failed)
		for i := range many - failed {
			require.Len(t, x.w.asks, 1, "there is one slot")
			q := x.w.next()
			require.EqualValues(t, i, q.args.Argarray[1].OpcbrecallSlot.RsaTargetHighestSlotid)
			require.Equal(t, [2]uint32{0, uint32(i) + 1}, q.slot())
			q.results(nfs4.NFS4_OK, nfs4.NFS4ERR_INVAL)
			require.Equal(t, fmt.Sprint(i, nfs4.NFS4ERR_INVAL, nil), ends[failed+i])
		}
		x.atRest()
		require.EqualValues(t, failed, x.cfg.Callbacks.Counts().Failed)
	}
}

// At most 4,096 of all clients wait.
func TestCallbacksOfAllClientsThatWaitAreBounded(t *testing.T) {
	x := newWaiting(t, 1, 1, 11)
	var ends []error
	call := func() {
		x.cfg.Callbacks.call(&callback{
			client: x.clientOf(x.b), op: nfs4.OP_CB_RECALL_SLOT,
			args: func(e *xdr.Encoder) { e.Uint32(1) },
			done: func(_ nfs4.Nfsstat4, err error) { ends = append(ends, err) },
		})
	}
	call()
	const others = 4095
	x.cfg.Callbacks.queued += others
	call()
	require.Empty(t, ends)
	call()
	require.Equal(t, []error{errCrowded}, ends)
	x.w.next().results(nfs4.NFS4_OK, nfs4.NFS4_OK)
	call()
	x.cfg.Callbacks.queued -= others
	for range 2 {
		x.w.next().results(nfs4.NFS4_OK, nfs4.NFS4_OK)
	}
	require.Equal(t, []error{errCrowded, nil, nil, nil}, ends)
	x.atRest()
}

// Who waits with callbacks that wait for a slot is told when the connection ends.
func TestCallbacksThatWaitEndWithTheConnection(t *testing.T) {
	x := newWaiting(t, 1, 1, 11)
	var ends []error
	for range 5 {
		x.cfg.Callbacks.call(&callback{
			client: x.clientOf(x.b), op: nfs4.OP_CB_RECALL_SLOT,
			args: func(e *xdr.Encoder) { e.Uint32(1) },
			done: func(_ nfs4.Nfsstat4, err error) { ends = append(ends, err) },
		})
	}
	require.Equal(t, 4, x.cfg.Callbacks.Counts().Waiting)
	x.cfg.State.Disconnect(11)
	x.w.next().fail(rpc.ErrGone)
	x.atRest()
	require.Len(t, ends, 5)
	require.ErrorIs(t, ends[0], rpc.ErrGone)
	for _, err := range ends[1:] {
		require.True(t, errors.Is(err, errNoPath))
	}
}

func (x *waiting) clientOf(o *opener) state.ClientID {
	s := x.cfg.State.SessionByID(state.SessionID(o.id))
	require.NotNil(x.t, s)
	return s.Client().ID()
}

// A callback that is larger than the client takes is not sent.
func TestLimitsOfTheBackChannelHold(t *testing.T) {
	x := newWaiting(t, 1, 1, 11)
	send := func(n int) (err error) {
		x.cfg.Callbacks.call(&callback{
			client: x.clientOf(x.b), op: nfs4.OP_CB_NOTIFY_LOCK,
			args: func(e *xdr.Encoder) { e.Opaque([]byte("f")); e.Uint64(1); e.Opaque(make([]byte, n)) },
			done: func(_ nfs4.Nfsstat4, failed error) { err = failed },
		})
		return err
	}
	require.NoError(t, send(0))
	q := x.w.next()
	rest := 1100 - len(q.ask.Record)
	q.results(nfs4.NFS4_OK, nfs4.NFS4_OK)
	require.NoError(t, send(rest))
	q = x.w.next()
	require.Len(t, q.ask.Record, 1100)
	q.results(nfs4.NFS4_OK, nfs4.NFS4_OK)
	require.ErrorIs(t, send(rest+1), errTooLarge)
	require.ErrorIs(t, send(rest+9000), errTooLarge)
	x.atRest()
}

// A client of minor version 0 is not called, and gets the lock when it asks again.
func TestClientsThatCannotBeCalledAskAgain(t *testing.T) {
	x := newWaiting(t, 1, 1, 11)
	x.cfg.State.Disconnect(11)
	x.handOver()
	require.Empty(t, x.w.asks)
	x.atRest()
	x.wait.lock(nfs4.WRITEW_LT, 0, toEnd)
}

// When memory is short, clients are asked to use fewer slots.
func TestSlotsAreCalledBackWhenMemoryIsShort(t *testing.T) {
	w := &wire{t: t, refused: make(map[uint64]error)}
	cfg := remembers(new(uint32))
	cfg.State = state.New(state.Config{
		Now: func() uint32 { return 0 }, Random: rand.Reader, MemoryMax: 40 << 10, KeptMax: 512,
		Confirmed: func(id state.ClientID, minor uint8) { cfg.Files.AddClient(uint64(id), minor) },
	})
	cfg.Ask = w.ask
	r := newRig(t, cfg, export.Export{Path: "/x", FS: memfs.New(memfs.Config{Mode: 0o777})})
	var all []*session
	for i, slots := range []uint32{64, 6, 6, 6, 6, 6, 6, 6, 6} {
		s := r.backSession(fmt.Sprint("c", i), 1, 4, 11)
		r.ok(s.sequence())
		w.next().null()
		s.keep = true
		all = append(all, s)
		for s.slot = range slots {
			seq := s.sequence()
			seq.Opsequence.SaHighestSlotid = 63
			if st := r.do(in(seq, walk("x")...)...).Status; st != nfs4.NFS4_OK {
				require.Equal(t, nfs4.NFS4ERR_DELAY, st)
				break
			}
		}
		if i == 0 {
			cfg.Callbacks.Tick()
			require.Empty(t, w.asks, "memory is not short")
		}
	}
	cfg.Callbacks.Tick()
	q := w.next()
	require.Equal(t, nfs4.OP_CB_RECALL_SLOT, q.args.Argarray[1].Argop)
	require.Equal(t, all[0].id, q.args.Argarray[0].Opcbsequence.CsaSessionid)
	require.EqualValues(t, 7, q.args.Argarray[1].OpcbrecallSlot.RsaTargetHighestSlotid)
	q.results(nfs4.NFS4_OK, nfs4.NFS4_OK)
	cfg.Callbacks.Tick()
	require.Empty(t, w.asks, "once, and of nobody who has few")
	before := cfg.State.Counts().Bytes
	s := all[0]
	s.slot, s.keep = 0, false
	seq := s.sequence()
	seq.Opsequence.SaHighestSlotid = 7
	r.ok(seq)
	require.Less(t, cfg.State.Counts().Bytes, before)
}
