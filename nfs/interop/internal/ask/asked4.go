package main

import (
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
	send := func(args *nfs4.COMPOUND4args) {
		err := t.c.Caller.Call(nfs4.NFS4_PROGRAM, nfs4.NFS_V4, nfs4.NFSPROC4_COMPOUND, args,
			&compound)
		if err != nil {
			panic(failure{err})
		}
	}
	for _, minor := range []uint32{3, 1 << 31} {
		args := nfs4.COMPOUND4args{Minorversion: minor, Argarray: []op{client4.PutRootFH()}}
		send(&args)
		x := t.note("COMPOUND", fmt.Sprintf("of minor version %d", minor))
		x.set("status", compound.Status)
		x.set("results", len(compound.Resarray))
	}
	for minor := range uint32(3) {
		args := nfs4.COMPOUND4args{Minorversion: minor, Tag: []byte("a tag")}
		send(&args)
		x := t.note("COMPOUND", fmt.Sprintf("of nothing by minor version %d", minor))
		x.set("status", compound.Status)
		x.set("tag", string(compound.Tag))
		args.Argarray = []op{client4.PutRootFH(), client4.GetFH()}
		send(&args)
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

func ask4Listings(t *talker) {
	for _, n := range []string{"a", "b", "c", "d", "a name of some more characters"} {
		t.file(n, "")
	}
	t.must(client4.Mkdir("directory", 0o755))
	for _, cookie := range []uint64{1, 2, 1 << 63} {
		t.question(fmt.Sprint("after ", cookie), readDir(cookie, 1000, 4000))
	}
	// The file system decides which name comes first: none fits, or each does.
	for _, most := range []uint32{0, 1, 8, 12, 16, 20, 24, 100, 1000} {
		t.question(fmt.Sprint("in ", most, " bytes"), readDir(0, 1000, most))
	}
	t.must(client4.Mkdir("single", 0o755), client4.Mkdir("name", 0o755))
	for _, most := range []uint32{24, 60} {
		t.question(fmt.Sprint("of a single name in ", most, " bytes"), client4.Lookup("single"), readDir(0, 1000, most))
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
