package nfs

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/idmap"
	"github.com/ringnfs/ringnfs/nfs/portmap"
	clients "github.com/ringnfs/ringnfs/nfs/state"
	"github.com/ringnfs/ringnfs/nfs/transport"
)

func TestVersion4NeedsAStoreToBeTheDefault(t *testing.T) {
	store := func(string) (clients.Store, error) { return nil, nil }
	for _, c := range []struct {
		cfg  Config
		want Versions
	}{
		{Config{}, NFSv3},
		{Config{ClientStore: store}, NFSv3 | NFSv40 | NFSv41 | NFSv42},
		{Config{ClientStore: store, Versions: NFSv3}, NFSv3},
		{Config{Versions: NFSv42}, NFSv42},
	} {
		require.NoError(t, c.cfg.settleVersion4())
		require.Equal(t, c.want, c.cfg.Versions)
	}
	bad := Config{Versions: 16}
	require.ErrorContains(t, bad.settleVersion4(), "there are 3,4.0,4.1,4.2")
}

func TestLeaseAndGraceAreBounded(t *testing.T) {
	for _, c := range []struct{ lease, grace, wantLease, wantGrace time.Duration }{
		{0, 0, 45 * time.Second, 45 * time.Second},
		{5 * time.Second, 0, 5 * time.Second, 5 * time.Second},
		{time.Hour, 0, time.Hour, time.Hour},
		{0, time.Hour, 45 * time.Second, time.Hour},
		{10 * time.Second, 10 * time.Second, 10 * time.Second, 10 * time.Second},
	} {
		cfg := Config{Lease: c.lease, Grace: c.grace}
		require.NoError(t, cfg.settleVersion4())
		require.Equal(t, []time.Duration{c.wantLease, c.wantGrace}, []time.Duration{cfg.Lease, cfg.Grace})
	}
	for what, cfgs := range map[string][]Config{
		"lease": {
			{Lease: 4 * time.Second}, {Lease: -1}, {Lease: time.Hour + time.Second}, {Lease: 5500 * time.Millisecond},
		},
		"grace period": {
			{Grace: 44 * time.Second}, {Grace: -time.Second}, {Grace: time.Hour + time.Second},
			{Grace: 45500 * time.Millisecond},
		},
		"domain": {{IDMapDomain: "joe@example.org"}},
	} {
		for i := range cfgs {
			require.ErrorContains(t, cfgs[i].settleVersion4(), what, i)
		}
	}
}

func TestThePortMapperTellsOfTheVersionsThatAreServed(t *testing.T) {
	for v, want := range map[Versions][]uint32{
		NFSv3: {3}, NFSv3 | NFSv41: {3, 4}, NFSv40: {4}, NFSv42: {4},
	} {
		s := &Server{cfg: Config{Versions: v, Port: 2049}, sockets: &sockets{
			nfs: []transport.Listener{{Addr: netip.MustParseAddrPort("127.0.0.1:2049")}},
		}}
		var got []uint32
		acl := false
		for _, m := range s.registry().Mappings {
			if m.Prog == 100003 {
				got = append(got, m.Vers)
				require.Equal(t, portmap.Netid("tcp"), m.Netid)
			}
			acl = acl || m.Prog == 100227
		}
		slices.Sort(got)
		require.Equal(t, want, got, v)
		require.Equal(t, v&NFSv3 != 0, acl, v)
	}
}

func TestTheUsersOfTheSystemHaveNames(t *testing.T) {
	m := names("example.org")
	root, ok := m.Users.AppendOwner(nil, 0, true)
	require.True(t, ok)
	require.Equal(t, "root@example.org", string(root))
	group, ok := m.Groups.AppendOwner(nil, 0, true)
	require.True(t, ok)
	require.Equal(t, "root@example.org", string(group))
	id, got := m.Users.ID([]byte("root@example.org"))
	require.Zero(t, id)
	require.Zero(t, got)
	for _, side := range []*idmap.Side{&m.Users, &m.Groups} {
		_, got = side.ID([]byte("no such name@example.org"))
		require.Equal(t, idmap.Unknown, got)
	}
	none, ok := m.Users.AppendOwner(nil, 4294967293, true)
	require.True(t, ok)
	require.Equal(t, "4294967293", string(none))
}
