package export

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

func oneExport(t testing.TB, o Options) *Export {
	t.Helper()
	tab, err := NewTable(testKey(), 1, []Export{{Path: "/a", FS: newStub(), Options: o}})
	require.NoError(t, err)
	return tab.Exports()[0]
}

func TestAllowed(t *testing.T) {
	prefixes := func(words ...string) (ps []netip.Prefix) {
		for _, w := range words {
			ps = append(ps, netip.MustParsePrefix(w))
		}
		return ps
	}
	for _, c := range []struct {
		name    string
		allow   []netip.Prefix
		yes, no []string
	}{
		{"loopback by default", nil,
			[]string{"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"},
			[]string{"10.0.0.1", "::2", "fe80::1%lo", "::ffff:10.0.0.1", "::", "0.0.0.0", "128.0.0.1"}},
		{"exactly the given prefixes", prefixes("10.1.0.0/16", "fd00::/8", "fe80::/10"),
			[]string{"10.1.2.3", "::ffff:10.1.2.3", "fd12::1", "fe80::1%eth0"},
			[]string{"127.0.0.1", "::1", "10.2.0.0", "::ffff:10.2.0.0", "fc00::1"}},
		{"a prefix with host bits set", prefixes("192.168.1.77/24"), []string{"192.168.1.1"}, []string{"192.168.2.77"}},
		{"a mapped prefix", prefixes("::ffff:10.0.0.0/104"), []string{"10.9.9.9", "::ffff:10.9.9.9"}, []string{"11.0.0.1"}},
		{"all of IPv4", prefixes("0.0.0.0/0"), []string{"8.8.8.8", "::ffff:8.8.8.8"}, []string{"::1", "2001:db8::1"}},
		{"all of IPv6", prefixes("::/0"), []string{"::1", "2001:db8::1"}, []string{"8.8.8.8", "::ffff:8.8.8.8"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := oneExport(t, Options{Allow: c.allow})
			for _, a := range c.yes {
				require.True(t, x.Allowed(netip.MustParseAddr(a)), a)
			}
			for _, a := range c.no {
				require.False(t, x.Allowed(netip.MustParseAddr(a)), a)
			}
			require.False(t, x.Allowed(netip.Addr{}), "no address")
			require.Zero(t, testing.AllocsPerRun(10, func() { x.Allowed(netip.MustParseAddr("127.0.0.1")) }))
		})
	}
	for _, p := range []netip.Prefix{{}, netip.MustParsePrefix("::ffff:0:0/90")} {
		_, err := NewTable(
			testKey(),
			1,
			[]Export{{Path: "/a", FS: newStub(), Options: Options{Allow: []netip.Prefix{p}}}},
		)
		require.ErrorContains(t, err, "export /a:", "%v", p)
	}
}

func TestCred(t *testing.T) {
	const none = 1<<32 - 1
	type id struct {
		uid, gid uint32
		groups   []uint32
	}
	for _, c := range []struct {
		name    string
		o       Options
		in, out id
	}{
		{"root squash leaves a user alone", Options{}, id{1000, 100, []uint32{4, 20}}, id{1000, 100, []uint32{4, 20}}},
		{"root squash maps root", Options{}, id{0, 0, []uint32{0}}, id{65534, 65534, []uint32{65534}}},
		{"root squash maps group 0 of a user", Options{AnonUID: 7, AnonGID: 8}, id{1000, 0, []uint32{5, 0, 6, 0}}, id{1000, 8, []uint32{5, 8, 6, 8}}},
		{"root squash keeps root's other groups", Options{AnonUID: 7}, id{0, 5, []uint32{6}}, id{7, 5, []uint32{6}}},
		{"no squash", Options{Squash: SquashNone}, id{0, 0, []uint32{0, 1}}, id{0, 0, []uint32{0, 1}}},
		{"all squashed", Options{Squash: SquashAll, AnonUID: 7, AnonGID: 8}, id{1000, 100, []uint32{4}}, id{7, 8, nil}},
		{"all squashed, root too", Options{Squash: SquashAll}, id{0, 0, []uint32{0}}, id{65534, 65534, nil}},
		{"no credential becomes anonymous", Options{Squash: SquashNone, AnonUID: 7, AnonGID: 8}, id{65534, 65534, nil}, id{7, 8, nil}},
		{"user nobody with groups is himself", Options{AnonUID: 7, AnonGID: 8}, id{65534, 65534, []uint32{9}}, id{65534, 65534, []uint32{9}}},
		{"invalid identities are anonymous", Options{Squash: SquashNone, AnonUID: 7, AnonGID: 8}, id{none, none, []uint32{none, 3}}, id{7, 8, []uint32{8, 3}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := oneExport(t, c.o)
			th := new(vfs.Thread)
			got := x.Cred(th, c.in.uid, c.in.gid, c.in.groups)
			require.Equal(t, c.out.uid, got.UID)
			require.Equal(t, c.out.gid, got.GID)
			require.ElementsMatch(t, c.out.groups, got.Groups)
			require.Same(t, got, x.Cred(th, c.in.uid, c.in.gid, c.in.groups), "interned")
			require.Zero(t, testing.AllocsPerRun(10, func() { x.Cred(th, c.in.uid, c.in.gid, c.in.groups) }))
		})
	}
}

func TestCredMapsMoreGroupsThanFitTheStack(t *testing.T) {
	groups := make([]uint32, 40)
	got := oneExport(t, Options{}).Cred(new(vfs.Thread), 1, 1, groups)
	require.Len(t, got.Groups, 40)
	require.NotContains(t, got.Groups, uint32(0))
	require.Zero(t, groups[39], "the caller's groups are not written to")
}

func TestSquashWords(t *testing.T) {
	for _, w := range []string{"root", "none", "all"} {
		s, err := ParseSquash(w)
		require.NoError(t, err)
		require.Equal(t, w, s.String())
	}
	_, err := ParseSquash("Root")
	require.ErrorContains(t, err, "root, none, all")
	require.Equal(t, "unknown", Squash(9).String())
}
