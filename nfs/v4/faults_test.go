package v4

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// This file has tests of faults that other servers had and that no other test here would find:
// docs/design/0041 lists all of them.

// Each operation of an owner of 4.0 that comes again gets the bytes of its first result, flags
// included, whatever has become of the state since; and each but those that do not count uses up
// its number.
func TestEachOperationOfAnOwnerOf40IsAnsweredAgain(t *testing.T) {
	r, file := one(t, export.Options{Squash: export.SquashNone})
	file("f", "content")
	id := r.client0("me")
	other := r.client0("other")
	theirs := r.open40(other, "o", "f", 1)
	taken := lockOp(theirs, "their lock", nfs4.WRITE_LT, 100, 10)
	taken.Oplock.Locker.OpenOwner.OpenSeqid = 3
	taken.Oplock.Locker.OpenOwner.LockOwner.Clientid = nfs4.Clientid4(other)
	r.ok(append(walk("x", "f"), taken)...)

	// twice sends an operation two times, and returns its result.
	twice := func(want nfs4.Nfsstat4, at []nfs4.NfsArgop4, op nfs4.NfsArgop4) *nfs4.NfsResop4 {
		t.Helper()
		args := r.compoundOf("", append(at, op, getfh())...)
		first := bytes.Clone(r.run(r.record(args)))
		for range 2 {
			require.Equal(t, first[4:], r.run(r.record(args))[4:], "%v again", op.Argop)
		}
		res := results(t, first)
		require.Equal(t, want.String(), res.Status.String(), op.Argop)
		return &res.Resarray[len(at)]
	}
	dir, at := walk("x"), walk("x", "f")
	op := openOp("owner", "f", 3, 0, nfs4.OPEN4_NOCREATE)
	op.Opopen.Owner.Clientid = nfs4.Clientid4(id)
	seq := nfs4.Seqid4(7)
	open := func(flags uint32) nfs4.Stateid4 {
		t.Helper()
		op.Opopen.Seqid = seq
		seq++
		got := twice(nfs4.NFS4_OK, dir, op).Opopen.Resok4
		require.EqualValues(t, flags, got.Rflags)
		return got.Stateid
	}
	const confirm = nfs4.OPEN4_RESULT_CONFIRM | nfs4.OPEN4_RESULT_LOCKTYPE_POSIX
	state := open(confirm)
	state = twice(nfs4.NFS4_OK, at, nfs4.NfsArgop4{Argop: nfs4.OP_OPEN_CONFIRM,
		OpopenConfirm: nfs4.OPENCONFIRM4args{OpenStateid: state, Seqid: seq}}).OpopenConfirm.Resok4.OpenStateid
	seq++
	first := func(want nfs4.Nfsstat4, owner string, off, n uint64) *nfs4.NfsResop4 {
		t.Helper()
		op := lockOp(state, owner, nfs4.WRITE_LT, off, n)
		op.Oplock.Locker.OpenOwner.OpenSeqid = seq
		op.Oplock.Locker.OpenOwner.LockOwner.Clientid = nfs4.Clientid4(id)
		seq++
		return twice(want, at, op)
	}
	first(nfs4.NFS4ERR_DENIED, "locker", 100, 1)
	first(nfs4.NFS4ERR_INVAL, "locker", 5, 0)
	lock := first(nfs4.NFS4_OK, "locker", 0, 10).Oplock.Resok4.LockStateid
	for i, n := range []nfs4.Length4{5, 0, 7} { // one that is invalid in between
		want := []nfs4.Nfsstat4{nfs4.NFS4_OK, nfs4.NFS4ERR_INVAL, nfs4.NFS4_OK}[i]
		res := twice(want, at, nfs4.NfsArgop4{Argop: nfs4.OP_LOCK, Oplock: nfs4.LOCK4args{
			Locktype: nfs4.WRITE_LT, Length: n, Locker: nfs4.Locker4{LockOwner: nfs4.ExistLockOwner4{
				LockStateid: lock, LockSeqid: nfs4.Seqid4(i + 1)}}}})
		if want == nfs4.NFS4_OK {
			lock = res.Oplock.Resok4.LockStateid
		}
	}
	unlock := lockuOp(lock, 0, 10)
	unlock.Oplocku.Seqid = 4
	twice(nfs4.NFS4_OK, at, unlock)
	down := nfs4.NfsArgop4{Argop: nfs4.OP_OPEN_DOWNGRADE,
		OpopenDowngrade: nfs4.OPENDOWNGRADE4args{OpenStateid: state, Seqid: seq, ShareAccess: 3}}
	state = twice(nfs4.NFS4_OK, at, down).OpopenDowngrade.Resok4.OpenStateid
	seq++
	end := closeOp(state)
	end.Opclose.Seqid = seq
	seq++
	twice(nfs4.NFS4_OK, at, end)
	// The owner is known by now: the second OPEN need not be confirmed, and counts on.
	state = open(nfs4.OPEN4_RESULT_LOCKTYPE_POSIX)
	end = closeOp(state)
	end.Opclose.Seqid = seq + 1
	r.fails(nfs4.NFS4ERR_BAD_SEQID, append(at, end)...)
	end.Opclose.Seqid = seq
	twice(nfs4.NFS4_OK, at, end)
}

