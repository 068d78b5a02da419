package main

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/ringnfs/ringnfs/nfs/client4"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

// needsFile are operations that look at the current object, with arguments that fit a regular file.
func needsFile(id nfs4.Stateid4) []op {
	offset := func(n nfs4.NfsOpnum4) op {
		a := op{Argop: n}
		a.Opallocate = nfs4.ALLOCATE4args{AaStateid: id, AaLength: 10}
		a.Opdeallocate = nfs4.DEALLOCATE4args{DaStateid: id, DaLength: 10}
		a.Opseek = nfs4.SEEK4args{SaStateid: id}
		a.OpreadPlus = nfs4.READPLUS4args{RpaStateid: id, RpaCount: 10}
		a.OpioAdvise = nfs4.IOADVISE4args{IaaStateid: id, IaaCount: 10}
		return a
	}
	owner := nfs4.LockOwner4{Owner: []byte("locker")}
	lock := op{Argop: nfs4.OP_LOCK, Oplock: nfs4.LOCK4args{
		Locktype: nfs4.READ_LT, Length: 10,
		Locker: nfs4.Locker4{NewLockOwner: true, OpenOwner: nfs4.OpenToLockOwner4{OpenStateid: id, LockOwner: owner}},
	}}
	lockt := op{Argop: nfs4.OP_LOCKT, Oplockt: nfs4.LOCKT4args{Locktype: nfs4.READ_LT, Length: 10, Owner: owner}}
	return []op{
		client4.GetAttr(nfs4.FATTR4_TYPE), client4.GetFH(), access(0x3f), client4.Read(id, 0, 10),
		client4.Write(id, 0, []byte("x"), nfs4.UNSTABLE4), client4.Commit(), bare(nfs4.OP_READLINK), readDir(0, 1000, 4000),
		bare(nfs4.OP_LOOKUPP), client4.Lookup("name"), secinfo("name"), client4.Remove("name"), client4.Mkdir("name", 0o755),
		setattr(anonymous, client4.Mode(0o644)), setattr(id, size(5)), link("linked"), rename("name", "other"),
		openHow("name", nfs4.Openflag4{}, 1, 0), lock, lockt, client4.Unlock(id, 0, 0, 10), client4.Close(id, 0),
		offset(nfs4.OP_ALLOCATE), offset(nfs4.OP_DEALLOCATE), offset(nfs4.OP_SEEK), offset(nfs4.OP_READ_PLUS),
		offset(nfs4.OP_IO_ADVISE), bare(nfs4.OP_OPENATTR), saveFH,
	}
}

func ask4Compounds(t *talker) {
	dir := t.dir
	t.dir = nil
	for _, o := range needsFile(anonymous) {
		t.question("without a handle", o)
	}
	t.question("without a saved handle", restoreFH)
	t.question("without a saved handle", client4.PutRootFH(), link("x"))
	t.question("without a saved handle", client4.PutRootFH(), rename("x", "y"))
	for what, fh := range map[string]string{"": "an empty handle", "\x00": "a byte", strings.Repeat("\xff", 128): "128 bytes"} {
		t.question(fh, client4.PutFH([]byte(what)), client4.GetAttr(nfs4.FATTR4_TYPE))
	}
	t.question("of the root", client4.PutRootFH(), bare(nfs4.OP_LOOKUPP))
	t.question("of the root", client4.PutRootFH(), bare(nfs4.OP_SECINFO_NO_NAME))
	t.question("is no operation", bare(nfs4.OP_ILLEGAL))
	t.question("of version 4.0", bare(nfs4.OP_RENEW))
	t.question("of version 4.0", bare(nfs4.OP_SETCLIENTID))
	t.dir = dir
	x, res := t.question("all bits of a directory", access(0x3f))
	if len(res) > 0 {
		x.set("supported", res[0].Opaccess.Resok4.Supported)
		x.set("access", res[0].Opaccess.Resok4.Access)
	}
	var compound nfs4.COMPOUND4res
	for _, minor := range []uint32{3, 1 << 31} {
		args := nfs4.COMPOUND4args{Minorversion: minor, Argarray: []op{client4.PutRootFH()}}
		if err := t.c.Caller.Call(nfs4.NFS4_PROGRAM, nfs4.NFS_V4, nfs4.NFSPROC4_COMPOUND, &args, &compound); err != nil {
			panic(failure{err})
		}
		x := t.note("COMPOUND", fmt.Sprintf("of minor version %d", minor))
		x.set("status", compound.Status)
		x.set("results", len(compound.Resarray))
	}
	for minor := range uint32(3) {
		args := nfs4.COMPOUND4args{Minorversion: minor, Tag: []byte("a tag")}
		if err := t.c.Caller.Call(nfs4.NFS4_PROGRAM, nfs4.NFS_V4, nfs4.NFSPROC4_COMPOUND, &args, &compound); err != nil {
			panic(failure{err})
		}
		x := t.note("COMPOUND", fmt.Sprintf("of nothing by minor version %d", minor))
		x.set("status", compound.Status)
		x.set("tag", string(compound.Tag))
		args.Argarray = []op{client4.PutRootFH(), client4.GetFH()}
		if err := t.c.Caller.Call(nfs4.NFS4_PROGRAM, nfs4.NFS_V4, nfs4.NFSPROC4_COMPOUND, &args, &compound); err != nil {
			panic(failure{err})
		}
		x = t.note("COMPOUND", fmt.Sprintf("without SEQUENCE by minor version %d", minor))
		x.set("status", compound.Status)
		x.set("results", len(compound.Resarray))
	}
}

