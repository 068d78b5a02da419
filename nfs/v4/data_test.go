package v4

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/faultfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/vfstest"
)

// data is a server of two exports, /x and /y, of one file system, and a session of minor version 2.
type data struct {
	*session
	file func(name, content string)
	fs   *faultfs.FS
}

func newData(t testing.TB, change func(*Config, *export.Export)) *data {
	t.Helper()
	in := memfs.New(memfs.Config{Mode: 0o777})
	fs := faultfs.Wrap(in, 1)
	cfg, x := remembers(new(uint32)), export.Export{Path: "/x", FS: fs,
		Options: export.Options{Squash: export.SquashNone}}
	if change != nil {
		change(&cfg, &x)
	}
	other := memfs.New(memfs.Config{Mode: 0o777})
	r := newRig(t, cfg, x, export.Export{Path: "/y", FS: other})
	d := &data{fs: fs, file: func(name, content string) {
		for i, root := range []vfs.Handle{in.Root(), other.Root()} {
			v := r.table.View(1, r.table.Exports()[i])
			m := vfs.Made{Entry: new(vfs.Entry), Dir: new(vfs.WCC)}
			set := vfs.SetAttr{HasMode: true, Mode: 0o666}
			require.Equal(t, vfs.OK, v.Create(&vfs.Cred{}, root,
				&vfs.CreateArgs{Name: []byte(name), How: vfs.Guarded, Set: &set}, &m))
			_, _, _, s := v.Write(&vfs.Cred{}, m.Entry.Handle,
				&vfs.WriteArgs{Src: [][]byte{[]byte(content)}}, new(vfs.WCC))
			require.True(t, s == vfs.OK, s)
		}
	}}
	d.session = r.session("me")
	r.minor = 2
	r.ok(d.sequence(), nfs4.NfsArgop4{Argop: nfs4.OP_RECLAIM_COMPLETE})
	return d
}

// do runs operations in the session, all of which are to go well, and returns their results.
func (d *data) ok(ops ...nfs4.NfsArgop4) []nfs4.NfsResop4 {
	d.r.t.Helper()
	return d.r.ok(in(d.sequence(), ops...)...)[1:]
}

// try runs operations in the session, and returns what came of them.
func (d *data) try(ops ...nfs4.NfsArgop4) *nfs4.COMPOUND4res {
	d.r.t.Helper()
	return d.r.do(in(d.sequence(), ops...)...)
}

// fails runs operations of which the last is to fail with st.
func (d *data) fails(st nfs4.Nfsstat4, ops ...nfs4.NfsArgop4) {
	d.r.t.Helper()
	d.r.fails(st, in(d.sequence(), ops...)...)
}

// open opens a file of /x or /y, and returns the stateid.
func (d *data) open(dir, name string, access uint32) nfs4.Stateid4 {
	d.r.t.Helper()
	res := d.ok(append(walk(dir), nfs4.NfsArgop4{Argop: nfs4.OP_OPEN, Opopen: nfs4.OPEN4args{
		ShareAccess: access, Owner: nfs4.OpenOwner4{Owner: fmt.Append(nil, dir, name, access)},
		Claim: nfs4.OpenClaim4{File: nfs4.Component4(name)},
	}})...)
	return res[len(res)-1].Opopen.Resok4.Stateid
}

func (d *data) content(dir, name string) string {
	d.r.t.Helper()
	res := d.ok(append(walk(dir, name), nfs4.NfsArgop4{Argop: nfs4.OP_READ,
		Opread: nfs4.READ4args{Count: 1 << 19}})...)
	return string(res[len(res)-1].Opread.Resok4.Data)
}

func seekOp(id nfs4.Stateid4, off uint64, what nfs4.DataContent4) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_SEEK, Opseek: nfs4.SEEK4args{SaStateid: id,
		SaOffset: nfs4.Offset4(off), SaWhat: what}}
}

func allocateOp(id nfs4.Stateid4, off, n uint64) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_ALLOCATE, Opallocate: nfs4.ALLOCATE4args{
		AaStateid: id, AaOffset: nfs4.Offset4(off), AaLength: nfs4.Length4(n),
	}}
}

