package v3

import (
	"bytes"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

func TestACallThatHadToWaitIsRunFromItsBeginning(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	f.view.content = pattern(50)
	f.view.fill(3)
	for proc, a := range examples(r.root(0), r.root(0)) {
		if proc == nfs3.NFSPROC3_NULL {
			continue
		}
		for _, segment := range []int{0, 9} {
			r.segment, r.place = segment, 1
			f.view.st, f.view.attrSt = vfs.OK, vfs.OK
			want := append([]byte(nil), r.raw(proc, a.b)...)

			r.place = 0
			f.view.st, f.view.attrSt = vfs.Again, vfs.Again
			require.Equal(t, rpc.Wait, r.outcome(proc, a.b), name(proc))
			f.view.st, f.view.attrSt = vfs.OK, vfs.OK
			r.call.Place = &r.places[1]
			require.Equal(t, rpc.Done, r.server.RunSettled(&r.call), name(proc))
			require.Equal(t, want, r.call.Reply.Bytes()[acceptedLen:], name(proc))
		}
	}
}

func TestCreateHandsOnHowAndWhat(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	v := &f.view
	dir := r.root(0)
	for _, how := range []vfs.CreateHow{vfs.Unchecked, vfs.Guarded} {
		res := do[nfs3.CREATE3res](r, nfs3.NFSPROC3_CREATE, in(dir, "n").u32(uint32(how)).size(9))
		require.Equal(t, nfs3.NFS3_OK, res.Status)
		require.Equal(t, r.wire(v.made), res.Resok.Obj.Handle.Data)
		require.Equal(t, postOp(&v.attr), res.Resok.ObjAttributes)
		require.EqualValues(t, how, v.how)
		require.Equal(t, vfs.SetAttr{HasSize: true, Size: 9}, v.set)
	}
	require.Equal(
		t,
		nfs3.NFS3_OK,
		r.status(nfs3.NFSPROC3_CREATE, in(dir, "n").u32(2).u64(0x0123456789abcdef)),
	)
	require.EqualValues(t, vfs.Exclusive, v.how)
	require.EqualValues(t, 0x0123456789abcdef, v.verf)
	require.Equal(t, vfs.SetAttr{}, v.set)
	require.Equal(
		t,
		rpc.GarbageArgs,
		r.outcome(nfs3.NFSPROC3_CREATE, in(dir, "n").u32(3).keep().b),
		"a mode that there is not",
	)
}

func TestMknodHandsOnTypeAndNumber(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	v := &f.view
	dir := r.root(0)
	for _, kind := range []vfs.FileType{vfs.TypeBlk, vfs.TypeChr} {
		require.Equal(
			t,
			nfs3.NFS3_OK,
			r.status(nfs3.NFSPROC3_MKNOD, in(dir, "n").u32(uint32(kind)).mode(0o660).u32(1<<32-1, 7)),
		)
		require.EqualValues(t, kind, v.how)
		require.EqualValues(t, 1<<32-1, v.major)
		require.EqualValues(t, 7, v.minor)
		require.Equal(t, vfs.SetAttr{HasMode: true, Mode: 0o660}, v.set)
	}
	for _, kind := range []vfs.FileType{vfs.TypeSock, vfs.TypeFifo} {
		require.Equal(
			t,
			nfs3.NFS3_OK,
			r.status(nfs3.NFSPROC3_MKNOD, in(dir, "n").u32(uint32(kind)).mode(0o600)),
		)
		require.EqualValues(t, kind, v.how)
		require.Zero(t, v.major+v.minor)
	}
	v.calls = 0
	for _, kind := range []vfs.FileType{vfs.TypeReg, vfs.TypeDir, vfs.TypeLnk} {
		require.Equal(t, nfs3.NFS3ERR_BADTYPE, r.status(nfs3.NFSPROC3_MKNOD, in(dir, "n").u32(uint32(kind))))
	}
	for _, kind := range []uint32{0, 8, 1<<32 - 1} {
		require.Equal(
			t,
			rpc.GarbageArgs,
			r.outcome(nfs3.NFSPROC3_MKNOD, in(dir, "n").u32(kind).keep().b),
			"a type that there is not",
		)
	}
	require.Zero(t, v.calls)
}

func TestAccessAsksOnlyForWhatIsWanted(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	v := &f.view
	all := vfs.MayRead | vfs.MayWrite | vfs.MayExec
	for _, c := range []struct {
		name   string
		kind   vfs.FileType
		want   uint32
		asked  vfs.Permission
		has    vfs.Permission
		rights uint32
	}{
		{"all of a file", vfs.TypeReg, 0x3f, all, all, nfs3.ACCESS3_READ | nfs3.ACCESS3_MODIFY | nfs3.ACCESS3_EXTEND | nfs3.ACCESS3_EXECUTE},
		{"all of a directory", vfs.TypeDir, 0x3f, all, all, nfs3.ACCESS3_READ | nfs3.ACCESS3_LOOKUP | nfs3.ACCESS3_MODIFY | nfs3.ACCESS3_EXTEND | nfs3.ACCESS3_DELETE},
		{"to read a file", vfs.TypeReg, nfs3.ACCESS3_READ, vfs.MayRead, all, nfs3.ACCESS3_READ},
		{"to run a file", vfs.TypeReg, nfs3.ACCESS3_EXECUTE, vfs.MayExec, all, nfs3.ACCESS3_EXECUTE},
		{"to write a file that may not be run", vfs.TypeReg, 0x3f, all, vfs.MayWrite, nfs3.ACCESS3_MODIFY | nfs3.ACCESS3_EXTEND},
		{"to write a directory that may not be searched", vfs.TypeDir, 0x3f, all, vfs.MayWrite | vfs.MayRead, nfs3.ACCESS3_READ},
		{"nothing", vfs.TypeReg, 0, 0, all, 0},
		{"bits that there are not", vfs.TypeReg, 1<<32 - 1, all, all, nfs3.ACCESS3_READ | nfs3.ACCESS3_MODIFY | nfs3.ACCESS3_EXTEND | nfs3.ACCESS3_EXECUTE},
		{"a FIFO", vfs.TypeFifo, 0x3f, all, vfs.MayRead | vfs.MayWrite, nfs3.ACCESS3_READ | nfs3.ACCESS3_MODIFY | nfs3.ACCESS3_EXTEND},
	} {
		t.Run(c.name, func(t *testing.T) {
			v.attr.Type, v.has = c.kind, c.has
			res := do[nfs3.ACCESS3res](r, nfs3.NFSPROC3_ACCESS, on(r.root(0)).u32(c.want))
			require.Equal(t, nfs3.NFS3_OK, res.Status)
			require.Equal(t, c.asked, v.want)
			require.Equal(t, c.rights, res.Resok.Access)
		})
	}
}

func TestTheFileSystemsLimitsAreTold(t *testing.T) {
	f := newFake()
	f.limits = vfs.Limits{
		NameMax:         143,
		LinkMax:         7,
		FileSizeMax:     1 << 44,
		TimeDelta:       vfs.Time{Sec: 2},
		CaseInsensitive: true,
	}
	r := newRig(
		t,
		Config{ReadMax: 4 << 20, WriteMax: 128 << 10, ReadDirMax: 1 << 20},
		export.Export{Path: "/x", FS: f},
	)
	info := do[nfs3.FSINFO3res](r, nfs3.NFSPROC3_FSINFO, on(r.root(0)))
	require.Equal(t, nfs3.FSINFO3resok{
		ObjAttributes: postOp(&f.view.attr),
		Rtmax:         4 << 20, Rtpref: 4 << 20, Rtmult: 4096, Wtmax: 128 << 10, Wtpref: 128 << 10, Wtmult: 4096, Dtpref: 1 << 20,
		Maxfilesize: 1 << 44, TimeDelta: nfs3.Nfstime3{Seconds: 2},
	}, info.Resok)
	path := do[nfs3.PATHCONF3res](r, nfs3.NFSPROC3_PATHCONF, on(r.root(0)))
	require.Equal(
		t,
		nfs3.PATHCONF3resok{
			ObjAttributes:   postOp(&f.view.attr),
			Linkmax:         7,
			NameMax:         143,
			CaseInsensitive: true,
		},
		path.Resok,
	)
	here := f.limits // of one directory
	here.CaseInsensitive = false
	f.view.limits = &here
	path = do[nfs3.PATHCONF3res](r, nfs3.NFSPROC3_PATHCONF, on(r.root(0)))
	require.False(t, path.Resok.CaseInsensitive)
	stat := do[nfs3.FSSTAT3res](r, nfs3.NFSPROC3_FSSTAT, on(r.root(0)))
	require.Equal(t, nfs3.FSSTAT3resok{
		ObjAttributes: postOp(&f.view.attr),
		Tbytes:        1 << 50, Fbytes: 2, Abytes: 3, Tfiles: 4, Ffiles: 5, Afiles: 6,
	}, stat.Resok)
	for _, c := range []struct {
		l    vfs.Limits
		want uint32
	}{
		{vfs.Limits{HardLinks: true}, nfs3.FSF3_LINK}, {vfs.Limits{SymbolicLinks: true}, nfs3.FSF3_SYMLINK},
		{vfs.Limits{Homogeneous: true}, nfs3.FSF3_HOMOGENEOUS}, {vfs.Limits{CanSetTime: true}, nfs3.FSF3_CANSETTIME},
	} {
		require.Equal(t, c.want, properties(&c.l))
	}
}

func TestHandlesAndCookiesOutliveARestartAndTheWriteVerifierDoesNot(t *testing.T) {
	fs := memfs.New(memfs.Config{Mode: 0o777})
	r := newRig(t, Config{}, export.Export{Path: "/x", FS: fs})
	made := do[nfs3.CREATE3res](r, nfs3.NFSPROC3_CREATE, in(r.root(0), "f").u32(2).u64(77))
	fh := bytes.Clone(made.Resok.Obj.Handle.Data)
	before := do[nfs3.WRITE3res](r, nfs3.NFSPROC3_WRITE, on(fh).u64(0).u32(5, 0).str("hello"))
	list := do[nfs3.READDIR3res](r, nfs3.NFSPROC3_READDIR, on(r.root(0)).u64(0, 0).u32(160))
	last := list.Resok.Reply.Entries[len(list.Resok.Reply.Entries)-1].Cookie

	r = newRig(t, Config{}, export.Export{Path: "/x", FS: fs.Reopen()})
	commit := do[nfs3.COMMIT3res](r, nfs3.NFSPROC3_COMMIT, on(fh).u64(0).u32(0))
	require.Equal(t, nfs3.NFS3_OK, commit.Status)
	require.NotEqual(t, before.Resok.Verf, commit.Resok.Verf)
	again := do[nfs3.CREATE3res](r, nfs3.NFSPROC3_CREATE, in(r.root(0), "f").u32(2).u64(77))
	require.Equal(t, nfs3.NFS3_OK, again.Status, "the same exclusive CREATE once more")
	require.Equal(t, fh, again.Resok.Obj.Handle.Data)
	a := on(r.root(0)).u64(uint64(last))
	a.b = append(a.b, list.Resok.Cookieverf[:]...)
	next := do[nfs3.READDIR3res](r, nfs3.NFSPROC3_READDIR, a.u32(4096))
	require.Equal(t, nfs3.NFS3_OK, next.Status)
	require.Equal(t, "f", string(next.Resok.Reply.Entries[0].Name))
}

func TestPlacesRunSideBySide(t *testing.T) {
	r := newRig(t, Config{}, export.Export{Path: "/x", FS: memfs.New(memfs.Config{Mode: 0o777})})
	fh := bytes.Clone(
		do[nfs3.CREATE3res](
			r,
			nfs3.NFSPROC3_CREATE,
			in(r.root(0), "f").u32(0).mode(0o666),
		).Resok.Obj.Handle.Data,
	)
	write := r.record(nfs3.NFSPROC3_WRITE, on(fh).u64(0).u32(4096, 0).opaque(pattern(4096)).b)
	read := r.record(nfs3.NFSPROC3_READ, on(fh).u64(0).u32(4096).b)
	list := r.record(nfs3.NFSPROC3_READDIRPLUS, on(r.root(0)).u64(0, 0).u32(4096, 4096).b)

	var wg sync.WaitGroup
	failed := make([]string, len(r.places))
	for i := range r.places {
		wg.Go(func() {
			var c rpc.Call
			reply := make([]byte, 8192)
			for range 200 {
				for _, record := range [][]byte{write, read, list} {
					c.Reset()
					c.Place, c.Peer = &r.places[i], r.peer
					err := r.server.Parse(&c, record, nil)
					c.Reply.Reset(reply)
					if out := r.server.RunSettled(&c); err != nil || out != rpc.Done ||
						statusOf(c.Reply.Bytes()[acceptedLen:]) != nfs3.NFS3_OK {
						failed[i] = c.Procedure().Name
					}
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, make([]string, len(r.places)), failed)
}
