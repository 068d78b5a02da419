package v4

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/faultfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// filled is a file system with these directories, each behind those that it lies in.
func filled(t testing.TB, dirs ...string) *faultfs.FS {
	t.Helper()
	fs := memfs.New(memfs.Config{Mode: 0o777})
	th := &vfs.Thread{MayWait: true}
	v, err := fs.View(th)
	require.NoError(t, err)
	defer v.Close()
	root := th.Creds.Intern(0, 0, nil)
	for _, path := range dirs {
		at, name := fs.Root(), path
		for i := len(path) - 1; i >= 0; i-- {
			if path[i] == '/' {
				var e vfs.Entry
				require.Equal(t, vfs.OK, v.Walk(root, path[:i], &e))
				at, name = e.Handle, path[i+1:]
				break
			}
		}
		var e vfs.Entry
		var w vfs.WCC
		set := vfs.SetAttr{HasMode: true, Mode: 0o777}
		require.Equal(t, vfs.OK, v.Mkdir(root, at, &vfs.MkdirArgs{Name: []byte(name), Set: &set},
			&vfs.Made{Entry: &e, Dir: &w}), path)
	}
	return faultfs.Wrap(fs, 1)
}

// place is what tells where an object is.
type place struct{ fsid, fileID, mountedOn uint64 }

func placeOf(b []byte) place {
	be := binary.BigEndian
	return place{fsid: be.Uint64(b), fileID: be.Uint64(b[16:]), mountedOn: be.Uint64(b[24:])}
}

var askPlace = []int{nfs4.FATTR4_FSID, nfs4.FATTR4_FILEID, nfs4.FATTR4_MOUNTED_ON_FILEID}

// at returns where the object is that ops lead to, and its handle.
func (r *rig) at(ops ...nfs4.NfsArgop4) (place, string) {
	r.t.Helper()
	res := r.ok(append(ops[:len(ops):len(ops)], getattr(askPlace...), getfh())...)
	n := len(res)
	return placeOf(res[n-2].Opgetattr.Resok4.ObjAttributes.AttrVals),
		string(res[n-1].Opgetfh.Resok4.Object)
}

// listed returns the entries of a directory, by name.
func (r *rig) listed(numbers []int, ops ...nfs4.NfsArgop4) map[string]nfs4.Fattr4 {
	r.t.Helper()
	res := r.ok(append(ops[:len(ops):len(ops)], nfs4.NfsArgop4{Argop: nfs4.OP_READDIR,
		Opreaddir: nfs4.READDIR4args{Maxcount: 4096, AttrRequest: bitsOf(numbers...)}})...)
	all := make(map[string]nfs4.Fattr4)
	for _, x := range res[len(res)-1].Opreaddir.Resok4.Reply.Entries {
		all[string(x.Name)] = x.Attrs
	}
	return all
}

var (
	someone  = netip.MustParseAddrPort("192.0.2.7:700")
	somebody = netip.MustParseAddrPort("198.51.100.7:700")
)

func only(peers ...netip.AddrPort) (o export.Options) {
	for _, p := range peers {
		o.Allow = append(o.Allow, netip.PrefixFrom(p.Addr(), 32))
	}
	return o
}

// nested is three exports in each other, /srv, /srv/a/b and /srv/a/b/c, of which the middle one
// is for somebody only.
func nested(t *testing.T) (r *rig, fs [3]*faultfs.FS) {
	fs = [3]*faultfs.FS{filled(t, "a", "a/b", "a/b/c", "z"), filled(t, "c", "d"), filled(t, "e")}
	everybody := only(someone, somebody)
	r = newRig(t, remembers(new(uint32)),
		export.Export{Path: "/srv", FS: fs[0], Options: everybody},
		export.Export{Path: "/srv/a/b", FS: fs[1], Options: only(somebody)},
		export.Export{Path: "/srv/a/b/c", FS: fs[2], Options: everybody},
	)
	r.peer = somebody
	return r, fs
}

