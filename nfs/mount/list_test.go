package mount

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

func TestListOfMountsFollowsThem(t *testing.T) {
	for vers := uint32(1); vers <= 3; vers++ {
		t.Run(fmt.Sprintf("version %d", vers), func(t *testing.T) {
			r := newRig(t)
			r.mnt("/srv/a")
			r.mnt("/srv/a/dir/")
			r.mnt("/srv//a")
			r.from("[::1]:700")
			r.mnt("/srv/a")
			require.Equal(t, []string{"127.0.0.1:/srv/a/dir", "127.0.0.1:/srv/a", "::1:/srv/a"}, r.dump(vers))

			r.ask(vers, MOUNTPROC_UMNT, path("/srv/a/dir"), nil)
			require.Len(t, r.dump(vers), 3, "it is somebody else's")
			r.from("127.0.0.1:701")
			r.ask(vers, MOUNTPROC_UMNT, path("/srv/a/./dir"), nil)
			r.ask(vers, MOUNTPROC_UMNT, path("/etc"), nil)
			r.ask(vers, MOUNTPROC_UMNT, path(strings.Repeat("/x", 2000)), nil)
			require.Equal(t, []string{"127.0.0.1:/srv/a", "::1:/srv/a"}, r.dump(vers))
			r.mnt("/srv/a/dir")
			r.ask(vers, MOUNTPROC_UMNTALL, nil, nil)
			require.Equal(t, []string{"::1:/srv/a"}, r.dump(vers))
		})
	}
}

func TestListOfMountsIsBounded(t *testing.T) {
	var l list
	addr := netip.MustParseAddr("2001:db8::").As16()
	for peer := range 2 * listMax {
		addr[14], addr[15] = byte(peer>>8), byte(peer)
		for i := range 2 {
			l.add(entry{peer: netip.AddrFrom16(addr), path: fmt.Sprint(i)})
		}
	}
	require.Len(t, l.entries, listMax)
	last := l.entries[listMax-1]
	require.Equal(t, entry{peer: netip.AddrFrom16(addr), path: "1"}, last, "the newest stay")
	for i := range 2 * perPeerMax {
		l.add(entry{peer: last.peer, path: fmt.Sprint(i)})
	}
	mine := 0
	for _, e := range l.entries {
		if e.peer == last.peer {
			mine++
		}
	}
	require.Equal(t, perPeerMax, mine)
	require.LessOrEqual(t, len(l.entries), listMax)
}

func TestLongListsGrowTheReply(t *testing.T) {
	var exports []export.Export
	for i := range 100 {
		exports = append(exports, export.Export{Path: fmt.Sprintf("/export/%s/%d", strings.Repeat("x", 200), i), FS: memfs.New(memfs.Config{})})
	}
	r := newRigOf(t, exports)
	for _, x := range exports[:60] {
		require.Equal(t, MNT3_OK, r.mnt(x.Path).FhsStatus)
	}
	var list Exports
	r.ask(3, MOUNTPROC3_EXPORT, nil, &list)
	require.Len(t, list, 100)
	require.Len(t, r.dump(3), 60)
}

func TestExportsAreListedWithWhomTheyServe(t *testing.T) {
	all := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	r := newRigOf(t, []export.Export{
		{Path: "/one", FS: tree(t)},
		{Path: "/two", FS: tree(t), Options: export.Options{Allow: all}},
		{Path: "/three", FS: tree(t), Options: export.Options{Allow: all[:1]}},
	})
	want := Exports{
		{ExDir: []byte("/one"), ExGroups: Groups{{GrName: []byte("127.0.0.0/8")}, {GrName: []byte("::1/128")}}},
		{ExDir: []byte("/two"), ExGroups: nil},
		{ExDir: []byte("/three"), ExGroups: Groups{{GrName: []byte("0.0.0.0/0")}}},
	}
	for _, c := range [][2]uint32{{1, MOUNTPROC_EXPORT}, {1, MOUNTPROC_EXPORTALL}, {2, MOUNTPROC_EXPORT}, {3, MOUNTPROC3_EXPORT}} {
		var got Exports
		r.ask(c[0], c[1], nil, &got)
		require.Equal(t, want, got)
	}
}
