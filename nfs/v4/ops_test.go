package v4

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// one is a server of one export in memory, /x, and the handle of its top directory. file makes
// a file there.
func one(t testing.TB, o export.Options) (r *rig, file func(name, content string)) {
	fs := memfs.New(memfs.Config{Mode: 0o777})
	r = newRig(t, remembers(new(uint32)), export.Export{Path: "/x", FS: fs, Options: o})
	return r, maker(t, r, fs)
}

// maker returns a function that makes a file in the rig's first export, which is fs.
func maker(t testing.TB, r *rig, fs *memfs.FS) func(name, content string) {
	return func(name, content string) {
		v := r.table.View(1, r.table.Exports()[0])
		var m vfs.Made
		m.Entry, m.Dir = new(vfs.Entry), new(vfs.WCC)
		set := vfs.SetAttr{HasMode: true, Mode: 0o666}
		require.Equal(t, vfs.OK, v.Create(&vfs.Cred{}, fs.Root(),
			&vfs.CreateArgs{Name: []byte(name), How: vfs.Guarded, Set: &set}, &m))
		_, _, _, s := v.Write(&vfs.Cred{}, m.Entry.Handle,
			&vfs.WriteArgs{Src: [][]byte{[]byte(content)}}, new(vfs.WCC))
		require.Equal(t, vfs.OK, s)
	}
}

func fattr(t testing.TB, numbers []int, put func(e *xdr.Encoder)) nfs4.Fattr4 {
	return nfs4.Fattr4{Attrmask: bitsOf(numbers...), AttrVals: encoded(t, put)}
}

func mkdir(name string) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_CREATE, Opcreate: nfs4.CREATE4args{
		Objtype: nfs4.Createtype4{Type: nfs4.NF4DIR}, Objname: nfs4.Component4(name),
		Createattrs: nfs4.Fattr4{Attrmask: bitsOf(nfs4.FATTR4_MODE),
			AttrVals: []byte{0, 0, 0o777 >> 8, 0o777 & 0xff}},
	}}
}

func TestObjectsAreMadeRenamedLinkedAndRemoved(t *testing.T) {
	r, file := one(t, export.Options{})
	file("f", "content")
	res := r.ok(append(walk("x"), mkdir("d"), getfh(), getattr(nfs4.FATTR4_TYPE))...)
	require.Equal(t, nfs4.NF4DIR, nfs4.NfsFtype4(binary.BigEndian.Uint32(res[4].Opgetattr.Resok4.ObjAttributes.AttrVals)))
	require.Equal(t, res[3].Opgetfh, r.ok(append(walk("x", "d"), getfh())...)[3].Opgetfh)
	r.fails(nfs4.NFS4ERR_EXIST, append(walk("x"), mkdir("d"))...)
	rename := nfs4.NfsArgop4{Argop: nfs4.OP_RENAME,
		Oprename: nfs4.RENAME4args{Oldname: nfs4.Component4("f"), Newname: nfs4.Component4("g")}}
	r.ok(append(walk("x"), savefh(), lookup("d"), rename)...)
	r.fails(nfs4.NFS4ERR_NOENT, walk("x", "f")...)
	link := nfs4.NfsArgop4{Argop: nfs4.OP_LINK, Oplink: nfs4.LINK4args{Newname: nfs4.Component4("h")}}
	r.ok(append(append(walk("x", "d", "g"), savefh()), append(walk("x", "d"), link)...)...)
	require.ElementsMatch(t, []string{"g", "h"}, r.names(4096, walk("x", "d")...))
	remove := func(name string) nfs4.NfsArgop4 {
		return nfs4.NfsArgop4{Argop: nfs4.OP_REMOVE,
			Opremove: nfs4.REMOVE4args{Target: nfs4.Component4(name)}}
	}
	r.fails(nfs4.NFS4ERR_NOTEMPTY, append(walk("x"), remove("d"))...)
	for _, name := range []string{"g", "h"} {
		r.ok(append(walk("x", "d"), remove(name))...)
	}
	r.ok(append(walk("x"), remove("d"))...)
	require.Empty(t, r.names(4096, walk("x")...))
	sym := mkdir("s")
	sym.Opcreate.Objtype = nfs4.Createtype4{Type: nfs4.NF4LNK, Linkdata: nfs4.Linktext4("to/where")}
	r.ok(append(walk("x"), sym)...)
	res = r.ok(append(walk("x", "s"), nfs4.NfsArgop4{Argop: nfs4.OP_READLINK})...)
	require.Equal(t, "to/where", string(res[3].Opreadlink.Resok4.Link))
	r.fails(nfs4.NFS4ERR_SYMLINK, walk("x", "s", "y")...)
}

