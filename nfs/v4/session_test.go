package v4

import (
	"crypto/rand"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/state"
	"github.com/ringnfs/ringnfs/nfs/state/files"
)

// remembers is a Config with what a rig's server remembers of clients; the test sets the clock.
func remembers(now *uint32) Config {
	return remembersIn(now, func(*state.Config, *files.Config) {})
}

// remembersIn is remembers with what change makes of the two tables' configurations.
func remembersIn(now *uint32, change func(*state.Config, *files.Config)) Config {
	clock := func() uint32 { return *now }
	var held *files.Table
	var clients *state.Table
	c := state.Config{
		Now: clock, Random: rand.Reader,
		Server:    state.Server{Major: []byte("server"), Scope: []byte("server")},
		Confirmed: func(id state.ClientID, minor uint8) { held.AddClient(uint64(id), minor) },
		Lapsed:    func(id state.ClientID) { held.Revoke(uint64(id), files.Expired) },
		Dropped:   func(id state.ClientID) { held.DropClient(uint64(id)) },
	}
	keeper, calls := NewKeeper(), NewCallbacks()
	f := files.Config{
		Notify: calls.Notify,
		Now:    clock, Random: rand.Reader, Closed: keeper.Closed, Mirror: keeper.Mirror(),
		Courteous: func(id uint64) bool { return clients.Courteous(state.ClientID(id)) },
		Expire:    func(id uint64) bool { return clients.ExpireID(state.ClientID(id)) },
		Hold:      func(id uint64, n int) { clients.Hold(state.ClientID(id), n) },
	}
	change(&c, &f)
	clients, held = state.New(c), files.New(f)
	return Config{State: clients, Files: held, Keeper: keeper, Callbacks: calls}
}

// session is a client's session on a rig.
type session struct {
	r    *rig
	id   nfs4.Sessionid4
	seq  [64]uint32
	slot uint32
	keep bool

	highest uint32 // slot that the client uses
}

func exchange(owner string, flags uint32) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_EXCHANGE_ID, OpexchangeId: nfs4.EXCHANGEID4args{
		EiaClientowner: nfs4.ClientOwner4{CoVerifier: nfs4.Verifier4{1}, CoOwnerid: []byte(owner)},
		EiaFlags:       flags,
	}}
}

func (r *rig) session(owner string) *session { return r.sessionOf(owner, 1<<20) }

// sessionOf is session with the longest reply that the client takes.
func (r *rig) sessionOf(owner string, replyMax nfs4.Count4) *session {
	r.t.Helper()
	r.minor = 1
	id := r.ok(exchange(owner, 0))[0].OpexchangeId.EirResok4
	channel := nfs4.ChannelAttrs4{
		CaMaxrequestsize: 1 << 20, CaMaxresponsesize: replyMax, CaMaxresponsesizeCached: 4096,
		CaMaxoperations: 16, CaMaxrequests: 16,
	}
	res := r.ok(nfs4.NfsArgop4{Argop: nfs4.OP_CREATE_SESSION, OpcreateSession: nfs4.CREATESESSION4args{
		CsaClientid: id.EirClientid, CsaSequence: id.EirSequenceid, CsaForeChanAttrs: channel,
		CsaBackChanAttrs: channel,
	}})
	return &session{r: r, id: res[0].OpcreateSession.CsrResok4.CsrSessionid, highest: 15}
}

// sequence is the SEQUENCE of the next request on the slot.
func (s *session) sequence() nfs4.NfsArgop4 {
	s.seq[s.slot]++
	return s.again()
}

// again is the SEQUENCE of the last request.
func (s *session) again() nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_SEQUENCE, Opsequence: nfs4.SEQUENCE4args{
		SaSessionid: s.id, SaSequenceid: nfs4.Sequenceid4(s.seq[s.slot]),
		SaSlotid: nfs4.Slotid4(s.slot), SaHighestSlotid: nfs4.Slotid4(s.highest),
		SaCachethis: s.keep,
	}}
}

func in(first nfs4.NfsArgop4, ops ...nfs4.NfsArgop4) []nfs4.NfsArgop4 {
	return append([]nfs4.NfsArgop4{first}, ops...)
}

func TestASessionIsMadeUsedAndDestroyed(t *testing.T) {
	r := two(t)
	s := r.session("me")
	r.ok(in(s.sequence(), walk("srv", "a")...)...)
	r.ok(in(s.sequence(), nfs4.NfsArgop4{Argop: nfs4.OP_RECLAIM_COMPLETE})...)
	r.fails(nfs4.NFS4ERR_COMPLETE_ALREADY, in(s.sequence(),
		nfs4.NfsArgop4{Argop: nfs4.OP_RECLAIM_COMPLETE})...)
	destroy := nfs4.NfsArgop4{Argop: nfs4.OP_DESTROY_SESSION,
		OpdestroySession: nfs4.DESTROYSESSION4args{DsaSessionid: s.id}}
	res := r.do(s.sequence(), destroy, putroot())
	require.Equal(t, nfs4.NFS4ERR_NOT_ONLY_OP, res.Status,
		"its own is the last thing that a compound may destroy")
	r.ok(s.sequence(), destroy)
	r.fails(nfs4.NFS4ERR_BADSESSION, s.sequence())
}

