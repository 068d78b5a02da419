package v4

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// compoundOf returns the arguments of a COMPOUND.
func (r *rig) compoundOf(tag string, ops ...nfs4.NfsArgop4) []byte {
	r.t.Helper()
	args := nfs4.COMPOUND4args{Tag: nfs4.Utf8strCs(tag), Minorversion: r.minor, Argarray: ops}
	return encoded(r.t, args.Encode)
}

// results decodes the results in a whole reply.
func results(t testing.TB, reply []byte) *nfs4.COMPOUND4res {
	t.Helper()
	require.Zero(t, binary.BigEndian.Uint32(reply[20:]), "accepted")
	var d xdr.Decoder
	d.Reset(reply[replyHeader:])
	res := new(nfs4.COMPOUND4res)
	res.Decode(&d)
	require.NoError(t, d.Err())
	require.Zero(t, d.Left(), "bytes behind the results")
	return res
}

// agreed is a session's requests and replies as they were agreed on.
type agreed struct{ requestMax, replyMax, keptMax, ops, slots nfs4.Count4 }

// sessionAs makes a client with a session of these limits. It has nothing to reclaim.
func (r *rig) sessionAs(owner string, a agreed) *session {
	r.t.Helper()
	r.minor = 1
	id := r.ok(exchange(owner, 0))[0].OpexchangeId.EirResok4
	channel := nfs4.ChannelAttrs4{
		CaMaxrequestsize: a.requestMax, CaMaxresponsesize: a.replyMax, CaMaxresponsesizeCached: a.keptMax,
		CaMaxoperations: a.ops, CaMaxrequests: a.slots,
	}
	res := r.ok(nfs4.NfsArgop4{Argop: nfs4.OP_CREATE_SESSION, OpcreateSession: nfs4.CREATESESSION4args{
		CsaClientid: id.EirClientid, CsaSequence: id.EirSequenceid, CsaForeChanAttrs: channel,
	}})
	s := &session{r: r, id: res[0].OpcreateSession.CsrResok4.CsrSessionid, highest: uint32(a.slots) - 1}
	r.ok(s.sequence(), nfs4.NfsArgop4{Argop: nfs4.OP_RECLAIM_COMPLETE})
	return s
}

// used says whether the slot was taken: SEQUENCE has gone well.
func used(reply []byte) bool {
	be := binary.BigEndian
	if be.Uint32(reply[20:]) != 0 {
		return false
	}
	tag := (be.Uint32(reply[28:]) + 3) &^ 3
	body := reply[32+tag:]
	return be.Uint32(body) > 0 && be.Uint32(body[4:]) == uint32(nfs4.OP_SEQUENCE) && be.Uint32(body[8:]) == 0
}

func openOp(owner, name string, access, deny uint32, how nfs4.Opentype4) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_OPEN, Opopen: nfs4.OPEN4args{
		ShareAccess: access, ShareDeny: deny, Owner: nfs4.OpenOwner4{Owner: []byte(owner)},
		Openhow: nfs4.Openflag4{Opentype: how}, Claim: nfs4.OpenClaim4{File: nfs4.Component4(name)},
	}}
}

func closeOp(id nfs4.Stateid4) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_CLOSE, Opclose: nfs4.CLOSE4args{OpenStateid: id}}
}

// lockOp is the first LOCK of a lock owner with an open.
func lockOp(open nfs4.Stateid4, owner string, kind nfs4.NfsLockType4, off, n uint64) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_LOCK, Oplock: nfs4.LOCK4args{
		Locktype: kind, Offset: nfs4.Offset4(off), Length: nfs4.Length4(n),
		Locker: nfs4.Locker4{NewLockOwner: true, OpenOwner: nfs4.OpenToLockOwner4{
			OpenStateid: open, LockOwner: nfs4.LockOwner4{Owner: []byte(owner)},
		}},
	}}
}

func lockuOp(id nfs4.Stateid4, off, n uint64) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_LOCKU, Oplocku: nfs4.LOCKU4args{Locktype: nfs4.WRITE_LT,
		LockStateid: id, Offset: nfs4.Offset4(off), Length: nfs4.Length4(n)}}
}

func locktOp(owner string, kind nfs4.NfsLockType4, off, n uint64) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_LOCKT, Oplockt: nfs4.LOCKT4args{Locktype: kind,
		Offset: nfs4.Offset4(off), Length: nfs4.Length4(n), Owner: nfs4.LockOwner4{Owner: []byte(owner)}}}
}