func deallocateOp(id nfs4.Stateid4, off, n uint64) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_DEALLOCATE, Opdeallocate: nfs4.DEALLOCATE4args{
		DaStateid: id, DaOffset: nfs4.Offset4(off), DaLength: nfs4.Length4(n),
	}}
}

func readPlusOp(id nfs4.Stateid4, off uint64, n uint32) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_READ_PLUS, OpreadPlus: nfs4.READPLUS4args{
		RpaStateid: id, RpaOffset: nfs4.Offset4(off), RpaCount: nfs4.Count4(n),
	}}
}

func cloneOp(from, to nfs4.Stateid4, fromOff, off, n uint64) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_CLONE, Opclone: nfs4.CLONE4args{
		ClSrcStateid: from, ClDstStateid: to, ClSrcOffset: nfs4.Offset4(fromOff),
		ClDstOffset: nfs4.Offset4(off), ClCount: nfs4.Length4(n),
	}}
}

func copyOp(from, to nfs4.Stateid4, fromOff, off, n uint64) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_COPY, Opcopy: nfs4.COPY4args{
		CaSrcStateid: from, CaDstStateid: to, CaSrcOffset: nfs4.Offset4(fromOff),
		CaDstOffset: nfs4.Offset4(off),
		CaCount:     nfs4.Length4(n), CaConsecutive: true, CaSynchronous: true,
	}}
}

// between is the way to two files, for CLONE and COPY.
func between(fromDir, from, toDir, to string) []nfs4.NfsArgop4 {
	return append(append(walk(fromDir, from), savefh()), walk(toDir, to)...)
}

var anonymous nfs4.Stateid4

func TestHolesAreMadeFoundAndFilled(t *testing.T) {
	d := newData(t, nil)
	d.file("f", strings.Repeat("data", 64<<10))
	at := walk("x", "f")
	d.ok(append(at, deallocateOp(anonymous, 65536, 65536))...)
	last := func(res []nfs4.NfsResop4) nfs4.SeekRes4 { return res[len(res)-1].Opseek.Resok4 }
	const hole, content = nfs4.NFS4_CONTENT_HOLE, nfs4.NFS4_CONTENT_DATA
	require.Equal(t, nfs4.SeekRes4{SrOffset: 65536}, last(d.ok(append(at, seekOp(anonymous, 5, hole))...)))
	require.Equal(t, nfs4.SeekRes4{SrOffset: 131072},
		last(d.ok(append(at, seekOp(anonymous, 65536, content))...)))
	require.Equal(t, nfs4.SeekRes4{SrEof: true, SrOffset: 262144},
		last(d.ok(append(at, seekOp(anonymous, 131072, hole))...)))
	d.ok(append(at, deallocateOp(anonymous, 131072, 1<<40))...)
	d.fails(nfs4.NFS4ERR_NXIO, append(at, seekOp(anonymous, 65536, content))...) // a hole to the end
	d.fails(nfs4.NFS4ERR_NXIO, append(at, seekOp(anonymous, 262144, content))...)
	d.fails(nfs4.NFS4ERR_NXIO, append(at, seekOp(anonymous, 1<<63, hole))...)
	d.ok(append(at, allocateOp(anonymous, 262144, 100))...)
	res := d.ok(append(at, getattr(nfs4.FATTR4_SIZE))...)
	require.EqualValues(t, []byte{0, 0, 0, 0, 0, 4, 0, 100}, res[3].Opgetattr.Resok4.ObjAttributes.AttrVals)
	for _, op := range []nfs4.NfsArgop4{allocateOp(anonymous, 0, 0), deallocateOp(anonymous, 0, 0)} {
		d.fails(nfs4.NFS4ERR_INVAL, append(at, op)...)
	}
	d.fails(nfs4.NFS4ERR_FBIG, append(at, allocateOp(anonymous, 1<<63, 5))...)
}

