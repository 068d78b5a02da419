package rpc_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc"
)

func TestAHouseholdIsAnIPv6NetworkOrAnAddress(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1":            "192.0.2.1",
		"::ffff:192.0.2.1":     "192.0.2.1",
		"2001:db8:1:2::1":      "2001:db8:1:2::",
		"2001:db8:1:2:ffff::2": "2001:db8:1:2::",
		"2001:db8:1:3::1":      "2001:db8:1:3::",
		"2001:db8:1:2::1%eth0": "2001:db8:1:2::",
		"fd00::1:2:3:4":        "fd00::",
		"fe80::1%eth0":         "fe80::1%eth0",
		"fe80::2":              "fe80::2",
		"::1":                  "127.0.0.1",
		"127.0.0.2":            "127.0.0.1",
		"127.255.255.254":      "127.0.0.1",
		"::ffff:127.0.0.9":     "127.0.0.1",
	} {
		require.Equal(t, want, rpc.Household(netip.MustParseAddr(addr)).String(), addr)
	}
	require.False(t, rpc.Household(netip.Addr{}).IsValid())
	a := netip.MustParseAddr("2001:db8:1:2::1")
	require.Zero(t, testing.AllocsPerRun(100, func() { rpc.Household(a) }))
}

func TestEachUserOfTheMachineIsAHouseholdWhereverHeCallsFrom(t *testing.T) {
	of := func(trust rpc.Trust, uid uint32, addr string) netip.Addr {
		return (&rpc.Origin{Trust: trust, UID: uid}).House(netip.MustParseAddr(addr))
	}
	hers := of(rpc.Bound, 1000, "127.0.0.1")
	for _, addr := range []string{"127.0.0.2", "::1", "192.0.2.1", "2001:db8::1", "fe80::1%eth0"} {
		require.Equal(t, hers, of(rpc.Bound, 1000, addr))
		require.Equal(t, hers, of(rpc.Nameless, 1000, addr), "before her groups are known")
		for _, uid := range []uint32{0, 1001, 1000 + 1<<16, 1<<32 - 1} {
			require.NotEqual(t, hers, of(rpc.Bound, uid, addr))
		}
		elsewhere := netip.MustParseAddr(addr)
		require.Equal(t, rpc.Household(elsewhere), of(rpc.Remote, 1000, addr))
		require.Equal(t, rpc.Household(elsewhere), (*rpc.Origin)(nil).House(elsewhere))
	}
	require.True(t, hers.IsMulticast(), "nobody's address")
	require.Equal(t, hers, hers.Unmap())
}