// Nobody takes a client over by knowing its name, its numbers, or what it confirms with.
func TestAnotherUserDoesNotTakeAClientOver(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "content")
	open := d.open("x", "f", 3)
	r := d.r
	thief := func(st nfs4.Nfsstat4, ops ...nfs4.NfsArgop4) {
		t.Helper()
		r.uid = 1000
		res := r.do(ops...)
		r.uid = 0
		require.Equal(t, st.String(), res.Status.String())
	}
	thief(nfs4.NFS4ERR_CLID_INUSE, exchange("me", 0))
	other := exchange("me", 0)
	other.OpexchangeId.EiaClientowner.CoVerifier[3] = 9
	thief(nfs4.NFS4ERR_CLID_INUSE, other)
	thief(nfs4.NFS4ERR_PERM, exchange("me", nfs4.EXCHGID4_FLAG_UPD_CONFIRMED_REC_A))
	fresh := r.ok(exchange("new", 0))[0].OpexchangeId.EirResok4
	channel := nfs4.ChannelAttrs4{CaMaxrequestsize: 4096, CaMaxresponsesize: 4096, CaMaxoperations: 8, CaMaxrequests: 1}
	thief(nfs4.NFS4ERR_CLID_INUSE, nfs4.NfsArgop4{Argop: nfs4.OP_CREATE_SESSION,
		OpcreateSession: nfs4.CREATESESSION4args{CsaClientid: fresh.EirClientid, CsaSequence: fresh.EirSequenceid,
			CsaForeChanAttrs: channel}})
	d.ok(append(walk("x", "f"), closeOp(open))...)

	r.minor = 0
	id := r.client0("old")
	state := r.open40(id, "o", "f", 1)
	thief(nfs4.NFS4ERR_CLID_INUSE, setclientid("old", "1.2.3.4.5.6"))
	again := setclientid("old", "1.2.3.4.5.6")
	got := r.ok(again)[0].Opsetclientid.Resok4
	confirm := nfs4.NfsArgop4{Argop: nfs4.OP_SETCLIENTID_CONFIRM,
		OpsetclientidConfirm: nfs4.SETCLIENTIDCONFIRM4args(got)}
	thief(nfs4.NFS4ERR_CLID_INUSE, confirm)
	c, _ := r.cfg.State.Client0(stateClient(id))
	require.Equal(t, "127.0.0.1.8.1", c.Callback0().Addr, "what nobody has confirmed does not count")
	r.ok(confirm)
	require.Equal(t, "1.2.3.4.5.6", c.Callback0().Addr)
	end := closeOp(state)
	end.Opclose.Seqid = 3
	r.ok(append(walk("x", "f"), end)...)
}