func TestNamesAreJudged(t *testing.T) {
	r, _ := one(t, export.Options{})
	for name, st := range map[string]nfs4.Nfsstat4{
		"": nfs4.NFS4ERR_INVAL, ".": nfs4.NFS4ERR_BADNAME, "..": nfs4.NFS4ERR_BADNAME,
		"a/b":   nfs4.NFS4ERR_BADCHAR,
		"a\x00": nfs4.NFS4ERR_BADCHAR, strings.Repeat("n", 256): nfs4.NFS4ERR_NAMETOOLONG,
	} {
		r.fails(st, append(walk("x"), lookup(name))...)
		r.fails(st, append(walk("x"), mkdir(name))...)
	}
	r.ok(append(walk("x"), mkdir(strings.Repeat("n", 255)))...)
}

func TestDataIsReadAndWrittenWithoutAnOpen(t *testing.T) {
	r, file := one(t, export.Options{})
	file("f", "0123456789")
	read := func(off uint64, n uint32) nfs4.NfsArgop4 {
		return nfs4.NfsArgop4{Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Offset: nfs4.Offset4(off),
			Count: nfs4.Count4(n)}}
	}
	at := walk("x", "f")
	ok := r.ok(append(at, read(2, 3), read(8, 100), read(100, 5))...)
	require.Equal(t, "234", string(ok[3].Opread.Resok4.Data))
	require.False(t, ok[3].Opread.Resok4.Eof)
	require.Equal(t, "89", string(ok[4].Opread.Resok4.Data))
	require.True(t, ok[4].Opread.Resok4.Eof)
	require.Empty(t, ok[5].Opread.Resok4.Data)
	require.True(t, ok[5].Opread.Resok4.Eof)
	write := nfs4.NfsArgop4{Argop: nfs4.OP_WRITE, Opwrite: nfs4.WRITE4args{Offset: 5,
		Stable: nfs4.UNSTABLE4, Data: []byte("abcdefghij")}}
	commit := nfs4.NfsArgop4{Argop: nfs4.OP_COMMIT}
	ok = r.ok(append(at, write, commit, read(0, 100))...)
	require.EqualValues(t, 10, ok[3].Opwrite.Resok4.Count)
	require.Equal(t, ok[3].Opwrite.Resok4.Writeverf, ok[4].Opcommit.Resok4.Writeverf)
	require.Equal(t, "01234abcdefghij", string(ok[5].Opread.Resok4.Data))
	for _, op := range []nfs4.NfsArgop4{read(0, 1), write, commit} {
		r.fails(nfs4.NFS4ERR_ISDIR, append(walk("x"), op)...)
		op.Opread.Stateid.Other[3], op.Opwrite.Stateid.Other[3] = 7, 7
		if op.Argop != nfs4.OP_COMMIT {
			r.fails(nfs4.NFS4ERR_BAD_STATEID, append(at, op)...)
		}
	}
	big := bytes.Repeat([]byte("x"), 700_000)
	write.Opwrite.Data, write.Opwrite.Offset = big, 0
	ok = r.ok(append(at, write, read(0, 900_000), getattr(nfs4.FATTR4_SIZE), read(699_990, 100))...)
	require.Equal(t, big, []byte(ok[4].Opread.Resok4.Data), "and what follows it")
	require.Positive(t, r.grows)
}

func TestAReadOnlyExportIsNotChanged(t *testing.T) {
	r, _ := one(t, export.Options{ReadOnly: true})
	r.fails(nfs4.NFS4ERR_ROFS, append(walk("x"), mkdir("d"))...)
	access := nfs4.NfsArgop4{Argop: nfs4.OP_ACCESS, Opaccess: nfs4.ACCESS4args{Access: 0x3f}}
	ok := r.ok(append(walk("x"), access)...)[2].Opaccess.Resok4
	require.EqualValues(t, nfs4.ACCESS4_READ|nfs4.ACCESS4_LOOKUP, ok.Access)
	require.EqualValues(t, 0x1f, ok.Supported, "a directory is not executed")
}

