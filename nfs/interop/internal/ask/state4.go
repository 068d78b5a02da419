package main

import (
	"fmt"
	"strings"

	"github.com/ringnfs/ringnfs/nfs/client4"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

func ask4Opens(t *talker) {
	t.file("file", "some content")
	t.must(create("directory", nfs4.NF4DIR))
	t.must(create("link", nfs4.NF4LNK))
	t.must(create("fifo", nfs4.NF4FIFO))
	ask := func(what string, o op) {
		x := t.note("OPEN", what)
		res, st, _ := t.do(o, client4.GetFH())
		x.set("status", st)
		if st == nfs4.NFS4_OK {
			got := &res[0].Opopen.Resok4
			x.set("seqid", got.Stateid.Seqid)
			x.set("attributes set", masks(got.Attrset))
			t.must(client4.PutFH(res[1].Opgetfh.Resok4.Object), client4.Close(got.Stateid, 0))
		}
	}
	hows := []nfs4.Openflag4{{Opentype: nfs4.OPEN4_NOCREATE}}
	for _, mode := range []nfs4.Createmode4{nfs4.UNCHECKED4, nfs4.GUARDED4, nfs4.EXCLUSIVE4, nfs4.EXCLUSIVE4_1} {
		how := nfs4.Openflag4{Opentype: nfs4.OPEN4_CREATE, How: nfs4.Createhow4{Mode: mode, Createattrs: client4.Mode(0o640)}}
		how.How.Createverf = nfs4.Verifier4{1, 2, 3, 4, 5, 6, 7, byte(mode)}
		how.How.ChCreateboth = nfs4.Creatverfattr{CvaVerf: how.How.Createverf, CvaAttrs: client4.Mode(0o640)}
		hows = append(hows, how)
	}
	name := func(h nfs4.Openflag4) string {
		if h.Opentype == nfs4.OPEN4_NOCREATE {
			return "as it is"
		}
		return h.How.Mode.String()
	}
	for _, h := range hows {
		for _, f := range []string{"file", "directory", "link", "fifo", "missing" + fmt.Sprint(h.How.Mode)} {
			ask(name(h)+" "+strings.TrimRight(f, "0123456789_AEGHCDIKLNRTUSVX"), openHow(f, h, 3, 0))
		}
	}
	for share := range uint32(5) {
		for deny := range uint32(5) {
			ask(fmt.Sprintf("access %d deny %d", share, deny), openHow("file", hows[0], share, deny))
		}
	}
	for _, claim := range []nfs4.OpenClaimType4{nfs4.CLAIM_PREVIOUS, nfs4.CLAIM_FH, nfs4.CLAIM_DELEGATE_CUR, nfs4.CLAIM_DELEGATE_PREV,
		nfs4.CLAIM_DELEG_CUR_FH, nfs4.CLAIM_DELEG_PREV_FH} {
		o := openHow("file", hows[0], 1, 0)
		o.Opopen.Claim = nfs4.OpenClaim4{Claim: claim}
		t.question(claim.String(), client4.Lookup("file"), o)
	}
	other := openHow("file", hows[0], 1, 0)
	other.Opopen.Owner.Owner = []byte("another")
	denies := openHow("file", hows[0], 3, 2)
	id := t.must(denies)[0].Opopen.Resok4.Stateid
	t.question("who denies writing, and another reads", other)
	other.Opopen.ShareAccess = 2
	t.question("who denies writing, and another writes", other)
	other.Opopen.ShareAccess, other.Opopen.ShareDeny = 1, 1
	t.question("who has it open, and another denies", other)
	t.question("who denies writing, and nobody writes", client4.Lookup("file"), client4.Write(anonymous, 0, []byte("x"), nfs4.FILE_SYNC4))
	t.question("who denies writing, and nobody reads", client4.Lookup("file"), client4.Read(anonymous, 0, 5))
	downgrade := func(share, deny uint32) op {
		return op{Argop: nfs4.OP_OPEN_DOWNGRADE, OpopenDowngrade: nfs4.OPENDOWNGRADE4args{
			OpenStateid: id, ShareAccess: share, ShareDeny: deny,
		}}
	}
	t.question("to what was never asked for", client4.Lookup("file"), downgrade(1, 0))
	t.question("to more", client4.Lookup("file"), downgrade(3, 3))
	t.question("to nothing", client4.Lookup("file"), downgrade(0, 0))
	x, res := t.question("to the same", client4.Lookup("file"), downgrade(3, 2))
	if len(res) > 1 {
		id = res[1].OpopenDowngrade.Resok4.OpenStateid
		x.set("seqid", id.Seqid)
	}
	t.question("the open", client4.Lookup("file"), client4.Close(id, 0))
}

func ask4Stateids(t *talker) {
	t.file("file", "some content")
	t.file("another", "some content")
	id := t.opened("file", 1)
	closed := t.opened("another", 3)
	t.must(client4.Lookup("another"), client4.Close(closed, 0))
	reader := id
	later, zero, wrong, short := id, id, id, id
	later.Seqid += 3
	zero.Seqid = 0
	for i := range wrong.Other {
		wrong.Other[i] ^= 0xa5
	}
	short.Other = [12]byte{}
	short.Seqid = 7
	t.must(client4.Lookup("another"))
	for _, s := range []struct {
		what string
		id   nfs4.Stateid4
	}{
		{"anonymous", anonymous}, {"bypass", bypass}, {"open for reading", reader}, {"of a later number", later},
		{"without a number", zero}, {"of nobody", wrong}, {"closed", closed}, {"current", current}, {"reserved", short},
	} {
		for _, o := range needsFile(s.id) {
			switch o.Argop {
			case nfs4.OP_READ, nfs4.OP_WRITE, nfs4.OP_LOCK, nfs4.OP_LOCKU, nfs4.OP_ALLOCATE, nfs4.OP_DEALLOCATE, nfs4.OP_SEEK,
				nfs4.OP_READ_PLUS, nfs4.OP_IO_ADVISE:
				t.question(s.what, client4.Lookup("file"), o)
			case nfs4.OP_CLOSE:
				if s.what != "open for reading" && s.what != "without a number" {
					t.question(s.what, client4.Lookup("file"), o)
				}
			case nfs4.OP_SETATTR:
				if len(o.Opsetattr.ObjAttributes.AttrVals) == 8 {
					t.question("of the size, "+s.what, client4.Lookup("file"), o)
				}
			default:
			}
		}
		t.question("of another file, "+s.what, client4.Lookup("another"), client4.Read(s.id, 0, 5))
	}
}

func ask4Locks(t *talker) {
	t.file("file", "some content")
	id := t.opened("file", 3)
	var held nfs4.Stateid4
	lock := func(what string, first bool, owner string, kind nfs4.NfsLockType4, off, n uint64) {
		a := op{Argop: nfs4.OP_LOCK, Oplock: nfs4.LOCK4args{
			Locktype: kind, Offset: nfs4.Offset4(off), Length: nfs4.Length4(n),
		}}
		if first {
			a.Oplock.Locker = nfs4.Locker4{NewLockOwner: true, OpenOwner: nfs4.OpenToLockOwner4{
				OpenStateid: id, LockOwner: nfs4.LockOwner4{Owner: []byte(owner)},
			}}
		} else {
			a.Oplock.Locker.LockOwner.LockStateid = held
		}
		x := t.note("LOCK", what)
		res, st, _ := t.do(client4.Lookup("file"), a)
		x.set("status", st)
		switch st {
		case nfs4.NFS4_OK:
			got := res[1].Oplock.Resok4.LockStateid
			x.set("seqid", got.Seqid)
			if owner == "one" {
				held = got
			}
		case nfs4.NFS4ERR_DENIED:
			d := &res[1].Oplock.Denied
			x.set("by", fmt.Sprint(d.Offset, " ", d.Length, " ", d.Locktype, " ", string(d.Owner.Owner)))
		default:
		}
	}
	lock("the first", true, "one", nfs4.WRITE_LT, 10, 10)
	lock("of another", true, "two", nfs4.READ_LT, 15, 10)
	lock("beside it", true, "two", nfs4.READ_LT, 20, 10)
	lock("of none", false, "one", nfs4.WRITE_LT, 50, 0)
	lock("to the end", false, "one", nfs4.WRITE_LT, 1000, 1<<64-1)
	lock("beyond the end", false, "one", nfs4.WRITE_LT, 1<<63, 1<<63)
	lock("up to the very end", false, "one", nfs4.WRITE_LT, 1<<63, 1<<63-1)
	lock("that overflows", false, "one", nfs4.WRITE_LT, 1<<64-10, 100)
	lock("a downgrade", false, "one", nfs4.READ_LT, 10, 5)
	lock("of two in the middle", false, "one", nfs4.READ_LT, 18, 4)
	lock("a new owner who is not", true, "one", nfs4.READ_LT, 300, 1)
	for _, r := range []struct{ off, n uint64 }{{12, 1}, {17, 1}, {25, 1}, {40, 5}, {5000, 1}, {0, 0}, {1<<64 - 5, 10}, {1<<64 - 5, 1<<64 - 1}} {
		a := op{Argop: nfs4.OP_LOCKT, Oplockt: nfs4.LOCKT4args{
			Locktype: nfs4.WRITE_LT, Offset: nfs4.Offset4(r.off), Length: nfs4.Length4(r.n), Owner: nfs4.LockOwner4{Owner: []byte("three")},
		}}
		x := t.note("LOCKT", fmt.Sprint(r.off, " ", r.n))
		res, st, _ := t.do(client4.Lookup("file"), a)
		x.set("status", st)
		if st == nfs4.NFS4ERR_DENIED {
			d := &res[1].Oplockt.Denied
			x.set("by", fmt.Sprint(d.Offset, " ", d.Length, " ", d.Locktype, " ", string(d.Owner.Owner)))
		}
	}
	t.question("with locks", client4.Lookup("file"), client4.Close(id, 0))
	for _, r := range []struct{ off, n uint64 }{{11, 2}, {700, 1}, {0, 0}, {1<<64 - 5, 10}, {0, 1<<64 - 1}} {
		x, res := t.question(fmt.Sprint(r.off, " ", r.n), client4.Lookup("file"), client4.Unlock(held, 0, r.off, r.n))
		if len(res) > 1 {
			held = res[1].Oplocku.LockStateid
			x.set("seqid", held.Seqid)
		}
	}
	t.question("the locks", op{Argop: nfs4.OP_FREE_STATEID, OpfreeStateid: nfs4.FREESTATEID4args{FsaStateid: held}})
}