// From minor version 1 on the client in a lock owner is the session's, whatever the request says.
func TestTheClientInALockOwnerIsTheSessions(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "content")
	open := d.open("x", "f", 3)
	other := d.r.sessionAs("other", agreed{1 << 16, 1 << 16, 1 << 12, 16, 1})
	d.r.minor = 2
	for _, id := range []nfs4.Clientid4{0, 1, 1<<64 - 1} {
		lock := lockOp(open, "l", nfs4.WRITE_LT, 0, 10)
		lock.Oplock.Locker.OpenOwner.LockOwner.Clientid = id
		d.ok(append(walk("x", "f"), lock)...)
		test := locktOp("l", nfs4.WRITE_LT, 0, 10)
		test.Oplockt.Owner.Clientid = id
		d.ok(append(walk("x", "f"), test)...)
		res := d.r.do(in(other.sequence(), append(walk("x", "f"), test)...)...)
		require.Equal(t, nfs4.NFS4ERR_DENIED, res.Status, "the same name of another client")
	}
}

// An unconfirmed OPEN goes with the incarnation that sent it.
func TestAnUnconfirmedOpenEndsWithItsIncarnation(t *testing.T) {
	r, file := one(t, export.Options{Squash: export.SquashNone})
	file("f", "content")
	id := r.client0("me")
	op := openOp("owner", "f", 3, 3, nfs4.OPEN4_NOCREATE)
	op.Opopen.Owner.Clientid = nfs4.Clientid4(id)
	state := opens(r.ok(append(walk("x"), op)...))
	again := setclientid("me", "127.0.0.1.8.1")
	again.Opsetclientid.Client.Verifier[0] = 7
	got := r.ok(again)[0].Opsetclientid.Resok4
	require.Equal(t, 1, r.cfg.Files.Counts().Opens, "until the other one is confirmed")
	r.ok(nfs4.NfsArgop4{Argop: nfs4.OP_SETCLIENTID_CONFIRM,
		OpsetclientidConfirm: nfs4.SETCLIENTIDCONFIRM4args(got)})
	require.Zero(t, r.cfg.Files.Counts().Opens)
	res := r.do(append(walk("x", "f"), nfs4.NfsArgop4{Argop: nfs4.OP_OPEN_CONFIRM,
		OpopenConfirm: nfs4.OPENCONFIRM4args{OpenStateid: state, Seqid: 1}})...)
	require.Contains(t, []nfs4.Nfsstat4{nfs4.NFS4ERR_BAD_STATEID, nfs4.NFS4ERR_EXPIRED}, res.Status)
	op.Opopen.Owner.Clientid = got.Clientid
	r.ok(append(walk("x"), op)...) // nothing is denied any more
}