// opens returns the stateid that the last operation of a compound has opened.
func opens(res []nfs4.NfsResop4) nfs4.Stateid4 { return res[len(res)-1].Opopen.Resok4.Stateid }

// A LOCK that is denied tells of an owner of 1,024 bytes. Whatever the reply cache holds: either
// the denial and its retransmission are the same, or the LOCK was refused before it did anything.
func TestALockIsDeniedWithinAnyReplyCache(t *testing.T) {
	r, file := one(t, export.Options{Squash: export.SquashNone})
	file("f", "content")
	holder := r.session("holder")
	r.ok(holder.sequence(), nfs4.NfsArgop4{Argop: nfs4.OP_RECLAIM_COMPLETE})
	longest := strings.Repeat("o", 1024)
	res := r.ok(in(holder.sequence(), append(walk("x"), openOp("o", "f", 3, 0, nfs4.OPEN4_NOCREATE),
		nfs4.NfsArgop4{Argop: nfs4.OP_SAVEFH})...)...)
	open := opens(res[:len(res)-1])
	r.ok(in(holder.sequence(), append(walk("x", "f"), lockOp(open, longest, nfs4.WRITE_LT, 0, 10))...)...)

	// LOCK's own result has 1,052 bytes at most, and what comes before 148.
	const least = 24 + 12 + 4 + 44 + 8*3 + 8 + 1056
	denied, refused := 0, 0
	for keptMax := nfs4.Count4(256); keptMax < 3400; keptMax += 61 {
		s := r.sessionAs(fmt.Sprint("client", keptMax), agreed{1 << 16, 1 << 16, keptMax, 16, 1})
		open := opens(r.ok(in(s.sequence(), append(walk("x"), openOp("o", "f", 3, 0, nfs4.OPEN4_NOCREATE))...)...))
		s.keep = true
		args := r.compoundOf("tag", in(s.sequence(),
			append(walk("x", "f"), lockOp(open, "another", nfs4.WRITE_LT, 0, 10))...)...)
		first := bytes.Clone(r.run(r.record(args)))
		switch st := results(t, first).Status; st {
		case nfs4.NFS4ERR_DENIED:
			denied++
			got := results(t, first).Resarray
			require.Equal(t, longest, string(got[len(got)-1].Oplock.Denied.Owner.Owner))
			require.Equal(t, first[4:], r.run(r.record(args))[4:], "the retransmission's reply")
		case nfs4.NFS4ERR_REP_TOO_BIG_TO_CACHE:
			refused++
			require.Less(t, int(keptMax), least)
			require.Equal(t, first[4:], r.run(r.record(args))[4:], "the refusal is kept itself")
		default:
			t.Fatalf("%v with a cache of %d bytes", st, keptMax)
		}
	}
	require.Greater(t, denied, 10)
	require.Greater(t, refused, 10)
}

// No reply is larger than what was agreed on, and no kept one is larger than its slot: not even
// that of a compound in which one operation was too many.
func TestEveryReplyIsWithinWhatWasAgreed(t *testing.T) {
	r, file := one(t, export.Options{Squash: export.SquashNone})
	file("f", strings.Repeat("x", 5000))
	many := walk("x", "f")
	for i := range 20 { // results of many sizes, with one in between that fails with a body
		many = append(many, getattr(0, 1, 3), getattr(33), getfh(), getattr(nfs4.FATTR4_OWNER))
		if i%5 == 4 {
			many = append(many, nfs4.NfsArgop4{Argop: nfs4.OP_SAVEFH})
		}
	}
	set := nfs4.NfsArgop4{Argop: nfs4.OP_SETATTR, Opsetattr: nfs4.SETATTR4args{}}
	read := nfs4.NfsArgop4{Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Count: 5000}}
	for _, tt := range []struct {
		name string
		ops  []nfs4.NfsArgop4
	}{
		{"attributes", many}, {"a READ before others", append(walk("x", "f"), read, getfh(), read)},
		{"SETATTR, whose failure has a body", append(append(walk("x", "f"), read), set, set, set)},
	} {
		for _, keep := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, " ", keep), func(t *testing.T) {
				tooBig := 0
				for most := nfs4.Count4(256); most < 1200; most += 4 {
					a := agreed{1 << 16, most, most, 120, 1}
					if keep {
						a.replyMax = 1 << 16
					}
					s := r.sessionAs(fmt.Sprint(tt.name, keep, most), a)
					s.keep = keep
					args := r.compoundOf("", in(s.sequence(), tt.ops...)...)
					first := bytes.Clone(r.run(r.record(args)))
					require.LessOrEqual(t, len(first), int(a.replyMax), "the whole reply")
					st := results(t, first).Status
					if keep {
						require.Equal(t, first[4:], r.run(r.record(args))[4:], "of %d bytes", most)
						if st != nfs4.NFS4_OK {
							require.Equal(t, nfs4.NFS4ERR_REP_TOO_BIG_TO_CACHE, st)
						}
					} else if st != nfs4.NFS4_OK {
						require.Equal(t, nfs4.NFS4ERR_REP_TOO_BIG, st)
					}
					if st != nfs4.NFS4_OK {
						tooBig++
					}
				}
				require.Positive(t, tooBig)
			})
		}
	}
}