func TestReadPlusTellsHolesFromData(t *testing.T) {
	d := newData(t, nil)
	text := strings.Repeat("0123456789abcdef", 16<<10)
	d.file("f", text)
	at := walk("x", "f")
	d.ok(append(at, deallocateOp(anonymous, 65536, 65536))...)
	plus := func(off uint64, n uint32) nfs4.ReadPlusRes4 {
		t.Helper()
		return d.ok(append(at, readPlusOp(anonymous, off, n))...)[3].OpreadPlus.RpResok4
	}
	text = text[:65536] + strings.Repeat("\x00", 65536) + text[131072:]
	holes := 0
	for _, n := range []uint32{1, 100, 65535, 65536, 65537, 100_000, 1 << 20} {
		for _, off := range []uint64{0, 1, 65535, 65536, 65537, 131071, 131072, 262143, 262144, 262145, 1 << 62} {
			res := plus(off, n)
			end := min(off+uint64(n), 262144)
			require.LessOrEqual(t, len(res.RprContents), 3)
			next := off
			for _, part := range res.RprContents {
				if part.RpcContent == nfs4.NFS4_CONTENT_HOLE {
					holes++
					require.GreaterOrEqual(t, n, uint32(65536), "for less nobody is asked")
					require.EqualValues(t, next, part.RpcHole.DiOffset)
					require.Empty(t, strings.Trim(text[next:next+uint64(part.RpcHole.DiLength)], "\x00"))
					next += uint64(part.RpcHole.DiLength)
					continue
				}
				require.EqualValues(t, next, part.RpcData.DOffset)
				require.True(t, text[next:next+uint64(len(part.RpcData.DData))] == string(part.RpcData.DData))
				next += uint64(len(part.RpcData.DData))
			}
			require.Equal(t, max(off, end), next, "%d at %d", n, off)
			require.Equal(t, next >= 262144, res.RprEof, "%d at %d", n, off)
		}
	}
	require.Positive(t, holes)
	d.ok(append(at, deallocateOp(anonymous, 65536, 1<<30))...)
	require.True(t, plus(65536, 196608).RprEof, "exactly to the end")
	res := plus(65536, 1<<20)
	require.Equal(t, nfs4.ReadPlusRes4{RprEof: true, RprContents: []nfs4.ReadPlusContent{{
		RpcContent: nfs4.NFS4_CONTENT_HOLE, RpcHole: nfs4.DataInfo4{DiOffset: 65536, DiLength: 196608},
	}}}, res, "the hole at the end")
}

// A result has all that is in the range, in turns, up to a bound.
func TestReadPlusTellsOfEveryHoleInTheRange(t *testing.T) {
	d := newData(t, nil)
	text := strings.Repeat("x", 1<<20)
	d.file("f", text)
	at := walk("x", "f")
	holes := func(pairs int) (segments []string) {
		t.Helper()
		for i := range pairs {
			d.ok(append(at, deallocateOp(anonymous, uint64(8192*i+4096), 4096))...)
		}
		res := d.ok(append(at, readPlusOp(anonymous, 0, 1<<17))...)[3].OpreadPlus.RpResok4
		require.False(t, res.RprEof)
		for _, part := range res.RprContents {
			if part.RpcContent == nfs4.NFS4_CONTENT_HOLE {
				segments = append(segments, fmt.Sprint("hole ", part.RpcHole.DiLength))
			} else {
				segments = append(segments, fmt.Sprint("data ", len(part.RpcData.DData)))
			}
		}
		return segments
	}
	require.Equal(t, []string{"data 131072"}, holes(0))
	require.Equal(t, []string{"data 4096", "hole 4096", "data 122880"}, holes(1))
	require.Equal(t, []string{
		"data 4096", "hole 4096", "data 4096", "hole 4096", "data 114688",
	}, holes(2))
	require.Len(t, holes(7), 15)
	for _, pairs := range []int{8, 16} {
		list := holes(pairs)
		require.Len(t, list, 15)
		require.Equal(t, "hole 4096", list[13])
		require.Equal(t, "data 73728", list[14], "the rest")
	}
	d.ok(append(at, deallocateOp(anonymous, 0, 4096))...)
	list := holes(0)
	require.Len(t, list, 16, "a hole comes first")
	require.Equal(t, "data 65536", list[15])
}