// In minor version 0 each operation with a stateid renews the lease (RFC 7530, section 9.5).
func TestEachUseOfAStateidRenewsTheLeaseOfItsClient(t *testing.T) {
	now := uint32(100)
	fs := memfs.New(memfs.Config{Mode: 0o777})
	r := newRig(t, remembers(&now), export.Export{Path: "/x", FS: fs, Options: export.Options{Squash: export.SquashNone}})
	file := maker(t, r, fs)
	file("f", "content")
	file("g", "content")
	id := r.client0("me")
	unused := openOp("new", "g", 1, 0, nfs4.OPEN4_NOCREATE)
	unused.Opopen.Owner.Clientid = nfs4.Clientid4(id)
	unconfirmed := opens(r.ok(append(walk("x"), unused)...))
	open := r.open40(id, "o", "f", 1)
	lock := lockOp(open, "l", nfs4.WRITE_LT, 0, 10)
	lock.Oplock.Locker.OpenOwner.OpenSeqid, lock.Oplock.Locker.OpenOwner.LockOwner.Clientid = 3, nfs4.Clientid4(id)
	res := r.ok(append(walk("x", "f"), lock)...)
	locks := res[len(res)-1].Oplock.Resok4.LockStateid

	more := lockOp(locks, "", nfs4.WRITE_LT, 20, 1)
	more.Oplock.Locker = nfs4.Locker4{LockOwner: nfs4.ExistLockOwner4{LockStateid: locks, LockSeqid: 1}}
	locks.Seqid++
	unlock := lockuOp(locks, 0, 1)
	unlock.Oplocku.Seqid = 2
	end := closeOp(open)
	end.Opclose.OpenStateid.Seqid, end.Opclose.Seqid = open.Seqid+1, 5
	wrong := end
	wrong.Opclose.Seqid = 9
	read := nfs4.NfsArgop4{Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Stateid: open, Count: 3}}
	for _, use := range []struct {
		name string
		op   nfs4.NfsArgop4
		want nfs4.Nfsstat4
	}{
		{"g", nfs4.NfsArgop4{Argop: nfs4.OP_OPEN_CONFIRM, OpopenConfirm: nfs4.OPENCONFIRM4args{
			OpenStateid: unconfirmed, Seqid: 1}}, nfs4.NFS4_OK},
		{"f", more, nfs4.NFS4_OK},
		{"f", unlock, nfs4.NFS4_OK},
		{"f", unlock, nfs4.NFS4_OK}, // again
		{"f", read, nfs4.NFS4_OK},
		{"f", writeOp(open, 0, "x"), nfs4.NFS4_OK},
		{"f", nfs4.NfsArgop4{Argop: nfs4.OP_OPEN_DOWNGRADE, OpopenDowngrade: nfs4.OPENDOWNGRADE4args{
			OpenStateid: open, Seqid: 4, ShareAccess: 3}}, nfs4.NFS4_OK},
		{"f", wrong, nfs4.NFS4ERR_BAD_SEQID},
		{"f", end, nfs4.NFS4_OK},
		{"f", end, nfs4.NFS4_OK}, // again
	} {
		now += 46
		require.True(t, r.cfg.State.Courteous(stateClient(id)))
		got := r.do(append(walk("x", use.name), use.op)...)
		require.Equal(t, use.want.String(), got.Status.String(), use.op.Argop)
		require.False(t, r.cfg.State.Courteous(stateClient(id)), "%v renews", use.op.Argop)
	}
}

// The current stateid follows the operations that return one, and is none after CLOSE and when the
// file handle has changed.
func TestTheCurrentStateidIsWhatTheLastOperationReturned(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "content")
	d.file("g", "content")
	current := nfs4.Stateid4{Seqid: 1}
	read := nfs4.NfsArgop4{Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Stateid: current, Count: 3}}
	open := openOp("o", "f", 3, 0, nfs4.OPEN4_NOCREATE)
	d.ok(append(walk("x"), open, read, closeOp(current))...)
	d.fails(nfs4.NFS4ERR_BAD_STATEID, append(walk("x"), open, closeOp(current), read)...)
	d.fails(nfs4.NFS4ERR_BAD_STATEID, append(walk("x"), open, closeOp(current), closeOp(current))...)
	d.fails(nfs4.NFS4ERR_BAD_STATEID, append(walk("x", "f"), read)...)
	d.fails(nfs4.NFS4ERR_BAD_STATEID, append(walk("x"), open, putroot(), lookup("x"), lookup("f"), read)...)
	d.ok(append(walk("x"), open, savefh(), putroot(), nfs4.NfsArgop4{Argop: nfs4.OP_RESTOREFH}, read,
		lockOp(current, "l", nfs4.WRITE_LT, 0, 3), lockuOp(current, 0, 3))...)
	d.ok(append(walk("x"), open, closeOp(current))...)
	// A stateid is good for its own file only.
	id := d.open("x", "f", 3)
	read.Opread.Stateid = id
	d.ok(append(walk("x", "f"), read)...)
	d.fails(nfs4.NFS4ERR_BAD_STATEID, append(walk("x", "g"), read)...)
	d.fails(nfs4.NFS4ERR_BAD_STATEID, append(walk("x", "g"), closeOp(id))...)
}