func TestAnExportIsMountedOnADirectoryOfTheOneThatItLiesIn(t *testing.T) {
	r, fs := nested(t)
	outer, fh0 := r.at(walk("srv")...)
	a, _ := r.at(walk("srv", "a")...)
	require.Equal(t, outer.fsid, a.fsid)
	b, fh1 := r.at(walk("srv", "a", "b")...)
	c, fh2 := r.at(walk("srv", "a", "b", "c")...)
	require.NotEqual(t, outer.fsid, b.fsid)
	require.NotEqual(t, outer.fsid, c.fsid)
	require.NotEqual(t, b.fsid, c.fsid)
	for i, fh := range []string{fh0, fh1, fh2} {
		h := fs[i].Root()
		require.Equal(t, string(r.table.Seal(r.table.Exports()[i], &h, nil)), fh)
	}
	for _, p := range []place{b, c} {
		require.NotEqual(t, p.fileID, p.mountedOn)
		require.NotZero(t, p.mountedOn)
	}
	require.Equal(t, []string{"e"}, r.names(4096, walk("srv", "a", "b", "c")...))
	// And back.
	_, up := r.at(append(walk("srv", "a", "b", "c"), lookupp())...)
	require.Equal(t, fh1, up)
	there, up := r.at(append(walk("srv", "a", "b"), lookupp())...)
	require.Equal(t, a, there)
	_, fhA := r.at(walk("srv", "a")...)
	require.Equal(t, fhA, up)
}

func TestADirectoryListsWhatIsMountedInIt(t *testing.T) {
	r, _ := nested(t)
	for _, begin := range []int{0, 1} {
		r.place = begin
		want, _ := r.at(walk("srv", "a", "b")...)
		numbers := append([]int{nfs4.FATTR4_RDATTR_ERROR}, askPlace...)
		got := r.listed(askPlace, walk("srv", "a")...)
		require.Equal(t, want, placeOf(got["b"].AttrVals))
		all := r.listed(numbers, walk("srv", "a")...)["b"]
		if begin == 0 {
			require.Zero(t, binary.BigEndian.Uint32(all.AttrVals[16:]), "no error")
		} else {
			// The outer file system's worker does not wait for the inner one.
			require.EqualValues(t, bitsOf(nfs4.FATTR4_RDATTR_ERROR, nfs4.FATTR4_MOUNTED_ON_FILEID), all.Attrmask)
			require.Equal(t, want.mountedOn, binary.BigEndian.Uint64(all.AttrVals[4:]))
		}
		_, fh := r.at(walk("srv", "a", "b")...)
		have := r.listed([]int{nfs4.FATTR4_FILEHANDLE}, walk("srv", "a")...)["b"].AttrVals
		require.Equal(t, fh, string(have[4:4+len(fh)]))
	}
}

func TestWhoIsNotServedByAnExportSeesTheDirectoryBelowOrTheWayOn(t *testing.T) {
	r, _ := nested(t)
	r.peer = someone
	outer, _ := r.at(walk("srv")...)
	b, fhB := r.at(walk("srv", "a", "b")...)
	require.True(t, export.IsNode([]byte(fhB)), "which leads on to an export that is for him")
	require.NotEqual(t, outer.fsid, b.fsid)
	require.Equal(t, []string{"c"}, r.names(4096, walk("srv", "a", "b")...))
	c, fhC := r.at(walk("srv", "a", "b", "c")...)
	require.False(t, export.IsNode([]byte(fhC)))
	require.NotEqual(t, outer.fsid, c.fsid)
	// Up by the same way.
	a, _ := r.at(walk("srv", "a")...)
	up, _ := r.at(append(walk("srv", "a", "b"), lookupp())...)
	require.Equal(t, a, up)

	r = newRig(t, remembers(new(uint32)),
		export.Export{Path: "/srv", FS: filled(t, "a", "a/in"), Options: only(someone, somebody)},
		export.Export{Path: "/srv/a", FS: filled(t), Options: only(somebody)},
	)
	r.peer = someone
	outer, _ = r.at(walk("srv")...)
	below, _ := r.at(walk("srv", "a")...)
	require.Equal(t, outer.fsid, below.fsid, "the directory itself")
	require.Equal(t, below, placeOf(r.listed(askPlace, walk("srv")...)["a"].AttrVals))
	require.Equal(t, []string{"in"}, r.names(4096, walk("srv", "a")...))
	r.peer = somebody
	require.Empty(t, r.names(4096, walk("srv", "a")...))
}

