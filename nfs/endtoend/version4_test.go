package endtoend

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
)

// serve4 serves a fresh directory by all versions.
func serve4(t testing.TB, change ...func(*nfs.Config)) (s *testServer, dir string) {
	t.Helper()
	noLeaks(t)
	dir = exportDir(t)
	cfg := config(t, dir)
	cfg.Versions = nfs.NFSv3 | nfs.NFSv40 | nfs.NFSv41 | nfs.NFSv42
	for _, f := range change {
		f(&cfg)
	}
	return start(t, cfg), dir
}

// session4 is a session of minor version 2, or a client of minor version 0 if it has no slots.
type session4 struct {
	t  testing.TB
	id nfs4.Sessionid4
	// agreed is what the server gives for requests.
	agreed nfs4.ChannelAttrs4
	seq    [64]nfs4.Sequenceid4 // by slot, of the last request
	keep   bool
}

// compound4 returns the arguments of a COMPOUND.
func compound4(t testing.TB, minor uint32, ops ...nfs4.NfsArgop4) []byte {
	t.Helper()
	return nfstest.Bytes(t, &nfs4.COMPOUND4args{Minorversion: minor, Argarray: ops})
}

// send4 sends a COMPOUND as it is.
func send4(c *nfstest.Client, args []byte) *nfstest.Pending {
	return c.StartRaw(nfs4.NFS4_PROGRAM, nfs4.NFS_V4, uint32(nfs4.NFSPROC4_COMPOUND), args)
}

// call4 runs a COMPOUND.
func call4(t testing.TB, c *nfstest.Client, minor uint32, ops ...nfs4.NfsArgop4) *nfs4.COMPOUND4res {
	t.Helper()
	res := new(nfs4.COMPOUND4res)
	send4(c, compound4(t, minor, ops...)).Into(res)
	return res
}

// fine4 is call4 for a COMPOUND that is to go well.
func fine4(t testing.TB, c *nfstest.Client, minor uint32, ops ...nfs4.NfsArgop4) []nfs4.NfsResop4 {
	t.Helper()
	res := call4(t, c, minor, ops...)
	require.Equal(t, nfs4.NFS4_OK.String(), res.Status.String(), "operation %d", len(res.Resarray))
	return res.Resarray
}

// newSession4 makes a client with a session of up to so many slots and so long replies.
func newSession4(t testing.TB, c *nfstest.Client, owner string, slots, replyMax nfs4.Count4) *session4 {
	t.Helper()
	got := fine4(t, c, 2, nfs4.NfsArgop4{Argop: nfs4.OP_EXCHANGE_ID, OpexchangeId: nfs4.EXCHANGEID4args{
		EiaClientowner: nfs4.ClientOwner4{CoOwnerid: []byte(owner)}}})[0].OpexchangeId.EirResok4
	channel := nfs4.ChannelAttrs4{CaMaxrequestsize: 1 << 21, CaMaxresponsesize: replyMax,
		CaMaxresponsesizeCached: 4096, CaMaxoperations: 16, CaMaxrequests: slots}
	res := fine4(t, c, 2, nfs4.NfsArgop4{Argop: nfs4.OP_CREATE_SESSION, OpcreateSession: nfs4.CREATESESSION4args{
		CsaClientid: got.EirClientid, CsaSequence: got.EirSequenceid, CsaForeChanAttrs: channel,
	}})[0].OpcreateSession.CsrResok4
	s := &session4{t: t, id: res.CsrSessionid, agreed: res.CsrForeChanAttrs}
	fine4(t, c, 2, s.next(0), nfs4.NfsArgop4{Argop: nfs4.OP_RECLAIM_COMPLETE})
	return s
}

// again is the SEQUENCE of the last request on a slot.
func (s *session4) again(slot int) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_SEQUENCE, Opsequence: nfs4.SEQUENCE4args{
		SaSessionid: s.id, SaSequenceid: s.seq[slot], SaSlotid: nfs4.Slotid4(slot),
		SaHighestSlotid: nfs4.Slotid4(s.agreed.CaMaxrequests) - 1, SaCachethis: s.keep,
	}}
}

// next is the SEQUENCE of the next request.
func (s *session4) next(slot int) nfs4.NfsArgop4 {
	s.seq[slot]++
	return s.again(slot)
}

// walk4 is PUTROOTFH and LOOKUPs to an export's directory, and operations there.
func walk4(dir string, ops ...nfs4.NfsArgop4) []nfs4.NfsArgop4 {
	way := []nfs4.NfsArgop4{{Argop: nfs4.OP_PUTROOTFH}}
	for name := range splitPath(dir) {
		way = append(way, lookup4(name))
	}
	return append(way, ops...)
}

func lookup4(name string) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_LOOKUP, Oplookup: nfs4.LOOKUP4args{Objname: nfs4.Component4(name)}}
}

// then returns operations behind a first one.
func then(first nfs4.NfsArgop4, ops ...nfs4.NfsArgop4) []nfs4.NfsArgop4 {
	return append([]nfs4.NfsArgop4{first}, ops...)
}

func mkdir4(name string) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_CREATE, Opcreate: nfs4.CREATE4args{
		Objtype: nfs4.Createtype4{Type: nfs4.NF4DIR}, Objname: nfs4.Component4(name)}}
}

// handle4 looks up what dir and name lead to, as an operation that goes there.
func handle4(t testing.TB, c *nfstest.Client, s *session4, dir string, names ...string) nfs4.NfsArgop4 {
	t.Helper()
	var ops []nfs4.NfsArgop4
	for _, n := range names {
		ops = append(ops, lookup4(n))
	}
	res := fine4(t, c, 2, then(s.next(0), walk4(dir, append(ops, nfs4.NfsArgop4{Argop: nfs4.OP_GETFH})...)...)...)
	return nfs4.NfsArgop4{Argop: nfs4.OP_PUTFH,
		Opputfh: nfs4.PUTFH4args{Object: append(nfs4.NfsFh4(nil), res[len(res)-1].Opgetfh.Resok4.Object...)}}
}