// The special stateids are for data, and for nothing that has an owner.
func TestSpecialStateidsLockAndCloseNothing(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "content")
	bypass := nfs4.Stateid4{Seqid: 1<<32 - 1}
	for i := range bypass.Other {
		bypass.Other[i] = 0xff
	}
	for _, id := range []nfs4.Stateid4{anonymous, bypass} {
		for _, op := range []nfs4.NfsArgop4{
			lockOp(id, "l", nfs4.READ_LT, 0, 1), lockuOp(id, 0, 1), closeOp(id),
			{Argop: nfs4.OP_LOCK, Oplock: nfs4.LOCK4args{Locktype: nfs4.READ_LT, Length: 1,
				Locker: nfs4.Locker4{LockOwner: nfs4.ExistLockOwner4{LockStateid: id}}}},
			{Argop: nfs4.OP_OPEN_DOWNGRADE, OpopenDowngrade: nfs4.OPENDOWNGRADE4args{OpenStateid: id, ShareAccess: 1}},
			{Argop: nfs4.OP_FREE_STATEID, OpfreeStateid: nfs4.FREESTATEID4args{FsaStateid: id}},
		} {
			d.fails(nfs4.NFS4ERR_BAD_STATEID, append(walk("x", "f"), op)...)
		}
	}
	require.Zero(t, d.r.cfg.Files.Counts().Ranges)
}

// The changes of a directory are told in the domain of its change attribute, by each operation that
// makes one, REMOVE included; and each changes it.
func TestChangesOfADirectoryAreToldAsItsChangeAttribute(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "content")
	change := func() uint64 {
		res := d.ok(append(walk("x"), getattr(nfs4.FATTR4_CHANGE))...)
		return binary.BigEndian.Uint64(res[2].Opgetattr.Resok4.ObjAttributes.AttrVals)
	}
	var last uint64
	told := func(what string, got nfs4.ChangeInfo4) {
		t.Helper()
		require.Equal(t, uint64(got.After), change(), what)
		require.NotEqual(t, got.Before, got.After, what)
		if last != 0 {
			require.Equal(t, last, uint64(got.Before), what)
		}
		last = uint64(got.After)
	}
	for i := range 5 {
		dir := fmt.Sprint("d", i)
		res := d.ok(append(walk("x"), mkdir(dir))...)
		told("CREATE", res[2].Opcreate.Resok4.Cinfo)
		res = d.ok(append(walk("x"), openOp("o", fmt.Sprint("n", i), 3, 0, nfs4.OPEN4_CREATE))...)
		told("OPEN", res[2].Opopen.Resok4.Cinfo)
		res = d.ok(append(walk("x", "f"), savefh(), putroot(), lookup("x"), nfs4.NfsArgop4{Argop: nfs4.OP_LINK,
			Oplink: nfs4.LINK4args{Newname: nfs4.Component4(fmt.Sprint("l", i))}})...)
		told("LINK", res[6].Oplink.Resok4.Cinfo)
		res = d.ok(append(walk("x"), savefh(), nfs4.NfsArgop4{Argop: nfs4.OP_RENAME,
			Oprename: nfs4.RENAME4args{Oldname: nfs4.Component4(dir), Newname: nfs4.Component4("m" + dir)}})...)
		told("RENAME", res[3].Oprename.Resok4.SourceCinfo)
		require.Equal(t, res[3].Oprename.Resok4.SourceCinfo, res[3].Oprename.Resok4.TargetCinfo)
		res = d.ok(append(walk("x"), nfs4.NfsArgop4{Argop: nfs4.OP_REMOVE,
			Opremove: nfs4.REMOVE4args{Target: nfs4.Component4("m" + dir)}})...)
		told("REMOVE", res[2].Opremove.Resok4.Cinfo)
	}
}