func TestOperationsComeInTheOrderThatSessionsAskFor(t *testing.T) {
	r := two(t)
	s := r.session("me")
	res := r.do(putroot())
	require.Equal(t, nfs4.NFS4ERR_OP_NOT_IN_SESSION, res.Status)
	r.fails(nfs4.NFS4ERR_SEQUENCE_POS, s.sequence(), s.again())
	res = r.do(exchange("me", 0), putroot())
	require.Equal(t, nfs4.NFS4ERR_NOT_ONLY_OP, res.Status)
	r.ok(s.sequence(), exchange("me", 0))
	bind := nfs4.NfsArgop4{Argop: nfs4.OP_BIND_CONN_TO_SESSION, OpbindConnToSession: nfs4.BINDCONNTOSESSION4args{
		BctsaSessid: s.id, BctsaDir: nfs4.CDFC4_FORE,
	}}
	r.ok(bind)
	r.fails(nfs4.NFS4ERR_NOT_ONLY_OP, s.sequence(), bind)
	bad := s.again()
	bad.Opsequence.SaSlotid = 16
	r.fails(nfs4.NFS4ERR_BADSLOT, bad)
	bad = s.again()
	bad.Opsequence.SaSequenceid += 2
	r.fails(nfs4.NFS4ERR_SEQ_MISORDERED, bad)
	many := []nfs4.NfsArgop4{s.sequence()}
	for range 16 {
		many = append(many, putroot())
	}
	res = r.do(many...)
	require.Equal(t, nfs4.NFS4ERR_TOO_MANY_OPS, res.Status)
	r.ok(in(s.again(), putroot())...) // the slot is as it was
}

func TestARetransmissionGetsTheReplyThatWasKept(t *testing.T) {
	r := two(t)
	s := r.session("me")
	s.keep = true
	at := append(walk("srv", "a"), mkdir("d"), getfh())
	first := r.ok(in(s.sequence(), at...)...)
	clone := first[len(first)-1].Opgetfh.Resok4.Object
	fh := append([]byte(nil), clone...)
	again := r.ok(in(s.again(), at...)...)
	require.Equal(t, fh, []byte(again[len(again)-1].Opgetfh.Resok4.Object), "made once")
	r.fails(nfs4.NFS4ERR_SEQ_FALSE_RETRY, in(s.again(), walk("srv")...)[:1]...)
	r.fails(nfs4.NFS4ERR_EXIST, in(s.sequence(), at[:len(at)-1]...)...)
	s.keep = false
	r.ok(in(s.sequence(), walk("srv")...)...)
	res := r.do(in(s.again(), walk("srv")...)...)
	require.Equal(t, nfs4.NFS4ERR_RETRY_UNCACHED_REP, res.Status)
	require.Len(t, res.Resarray, 2, "SEQUENCE goes well, what follows does not run")
}

// What a session keeps of a reply counts the header of the RPC message, too.
func TestAReplyThatIsToBeKeptIsNoLongerThanWhatTheSessionKeeps(t *testing.T) {
	r, file := one(t, export.Options{})
	file("f", strings.Repeat("x", 10_000))
	s := r.session("me")
	s.keep = true
	read := nfs4.NfsArgop4{Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Count: 10_000}}
	args := nfs4.COMPOUND4args{Minorversion: 1, Argarray: in(s.sequence(), append(walk("x", "f"), read)...)}
	reply := r.run(r.record(encoded(t, args.Encode)))
	require.Zero(t, binary.BigEndian.Uint32(reply[24:]))
	require.Len(t, reply, 3248, "as much as is kept, and not a byte more")
}

// A session is destroyed by a connection of its client only. SEQUENCE makes one such.
func TestAStrangersConnectionDestroysNoSession(t *testing.T) {
	r := two(t)
	r.conn = 1
	s := r.session("me")
	destroy := nfs4.NfsArgop4{Argop: nfs4.OP_DESTROY_SESSION,
		OpdestroySession: nfs4.DESTROYSESSION4args{DsaSessionid: s.id}}
	r.conn = 2
	r.fails(nfs4.NFS4ERR_CONN_NOT_BOUND_TO_SESSION, destroy)
	r.ok(s.sequence())
	r.ok(destroy)
	r.conn = 3
	s = r.session("me")
	r.conn = 4
	bind := nfs4.NfsArgop4{Argop: nfs4.OP_BIND_CONN_TO_SESSION, OpbindConnToSession: nfs4.BINDCONNTOSESSION4args{
		BctsaSessid: s.id, BctsaDir: nfs4.CDFC4_FORE,
	}}
	r.ok(bind)
	destroy.OpdestroySession.DsaSessionid = s.id
	r.ok(destroy)
}

// All calls of one epoch of a lane had arrived when the first one asked for the time.
func TestALaneAsksForTheTimeOfLeasesOnceInAnEpoch(t *testing.T) {
	now, asked := uint32(100), 0
	r := newRig(t, remembersIn(&now, func(c *state.Config, _ *files.Config) {
		clock := c.Now
		c.Now = func() uint32 { asked++; return clock() }
	}))
	s := r.session("me")
	ask := func(epoch uint64) int {
		r.places[0].Thread.Epoch = epoch
		before := asked
		r.ok(s.sequence())
		return asked - before
	}
	require.Equal(t, 1, ask(0), "a thread without epochs asks for each")
	require.Equal(t, 1, ask(0))
	require.Equal(t, 1, ask(1))
	require.Equal(t, 0, ask(1))
	now++
	require.Equal(t, 1, ask(2))
	require.Equal(t, 0, ask(2))
	r.place = 1
	require.Equal(t, 1, ask(2), "a worker has no epoch")
	require.Equal(t, 1, ask(2))
}