func TestWhoIsServedByTheInnerExportOnlyGetsThereAllTheSame(t *testing.T) {
	var asked []string
	cfg := remembers(new(uint32))
	cfg.Refused = func(_ *rpc.Call, x *export.Export, why export.Refusal) {
		require.Equal(t, export.RefusedAddress, why)
		asked = append(asked, x.Path)
	}
	r := newRig(t, cfg,
		export.Export{Path: "/srv", FS: filled(t, "a", "b"), Options: only(someone)},
		export.Export{Path: "/srv/a", FS: filled(t, "in"), Options: only(someone, somebody)},
		export.Export{Path: "/srv/b", FS: filled(t), Options: only(someone)},
	)
	r.peer = somebody
	require.Equal(t, []string{"srv"}, r.names(4096, putroot()))
	require.Equal(t, []string{"a"}, r.names(4096, walk("srv")...), "of the export's own directory nothing")
	a, fh := r.at(walk("srv", "a")...)
	listed := r.listed(append([]int{nfs4.FATTR4_NUMLINKS}, askPlace...), walk("srv")...)["a"].AttrVals
	require.Equal(t, a.fsid, binary.BigEndian.Uint64(listed))
	require.Equal(t, []string{"in"}, r.names(4096, walk("srv", "a")...))
	srv, up := r.at(walk("srv")...)
	require.True(t, export.IsNode([]byte(up)))
	above, _ := r.at(append(walk("srv", "a"), lookupp())...)
	require.Equal(t, srv, above)
	require.Empty(t, asked)
	r.fails(nfs4.NFS4ERR_NOENT, walk("srv", "b")...)
	require.Equal(t, []string{"/srv/b"}, asked, "the log says why")
	// The node of an export is no way around it, and a handle is of no use to others.
	putfh := func(fh string) nfs4.NfsArgop4 {
		return nfs4.NfsArgop4{Argop: nfs4.OP_PUTFH, Opputfh: nfs4.PUTFH4args{Object: []byte(fh)}}
	}
	links := r.ok(putfh(up), getattr(nfs4.FATTR4_NUMLINKS))[1].Opgetattr.Resok4.ObjAttributes.AttrVals
	require.EqualValues(t, []byte{0, 0, 0, 3}, links, "of two directories one is hidden")
	r.peer = netip.MustParseAddrPort("203.0.113.1:700")
	r.fails(nfs4.NFS4ERR_STALE, putfh(up))
	r.fails(nfs4.NFS4ERR_ACCESS, putfh(fh))
	asked = nil
	r.fails(nfs4.NFS4ERR_ACCESS, putroot())
	require.Equal(t, []string{"/srv", "/srv/a", "/srv/b"}, asked)
}

func rename(name string) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_RENAME, Oprename: nfs4.RENAME4args{
		Oldname: nfs4.Component4(name), Newname: nfs4.Component4(name + "2"),
	}}
}

func TestWhatIsMountedStaysWhenItsDirectoryGetsAnotherName(t *testing.T) {
	r, fs := nested(t)
	want, fh := r.at(walk("srv", "a", "b")...)
	th := &vfs.Thread{MayWait: true}
	v, err := fs[0].View(th) // somebody on the server's own machine
	require.NoError(t, err)
	defer v.Close()
	c := th.Creds.Intern(0, 0, nil)
	var a vfs.Entry
	require.Equal(t, vfs.OK, v.Walk(c, "a", &a))
	require.Equal(t, vfs.OK, v.Rename(c, &vfs.RenameArgs{
		From: a.Handle, FromName: []byte("b"), To: fs[0].Root(), ToName: []byte("moved"),
	}, new(vfs.WCC), new(vfs.WCC)))
	r.fails(nfs4.NFS4ERR_NOENT, walk("srv", "a", "b")...)
	got, there := r.at(walk("srv", "moved")...)
	require.Equal(t, fh, there)
	require.Equal(t, want, got)
	_, srv := r.at(walk("srv")...)
	_, up := r.at(append(walk("srv", "moved"), lookupp())...)
	require.Equal(t, srv, up)
	// When it has been removed, the nodes lead out to the export that it was in.
	for _, name := range []string{"c", ""} {
		var e vfs.Entry
		dir, gone := fs[0].Root(), "moved"
		if name != "" {
			require.Equal(t, vfs.OK, v.Walk(c, "moved", &e))
			dir, gone = e.Handle, name
		}
		require.Equal(t, vfs.OK, v.Rmdir(c, dir, []byte(gone), new(vfs.WCC)))
	}
	_, up = r.at(nfs4.NfsArgop4{Argop: nfs4.OP_PUTFH, Opputfh: nfs4.PUTFH4args{Object: []byte(fh)}}, lookupp(), lookupp())
	require.Equal(t, srv, up)
}

func TestADirectoryOnWhichAnExportIsMountedStays(t *testing.T) {
	r, _ := nested(t)
	remove := func(name string) nfs4.NfsArgop4 {
		return nfs4.NfsArgop4{Argop: nfs4.OP_REMOVE, Opremove: nfs4.REMOVE4args{Target: nfs4.Component4(name)}}
	}
	r.fails(nfs4.NFS4ERR_NOTEMPTY, append(walk("srv", "a"), remove("b"))...)
	r.fails(nfs4.NFS4ERR_ACCESS, append(walk("srv", "a"), savefh(), rename("b"))...)
	over := rename("z")
	over.Oprename.Newname = nfs4.Component4("b")
	r.fails(nfs4.NFS4ERR_EXIST, append(append(walk("srv"), savefh(), lookup("a")), over)...)
	r.ok(append(walk("srv"), savefh(), rename("z"))...)
	// What contains it may move.
	r.ok(append(walk("srv"), savefh(), rename("a"))...)
	r.ok(walk("srv", "a2", "b", "c")...)
}