// holey is a file system in which the attributes of an entry named bad cannot be had.
type holey struct{ vfs.FS }

func (h holey) View(t *vfs.Thread) (vfs.View, error) {
	v, err := h.FS.View(t)
	return holeyView{v}, err
}

type holeyView struct{ vfs.View }

func (v holeyView) ReadDir(
	c *vfs.Cred,
	dir vfs.Handle,
	a *vfs.ReadDirArgs,
	attr *vfs.Attr,
) (uint64, bool, vfs.Status) {
	b := *a
	b.Yield = func(e *vfs.DirEntry) bool {
		if string(e.Name) == "bad" {
			e.HasEntry = false
		}
		return a.Yield(e)
	}
	return v.View.ReadDir(c, dir, &b, attr)
}

// One entry whose attributes cannot be had fails by itself, when the client has asked for
// rdattr_error, and ends the list otherwise.
func TestAnEntryThatFailsIsItsOwnError(t *testing.T) {
	fs := memfs.New(memfs.Config{Mode: 0o777})
	r := newRig(t, remembers(new(uint32)), export.Export{Path: "/x", FS: holey{fs}})
	file := maker(t, r, fs)
	for _, name := range []string{"a", "bad", "c"} {
		file(name, "content")
	}
	list := func(numbers ...int) *nfs4.COMPOUND4res {
		return r.do(append(walk("x"), nfs4.NfsArgop4{Argop: nfs4.OP_READDIR,
			Opreaddir: nfs4.READDIR4args{Maxcount: 4096, AttrRequest: bitsOf(numbers...)}})...)
	}
	res := list(nfs4.FATTR4_SIZE, nfs4.FATTR4_RDATTR_ERROR)
	require.Equal(t, nfs4.NFS4_OK, res.Status)
	entries := res.Resarray[2].Opreaddir.Resok4.Reply.Entries
	require.Len(t, entries, 3)
	for _, x := range entries {
		if string(x.Name) == "bad" {
			require.Equal(t, fattr(t, []int{nfs4.FATTR4_RDATTR_ERROR},
				func(e *xdr.Encoder) { e.Uint32(uint32(nfs4.NFS4ERR_ACCESS)) }), x.Attrs)
		} else {
			require.Len(t, x.Attrs.AttrVals, 12)
		}
	}
	res = list(nfs4.FATTR4_FILEID, nfs4.FATTR4_SIZE)
	if res.Status == nfs4.NFS4_OK { // what comes before it is told
		require.False(t, res.Resarray[2].Opreaddir.Resok4.Reply.Eof)
	} else {
		require.Equal(t, nfs4.NFS4ERR_ACCESS, res.Status)
	}
	require.Equal(t, nfs4.NFS4_OK, list().Status, "names alone")
}

// Attributes are told in the order of their numbers, in a bitmap of three words at most, however
// long the one that asks is, and those that the minor version lacks are left out.
func TestAnswersOfAttributesAreInOrder(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "content")
	ask := nfs4.Bitmap4{}
	for range 30 {
		ask = append(ask, 1<<4|1<<20) // size and fileid, and numbers that are no attributes
	}
	for minor := range uint32(3) {
		d.r.minor = minor
		op := nfs4.NfsArgop4{Argop: nfs4.OP_GETATTR, Opgetattr: nfs4.GETATTR4args{AttrRequest: ask}}
		ops := append(walk("x", "f"), op)
		if minor > 0 {
			ops = in(d.sequence(), ops...)
		}
		res := d.r.ok(ops...)
		got := res[len(res)-1].Opgetattr.Resok4.ObjAttributes
		require.LessOrEqual(t, len(got.Attrmask), 3)
		require.EqualValues(t, 1<<4|1<<20, got.Attrmask[0])
		require.EqualValues(t, 7, binary.BigEndian.Uint64(got.AttrVals), "the size comes first")
	}
}