func ask4Sessions(t *talker) {
	t.question("once more", op{Argop: nfs4.OP_SEQUENCE, Opsequence: nfs4.SEQUENCE4args{SaSessionid: t.c.Session}})
	t.question("once more", bare(nfs4.OP_RECLAIM_COMPLETE))
	for _, n := range []nfs4.NfsOpnum4{nfs4.OP_EXCHANGE_ID, nfs4.OP_DESTROY_CLIENTID} {
		a := op{Argop: n}
		a.OpexchangeId.EiaClientowner.CoOwnerid = []byte("another")
		a.OpdestroyClientid.DcaClientid = t.c.ID
		t.question("behind others", a)
	}
	bind := op{Argop: nfs4.OP_BIND_CONN_TO_SESSION}
	bind.OpbindConnToSession = nfs4.BINDCONNTOSESSION4args{BctsaSessid: t.c.Session, BctsaDir: nfs4.CDFC4_FORE}
	t.question("behind others", bind)
	destroy := op{Argop: nfs4.OP_DESTROY_SESSION}
	destroy.OpdestroySession.DsaSessionid[3] = 1
	t.question("of nobody's session", destroy)
	id := t.opened("f", 3)
	wrong, later, earlier := id, id, id
	for i := range wrong.Other {
		wrong.Other[i] ^= 0xa5
	}
	later.Seqid++
	earlier.Seqid = 0
	test := op{Argop: nfs4.OP_TEST_STATEID}
	test.OptestStateid.TsStateids = []nfs4.Stateid4{id, wrong, later, earlier, anonymous, bypass}
	if x, res := t.question("of several", test); len(res) > 0 {
		for i, st := range res[0].OptestStateid.TsrResok4.TsrStatusCodes {
			x.set(fmt.Sprint("stateid ", i), st)
		}
	}
	for what, s := range map[string]nfs4.Stateid4{"an open": id, "nobody's": wrong, "a special one": anonymous} {
		t.question(what, op{Argop: nfs4.OP_FREE_STATEID, OpfreeStateid: nfs4.FREESTATEID4args{FsaStateid: s}})
	}
	t.must(client4.Lookup("f"), client4.Close(id, 0))
	t.question("what is closed", op{Argop: nfs4.OP_FREE_STATEID, OpfreeStateid: nfs4.FREESTATEID4args{FsaStateid: id}})
}

