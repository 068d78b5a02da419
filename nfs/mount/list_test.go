package mount

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
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

			r.ask(vers, mount3.MOUNTPROC_UMNT, path("/srv/a/dir"), nil)
			require.Len(t, r.dump(vers), 3, "it is somebody else's")
			r.from("127.0.0.1:701")
			r.ask(vers, mount3.MOUNTPROC_UMNT, path("/srv/a/./dir"), nil)
			r.ask(vers, mount3.MOUNTPROC_UMNT, path("/etc"), nil)
			r.ask(vers, mount3.MOUNTPROC_UMNT, path(strings.Repeat("/x", 2000)), nil)
			require.Equal(t, []string{"127.0.0.1:/srv/a", "::1:/srv/a"}, r.dump(vers))
			r.mnt("/srv/a/dir")
			r.ask(vers, mount3.MOUNTPROC_UMNTALL, nil, nil)
			require.Equal(t, []string{"::1:/srv/a"}, r.dump(vers))
		})
	}
}

func TestListOfMountsIsBounded(t *testing.T) {
	var l list
	addr := netip.MustParseAddr("2001:db8::").As16()
	for peer := range 2 * listMax {
		addr[6], addr[7] = byte(peer>>8), byte(peer)
		for i := range 2 {
			l.add(listed(addr, i))
		}
	}
	require.Len(t, l.entries, listMax)
	last := l.entries[listMax-1]
	require.Equal(t, listed(addr, 1), last, "the newest stay")
	for i := range 2 * perHouseMax { // as many addresses as a household has
		addr[15] = byte(i)
		l.add(listed(addr, i))
	}
	mine := 0
	for _, e := range l.entries {
		if e.house == last.house {
			mine++
		}
	}
	require.Equal(t, perHouseMax, mine)
	require.LessOrEqual(t, len(l.entries), listMax)
}

// listed is a mount of number path by somebody elsewhere.
func listed(addr [16]byte, path int) entry {
	peer := netip.AddrFrom16(addr)
	return entry{house: rpc.Household(peer), peer: peer, path: fmt.Sprint(path)}
}

func TestAUserOfTheMachineChangesNobodyElsesMounts(t *testing.T) {
	r := newRig(t)
	as := func(uid uint32) { r.call.Origin = &rpc.Origin{Trust: rpc.Bound, UID: uid} }
	as(0)
	r.mnt("/srv/a")
	for i := range 2 * perHouseMax {
		as(1000)
		r.from(fmt.Sprintf("127.0.0.%d:700", i+1)) // a user can call from any of them
		r.mnt("/srv/a")
	}
	r.from("127.0.0.1:700")
	r.ask(3, mount3.MOUNTPROC_UMNT, path("/srv/a"), nil)
	r.ask(3, mount3.MOUNTPROC_UMNTALL, nil, nil)
	require.Empty(t, r.told(3), "of this address")
	left := r.dump(3)
	require.Len(t, left, 1+perHouseMax)
	require.Equal(t, "127.0.0.1:/srv/a", left[0], "root's")
}

func TestLongListsGrowTheReply(t *testing.T) {
	var exports []export.Export
	for i := range 100 {
		exports = append(
			exports,
			export.Export{
				Path: fmt.Sprintf("/export/%s/%d", strings.Repeat("x", 200), i),
				FS:   memfs.New(memfs.Config{}),
			},
		)
	}
	r := newRigOf(t, exports)
	for _, x := range exports[:60] {
		require.Equal(t, mount3.MNT3_OK, r.mnt(x.Path).FhsStatus)
	}
	var list mount3.Exports
	r.ask(3, mount3.MOUNTPROC3_EXPORT, nil, &list)
	require.Len(t, list, 100)
	require.Len(t, r.dump(3), 60)
}

func TestMountsOfOthersAreNobodysBusiness(t *testing.T) {
	r := newRig(t)
	r.from("192.0.2.9:700")
	require.Equal(t, mount3.MNT3_OK, r.mnt("/srv/b").FhsStatus)
	r.from("127.0.0.1:700")
	require.Equal(t, mount3.MNT3_OK, r.mnt("/srv/a/dir").FhsStatus)
	for vers := uint32(1); vers <= 3; vers++ {
		for peer, want := range map[string][]string{
			"127.0.0.1:50000": {"127.0.0.1:/srv/a/dir"},
			"192.0.2.9:50000": {"192.0.2.9:/srv/b"},
			"192.0.2.8:700":   nil,
			"203.0.113.1:700": nil,
		} {
			r.from(peer)
			require.Equal(t, want, r.told(vers), peer)
		}
		require.Len(t, r.dump(vers), 2, "root on the server's machine is told all")
	}
}