// The tag is sent back: a reply that has no room for it is refused by SEQUENCE, before the slot is
// taken.
func TestATagThatTheReplyHasNoRoomForIsRefused(t *testing.T) {
	r := two(t)
	s := r.sessionAs("me", agreed{1 << 16, 512, 300, 16, 1})
	for _, tt := range []struct {
		tag  int
		keep bool
		want nfs4.Nfsstat4
	}{ // 24 and 12 and 44 bytes, and 12 for PUTROOTFH
		{420, false, nfs4.NFS4_OK}, {421, false, nfs4.NFS4ERR_REP_TOO_BIG},
		{208, true, nfs4.NFS4_OK}, {209, true, nfs4.NFS4ERR_REP_TOO_BIG_TO_CACHE},
		{1024, true, nfs4.NFS4ERR_REP_TOO_BIG},
	} {
		s.keep = tt.keep
		reply := r.run(r.record(r.compoundOf(strings.Repeat("t", tt.tag), s.sequence(), putroot())))
		require.Equal(t, tt.want, results(t, reply).Status, "a tag of %d bytes", tt.tag)
		require.Equal(t, tt.want == nfs4.NFS4_OK, used(reply))
		if !used(reply) {
			s.seq[0]--
		}
	}
	r.ok(s.sequence(), putroot())
}

// A request is counted with the header of its call.
func TestARequestLargerThanAgreedIsRefused(t *testing.T) {
	r, file := one(t, export.Options{Squash: export.SquashNone})
	file("f", "")
	s := r.sessionAs("me", agreed{1000, 4096, 4096, 16, 1})
	sized := func(n int) []byte {
		write := nfs4.NfsArgop4{Argop: nfs4.OP_WRITE, Opwrite: nfs4.WRITE4args{Data: []byte{}}}
		record := r.record(r.compoundOf("", in(s.sequence(), append(walk("x", "f"), write)...)...))
		write.Opwrite.Data = make([]byte, n-len(record))
		return r.record(r.compoundOf("", in(s.again(), append(walk("x", "f"), write)...)...))
	}
	for n, want := range map[int]nfs4.Nfsstat4{
		996: nfs4.NFS4_OK, 1000: nfs4.NFS4_OK, 1004: nfs4.NFS4ERR_REQ_TOO_BIG, 100_000: nfs4.NFS4ERR_REQ_TOO_BIG,
	} {
		record := sized(n)
		require.Len(t, record, n)
		reply := r.run(record)
		require.Equal(t, want, results(t, reply).Status, "%d bytes", n)
		if !used(reply) {
			s.seq[0]--
		}
	}
	r.ok(s.sequence(), putroot())
}