func TestExportsAreFileSystemsToRenamesAndLinks(t *testing.T) {
	r, _ := nested(t)
	r.fails(nfs4.NFS4ERR_XDEV, append(append(walk("srv", "a", "b"), savefh()), append(walk("srv"), rename("d"))...)...)
	link := nfs4.NfsArgop4{Argop: nfs4.OP_LINK, Oplink: nfs4.LINK4args{Newname: nfs4.Component4("x")}}
	r.fails(nfs4.NFS4ERR_XDEV, append(append(walk("srv", "a", "b", "d"), savefh()), append(walk("srv"), link)...)...)
}

// What is in between is a mount of the machine that nobody exports: the outer file system shows an
// empty directory there.
func TestNodesLeadOnWhereTheOuterExportDoesNot(t *testing.T) {
	r := newRig(t, remembers(new(uint32)),
		export.Export{Path: "/srv", FS: filled(t, "a", "other", "other/x", "other/x/y")},
		export.Export{Path: "/srv/a/b/c", FS: filled(t, "in")},
		export.Export{Path: "/srv/other/x/y", FS: filled(t, "there")},
	)
	require.Equal(t, []string{"b"}, r.names(4096, walk("srv", "a")...))
	require.Equal(t, []string{"in"}, r.names(4096, walk("srv", "a", "b", "c")...))
	a, _ := r.at(walk("srv", "a")...)
	require.Equal(t, pseudoFSID[0], a.fsid)
	srv, _ := r.at(walk("srv")...)
	up, _ := r.at(append(walk("srv", "a"), lookupp())...)
	require.Equal(t, srv, up)
	other, _ := r.at(walk("srv", "other")...)
	require.Equal(t, srv.fsid, other.fsid)
	require.Equal(t, []string{"there"}, r.names(4096, walk("srv", "other", "x", "y")...))
}

func TestTheServerTellsOfExportsThatNothingLeadsTo(t *testing.T) {
	var told []string
	cfg := remembers(new(uint32))
	cfg.Unreached = func(outer *export.Export) { told = append(told, outer.Path) }
	newRig(t, cfg,
		export.Export{Path: "/srv", FS: filled(t, "a")},
		export.Export{Path: "/srv/b", FS: filled(t)},
		export.Export{Path: "/fine", FS: filled(t, "a")},
		export.Export{Path: "/fine/a", FS: filled(t)},
	)
	require.Equal(t, []string{"/srv"}, told)
}

// pointed is a file system that does not enter its directory "point", a mount point.
type pointed struct{ *faultfs.FS }

func newPointed(t *testing.T) pointed {
	fs := filled(t, "point", "other")
	fs.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Lookup, faultfs.Walk}, Name: "point", Status: vfs.Access})
	return pointed{fs}
}

func (p pointed) View(th *vfs.Thread) (vfs.View, error) {
	v, err := p.FS.View(th)
	return pointedView{v}, err
}

type pointedView struct{ vfs.View }

func (v pointedView) ReadDir(c *vfs.Cred, dir vfs.Handle, r *vfs.ReadDirArgs, d *vfs.Attr) (uint64, bool, vfs.Status) {
	b := *r
	b.Yield = func(x *vfs.DirEntry) bool {
		if string(x.Name) == "point" {
			y := *x
			y.HasEntry, y.Entry = false, vfs.Entry{}
			x = &y
		}
		return r.Yield(x)
	}
	return v.View.ReadDir(c, dir, &b, d)
}