func TestExportsAreListedForThoseWhoMayMountThem(t *testing.T) {
	r := newRig(t)
	listed := func(vers uint32) (paths []string) {
		var got mount3.Exports
		r.ask(vers, mount3.MOUNTPROC3_EXPORT, nil, &got)
		for _, e := range got {
			paths = append(paths, string(e.ExDir))
		}
		return paths
	}
	for vers := uint32(1); vers <= 3; vers++ {
		for peer, want := range map[string][]string{
			"127.0.0.1:50000": {"/srv/a"},
			"192.0.2.9:50000": {"/srv/b"},
			"203.0.113.1:700": nil,
		} {
			r.from(peer)
			require.Equal(t, want, listed(vers), peer)
		}
		r.call.Origin = &rpc.Origin{Trust: rpc.Believed}
		require.Equal(t, []string{"/srv/a", "/srv/b"}, listed(vers))
		r.call.Origin = nil
	}
}

func TestListsThatOutgrowEveryReplyAreCut(t *testing.T) {
	const room = 9000 // bytes
	var exports []export.Export
	for i := range 100 {
		exports = append(
			exports,
			export.Export{
				Path: fmt.Sprintf("/export/%s/%d", strings.Repeat("x", 900), i),
				FS:   memfs.New(memfs.Config{}),
			},
		)
	}
	r := newRigWith(t, exports, Config{ReplyMax: room})
	for _, x := range exports[:60] {
		require.Equal(t, mount3.MNT3_OK, r.mnt(x.Path).FhsStatus)
	}
	require.LessOrEqual(t, len(r.reply(3, mount3.MOUNTPROC3_EXPORT, nil).Results), room)
	var list mount3.Exports
	r.ask(3, mount3.MOUNTPROC3_EXPORT, nil, &list)
	require.Len(t, list, 9) // of 960 bytes each
	r.call.Origin = &rpc.Origin{Trust: rpc.Believed}
	require.LessOrEqual(t, len(r.reply(3, mount3.MOUNTPROC3_DUMP, nil).Results), room)
	r.call.Origin = nil
	mounts := r.dump(3)
	require.Len(t, mounts, 9)
	require.Equal(t, "127.0.0.1:"+exports[59].Path, mounts[8], "the newest are told")
}

func TestMountsAreToldWithTheReason(t *testing.T) {
	var answers []Answer
	r := newRigWith(t, []export.Export{
		{Path: "/srv/a", FS: tree(t)},
		{
			Path:    "/srv/b",
			FS:      tree(t),
			Options: export.Options{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
		},
	}, Config{Answered: func(_ *rpc.Call, a Answer) { answers = append(answers, a) }})
	for _, c := range []struct {
		peer, path string
		origin     *rpc.Origin
		status     mount3.Mountstat3
		why        string
	}{
		{"127.0.0.1:700", "/srv/a/dir", nil, mount3.MNT3_OK, ""},
		{"127.0.0.1:50000", "/srv/a", &rpc.Origin{Trust: rpc.Bound}, mount3.MNT3_OK, ""},
		{"127.0.0.1:700", "/srv/b", nil, mount3.MNT3ERR_ACCES, "--allow"},
		{"192.0.2.1:1023", "/srv/b", nil, mount3.MNT3_OK, ""},
		{"192.0.2.1:1024", "/srv/b", nil, mount3.MNT3ERR_ACCES, "resvport"},
		{"127.0.0.1:700", "/etc", nil, mount3.MNT3ERR_NOENT, "not exported"},
		{"127.0.0.1:700", "/srv/a/none", nil, mount3.MNT3ERR_NOENT, "directory"},
		{"127.0.0.1:700", "/srv/a/" + strings.Repeat("x", 2000), nil, mount3.MNT3ERR_NAMETOOLONG,
			"directory"},
	} {
		answers = nil
		r.from(c.peer)
		r.call.Origin = c.origin
		require.Equal(t, c.status, r.mnt(c.path).FhsStatus, c.path)
		require.Len(t, answers, 1)
		require.Equal(t, c.status, answers[0].Status)
		require.Equal(t, c.path[:min(len(c.path), 1024)], answers[0].Path)
		require.Equal(t, c.why == "", answers[0].Why == "")
		require.Contains(t, answers[0].Why, c.why)
	}
}

func TestExportsAreListedWithWhomTheyServe(t *testing.T) {
	all := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	r := newRigOf(t, []export.Export{
		{Path: "/one", FS: tree(t)},
		{Path: "/two", FS: tree(t), Options: export.Options{Allow: all}},
		{Path: "/three", FS: tree(t), Options: export.Options{Allow: all[:1]}},
	})
	want := mount3.Exports{
		{
			ExDir:    []byte("/one"),
			ExGroups: mount3.Groups{{GrName: []byte("127.0.0.0/8")}, {GrName: []byte("::1/128")}},
		},
		{ExDir: []byte("/two"), ExGroups: nil},
		{ExDir: []byte("/three"), ExGroups: mount3.Groups{{GrName: []byte("0.0.0.0/0")}}},
	}
	for _, c := range [][2]uint32{{1, mount3.MOUNTPROC_EXPORT}, {1, mount3.MOUNTPROC_EXPORTALL}, {2, mount3.MOUNTPROC_EXPORT}, {3, mount3.MOUNTPROC3_EXPORT}} {
		var got mount3.Exports
		r.ask(c[0], c[1], nil, &got)
		require.Equal(t, want, got)
	}
}