// Numbers of slots and of requests that were never given out change nothing.
func TestSlotsAndSeqidsOutOfRangeChangeNothing(t *testing.T) {
	r := two(t)
	s := r.sessionAs("me", agreed{1 << 16, 1 << 16, 1 << 12, 16, 4})
	bad := func(st nfs4.Nfsstat4, change func(*nfs4.SEQUENCE4args)) {
		t.Helper()
		op := s.again()
		op.Opsequence.SaSequenceid++
		change(&op.Opsequence)
		res := r.do(op, putroot())
		require.Equal(t, st, res.Status)
		require.Len(t, res.Resarray, 1)
	}
	for range 3 {
		for _, slot := range []nfs4.Slotid4{4, 5, 7, 8, 63, 64, 1 << 31, math.MaxUint32} {
			bad(nfs4.NFS4ERR_BADSLOT, func(a *nfs4.SEQUENCE4args) { a.SaSlotid = slot })
			bad(nfs4.NFS4ERR_BAD_HIGH_SLOT, func(a *nfs4.SEQUENCE4args) { a.SaHighestSlotid = slot })
		}
		for _, d := range []uint32{1, 2, 1 << 31, math.MaxUint32 - 1, math.MaxUint32 - 2} {
			bad(nfs4.NFS4ERR_SEQ_MISORDERED, func(a *nfs4.SEQUENCE4args) { a.SaSequenceid += nfs4.Sequenceid4(d) })
		}
		bad(nfs4.NFS4ERR_BADSESSION, func(a *nfs4.SEQUENCE4args) { a.SaSessionid[15] ^= 1 })
		bad(nfs4.NFS4ERR_BADSESSION, func(a *nfs4.SEQUENCE4args) { a.SaSessionid[4] ^= 0x80 })
		r.ok(s.sequence(), putroot())
	}
	require.Zero(t, r.cfg.State.Counts().SlotsBusy)
}

// Whatever of 256 operations a compound of minor version 0 asks for, its reply stays within what
// the transport has memory for.
func TestManyReadsInACompoundStayWithinOneReply(t *testing.T) {
	r, file := one(t, export.Options{Squash: export.SquashNone})
	file("f", strings.Repeat("x", 3<<20))
	for _, op := range []nfs4.NfsArgop4{
		{Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Count: 1 << 20}},
		getattr(0, 1, 3, 4, 8, 20, 33, 35, 36, 37, 45, 47, 52, 53),
	} {
		ops := walk("x", "f")
		for len(ops) < operationsMax {
			ops = append(ops, op)
		}
		r.minor = 0
		reply := r.run(r.record(r.compoundOf("tag", ops...)))
		require.LessOrEqual(t, len(reply), 1<<20+8<<10)
		res := results(t, reply)
		if op.Argop == nfs4.OP_READ {
			require.Equal(t, nfs4.NFS4ERR_RESOURCE, res.Status)
			require.Len(t, res.Resarray[3].Opread.Resok4.Data, 1<<20, "the first one is whole")
		}
	}
}

// 10,000 operations, or 4,294,967,295: nothing of them has run.
func TestACompoundOfTooManyOperationsRunsNothing(t *testing.T) {
	r, file := one(t, export.Options{Squash: export.SquashNone})
	file("f", "content")
	s := r.sessionAs("me", agreed{1 << 20, 1 << 16, 1 << 12, 16, 1})
	remove := nfs4.NfsArgop4{Argop: nfs4.OP_REMOVE, Opremove: nfs4.REMOVE4args{Target: nfs4.Component4("f")}}
	for _, n := range []uint32{17, 256, 257, 10_000, math.MaxUint32} {
		args := r.compoundOf("", in(s.sequence(), append(walk("x"), remove)...)...)
		binary.BigEndian.PutUint32(args[8:], n)
		for range min(n, 10_000) - 4 {
			args = binary.BigEndian.AppendUint32(args, uint32(nfs4.OP_PUTROOTFH))
		}
		reply := r.run(r.record(args))
		require.Equal(t, nfs4.NFS4ERR_TOO_MANY_OPS, results(t, reply).Status, "%d operations", n)
		require.False(t, used(reply))
		s.seq[0]--
	}
	r.ok(in(s.sequence(), walk("x", "f")...)...)
}

