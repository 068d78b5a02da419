package v3

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// fuzzLimits are small, so that inputs can reach them.
var fuzzLimits = Config{ReadMax: 8192, WriteMax: 4096, ReadDirMax: 4096, Places: 2}

// garden is a small tree with one object of each kind that matters, and their
// handles on the wire.
func garden(t *testing.T) (*rig, [][]byte) {
	fs := memfs.New(memfs.Config{Mode: 0o777, BytesMax: 1 << 20, FilesMax: 100, LinkMax: 3})
	r := newRig(
		t,
		fuzzLimits,
		export.Export{Path: "/x", FS: fs, Options: export.Options{Squash: export.SquashNone}},
	)
	v := r.table.View(1, r.table.Exports()[0])
	c := &vfs.Cred{UID: r.uid, GID: r.gid}
	root := fs.Root()
	handles := [][]byte{r.wire(root)}
	add := func(st vfs.Status, e *vfs.Entry) {
		require.Equal(t, vfs.OK, st)
		handles = append(handles, r.wire(e.Handle))
	}
	var e vfs.Entry
	var w vfs.WCC
	set := &vfs.SetAttr{HasMode: true, Mode: 0o755}
	add(v.Mkdir(c, root, &vfs.MkdirArgs{Name: []byte("dir"), Set: set}, &vfs.Made{Entry: &e, Dir: &w}), &e)
	dir := e.Handle
	add(
		v.Symlink(
			c,
			root,
			&vfs.SymlinkArgs{Name: []byte("link"), Target: []byte("dir/file"), Set: set},
			&vfs.Made{Entry: &e, Dir: &w},
		),
		&e,
	)
	add(
		v.Mknod(
			c,
			root,
			&vfs.MknodArgs{Name: []byte("pipe"), Type: vfs.TypeFifo, Set: set},
			&vfs.Made{Entry: &e, Dir: &w},
		),
		&e,
	)
	add(
		v.Create(
			c,
			dir,
			&vfs.CreateArgs{Name: []byte("gone"), How: vfs.Guarded, Set: set},
			&vfs.Made{Entry: &e, Dir: &w},
		),
		&e,
	)
	require.Equal(t, vfs.OK, v.Remove(c, dir, []byte("gone"), &w))
	add(
		v.Create(
			c,
			dir,
			&vfs.CreateArgs{Name: []byte("file"), How: vfs.Guarded, Set: set},
			&vfs.Made{Entry: &e, Dir: &w},
		),
		&e,
	)
	_, _, _, st := v.Write(
		c,
		e.Handle,
		&vfs.WriteArgs{Off: 0, Src: [][]byte{pattern(10000)}, How: vfs.Unstable},
		&w,
	)
	require.Equal(t, vfs.OK, st)
	return r, handles
}

// fuzzProcedure calls a procedure with arguments that begin with the handle that pick chooses, or
// with none. RENAME and LINK have a second handle in between.
func fuzzProcedure(f *testing.F, proc int) {
	const none = 200
	for pick := range uint8(6) {
		switch proc {
		case nfs3.NFSPROC3_RENAME:
			f.Add(pick, new(args).str("file").b, pick/2, new(args).str("name").b, uint8(0))
			f.Add(uint8(1), new(args).str("file").b, uint8(0), new(args).str("dir").b, uint8(9))
		case nfs3.NFSPROC3_LINK:
			f.Add(uint8(5), []byte{}, pick, new(args).str("name").b, uint8(0))
		default:
			a := examples(nil, nil)[proc].b
			f.Add(pick, a[min(4, len(a)):], uint8(none), []byte{}, pick)
		}
		f.Add(uint8(none), examples(nil, nil)[proc].b, uint8(none), []byte{}, pick)
	}
	f.Fuzz(func(t *testing.T, pick uint8, head []byte, pick2 uint8, tail []byte, segment uint8) {
		if len(head)+len(tail) > 1<<16 {
			return
		}
		r, handles := garden(t)
		var a args
		for _, p := range []struct {
			pick uint8
			rest []byte
		}{{pick, head}, {pick2, tail}} {
			if int(p.pick) < len(handles) {
				a.opaque(handles[p.pick])
			}
			a.b = append(a.b, p.rest...)
		}
		r.segment = int(segment)
		s := newServer(r.table, fuzzLimits)
		r.server = rpc.NewServer(s.program())
		r.server.OnPanic = func(_ *rpc.Call, v any, stack []byte) { t.Errorf("panic: %v\n%s", v, stack) }
		r.server.OnFault = func(_ *rpc.Call, err error) { t.Errorf("fault: %v", err) }

		// The least memory that a reply may come with.
		record := r.record(proc, a.b)
		out, accepted, b := r.run(record, make([]byte, 2048))
		if out == rpc.Grow {
			require.LessOrEqual(
				t,
				r.call.Need,
				acceptedLen+readHeader+8192+3,
				"memory for a reply is bounded",
			)
			out, accepted, b = r.run(record, make([]byte, r.call.Need))
		}
		require.Equal(t, rpc.Done, out)
		if w := s.works[1]; w != nil {
			require.LessOrEqual(t, cap(w.segments), segmentsMax)
		}
		if accepted != 0 {
			require.EqualValues(t, 4, accepted, "nothing but GARBAGE_ARGS")
			require.Empty(t, b)
			return
		}
		check(t, decode(t, proc, b))
	})
}