func ask4Names(t *talker) {
	t.file("old", "content")
	for _, n := range []struct{ what, name string }{
		{"an ordinary name", "name"}, {"an empty name", ""}, {"dot", "."}, {"dot dot", ".."}, {"a slash", "/"},
		{"a slash within", "a/b"}, {"a NUL within", "a\x00b"}, {"255 characters", strings.Repeat("n", 255)},
		{"256 characters", strings.Repeat("n", 256)}, {"5000 characters", strings.Repeat("n", 5000)},
		{"three dots", "..."}, {"what is not UTF-8", "\xff\xfe"}, {"a blank", " "}, {"a newline", "\n"},
	} {
		t.question(n.what, client4.Lookup(n.name))
		t.question("a directory "+n.what, client4.Mkdir(n.name, 0o755))
		t.question(n.what+" there", secinfo(n.name))
		t.question(n.what+" there", client4.Lookup(n.name))
		t.question("a file over it, "+n.what, openHow(n.name, nfs4.Openflag4{Opentype: nfs4.OPEN4_CREATE}, 3, 0))
		t.question(n.what, client4.Remove(n.name))
		t.question("to "+n.what, saveFH, rename("old", n.name))
		t.question("from "+n.what, saveFH, rename(n.name, "old"))
		t.question(n.what, client4.Lookup("old"), saveFH, bare(nfs4.OP_LOOKUPP), link(n.name))
		t.question(n.what+" at the end", client4.Remove(n.name))
	}
	t.question("of a missing name", secinfo("missing"))
	t.question("a missing name", client4.Remove("missing"))
	t.question("a missing name", saveFH, rename("missing", "x"))
	t.question("to itself", saveFH, rename("old", "old"))
	t.must(client4.Mkdir("full", 0o755), client4.Mkdir("within", 0o755))
	t.must(client4.Mkdir("empty", 0o755))
	t.question("a directory that is not empty", client4.Remove("full"))
	t.question("a file over a directory", saveFH, rename("old", "empty"))
	t.question("a directory over a file", saveFH, rename("empty", "old"))
	t.question("a directory over one that is not empty", saveFH, rename("empty", "full"))
	t.question("a directory into itself", saveFH, client4.Lookup("full"), rename("full", "full"))
	t.question("an empty one over an empty one", client4.Mkdir("e2", 0o755), bare(nfs4.OP_LOOKUPP), saveFH, rename("e2", "empty"))
	t.question("of a directory", client4.Lookup("full"), saveFH, bare(nfs4.OP_LOOKUPP), link("l"))
	t.question("over a file", client4.Lookup("old"), saveFH, bare(nfs4.OP_LOOKUPP), link("old"))
}

var kinds = []struct {
	name string
	kind nfs4.NfsFtype4
}{
	{"directory", nfs4.NF4DIR}, {"link", nfs4.NF4LNK}, {"fifo", nfs4.NF4FIFO}, {"socket", nfs4.NF4SOCK},
	{"character device", nfs4.NF4CHR}, {"block device", nfs4.NF4BLK},
}

func ask4Kinds(t *talker) {
	for _, k := range kinds {
		x, res := t.question("a "+k.name, create(k.name, k.kind))
		if len(res) > 0 {
			x.set("attributes set", masks(res[0].Opcreate.Resok4.Attrset))
		}
		t.question("a "+k.name+" once more", create(k.name, k.kind))
	}
	t.question("a file", create("no", nfs4.NF4REG))
	t.question("an attribute directory", create("no", nfs4.NF4ATTRDIR))
	t.file("file", "some content")
	for _, k := range append(slices.Clone(kinds), struct {
		name string
		kind nfs4.NfsFtype4
	}{"file", nfs4.NF4REG}) {
		for _, o := range needsFile(anonymous) {
			x, res := t.question("on a "+k.name, client4.Lookup(k.name), saveFH, o)
			if o.Argop == nfs4.OP_ACCESS && len(res) > 0 {
				x.set("access", res[2].Opaccess.Resok4.Access)
				x.set("supported", res[2].Opaccess.Resok4.Supported)
			}
		}
		for _, how := range []nfs4.Opentype4{nfs4.OPEN4_NOCREATE, nfs4.OPEN4_CREATE} {
			t.question(fmt.Sprint("a ", k.name, " ", how), openHow(k.name, nfs4.Openflag4{Opentype: how}, 1, 0))
		}
		t.question("a "+k.name, client4.Remove(k.name))
	}
}