func TestAttributesAreSetAndSaidToBe(t *testing.T) {
	r, file := one(t, export.Options{Squash: export.SquashNone})
	file("f", "0123456789")
	set := func(a nfs4.Fattr4) nfs4.NfsArgop4 {
		return nfs4.NfsArgop4{Argop: nfs4.OP_SETATTR, Opsetattr: nfs4.SETATTR4args{ObjAttributes: a}}
	}
	at := walk("x", "f")
	numbers := []int{nfs4.FATTR4_SIZE, nfs4.FATTR4_MODE, nfs4.FATTR4_OWNER, nfs4.FATTR4_OWNER_GROUP,
		nfs4.FATTR4_TIME_MODIFY_SET}
	ok := r.ok(append(at, set(fattr(t, numbers, func(e *xdr.Encoder) {
		e.Uint64(3)
		e.Uint32(0o640)
		e.String("12")
		e.String("34")
		e.Uint32(uint32(nfs4.SET_TO_CLIENT_TIME4))
		e.Int64(77)
		e.Uint32(5)
	})), getattr(nfs4.FATTR4_SIZE, nfs4.FATTR4_MODE, nfs4.FATTR4_OWNER, nfs4.FATTR4_OWNER_GROUP, nfs4.FATTR4_TIME_MODIFY))...)
	require.Equal(t, bitsOf(numbers...), ok[3].Opsetattr.Attrsset)
	require.Equal(t, encoded(t, func(e *xdr.Encoder) {
		e.Uint64(3)
		e.Uint32(0o640)
		e.String("12")
		e.String("34")
		e.Int64(77)
		e.Uint32(5)
	}), []byte(ok[4].Opgetattr.Resok4.ObjAttributes.AttrVals))
	for name, c := range map[string]struct {
		a  nfs4.Fattr4
		st nfs4.Nfsstat4
	}{
		"read-only":   {fattr(t, []int{nfs4.FATTR4_FILEID}, func(e *xdr.Encoder) { e.Uint64(1) }), nfs4.NFS4ERR_INVAL},
		"unknown":     {fattr(t, []int{nfs4.FATTR4_ACL}, func(e *xdr.Encoder) { e.Uint32(0) }), nfs4.NFS4ERR_ATTRNOTSUPP},
		"far beyond":  {fattr(t, []int{100}, func(e *xdr.Encoder) { e.Uint32(0) }), nfs4.NFS4ERR_ATTRNOTSUPP},
		"short":       {fattr(t, []int{nfs4.FATTR4_SIZE}, func(e *xdr.Encoder) { e.Uint32(1) }), nfs4.NFS4ERR_BADXDR},
		"long":        {fattr(t, []int{nfs4.FATTR4_MODE}, func(e *xdr.Encoder) { e.Uint64(1) }), nfs4.NFS4ERR_BADXDR},
		"mode":        {fattr(t, []int{nfs4.FATTR4_MODE}, func(e *xdr.Encoder) { e.Uint32(0o10000) }), nfs4.NFS4ERR_INVAL},
		"owner":       {fattr(t, []int{nfs4.FATTR4_OWNER}, func(e *xdr.Encoder) { e.String("who") }), nfs4.NFS4ERR_BADOWNER},
		"nobody":      {fattr(t, []int{nfs4.FATTR4_OWNER}, func(e *xdr.Encoder) { e.String("4294967295") }), nfs4.NFS4ERR_INVAL},
		"nanoseconds": {fattr(t, []int{nfs4.FATTR4_TIME_ACCESS_SET}, func(e *xdr.Encoder) { e.Uint32(1); e.Int64(1); e.Uint32(1e9) }), nfs4.NFS4ERR_INVAL},
		"how":         {fattr(t, []int{nfs4.FATTR4_TIME_ACCESS_SET}, func(e *xdr.Encoder) { e.Uint32(2) }), nfs4.NFS4ERR_BADXDR},
	} {
		t.Run(name, func(t *testing.T) {
			res := r.do(append(at, set(c.a))...)
			require.Equal(t, c.st.String(), res.Status.String())
			require.Empty(t, res.Resarray[3].Opsetattr.Attrsset)
		})
	}
}