// check tests properties of results on which every client may rely.
func check(t *testing.T, res codec) {
	switch res := res.(type) {
	case *nfs3.READ3res:
		require.EqualValues(t, len(res.Resok.Data), res.Resok.Count)
		require.LessOrEqual(t, len(res.Resok.Data), 8192)
	case *nfs3.WRITE3res:
		require.LessOrEqual(t, uint32(res.Resok.Count), uint32(4096))
	case *nfs3.LOOKUP3res:
		require.Equal(t, res.Status == nfs3.NFS3_OK, len(res.Resok.Object.Data) > 0)
	case *nfs3.CREATE3res:
		require.Equal(t, res.Status == nfs3.NFS3_OK, res.Resok.Obj.HandleFollows)
	case *nfs3.READDIR3res:
		if res.Status == nfs3.NFS3_OK && !res.Resok.Reply.Eof {
			require.NotEmpty(t, res.Resok.Reply.Entries)
		}
	case *nfs3.READDIRPLUS3res:
		if res.Status == nfs3.NFS3_OK && !res.Resok.Reply.Eof {
			require.NotEmpty(t, res.Resok.Reply.Entries)
		}
	}
}

func FuzzGetattr(f *testing.F)     { fuzzProcedure(f, nfs3.NFSPROC3_GETATTR) }
func FuzzSetattr(f *testing.F)     { fuzzProcedure(f, nfs3.NFSPROC3_SETATTR) }
func FuzzLookup(f *testing.F)      { fuzzProcedure(f, nfs3.NFSPROC3_LOOKUP) }
func FuzzAccess(f *testing.F)      { fuzzProcedure(f, nfs3.NFSPROC3_ACCESS) }
func FuzzReadlink(f *testing.F)    { fuzzProcedure(f, nfs3.NFSPROC3_READLINK) }
func FuzzRead(f *testing.F)        { fuzzProcedure(f, nfs3.NFSPROC3_READ) }
func FuzzWrite(f *testing.F)       { fuzzProcedure(f, nfs3.NFSPROC3_WRITE) }
func FuzzCreate(f *testing.F)      { fuzzProcedure(f, nfs3.NFSPROC3_CREATE) }
func FuzzMkdir(f *testing.F)       { fuzzProcedure(f, nfs3.NFSPROC3_MKDIR) }
func FuzzSymlink(f *testing.F)     { fuzzProcedure(f, nfs3.NFSPROC3_SYMLINK) }
func FuzzMknod(f *testing.F)       { fuzzProcedure(f, nfs3.NFSPROC3_MKNOD) }
func FuzzRemove(f *testing.F)      { fuzzProcedure(f, nfs3.NFSPROC3_REMOVE) }
func FuzzRmdir(f *testing.F)       { fuzzProcedure(f, nfs3.NFSPROC3_RMDIR) }
func FuzzRename(f *testing.F)      { fuzzProcedure(f, nfs3.NFSPROC3_RENAME) }
func FuzzLink(f *testing.F)        { fuzzProcedure(f, nfs3.NFSPROC3_LINK) }
func FuzzReaddir(f *testing.F)     { fuzzProcedure(f, nfs3.NFSPROC3_READDIR) }
func FuzzReaddirplus(f *testing.F) { fuzzProcedure(f, nfs3.NFSPROC3_READDIRPLUS) }
func FuzzFsstat(f *testing.F)      { fuzzProcedure(f, nfs3.NFSPROC3_FSSTAT) }
func FuzzFsinfo(f *testing.F)      { fuzzProcedure(f, nfs3.NFSPROC3_FSINFO) }
func FuzzPathconf(f *testing.F)    { fuzzProcedure(f, nfs3.NFSPROC3_PATHCONF) }
func FuzzCommit(f *testing.F)      { fuzzProcedure(f, nfs3.NFSPROC3_COMMIT) }