func TestRangesAreClonedAndCopied(t *testing.T) {
	d := newData(t, nil)
	text := strings.Repeat("0123456789abcdef", 1<<10)
	d.file("a", text)
	d.file("b", "other")
	d.file("c", "other")
	d.file("big", strings.Repeat("x", 6<<20))
	way := func(op nfs4.NfsArgop4) []nfs4.NfsArgop4 { return append(between("x", "a", "x", "b"), op) }
	d.ok(way(cloneOp(anonymous, anonymous, 0, 4096, 8192))...)
	require.True(t, "other"+strings.Repeat("\x00", 4091)+text[:8192] == d.content("x", "b"))
	d.ok(way(cloneOp(anonymous, anonymous, 0, 0, 0))...)
	require.True(t, text == d.content("x", "b"), "0 is all")
	for _, op := range []nfs4.NfsArgop4{
		cloneOp(anonymous, anonymous, 1, 0, 4096), cloneOp(anonymous, anonymous, 0, 0, 1<<20),
		cloneOp(anonymous, anonymous, 1<<20, 0, 0),
	} {
		d.fails(nfs4.NFS4ERR_INVAL, way(op)...)
	}
	d.fails(nfs4.NFS4ERR_XDEV, append(between("x", "a", "y", "b"), cloneOp(anonymous, anonymous, 0, 0, 0))...)

	copied := func(res []nfs4.NfsResop4) nfs4.WriteResponse4 {
		t.Helper()
		ok := res[len(res)-1].Opcopy.CrResok4
		require.Equal(t, nfs4.CopyRequirements4{CrConsecutive: true, CrSynchronous: true}, ok.CrRequirements)
		require.Empty(t, ok.CrResponse.WrCallbackId)
		require.Equal(t, nfs4.UNSTABLE4, ok.CrResponse.WrCommitted)
		return ok.CrResponse
	}
	res := copied(d.ok(append(between("x", "a", "x", "c"), copyOp(anonymous, anonymous, 3, 2, 9))...))
	require.EqualValues(t, 9, res.WrCount)
	require.Equal(t, "ot"+text[3:12], d.content("x", "c"))
	commit := d.ok(append(walk("x", "c"), nfs4.NfsArgop4{Argop: nfs4.OP_COMMIT})...)
	require.Equal(t, commit[3].Opcommit.Resok4.Writeverf, res.WrWriteverf)
	// Between file systems, as much as passes at once.
	for _, to := range []string{"x", "y"} {
		res = copied(d.ok(append(between("x", "big", to, "c"), copyOp(anonymous, anonymous, 0, 0, 6<<20))...))
		require.EqualValues(t, 4<<20, res.WrCount)
		res = copied(d.ok(append(between("x", "big", to, "c"),
			copyOp(anonymous, anonymous, 4<<20, 4<<20, 0))...))
		require.EqualValues(t, 2<<20, res.WrCount)
		res = copied(d.ok(append(between("x", "big", to, "c"),
			copyOp(anonymous, anonymous, 6<<20, 6<<20, 0))...))
		require.Zero(t, res.WrCount, "at the end")
		require.True(t, strings.Repeat("x", 1<<19) == d.content(to, "c"))
	}
	d.fails(nfs4.NFS4ERR_INVAL, append(between("x", "a", "x", "a"),
		copyOp(anonymous, anonymous, 0, 1, 100))...)
	far := copyOp(anonymous, anonymous, 0, 0, 0)
	far.Opcopy.CaSourceServer = []nfs4.Netloc4{{NlType: nfs4.NL4_NAME, NlName: nfs4.Utf8strCis("elsewhere")}}
	d.fails(nfs4.NFS4ERR_NOTSUPP, append(between("x", "a", "x", "b"), far)...)
	d.fails(nfs4.NFS4ERR_NOFILEHANDLE, append(walk("x", "b"), copyOp(anonymous, anonymous, 0, 0, 0))...)
}