func TestVerifyComparesWhatTheClientKnows(t *testing.T) {
	r, file := one(t, export.Options{})
	file("f", "0123456789")
	at := walk("x", "f")
	numbers := []int{nfs4.FATTR4_TYPE, nfs4.FATTR4_SIZE, nfs4.FATTR4_FILEHANDLE}
	have := r.ok(append(at, getattr(numbers...))...)[3].Opgetattr.Resok4.ObjAttributes
	have.AttrVals = bytes.Clone(have.AttrVals)
	verify := func(op nfs4.NfsOpnum4, a nfs4.Fattr4) nfs4.NfsArgop4 {
		return nfs4.NfsArgop4{
			Argop: op, Opverify: nfs4.VERIFY4args{ObjAttributes: a},
			Opnverify: nfs4.NVERIFY4args{ObjAttributes: a},
		}
	}
	r.ok(append(at, verify(nfs4.OP_VERIFY, have), getfh())...)
	r.fails(nfs4.NFS4ERR_SAME, append(at, verify(nfs4.OP_NVERIFY, have))...)
	other := nfs4.Fattr4{Attrmask: have.Attrmask, AttrVals: bytes.Clone(have.AttrVals)}
	other.AttrVals[11] ^= 1
	r.fails(nfs4.NFS4ERR_NOT_SAME, append(at, verify(nfs4.OP_VERIFY, other))...)
	r.ok(append(at, verify(nfs4.OP_NVERIFY, other), getfh())...)
	r.fails(nfs4.NFS4ERR_INVAL, append(at, verify(nfs4.OP_VERIFY, fattr(t, []int{nfs4.FATTR4_RDATTR_ERROR}, func(e *xdr.Encoder) { e.Uint32(0) })))...)
	r.fails(nfs4.NFS4ERR_ATTRNOTSUPP, append(at, verify(nfs4.OP_NVERIFY, fattr(t, []int{nfs4.FATTR4_ACL}, func(e *xdr.Encoder) { e.Uint32(0) })))...)
}

// Each attribute alone, and all together, have the length that is said, and words in ascending
// order.
func TestEveryAttributeIsWrittenAsLongAsItIs(t *testing.T) {
	r, file := one(t, export.Options{})
	file("f", "content")
	for _, at := range [][]nfs4.NfsArgop4{walk(), walk("x"), walk("x", "f")} {
		all := supported[0]
		res := r.ok(append(at, getattr(nfs4.FATTR4_SUPPORTED_ATTRS))...)
		var d xdr.Decoder
		d.Reset(res[len(at)].Opgetattr.Resok4.ObjAttributes.AttrVals)
		var got bitmap
		got.decode(&d)
		require.Equal(t, all, got)
		var readableOnes []int
		for n := range words * 32 {
			if !readable[0].has(n) {
				continue
			}
			readableOnes = append(readableOnes, n)
			one := r.ok(append(at, getattr(n))...)[len(at)].Opgetattr.Resok4.ObjAttributes
			if len(one.Attrmask) > 0 {
				require.Equal(t, bitsOf(n), one.Attrmask)
				require.NotEmpty(t, one.AttrVals, n)
			}
		}
		together := r.ok(append(at, getattr(readableOnes...))...)[len(at)].Opgetattr.Resok4.ObjAttributes
		require.Less(t, 4*words+8+len(together.AttrVals), attributesWorst-4*(10-1), "with the longest owners")
		// What no minor version has, and what this one lacks, is left out.
		more := r.ok(append(at, getattr(append(readableOnes, 75, 79, 85,
			95)...))...)[len(at)].Opgetattr.Resok4.ObjAttributes
		require.Equal(t, together, more)
	}
	r.fails(nfs4.NFS4ERR_INVAL, append(walk("x"), getattr(nfs4.FATTR4_TIME_MODIFY_SET))...)
}