func TestAMountPointThatTheBackEndDoesNotEnterIsKnownByItsName(t *testing.T) {
	r := newRig(t, remembers(new(uint32)),
		export.Export{Path: "/srv", FS: newPointed(t), Options: export.Options{Squash: export.SquashNone}},
		export.Export{Path: "/srv/point", FS: filled(t, "in")},
	)
	in, _ := r.at(walk("srv", "point")...)
	require.Equal(t, []string{"in"}, r.names(4096, walk("srv", "point")...))
	require.Equal(t, in, placeOf(r.listed(askPlace, walk("srv")...)["point"].AttrVals))
	srv, _ := r.at(walk("srv")...)
	up, _ := r.at(append(walk("srv", "point"), lookupp())...)
	require.Equal(t, srv, up)
	r.fails(nfs4.NFS4ERR_NOTEMPTY, append(walk("srv"), nfs4.NfsArgop4{Argop: nfs4.OP_REMOVE,
		Opremove: nfs4.REMOVE4args{Target: nfs4.Component4("point")}})...)
	// Who may not search the directory does not get in.
	r.ok(append(walk("srv"), nfs4.NfsArgop4{Argop: nfs4.OP_SETATTR, Opsetattr: nfs4.SETATTR4args{
		ObjAttributes: nfs4.Fattr4{Attrmask: bitsOf(nfs4.FATTR4_MODE), AttrVals: []byte{0, 0, 0o700 >> 8, 0o700 & 0xff}},
	}})...)
	r.uid, r.gid = 1000, 1000
	r.fails(nfs4.NFS4ERR_ACCESS, walk("srv", "point")...)
}

func TestAnExportThatDoesNotAnswerDoesNotHoldItsNeighboursUp(t *testing.T) {
	slow := filled(t)
	gate := faultfs.NewGate()
	defer gate.Open()
	slow.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.GetAttr}, Gate: gate})
	r := newRig(t, remembers(new(uint32)),
		export.Export{Path: "/srv", FS: filled(t, "a"), Volume: 1},
		export.Export{Path: "/srv/a", FS: slow, Volume: 2},
		export.Export{Path: "/slow", FS: slow, Volume: 2, Options: export.Options{ReadOnly: true}},
	)
	numbers := append([]int{nfs4.FATTR4_RDATTR_ERROR}, askPlace...)
	for _, begin := range []int{0, 1} {
		r.place = begin
		for name, dir := range map[string][]nfs4.NfsArgop4{"a": walk("srv"), "slow": walk()} {
			x := r.listed(numbers, dir...)[name]
			require.Equal(t, uint32(nfs4.NFS4ERR_DELAY), binary.BigEndian.Uint32(x.AttrVals), name)
			require.Len(t, x.AttrVals, 4+8, "and the number of the directory")
			require.Zero(t, r.waits)
		}
	}
}

func TestFlavorsAreThoseOfWhatIsFound(t *testing.T) {
	all := export.Options{Squash: export.SquashAll}
	r := newRig(t, remembers(new(uint32)),
		export.Export{Path: "/srv", FS: filled(t, "a", "b")},
		export.Export{Path: "/srv/a", FS: filled(t), Options: all},
		export.Export{Path: "/pub/x", FS: filled(t), Options: all},
		export.Export{Path: "/home/x", FS: filled(t)},
	)
	secinfo := func(ops []nfs4.NfsArgop4, name string) (flavors []uint32) {
		res := r.ok(append(ops, nfs4.NfsArgop4{Argop: nfs4.OP_SECINFO, Opsecinfo: nfs4.SECINFO4args{Name: nfs4.Component4(name)}})...)
		for _, f := range res[len(res)-1].Opsecinfo.Resok4 {
			flavors = append(flavors, f.Flavor)
		}
		return flavors
	}
	both, sys := []uint32{1, 0}, []uint32{1}
	require.Equal(t, sys, secinfo(walk(), "srv"))
	require.Equal(t, both, secinfo(walk("srv"), "a"), "the export that is mounted there")
	require.Equal(t, sys, secinfo(walk("srv"), "b"))
	require.Equal(t, both, secinfo(walk(), "pub"), "it leads there")
	require.Equal(t, sys, secinfo(walk(), "home"))
	r.fails(nfs4.NFS4ERR_NOENT, append(walk(), nfs4.NfsArgop4{Argop: nfs4.OP_SECINFO,
		Opsecinfo: nfs4.SECINFO4args{Name: nfs4.Component4("none")}})...)

	s := r.session("c")
	noName := func(style nfs4.SecinfoStyle4, ops ...nfs4.NfsArgop4) nfs4.NfsResop4 {
		res := r.ok(in(s.sequence(),
			append(ops, nfs4.NfsArgop4{Argop: nfs4.OP_SECINFO_NO_NAME, OpsecinfoNoName: style})...)...)
		return res[len(res)-1]
	}
	require.Len(t, noName(nfs4.SECINFO_STYLE4_CURRENT_FH, walk("srv", "a")...).OpsecinfoNoName.Resok4, 2)
	require.Len(t, noName(nfs4.SECINFO_STYLE4_PARENT, walk("srv", "a")...).OpsecinfoNoName.Resok4, 1)
	require.Len(t, noName(nfs4.SECINFO_STYLE4_CURRENT_FH, putroot()).OpsecinfoNoName.Resok4, 2)
}