// Every operation with a stateid, each way to have opened the file.
func TestOperationsNeedTheRightOpen(t *testing.T) {
	d := newData(t, nil)
	text := strings.Repeat("0123456789abcdef", 1<<10)
	for _, name := range []string{"a", "b"} {
		d.file(name, text)
	}
	read, write := d.open("x", "a", 1), d.open("x", "a", 2)
	other := d.open("x", "b", 3)
	var foreign nfs4.Stateid4
	foreign.Other[3], foreign.Seqid = 7, 1
	alone := func(op nfs4.NfsArgop4) []nfs4.NfsArgop4 { return append(walk("x", "a"), op) }
	toA := func(op nfs4.NfsArgop4) []nfs4.NfsArgop4 { return append(between("x", "b", "x", "a"), op) }
	fromA := func(op nfs4.NfsArgop4) []nfs4.NfsArgop4 { return append(between("x", "a", "x", "b"), op) }
	for name, c := range map[string]struct {
		ops    func(nfs4.Stateid4) []nfs4.NfsArgop4
		writes bool
	}{
		"seek":       {func(id nfs4.Stateid4) []nfs4.NfsArgop4 { return alone(seekOp(id, 0, nfs4.NFS4_CONTENT_DATA)) }, false},
		"read plus":  {func(id nfs4.Stateid4) []nfs4.NfsArgop4 { return alone(readPlusOp(id, 0, 10)) }, false},
		"allocate":   {func(id nfs4.Stateid4) []nfs4.NfsArgop4 { return alone(allocateOp(id, 0, 10)) }, true},
		"deallocate": {func(id nfs4.Stateid4) []nfs4.NfsArgop4 { return alone(deallocateOp(id, 0, 10)) }, true},
		"clone to":   {func(id nfs4.Stateid4) []nfs4.NfsArgop4 { return toA(cloneOp(other, id, 0, 0, 4096)) }, true},
		"clone from": {func(id nfs4.Stateid4) []nfs4.NfsArgop4 { return fromA(cloneOp(id, other, 0, 0, 4096)) }, false},
		"copy to":    {func(id nfs4.Stateid4) []nfs4.NfsArgop4 { return toA(copyOp(other, id, 0, 0, 10)) }, true},
		"copy from":  {func(id nfs4.Stateid4) []nfs4.NfsArgop4 { return fromA(copyOp(id, other, 0, 0, 10)) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			d.ok(c.ops(anonymous)...)
			d.ok(c.ops(write)...) // who writes whole pages must read
			if c.writes {
				d.fails(nfs4.NFS4ERR_OPENMODE, c.ops(read)...)
			} else {
				d.ok(c.ops(read)...)
			}
			d.fails(nfs4.NFS4ERR_BAD_STATEID, c.ops(other)...)
			d.fails(nfs4.NFS4ERR_BAD_STATEID, c.ops(foreign)...)
		})
	}
	// The current stateid is that of the handle it is used with.
	current := nfs4.Stateid4{Seqid: 1}
	open := func(name string, access uint32) nfs4.NfsArgop4 {
		return nfs4.NfsArgop4{Argop: nfs4.OP_OPEN, Opopen: nfs4.OPEN4args{
			ShareAccess: access, Owner: nfs4.OpenOwner4{Owner: []byte("current")},
			Claim: nfs4.OpenClaim4{File: nfs4.Component4(name)},
		}}
	}
	ops := append(walk("x"), open("a", 1), savefh())
	ops = append(ops, append(walk("x"), open("b", 2), copyOp(current, current, 0, 0, 10))...)
	d.ok(ops...)
	d.fails(nfs4.NFS4ERR_BAD_STATEID, append(between("x", "a", "x", "b"),
		copyOp(current, anonymous, 0, 0, 10))...)
}

// What another open denies holds for special stateids, too.
func TestOperationsWithoutAnOpenRespectWhatOthersDeny(t *testing.T) {
	d := newData(t, nil)
	d.file("f", strings.Repeat("content", 1000))
	d.file("g", "")
	bypass := nfs4.Stateid4{Seqid: 1<<32 - 1}
	for i := range bypass.Other {
		bypass.Other[i] = 0xff
	}
	d.ok(append(walk("x"), nfs4.NfsArgop4{Argop: nfs4.OP_OPEN, Opopen: nfs4.OPEN4args{
		ShareAccess: 1, ShareDeny: 3, Owner: nfs4.OpenOwner4{Owner: []byte("selfish")},
		Claim: nfs4.OpenClaim4{File: nfs4.Component4("f")},
	}})...)
	for _, id := range []nfs4.Stateid4{anonymous, bypass} {
		for _, op := range []nfs4.NfsArgop4{
			seekOp(id, 0, 0), readPlusOp(id, 0, 1), allocateOp(id, 0, 1), deallocateOp(id, 0, 1),
		} {
			d.fails(nfs4.NFS4ERR_LOCKED, append(walk("x", "f"), op)...)
		}
		for _, op := range []nfs4.NfsArgop4{cloneOp(id, id, 0, 0, 0), copyOp(id, id, 0, 0, 0)} {
			d.fails(nfs4.NFS4ERR_LOCKED, append(between("x", "f", "x", "g"), op)...)
			d.fails(nfs4.NFS4ERR_LOCKED, append(between("x", "g", "x", "f"), op)...)
		}
	}
}