// A handle of an object that is gone is stale to every operation, and never a name that is not
// there.
func TestAHandleOfWhatIsGoneIsStale(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "content")
	res := d.ok(append(walk("x"), mkdir("d"), getfh())...)
	dir := putfh(bytes.Clone(res[3].Opgetfh.Resok4.Object))
	res = d.ok(append(walk("x", "f"), getfh())...)
	f := putfh(bytes.Clone(res[3].Opgetfh.Resok4.Object))
	for _, name := range []string{"d", "f"} {
		d.ok(append(walk("x"), nfs4.NfsArgop4{Argop: nfs4.OP_REMOVE,
			Opremove: nfs4.REMOVE4args{Target: nfs4.Component4(name)}})...)
	}
	fromHandle := openOp("o", "", 3, 0, nfs4.OPEN4_NOCREATE)
	fromHandle.Opopen.Claim = nfs4.OpenClaim4{Claim: nfs4.CLAIM_FH}
	list := nfs4.NfsArgop4{Argop: nfs4.OP_READDIR, Opreaddir: nfs4.READDIR4args{Maxcount: 4096}}
	for _, op := range []nfs4.NfsArgop4{
		lookup("x"), lookupp(), mkdir("e"), openOp("o", "f", 3, 0, nfs4.OPEN4_NOCREATE),
		openOp("o", "f", 3, 0, nfs4.OPEN4_CREATE), list, getattr(1),
		{Argop: nfs4.OP_REMOVE, Opremove: nfs4.REMOVE4args{Target: nfs4.Component4("f")}},
	} {
		d.fails(nfs4.NFS4ERR_STALE, dir, op)
	}
	for _, op := range []nfs4.NfsArgop4{
		fromHandle, getattr(1), {Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Count: 1}},
		{Argop: nfs4.OP_WRITE, Opwrite: nfs4.WRITE4args{Data: []byte("x")}}, {Argop: nfs4.OP_COMMIT},
		{Argop: nfs4.OP_ACCESS, Opaccess: nfs4.ACCESS4args{Access: 1}},
		seekOp(anonymous, 0, 0), allocateOp(anonymous, 0, 1), getxattr("a"), locktOp("l", nfs4.READ_LT, 0, 1),
	} {
		d.fails(nfs4.NFS4ERR_STALE, f, op)
	}
}

// A flood of COPYs gets no more than a bounded piece each, and leaves nothing behind.
func TestACopyIsBoundedAndLeavesNothingBehind(t *testing.T) {
	d := newData(t, nil)
	d.file("big", strings.Repeat("x", 5<<20))
	d.file("to", "")
	before := heap()
	for range 20 {
		res := d.ok(append(between("x", "big", "y", "to"), copyOp(anonymous, anonymous, 0, 0, 0))...)
		ok := res[len(res)-1].Opcopy.CrResok4
		require.EqualValues(t, 4<<20, ok.CrResponse.WrCount)
		require.True(t, ok.CrRequirements.CrSynchronous, "nothing goes on behind the reply")
	}
	require.Less(t, heap()-before, int64(8<<20))
}

// The list of faults names tests that there are.
func TestTheTestsOfTheListOfFaultsExist(t *testing.T) {
	const root = "../.."
	list, err := os.ReadFile(root + "/docs/design/0041-faults-of-others.md")
	require.NoError(t, err)
	there := make(map[string]bool)
	begin := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	require.NoError(t, filepath.WalkDir(root+"/nfs", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		for _, m := range begin.FindAllSubmatch(b, -1) {
			there[string(m[1])] = true
		}
		return err
	}))
	names := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+`).FindAllString(string(list), -1)
	require.Greater(t, len(names), 100)
	for _, name := range names {
		require.True(t, there[name], "%s is not there", name)
	}
}
