package export

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

func TestPortsBelow1024AreRootsOnOtherMachines(t *testing.T) {
	for _, c := range []struct {
		port            uint16
		local, insecure bool
		want            Refusal
	}{
		{1, false, false, Served}, {1023, false, false, Served}, {1024, false, false, RefusedPort},
		{1025, false, false, RefusedPort}, {65535, false, false, RefusedPort},
		{1024, true, false, Served}, {1024, false, true, Served},
	} {
		x := &Export{Options: Options{Insecure: c.insecure}}
		require.NoError(t, x.settle())
		require.Equal(
			t,
			c.want,
			x.Refuses(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), c.port), c.local),
			"%+v",
			c,
		)
	}
}

// An inner export is stricter unless it serves everybody whom the outer one serves.
func TestAnExportThatServesAPartOfANetworkIsStricter(t *testing.T) {
	allow := func(list ...string) (o Options) {
		for _, p := range list {
			o.Allow = append(o.Allow, netip.MustParsePrefix(p))
		}
		return o
	}
	for _, c := range []struct {
		inner, outer Options
		stricter     bool
	}{
		{allow("192.0.2.0/24"), allow("192.0.2.0/24"), false},
		{allow("192.0.2.0/23"), allow("192.0.2.0/24"), false},
		{allow("192.0.2.0/25"), allow("192.0.2.0/24"), true}, // it begins where that begins
		{allow("192.0.2.128/25"), allow("192.0.2.0/24"), true},
		{allow("192.0.2.0/24", "198.51.100.0/24"), allow("198.51.100.7/32"), false},
		{allow("192.0.2.0/24"), allow("192.0.2.0/24", "198.51.100.0/24"), true},
		{allow("::/0"), allow("0.0.0.0/0"), true},
	} {
		require.Equal(
			t,
			c.stricter,
			c.inner.Stricter(c.outer) != "",
			"%v in %v",
			c.inner.Allow,
			c.outer.Allow,
		)
	}
}

func TestNetworksOfMappedIPv4AreThoseOfIPv4(t *testing.T) {
	for mapped, want := range map[string]string{
		"::ffff:0.0.0.0/96": "0.0.0.0/0", "::ffff:128.0.0.0/97": "128.0.0.0/1", "::ffff:10.0.0.0/104": "10.0.0.0/8",
		"::ffff:192.0.2.0/120": "192.0.2.0/24", "::ffff:192.0.2.7/128": "192.0.2.7/32",
	} {
		got, err := Networks([]netip.Prefix{netip.MustParsePrefix(mapped)})
		require.NoError(t, err, mapped)
		require.Equal(t, []netip.Prefix{netip.MustParsePrefix(want)}, got, mapped)
	}
	_, err := Networks([]netip.Prefix{netip.MustParsePrefix("::ffff:0.0.0.0/95")})
	require.Error(t, err)
}

func TestTheInnermostExportAnswersForAPath(t *testing.T) {
	for _, order := range [][]string{{"/", "/a", "/a/b"}, {"/a/b", "/a", "/"}, {"/a", "/", "/a/b"}} {
		table := newTable(t, order...)
		for path, want := range map[string][2]string{
			"/": {"/", ""}, "/x": {"/", "x"}, "/a": {"/a", ""}, "/a/x": {"/a", "x"}, "/ab": {"/", "ab"},
			"/a/b": {"/a/b", ""}, "/a/b/x": {"/a/b", "x"}, "/a/bc": {"/a", "bc"},
		} {
			x, rest, ok := table.ByPath(path)
			require.True(t, ok, path)
			require.Equal(t, want, [2]string{x.Path, rest}, "%s of %v", path, order)
		}
	}
}

// A squashed group becomes the anonymous one. A group that the namespace does not have is left out.
func TestSupplementaryGroupsInAUserNamespace(t *testing.T) {
	var missing []uint32
	x := &Export{Options: Options{
		AnonUID: 7, AnonGID: 8,
		Mapped: &Mapped{
			Users: vfs.IDs{{First: 0, Count: 100}}, Groups: vfs.IDs{{First: 0, Count: 100}},
			Missing: func(_ string, id uint32) { missing = append(missing, id) },
		},
	}}
	require.NoError(t, x.settle())
	c := x.Cred(&vfs.Thread{}, 1, 2, []uint32{3, 0, 100, 99, 1<<32 - 1})
	require.Equal(
		t,
		vfs.Cred{UID: 1, GID: 2, Groups: []uint32{3, 8, 99, 8}},
		vfs.Cred{UID: c.UID, GID: c.GID, Groups: c.Groups},
	)
	require.Equal(t, []uint32{100}, missing)
}