func TestAReadOnlyExportIsNotChangedByAnyOperation(t *testing.T) {
	d := newData(t, func(_ *Config, x *export.Export) { x.ReadOnly = true })
	d.file("f", "content")
	for _, op := range []nfs4.NfsArgop4{
		allocateOp(anonymous, 0, 1), deallocateOp(anonymous, 0, 1), setxattr("a", "1", 0), removexattr("a"),
	} {
		d.fails(nfs4.NFS4ERR_ROFS, append(walk("x", "f"), op)...)
	}
	for _, op := range []nfs4.NfsArgop4{cloneOp(anonymous, anonymous, 0, 0, 0), copyOp(anonymous, anonymous, 0, 0, 0)} {
		d.fails(nfs4.NFS4ERR_ROFS, append(between("y", "f", "x", "f"), op)...)
	}
	d.ok(append(between("x", "f", "y", "f"), copyOp(anonymous, anonymous, 0, 0, 0))...)
}

func TestOperationsOnContentAreOfFiles(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "content")
	d.ok(append(walk("x"), mkdir("d"))...)
	sym := mkdir("s")
	sym.Opcreate.Objtype = nfs4.Createtype4{Type: nfs4.NF4LNK, Linkdata: nfs4.Linktext4("f")}
	d.ok(append(walk("x"), sym)...)
	fifo := mkdir("p")
	fifo.Opcreate.Objtype = nfs4.Createtype4{Type: nfs4.NF4FIFO}
	d.ok(append(walk("x"), fifo)...)
	read := nfs4.NfsArgop4{Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Count: 1}}
	write := nfs4.NfsArgop4{Argop: nfs4.OP_WRITE, Opwrite: nfs4.WRITE4args{Data: []byte("x")}}
	advise := nfs4.NfsArgop4{Argop: nfs4.OP_IO_ADVISE}
	commit := nfs4.NfsArgop4{Argop: nfs4.OP_COMMIT}
	for _, op := range []nfs4.NfsArgop4{
		seekOp(anonymous, 0, 0), allocateOp(anonymous, 0, 1), deallocateOp(anonymous, 0, 1),
		readPlusOp(anonymous, 0, 1), read, write, advise, commit, lockOp(anonymous, "me", nfs4.READ_LT, 0, 1),
		locktOp("me", nfs4.READ_LT, 0, 1),
	} {
		d.fails(nfs4.NFS4ERR_ISDIR, append(walk(), op)...)
		d.fails(nfs4.NFS4ERR_ISDIR, append(walk("x", "d"), op)...)
		d.fails(nfs4.NFS4ERR_SYMLINK, append(walk("x", "s"), op)...)
		d.fails(nfs4.NFS4ERR_WRONG_TYPE, append(walk("x", "p"), op)...)
	}
	// A Linux client opens these by itself when it is told SYMLINK, and reports EIO for WRONG_TYPE.
	for _, name := range []string{"p", "s"} {
		d.fails(nfs4.NFS4ERR_SYMLINK, append(walk("x"), openOp("me", name, 1, 0, nfs4.OPEN4_NOCREATE))...)
		d.fails(nfs4.NFS4ERR_SYMLINK, append(walk("x"), openOp("me", name, 1, 0, nfs4.OPEN4_CREATE))...)
	}
	for _, op := range []nfs4.NfsArgop4{cloneOp(anonymous, anonymous, 0, 0, 0), copyOp(anonymous, anonymous, 0, 0, 0)} {
		d.fails(nfs4.NFS4ERR_ISDIR, append(append(walk(), savefh()), append(walk("x", "f"), op)...)...)
		d.fails(nfs4.NFS4ERR_ISDIR, append(between("x", "f", "x", "d"), op)...)
		d.fails(nfs4.NFS4ERR_SYMLINK, append(between("x", "s", "x", "f"), op)...)
		d.fails(nfs4.NFS4ERR_SYMLINK, append(between("x", "f", "x", "s"), op)...)
		d.fails(nfs4.NFS4ERR_WRONG_TYPE, append(between("x", "p", "x", "f"), op)...)
	}
}

