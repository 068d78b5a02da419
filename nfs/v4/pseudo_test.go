package v4

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// names lists a directory, a page at a time.
func (r *rig) names(most uint32, ops ...nfs4.NfsArgop4) (names []string) {
	r.t.Helper()
	a := nfs4.READDIR4args{Dircount: 0, Maxcount: nfs4.Count4(most),
		AttrRequest: bitsOf(nfs4.FATTR4_FILEID, nfs4.FATTR4_TYPE)}
	for {
		res := r.ok(append(ops[:len(ops):len(ops)], nfs4.NfsArgop4{Argop: nfs4.OP_READDIR, Opreaddir: a})...)
		ok := &res[len(res)-1].Opreaddir.Resok4
		n := 0
		for _, x := range ok.Reply.Entries {
			names = append(names, string(x.Name))
			a.Cookie = x.Cookie
			n++
		}
		if !r.forgets {
			a.Cookieverf = ok.Cookieverf
		}
		if ok.Reply.Eof {
			return names
		}
		require.Positive(r.t, n)
	}
}

func TestThePseudoFileSystemLeadsToTheExports(t *testing.T) {
	r := two(t)
	require.Equal(t, []string{"srv"}, r.names(4096, putroot()))
	require.Equal(t, []string{"a", "b"}, r.names(4096, walk("srv")...))
	require.Equal(t, []string{"a", "b"}, r.names(60, walk("srv")...), "a page at a time")
	require.Equal(t, []string{"c"}, r.names(4096, walk("srv", "b")...))
	require.Empty(t, r.names(4096, walk("srv", "a")...), "an export, which is empty")
	root := r.ok(putroot(), getfh())[1].Opgetfh
	require.Equal(t, root, r.ok(append(walk("srv", "a"), lookupp(), lookupp(), getfh())...)[5].Opgetfh)
	r.fails(nfs4.NFS4ERR_NOENT, putroot(), lookupp())
	r.fails(nfs4.NFS4ERR_NOENT, walk("srv", "d")...)
}

func TestAClientSeesOnlyWhatLeadsToItsExports(t *testing.T) {
	only := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	r := newRig(t, remembers(new(uint32)),
		export.Export{Path: "/srv/a", FS: memfs.New(memfs.Config{Mode: 0o777})},
		export.Export{Path: "/other/b", FS: memfs.New(memfs.Config{Mode: 0o777}),
			Options: export.Options{Allow: only}},
	)
	require.Equal(t, []string{"srv"}, r.names(4096, putroot()))
	r.fails(nfs4.NFS4ERR_NOENT, walk("other")...)
	r.peer = netip.MustParseAddrPort("192.0.2.7:700")
	require.Equal(t, []string{"other"}, r.names(4096, putroot()))
	r.ok(walk("other", "b")...)
}

func TestNothingInThePseudoFileSystemCanBeChanged(t *testing.T) {
	r := two(t)
	for _, op := range []nfs4.NfsArgop4{
		{Argop: nfs4.OP_REMOVE, Opremove: nfs4.REMOVE4args{Target: nfs4.Component4("a")}},
		{Argop: nfs4.OP_CREATE, Opcreate: nfs4.CREATE4args{Objtype: nfs4.Createtype4{Type: nfs4.NF4DIR}, Objname: nfs4.Component4("x")}},
		{Argop: nfs4.OP_SETATTR},
	} {
		r.fails(nfs4.NFS4ERR_ROFS, append(walk("srv"), op)...)
	}
}

func TestAnExportMayBeTheRootItself(t *testing.T) {
	r := newRig(t, remembers(new(uint32)), export.Export{Path: "/", FS: memfs.New(memfs.Config{Mode: 0o777})})
	fh := r.ok(putroot(), getfh())[1].Opgetfh.Resok4.Object
	require.False(t, export.IsNode(fh))
	r.fails(nfs4.NFS4ERR_NOENT, putroot(), lookupp())
}

func TestNodesNumbersAreNeverZeroAndDiffer(t *testing.T) {
	var exports []*export.Export
	for _, p := range []string{"/a", "/b/c", "/b/d", "/e/f/g/h"} {
		exports = append(exports, &export.Export{Path: p})
	}
	tr := newTree(exports)
	require.Len(t, tr.byID, 9)
	for id, n := range tr.byID {
		require.NotZero(t, id)
		require.Equal(t, id, n.id)
	}
	require.Equal(t, tr.root.id, newTree(exports[1:]).root.id, "the same after another start")
}