// linux is compounds as Linux sends them, without SEQUENCE, on an export /x with the files f and g
// and the directory d. Open is an open of f.
func linux(open nfs4.Stateid4) map[string][]nfs4.NfsArgop4 {
	mask := getattr(1, 3, 4, 8, 20, 33, 35, 36, 37, 41, 45, 47, 52, 53, 55)
	access := nfs4.NfsArgop4{Argop: nfs4.OP_ACCESS, Opaccess: nfs4.ACCESS4args{Access: 0x3f}}
	at := func(ops ...nfs4.NfsArgop4) []nfs4.NfsArgop4 { return append(walk("x", "f"), ops...) }
	dir := func(ops ...nfs4.NfsArgop4) []nfs4.NfsArgop4 { return append(walk("x"), ops...) }
	restore := nfs4.NfsArgop4{Argop: nfs4.OP_RESTOREFH}
	return map[string][]nfs4.NfsArgop4{
		"getattr": at(mask), "lookup": dir(lookup("f"), getfh(), mask), "access": at(access, mask),
		"lookupp": append(walk("x", "d"), lookupp(), getfh(), mask),
		"open":    dir(openOp("another", "f", 3, 0, nfs4.OPEN4_NOCREATE), getfh(), access, mask),
		"create":  dir(openOp("another", "new", 3, 0, nfs4.OPEN4_CREATE), getfh(), access, mask),
		"read": at(nfs4.NfsArgop4{Argop: nfs4.OP_READ,
			Opread: nfs4.READ4args{Stateid: open, Count: 4096}}),
		"write": at(nfs4.NfsArgop4{Argop: nfs4.OP_WRITE,
			Opwrite: nfs4.WRITE4args{Stateid: open, Data: []byte("some data")}}, mask),
		"commit":    at(nfs4.NfsArgop4{Argop: nfs4.OP_COMMIT}),
		"lock":      at(lockOp(open, "locker", nfs4.WRITE_LT, 3, 4)),
		"lockt":     at(locktOp("tester", nfs4.READ_LT, 0, math.MaxUint64)),
		"close":     at(mask, closeOp(open)),
		"downgrade": at(nfs4.NfsArgop4{Argop: nfs4.OP_OPEN_DOWNGRADE, OpopenDowngrade: nfs4.OPENDOWNGRADE4args{OpenStateid: open, ShareAccess: 3}}),
		"setattr":   at(nfs4.NfsArgop4{Argop: nfs4.OP_SETATTR, Opsetattr: nfs4.SETATTR4args{Stateid: open}}, mask),
		"mkdir":     dir(mkdir("made"), getfh(), mask),
		"remove":    dir(nfs4.NfsArgop4{Argop: nfs4.OP_REMOVE, Opremove: nfs4.REMOVE4args{Target: nfs4.Component4("g")}}),
		"rename": dir(savefh(), putroot(), lookup("x"), nfs4.NfsArgop4{Argop: nfs4.OP_RENAME,
			Oprename: nfs4.RENAME4args{Oldname: nfs4.Component4("g"), Newname: nfs4.Component4("h")}}),
		"link": at(savefh(), putroot(), lookup("x"), nfs4.NfsArgop4{Argop: nfs4.OP_LINK,
			Oplink: nfs4.LINK4args{Newname: nfs4.Component4("l")}}, restore, mask),
		"readdir": dir(nfs4.NfsArgop4{Argop: nfs4.OP_READDIR, Opreaddir: nfs4.READDIR4args{
			Dircount: 1000, Maxcount: 4000, AttrRequest: bitsOf(1, 3, 11, 20, 33, 55)}}),
		"test": {{Argop: nfs4.OP_TEST_STATEID, OptestStateid: nfs4.TESTSTATEID4args{
			TsStateids: []nfs4.Stateid4{open, open}}}},
		"free":     {{Argop: nfs4.OP_FREE_STATEID, OpfreeStateid: nfs4.FREESTATEID4args{FsaStateid: open}}},
		"secinfo":  dir(nfs4.NfsArgop4{Argop: nfs4.OP_SECINFO, Opsecinfo: nfs4.SECINFO4args{Name: nfs4.Component4("f")}}),
		"exchange": {exchange("me", 0)},
		"xattr":    at(setxattr("a", "value", 0), getxattr("a"), listxattrs(0, 100), removexattr("a")),
		"clone":    at(savefh(), putroot(), lookup("x"), lookup("g"), cloneOp(open, anonymous, 0, 0, 0), mask),
		"allocate": at(allocateOp(open, 0, 100), deallocateOp(open, 0, 10), seekOp(open, 0, 0)),
	}
}