func TestWhatABackEndCannotDoIsNotSupported(t *testing.T) {
	d := newData(t, func(_ *Config, x *export.Export) { x.FS = vfstest.Able(x.FS, new(vfs.Abilities)) })
	d.file("f", "content")
	d.file("g", "")
	for _, op := range []nfs4.NfsArgop4{
		seekOp(anonymous, 0, 0), allocateOp(anonymous, 0, 1), deallocateOp(anonymous, 0, 1),
		getxattr("a"), setxattr("a", "1", 0),
		listxattrs(0, 1000), removexattr("a"),
	} {
		d.fails(nfs4.NFS4ERR_NOTSUPP, append(walk("x", "f"), op)...)
	}
	d.fails(nfs4.NFS4ERR_NOTSUPP, append(between("x", "f", "x", "g"),
		cloneOp(anonymous, anonymous, 0, 0, 0))...)
	d.ok(append(between("x", "f", "x", "g"), copyOp(anonymous, anonymous, 0, 0, 0))...)
	require.Equal(t, "content", d.content("x", "g"))
	d.fails(nfs4.NFS4ERR_INVAL, append(between("x", "f", "x", "f"), copyOp(anonymous, anonymous, 0, 3, 0))...)
	res := d.ok(append(walk("x", "f"), readPlusOp(anonymous, 0, 1<<20))...)[3].OpreadPlus.RpResok4
	require.True(t, res.RprEof)
	require.Equal(t, "content", string(res.RprContents[0].RpcData.DData))
	for op := range nfs4.OP_REMOVEXATTR + 1 {
		switch op {
		case nfs4.OP_OFFLOAD_CANCEL, nfs4.OP_OFFLOAD_STATUS, nfs4.OP_COPY_NOTIFY, nfs4.OP_WRITE_SAME, nfs4.OP_LAYOUTERROR, nfs4.OP_LAYOUTSTATS:
			a := nfs4.NfsArgop4{Argop: op}
			a.OpcopyNotify.CnaDestinationServer.NlType = nfs4.NL4_NAME
			a.Oplayoutstats.LsaLayoutupdate.LouType = nfs4.LAYOUT4_NFSV4_1_FILES
			d.fails(nfs4.NFS4ERR_NOTSUPP, append(walk("x", "f"), a)...)
		default:
		}
		if row := rowOf(uint32(op), 2); row != &illegal && row.from == 2 {
			require.Same(t, &illegal, rowOf(uint32(op), 1), row.name)
		}
	}
}

func TestHintsThatAreFollowedAreNamed(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "content")
	advise := func(hints ...int) nfs4.Bitmap4 {
		op := nfs4.NfsArgop4{Argop: nfs4.OP_IO_ADVISE,
			OpioAdvise: nfs4.IOADVISE4args{IaaHints: bitsOf(hints...)}}
		return d.ok(append(walk("x", "f"), op)...)[3].OpioAdvise.Resok4.IorHints
	}
	need := int(nfs4.IO_ADVISE4_WILLNEED)
	require.Equal(t, bitsOf(need), advise(0, 1, need, 6))
	require.Empty(t, advise(0, 1, 6))
	require.Equal(t, 1, d.fs.Count(faultfs.WillNeed))
}