// varying are attributes whose values are the server's own affair.
var varying = []int{
	nfs4.FATTR4_CHANGE, nfs4.FATTR4_FSID, nfs4.FATTR4_LEASE_TIME, nfs4.FATTR4_FILEHANDLE, nfs4.FATTR4_FILEID,
	nfs4.FATTR4_FILES_AVAIL, nfs4.FATTR4_FILES_FREE, nfs4.FATTR4_FILES_TOTAL, nfs4.FATTR4_MAXFILESIZE, nfs4.FATTR4_MAXREAD,
	nfs4.FATTR4_MAXWRITE, nfs4.FATTR4_SPACE_AVAIL, nfs4.FATTR4_SPACE_FREE, nfs4.FATTR4_SPACE_TOTAL, nfs4.FATTR4_SPACE_USED,
	nfs4.FATTR4_TIME_ACCESS, nfs4.FATTR4_TIME_CREATE, nfs4.FATTR4_TIME_METADATA, nfs4.FATTR4_TIME_MODIFY,
	nfs4.FATTR4_MOUNTED_ON_FILEID, nfs4.FATTR4_SUPPORTED_ATTRS, nfs4.FATTR4_SUPPATTR_EXCLCREAT, nfs4.FATTR4_ACL,
	nfs4.FATTR4_SIZE, nfs4.FATTR4_FS_LOCATIONS,
}

func ask4Attributes(t *talker) {
	t.file("file", "some content")
	for _, k := range kinds[:2] {
		t.must(create(k.name, k.kind))
	}
	for _, name := range []string{"file", "directory", "link"} {
		for n := range nfs4.FATTR4_XATTR_SUPPORT + 1 {
			x, res := t.question(fmt.Sprint(n, " of a ", name), client4.Lookup(name), client4.GetAttr(n))
			if len(res) < 2 {
				continue
			}
			a := &res[1].Opgetattr.Resok4.ObjAttributes
			var bits uint32
			for _, w := range a.Attrmask {
				bits |= w
			}
			if bits == 0 {
				x.set("value", "absent")
				continue
			}
			x.set("value", "present")
			if !slices.Contains(varying, n) {
				x.set("value.bytes", fmt.Sprintf("%x", []byte(a.AttrVals)))
			}
		}
	}
	t.question("of no number there is", client4.GetAttr(95))
	t.question("of none", client4.GetAttr())
	t.question("of what can only be set", client4.GetAttr(nfs4.FATTR4_TIME_MODIFY_SET))
	for what, a := range map[string]nfs4.Fattr4{
		"the size": size(12), "another size": size(13), "the mode": client4.Mode(0o666), "what can only be set": attribute(nfs4.FATTR4_TIME_MODIFY_SET, 0, 0, 0, 0),
		"no attribute there is": attribute(95, 0, 0, 0, 0), "none": {}, "too few bytes": attribute(nfs4.FATTR4_SIZE, 0, 0, 0, 0),
		"too many bytes": attribute(nfs4.FATTR4_MODE, 0, 0, 1, 0xb6, 0, 0, 0, 0),
	} {
		t.question(what, client4.Lookup("file"), op{Argop: nfs4.OP_VERIFY, Opverify: nfs4.VERIFY4args{ObjAttributes: a}})
		t.question(what, client4.Lookup("file"), op{Argop: nfs4.OP_NVERIFY, Opnverify: nfs4.NVERIFY4args{ObjAttributes: a}})
	}
}

func attribute(n int, value ...byte) nfs4.Fattr4 {
	return nfs4.Fattr4{Attrmask: client4.Bits(n), AttrVals: value}
}

func size(n uint64) nfs4.Fattr4 {
	return attribute(nfs4.FATTR4_SIZE, binary.BigEndian.AppendUint64(nil, n)...)
}