// A directory is listed whole and without doubles whatever the size of a page.
func TestADirectoryIsListedInPagesOfEverySize(t *testing.T) {
	r, file := one(t, export.Options{})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 4))
	var want []string
	for i := range 60 {
		name := fmt.Sprintf("%d%s", i, strings.Repeat("n", rng.IntN(100)))
		file(name, "")
		want = append(want, name)
	}
	for _, most := range []uint32{200, 256, 300, 511, 1000, 4096, 100_000} {
		require.ElementsMatch(t, want, r.names(most, walk("x")...), "pages of %d bytes", most)
		r.forgets = !r.forgets
	}
	list := nfs4.NfsArgop4{Argop: nfs4.OP_READDIR, Opreaddir: nfs4.READDIR4args{Maxcount: 4096}}
	for cookie, st := range map[uint64]nfs4.Nfsstat4{1: nfs4.NFS4ERR_BAD_COOKIE, 2: nfs4.NFS4ERR_BAD_COOKIE} {
		list.Opreaddir.Cookie = nfs4.NfsCookie4(cookie)
		r.fails(st, append(walk("x"), list)...)
		r.fails(st, append(walk(), list)...)
	}
	list.Opreaddir.Cookie = 0
	for most := range uint32(60) {
		list.Opreaddir.Maxcount = nfs4.Count4(most)
		res := r.do(append(walk("x"), list)...)
		if res.Status != nfs4.NFS4_OK {
			require.Equal(t, nfs4.NFS4ERR_TOOSMALL, res.Status)
		}
	}
	list.Opreaddir.Maxcount, list.Opreaddir.AttrRequest = 100_000, bitsOf(nfs4.FATTR4_FILEHANDLE,
		nfs4.FATTR4_SIZE)
	for _, x := range r.ok(append(walk("x"), list)...)[2].Opreaddir.Resok4.Reply.Entries {
		got := r.ok(append(walk("x", string(x.Name)), getattr(nfs4.FATTR4_FILEHANDLE, nfs4.FATTR4_SIZE))...)
		require.Equal(t, x.Attrs, got[3].Opgetattr.Resok4.ObjAttributes)
	}
}

func TestSecurityIsToldOfWhatANameLeadsTo(t *testing.T) {
	r, file := one(t, export.Options{})
	file("f", "")
	sec := func(name string) nfs4.NfsArgop4 {
		return nfs4.NfsArgop4{Argop: nfs4.OP_SECINFO,
			Opsecinfo: nfs4.SECINFO4args{Name: nfs4.Component4(name)}}
	}
	res := r.ok(append(walk("x"), sec("f"), getfh())...)
	require.EqualValues(t, 1, res[2].Opsecinfo.Resok4[0].Flavor)
	r.fails(nfs4.NFS4ERR_NOENT, append(walk("x"), sec("g"))...)
}

func TestSetattrThatDoesNotRunAnswersThatNothingWasSet(t *testing.T) {
	r, _ := one(t, export.Options{})
	set := nfs4.NfsArgop4{Argop: nfs4.OP_SETATTR}
	r.fails(nfs4.NFS4ERR_NOFILEHANDLE, set)
	r.minor = 1
	r.fails(nfs4.NFS4ERR_OP_NOT_IN_SESSION, set)
}

func TestALockOfAnUnknownClientIsRefused(t *testing.T) {
	r, file := one(t, export.Options{})
	file("f", "content")
	lock := nfs4.NfsArgop4{Argop: nfs4.OP_LOCK, Oplock: nfs4.LOCK4args{
		Locktype: nfs4.WRITE_LT, Length: 1, Locker: nfs4.Locker4{
			NewLockOwner: true, OpenOwner: nfs4.OpenToLockOwner4{LockOwner: nfs4.LockOwner4{Clientid: 77, Owner: []byte("me")}},
		},
	}}
	r.fails(nfs4.NFS4ERR_STALE_CLIENTID, append(walk("x", "f"), lock)...)
}

func TestNamesNeedNotBeUTF8AndAnAttributeSaysSo(t *testing.T) {
	r, _ := one(t, export.Options{})
	r.ok(append(walk("x"), mkdir("\xc0\xc1"))...)
	r.ok(walk("x", "\xc0\xc1")...)
	got := r.ok(append(walk("x"), getattr(nfs4.FATTR4_FS_CHARSET_CAP))...)[2].Opgetattr.Resok4.ObjAttributes
	require.Empty(t, got.AttrVals, "minor version 0 has no such attribute")
	s := r.session("me")
	got = r.ok(in(s.sequence(), append(walk("x"), getattr(nfs4.FATTR4_FS_CHARSET_CAP))...)...)[3].Opgetattr.Resok4.ObjAttributes
	require.Equal(t, []byte{0, 0, 0, nfs4.FSCHARSET_CAP4_CONTAINS_NON_UTF8}, []byte(got.AttrVals))
}