// A session's replies are bounded: what can be shortened is.
func TestResultsFitTheSessionsReplies(t *testing.T) {
	d := newData(t, nil)
	d.file("f", strings.Repeat("x", 100_000))
	for i := range 100 {
		d.file(fmt.Sprintf("%d%s", i, strings.Repeat("n", 50)), "")
	}
	d.ok(append(walk("x", "f"), setxattr("long", strings.Repeat("v", 10_000), 0))...)
	for i := range 60 {
		d.ok(append(walk("x", "f"), setxattr(fmt.Sprintf("%02d%s", i, strings.Repeat("n", 100)), "v", 0))...)
	}
	const replyMax = 4096
	small := d.r.sessionOf("small", replyMax)
	d.r.minor = 2
	d.r.ok(small.sequence(), nfs4.NfsArgop4{Argop: nfs4.OP_RECLAIM_COMPLETE})
	last := func(ops ...nfs4.NfsArgop4) nfs4.NfsResop4 {
		t.Helper()
		args := nfs4.COMPOUND4args{Tag: nfs4.Utf8strCs("tag"), Minorversion: 2,
			Argarray: in(small.sequence(), ops...)}
		require.LessOrEqual(t, len(d.r.run(d.r.record(encoded(t, args.Encode)))), replyMax)
		res := d.r.ok(in(small.sequence(), ops...)...)
		return res[len(res)-1]
	}
	at := walk("x", "f")
	read := nfs4.NfsArgop4{Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Count: 100_000}}
	got := last(append(at, read)...).Opread.Resok4
	require.Greater(t, len(got.Data), replyMax-500)
	require.False(t, got.Eof)
	plus := last(append(at, readPlusOp(anonymous, 0, 100_000))...).OpreadPlus.RpResok4
	require.Greater(t, len(plus.RprContents[0].RpcData.DData), replyMax-500)
	list := nfs4.NfsArgop4{Argop: nfs4.OP_READDIR, Opreaddir: nfs4.READDIR4args{Maxcount: 100_000,
		AttrRequest: bitsOf(nfs4.FATTR4_FILEID)}}
	entries := last(append(walk("x"), list)...).Opreaddir.Resok4.Reply
	require.Greater(t, len(entries.Entries), 20)
	require.False(t, entries.Eof)
	names := last(append(at, listxattrs(0, 100_000))...).Oplistxattrs.LxrValue
	require.Greater(t, len(names.LxrNames), 20)
	require.False(t, names.LxrEof)
	d.r.fails(nfs4.NFS4ERR_REP_TOO_BIG, in(small.sequence(), append(at, getxattr("long"))...)...)
	// What is left after a READ is too little for anything.
	for _, op := range []nfs4.NfsArgop4{read, readPlusOp(anonymous, 0, 10), list, listxattrs(0, 1000), getxattr("long")} {
		d.r.fails(nfs4.NFS4ERR_REP_TOO_BIG, in(small.sequence(), append(at, read, op)...)...)
	}
}

// Every compound of these operations, cut at every byte, is an answer.
func TestOperationsThatAreCutAreAnswered(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "content")
	d.file("g", "content")
	far := copyOp(anonymous, anonymous, 0, 0, 0)
	far.Opcopy.CaSourceServer = []nfs4.Netloc4{{NlType: nfs4.NL4_NAME, NlName: nfs4.Utf8strCis("elsewhere")}}
	for _, op := range []nfs4.NfsArgop4{
		seekOp(anonymous, 0, 0), allocateOp(anonymous, 0, 1), deallocateOp(anonymous, 0, 1),
		readPlusOp(anonymous, 0, 1),
		cloneOp(anonymous, anonymous, 0, 0, 0), copyOp(anonymous, anonymous, 0, 0, 0), far,
		getxattr("a"), setxattr("a", "1", 0),
		listxattrs(0, 100), removexattr("a"),
		{Argop: nfs4.OP_IO_ADVISE, OpioAdvise: nfs4.IOADVISE4args{IaaHints: bitsOf(4)}},
	} {
		way := between("x", "f", "x", "g")
		whole := encoded(t, op.Encode)
		args := nfs4.COMPOUND4args{Minorversion: 2}
		for n := 4; n < len(whole); n++ {
			args.Argarray = in(d.sequence(), append(way, op)...)
			b := encoded(t, args.Encode)
			reply := d.r.run(d.r.record(b[:len(b)-len(whole)+n]))
			require.EqualValues(t, []byte{0, 0, 0, 0}, reply[20:24])
			st := nfs4.Nfsstat4(binary.BigEndian.Uint32(reply[24:]))
			if len(op.Opcopy.CaSourceServer) > 0 && st == nfs4.NFS4ERR_NOTSUPP {
				continue // once it is known that there are some
			}
			require.Equal(t, nfs4.NFS4ERR_BADXDR, st, "%v cut at %d of %d", op.Argop, n, len(whole))
		}
	}
}