// Each compound is cut at each byte. The slot is taken or it is not, as SEQUENCE's result says;
// what was cut is answered again like the first time; and the next request on the slot works.
func TestACutCompoundAnswersTheSameAgainAndLeavesItsSlot(t *testing.T) {
	for name := range linux(nfs4.Stateid4{}) {
		t.Run(name, func(t *testing.T) {
			d := newData(t, nil)
			d.file("f", "content")
			d.file("g", "content")
			d.ok(append(walk("x"), mkdir("d"))...)
			d.keep = true
			open := d.open("x", "f", 3)
			whole := d.r.compoundOf("", in(d.sequence(), linux(open)[name]...)...)
			d.seq[0]--
			for n := 0; n < len(whole); n += 1 + n/64 {
				ops := in(d.sequence(), linux(open)[name]...)
				cut := d.r.compoundOf("", ops...)[:n:n]
				first := bytes.Clone(d.r.run(d.r.record(cut)))
				if !used(first) {
					d.seq[0]--
				} else {
					require.NotEqual(t, nfs4.NFS4_OK, results(t, first).Status, "cut at %d", n)
					again := d.r.run(d.r.record(cut))
					require.Equal(t, first[4:], again[4:], "the retransmission, cut at %d", n)
				}
				require.Zero(t, d.r.cfg.State.Counts().SlotsBusy, "cut at %d", n)
				d.ok(walk("x")...)
			}
		})
	}
}

// A stateid belongs to the client that it was given to, for every operation that takes one.
func TestStateidsOfOthersAreBad(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "content")
	open := d.open("x", "f", 3)
	res := d.ok(append(walk("x", "f"), lockOp(open, "l", nfs4.READ_LT, 0, 3))...)
	lock := res[len(res)-1].Oplock.Resok4.LockStateid
	thief := d.r.sessionAs("thief", agreed{1 << 16, 1 << 16, 1 << 12, 16, 1})
	d.r.minor = 2
	before := d.r.cfg.Files.Counts()
	at := func(ops ...nfs4.NfsArgop4) []nfs4.NfsArgop4 { return append(walk("x", "f"), ops...) }
	for _, id := range []nfs4.Stateid4{open, lock, {Other: open.Other}, {Other: lock.Other}} {
		for name, ops := range map[string][]nfs4.NfsArgop4{
			"READ":  at(nfs4.NfsArgop4{Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Stateid: id, Count: 1}}),
			"WRITE": at(nfs4.NfsArgop4{Argop: nfs4.OP_WRITE, Opwrite: nfs4.WRITE4args{Stateid: id, Data: []byte("x")}}),
			"SETATTR": at(nfs4.NfsArgop4{Argop: nfs4.OP_SETATTR, Opsetattr: nfs4.SETATTR4args{Stateid: id,
				ObjAttributes: fattr(t, []int{nfs4.FATTR4_SIZE}, func(e *xdr.Encoder) { e.Uint64(0) })}}),
			"CLOSE": at(closeOp(id)),
			"OPEN_DOWNGRADE": at(nfs4.NfsArgop4{Argop: nfs4.OP_OPEN_DOWNGRADE,
				OpopenDowngrade: nfs4.OPENDOWNGRADE4args{OpenStateid: id, ShareAccess: 3}}),
			"LOCK": at(lockOp(id, "l", nfs4.READ_LT, 0, 3)),
			"LOCK again": at(nfs4.NfsArgop4{Argop: nfs4.OP_LOCK, Oplock: nfs4.LOCK4args{Locktype: nfs4.READ_LT,
				Length: 1, Locker: nfs4.Locker4{LockOwner: nfs4.ExistLockOwner4{LockStateid: id}}}}),
			"LOCKU": at(lockuOp(id, 0, 3)), "SEEK": at(seekOp(id, 0, 0)), "ALLOCATE": at(allocateOp(id, 0, 1)),
			"DEALLOCATE": at(deallocateOp(id, 0, 1)), "READ_PLUS": at(readPlusOp(id, 0, 1)),
			"FREE_STATEID": {{Argop: nfs4.OP_FREE_STATEID, OpfreeStateid: nfs4.FREESTATEID4args{FsaStateid: id}}},
			"DELEGRETURN":  at(nfs4.NfsArgop4{Argop: nfs4.OP_DELEGRETURN, Opdelegreturn: nfs4.DELEGRETURN4args{DelegStateid: id}}),
			"CLONE":        at(savefh(), cloneOp(id, id, 0, 0, 0)), "COPY": at(savefh(), copyOp(id, id, 0, 0, 0)),
		} {
			res := d.r.do(in(thief.sequence(), ops...)...)
			require.Equal(t, nfs4.NFS4ERR_BAD_STATEID.String(), res.Status.String(), name)
			require.Len(t, res.Resarray, len(ops)+1, name)
		}
		res := d.r.ok(thief.sequence(), nfs4.NfsArgop4{Argop: nfs4.OP_TEST_STATEID,
			OptestStateid: nfs4.TESTSTATEID4args{TsStateids: []nfs4.Stateid4{id}}})
		require.Equal(t, []nfs4.Nfsstat4{nfs4.NFS4ERR_BAD_STATEID}, res[1].OptestStateid.TsrResok4.TsrStatusCodes)
	}
	require.Equal(t, before, d.r.cfg.Files.Counts())
	require.Equal(t, "content", d.content("x", "f"))
	d.ok(append(walk("x", "f"), lockuOp(lock, 0, 3), closeOp(open))...)
}