func words(ns ...uint32) (b []byte) {
	for _, n := range ns {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

func text(s string) []byte {
	b := append(words(uint32(len(s))), s...)
	return append(b, make([]byte, -len(s)&3)...)
}

func ask4SetAttributes(t *talker) {
	t.file("file", "some content")
	t.must(create("directory", nfs4.NF4DIR))
	t.must(create("link", nfs4.NF4LNK))
	for _, s := range []struct {
		what string
		a    nfs4.Fattr4
	}{
		{"nothing", nfs4.Fattr4{}}, {"the mode", client4.Mode(0o600)}, {"a mode with a bit too many", client4.Mode(0o10600)},
		{"the size", size(100)}, {"the greatest size", size(1<<64 - 1)}, {"size 2^63-1", size(1<<63 - 1)},
		{"an owner by number", attribute(nfs4.FATTR4_OWNER, text("123")...)}, {"an empty owner", attribute(nfs4.FATTR4_OWNER, text("")...)},
		{"an unknown owner", attribute(nfs4.FATTR4_OWNER, text("no-such-user@nowhere")...)},
		{"a group by number", attribute(nfs4.FATTR4_OWNER_GROUP, text("321")...)},
		{"the time of the server", attribute(nfs4.FATTR4_TIME_MODIFY_SET, words(0)...)},
		{"a time", attribute(nfs4.FATTR4_TIME_MODIFY_SET, words(1, 0, 1000, 5)...)},
		{"a time with 10^9 nanoseconds", attribute(nfs4.FATTR4_TIME_MODIFY_SET, words(1, 0, 1000, 1e9)...)},
		{"a time before 1970", attribute(nfs4.FATTR4_TIME_ACCESS_SET, words(1, 1<<32-1, 1<<32-1000, 5)...)},
		{"the type", attribute(nfs4.FATTR4_TYPE, words(1)...)}, {"the modification time that is read", attribute(nfs4.FATTR4_TIME_MODIFY, words(0, 1, 2)...)},
		{"no attribute there is", attribute(95, words(0)...)}, {"too few bytes", attribute(nfs4.FATTR4_SIZE, words(0)...)},
		{"too many bytes", attribute(nfs4.FATTR4_MODE, words(0o644, 0)...)},
	} {
		for _, name := range []string{"file", "directory", "link"} {
			x, _ := t.question(s.what+" of a "+name, client4.Lookup(name), setattr(anonymous, s.a))
			res, st, _ := t.do(client4.Lookup(name), client4.GetAttr(nfs4.FATTR4_MODE, nfs4.FATTR4_OWNER, nfs4.FATTR4_OWNER_GROUP))
			if st == nfs4.NFS4_OK {
				x.set("then", fmt.Sprintf("%x", []byte(res[1].Opgetattr.Resok4.ObjAttributes.AttrVals)))
			}
		}
	}
}

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

func ask4Listings(t *talker) {
	for _, n := range []string{"a", "b", "c", "d", "a name of some more characters"} {
		t.file(n, "")
	}
	t.must(client4.Mkdir("directory", 0o755))
	for _, cookie := range []uint64{1, 2, 1 << 63} {
		t.question(fmt.Sprint("after ", cookie), readDir(cookie, 1000, 4000))
	}
	for _, most := range []uint32{0, 1, 8, 12, 16, 20, 24, 60, 100, 1000} {
		t.question(fmt.Sprint("in ", most, " bytes"), readDir(0, 1000, most))
	}
	for _, hint := range []uint32{0, 1, 10, 100000} {
		t.question(fmt.Sprint("with a hint of ", hint), readDir(0, hint, 4000))
	}
	t.question("of what can only be set", readDir(0, 1000, 4000, nfs4.FATTR4_TIME_MODIFY_SET))
	x, res := t.question("with attributes", readDir(0, 100000, 100000, nfs4.FATTR4_TYPE, nfs4.FATTR4_MODE, nfs4.FATTR4_RDATTR_ERROR))
	if len(res) > 0 {
		var names []string
		for _, e := range res[0].Opreaddir.Resok4.Reply.Entries {
			names = append(names, fmt.Sprintf("%s %x", e.Name, []byte(e.Attrs.AttrVals)))
		}
		slices.Sort(names)
		x.set("entries", strings.Join(names, "; "))
		x.set("eof", res[0].Opreaddir.Resok4.Reply.Eof)
	}
}

func ask4Data(t *talker) {
	t.file("file", "some content")
	id := t.opened("file", 3)
	there := client4.Lookup("file")
	for _, r := range []struct {
		off   uint64
		count uint32
	}{{0, 0}, {0, 100}, {5, 2}, {12, 10}, {13, 10}, {1 << 62, 10}, {1 << 63, 10}, {1<<64 - 1, 10}} {
		x, res := t.question(fmt.Sprint(r.count, " at ", r.off), there, client4.Read(id, r.off, r.count))
		if len(res) > 1 {
			x.set("data", string(res[1].Opread.Resok4.Data))
			x.set("eof", res[1].Opread.Resok4.Eof)
		}
		x, res = t.question(fmt.Sprint(r.count, " at ", r.off), there, op{Argop: nfs4.OP_READ_PLUS, OpreadPlus: nfs4.READPLUS4args{
			RpaStateid: id, RpaOffset: nfs4.Offset4(r.off), RpaCount: nfs4.Count4(r.count),
		}})
		if len(res) > 1 {
			x.set("eof", res[1].OpreadPlus.RpResok4.RprEof)
		}
		t.question(fmt.Sprint("at ", r.off), there, op{Argop: nfs4.OP_COMMIT, Opcommit: nfs4.COMMIT4args{Offset: nfs4.Offset4(r.off), Count: nfs4.Count4(r.count)}})
		for _, what := range []nfs4.DataContent4{nfs4.NFS4_CONTENT_DATA, nfs4.NFS4_CONTENT_HOLE} {
			x, res := t.question(fmt.Sprint(what, " from ", r.off), there, op{Argop: nfs4.OP_SEEK, Opseek: nfs4.SEEK4args{
				SaStateid: id, SaOffset: nfs4.Offset4(r.off), SaWhat: what,
			}})
			if len(res) > 1 {
				x.set("offset", res[1].Opseek.Resok4.SrOffset)
				x.set("eof", res[1].Opseek.Resok4.SrEof)
			}
		}
	}
	for _, w := range []struct {
		what string
		off  uint64
		n    int
	}{{"nothing", 0, 0}, {"nothing far away", 1 << 62, 0}, {"a byte", 3, 1}, {"beyond the end", 100, 5}, {"at the end of all", 1<<63 - 5, 10}, {"too far", 1<<64 - 5, 10}} {
		x, res := t.question(w.what, there, client4.Write(id, w.off, make([]byte, w.n), nfs4.FILE_SYNC4))
		if len(res) > 1 {
			x.set("count", res[1].Opwrite.Resok4.Count)
			x.set("committed", res[1].Opwrite.Resok4.Committed)
		}
	}
	for _, r := range []struct{ off, n uint64 }{{0, 0}, {0, 10}, {100000, 10}, {1 << 63, 10}, {1<<64 - 5, 10}} {
		t.question(fmt.Sprint(r.n, " at ", r.off), there, op{Argop: nfs4.OP_ALLOCATE, Opallocate: nfs4.ALLOCATE4args{
			AaStateid: id, AaOffset: nfs4.Offset4(r.off), AaLength: nfs4.Length4(r.n),
		}})
		t.question(fmt.Sprint(r.n, " at ", r.off), there, op{Argop: nfs4.OP_DEALLOCATE, Opdeallocate: nfs4.DEALLOCATE4args{
			DaStateid: id, DaOffset: nfs4.Offset4(r.off), DaLength: nfs4.Length4(r.n),
		}})
	}
	to := t.opened("to", 3)
	for _, c := range []struct {
		what        string
		src, dst, n uint64
		same        bool
	}{
		{"all", 0, 0, 0, false}, {"a part", 2, 3, 4, false}, {"from beyond the end", 1 << 40, 0, 10, false},
		{"beyond the end", 100000, 0, 100, false}, {"within a file", 0, 50, 10, true}, {"over itself", 0, 5, 10, true},
		{"that overflows", 1<<64 - 5, 0, 10, false},
	} {
		dst, last := to, client4.Lookup("to")
		if c.same {
			dst, last = id, there
		}
		ops := []op{there, saveFH, bare(nfs4.OP_LOOKUPP), last}
		t.question(c.what, append(slices.Clone(ops), op{Argop: nfs4.OP_COPY, Opcopy: nfs4.COPY4args{
			CaSrcStateid: id, CaDstStateid: dst, CaSrcOffset: nfs4.Offset4(c.src), CaDstOffset: nfs4.Offset4(c.dst), CaCount: nfs4.Length4(c.n),
			CaConsecutive: true, CaSynchronous: true,
		}})...)
		t.question(c.what, append(slices.Clone(ops), op{Argop: nfs4.OP_CLONE, Opclone: nfs4.CLONE4args{
			ClSrcStateid: id, ClDstStateid: dst, ClSrcOffset: nfs4.Offset4(c.src), ClDstOffset: nfs4.Offset4(c.dst), ClCount: nfs4.Length4(c.n),
		}})...)
	}
	t.must(there, client4.Close(id, 0))
	t.must(client4.Lookup("to"), client4.Close(to, 0))
}

func ask4Xattrs(t *talker) {
	t.file("file", "")
	t.must(create("directory", nfs4.NF4DIR))
	t.must(create("link", nfs4.NF4LNK))
	for _, name := range []string{"file", "directory", "link"} {
		at := client4.Lookup(name)
		ask := func(what string, o op) []nfs4.NfsResop4 {
			_, res := t.question(what+" of a "+name, at, o)
			return res
		}
		get := func(key string) op {
			return op{Argop: nfs4.OP_GETXATTR, Opgetxattr: nfs4.GETXATTR4args{GxaName: nfs4.Xattrkey4(key)}}
		}
		set := func(how nfs4.SetxattrOption4, key, value string) op {
			return op{Argop: nfs4.OP_SETXATTR, Opsetxattr: nfs4.SETXATTR4args{
				SxaOption: how, SxaKey: nfs4.Xattrkey4(key), SxaValue: nfs4.Xattrvalue4(value),
			}}
		}
		drop := func(key string) op {
			return op{Argop: nfs4.OP_REMOVEXATTR, Opremovexattr: nfs4.REMOVEXATTR4args{RxaName: nfs4.Xattrkey4(key)}}
		}
		list := func(cookie uint64, most uint32) op {
			return op{Argop: nfs4.OP_LISTXATTRS, Oplistxattrs: nfs4.LISTXATTRS4args{
				LxaCookie: nfs4.NfsCookie4(cookie), LxaMaxcount: nfs4.Count4(most),
			}}
		}
		ask("a missing one", get("missing"))
		ask("a missing one", drop("missing"))
		ask("a missing one replaced", set(nfs4.SETXATTR4_REPLACE, "key", "value"))
		ask("a new one", set(nfs4.SETXATTR4_CREATE, "key", "value"))
		ask("one that is there", set(nfs4.SETXATTR4_CREATE, "key", "value"))
		ask("either", set(nfs4.SETXATTR4_EITHER, "key", "other"))
		ask("an empty value", set(nfs4.SETXATTR4_EITHER, "empty", ""))
		ask("an empty name", set(nfs4.SETXATTR4_EITHER, "", "value"))
		ask("a name of 300 characters", set(nfs4.SETXATTR4_EITHER, strings.Repeat("n", 300), "value"))
		ask("a value of 70000 bytes", set(nfs4.SETXATTR4_EITHER, "large", strings.Repeat("v", 70000)))
		if res := ask("one that is there", get("key")); len(res) > 1 {
			t.answers[len(t.answers)-1].set("value", string(res[1].Opgetxattr.GxrValue))
		}
		for _, most := range []uint32{0, 8, 16, 20, 24, 40, 1000} {
			ask(fmt.Sprint("in ", most, " bytes"), list(0, most))
		}
		ask("after a cookie that nobody gave", list(1<<40, 1000))
		ask("one that is there", drop("key"))
		ask("one that is gone", get("key"))
	}
}

// masks writes a bitmap down, without words of zeros at the end.
func masks(b nfs4.Bitmap4) string {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return fmt.Sprintf("%x", []uint32(b))
}