// A bit of a stateid more or less is another stateid, and none: they cannot be guessed.
func TestAForgedStateidIsNone(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "content")
	open := d.open("x", "f", 3)
	for bit := range 96 {
		forged := open
		forged.Other[bit/8] ^= 1 << (bit % 8)
		for _, seq := range []uint32{open.Seqid, 0} {
			forged.Seqid = seq
			d.fails(nfs4.NFS4ERR_BAD_STATEID, append(walk("x", "f"), nfs4.NfsArgop4{Argop: nfs4.OP_READ,
				Opread: nfs4.READ4args{Stateid: forged, Count: 1}})...)
			d.fails(nfs4.NFS4ERR_BAD_STATEID, append(walk("x", "f"), closeOp(forged))...)
		}
	}
	d.ok(append(walk("x", "f"), closeOp(open))...)
}

// A retransmission needs more memory than what its reply is first tried with, comes by another
// connection, or comes from somebody else under the same number.
func TestARetransmissionIsAnsweredWhereverItComesBy(t *testing.T) {
	r, file := one(t, export.Options{Squash: export.SquashNone})
	file("f", "content")
	r.conn = 1
	s := r.sessionAs("me", agreed{1 << 16, 1 << 16, 1 << 12, 64, 4})
	s.keep = true
	ops := append(walk("x"), mkdir("d"), getfh())
	for range 20 {
		ops = append(ops, getattr(0, 1, 3, 4, 8, 20, 33, 35, 36, 37))
	}
	args := r.compoundOf("tag", in(s.sequence(), ops...)...)
	first := bytes.Clone(r.run(r.record(args)))
	require.Equal(t, nfs4.NFS4_OK, results(t, first).Status)
	require.Greater(t, len(first), rpc.ReplyMemoryMin)
	for conn := range uint64(3) {
		for _, place := range []int{0, 1} {
			r.conn, r.place = conn+1, place
			require.Equal(t, first[4:], r.run(r.record(args))[4:])
			require.Positive(t, r.grows, "it does not fit in the first buffer")
		}
	}
	r.place = 0
	for _, uid := range []uint32{1, 1000} {
		r.uid = uid
		reply := r.run(r.record(args))
		require.Equal(t, nfs4.NFS4ERR_SEQ_FALSE_RETRY, results(t, reply).Status, "user %d", uid)
	}
	r.uid = 0
	other := append(walk("x"), mkdir("e"), getfh())
	for range 20 {
		other = append(other, getattr(0, 1, 3, 4, 8, 20, 33, 35, 36, 37))
	}
	reply := r.run(r.record(r.compoundOf("tag", in(s.again(), other...)...)))
	require.Equal(t, nfs4.NFS4ERR_SEQ_FALSE_RETRY, results(t, reply).Status)
	res := r.do(in(s.sequence(), walk("x", "e")...)...)
	require.Equal(t, nfs4.NFS4ERR_NOENT, res.Status)
}

// A clock that is set back takes nobody's state, and one that jumps ahead and comes back takes it
// only if somebody else needs it meanwhile.
func TestAClockThatIsSetBackEndsNoLease(t *testing.T) {
	fl := newFlooded(t)
	for _, at := range []uint32{1000, 10, 500, 0, 40_000, 39_000, 5, 100} {
		*fl.now = at
		fl.cfg.State.Sweep()
		fl.cfg.Files.Sweep()
		fl.survives()
		for range 3 {
			*fl.now += 40
			fl.cfg.State.Sweep()
			fl.cfg.Files.Sweep()
			fl.comeBack()
		}
		fl.survives()
	}
	fl.fresh()
}
