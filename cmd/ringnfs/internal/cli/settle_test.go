package cli

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
)

func machine(uid int, with ...string) environment {
	vars := map[string]string{}
	for i := 0; i < len(with); i += 2 {
		vars[with[i]] = with[i+1]
	}
	return environment{uid: uid, getenv: func(k string) string { return vars[k] }, hasAddr: func(netip.Addr) bool { return true }}
}

func TestStateIsKeptPerUserUnlessRootRuns(t *testing.T) {
	for _, c := range []struct {
		name string
		env  environment
		want string
	}{
		{"root", machine(0, "HOME", "/root", "XDG_STATE_HOME", "/x"), "/var/lib/ringnfs"},
		{"user", machine(7, "HOME", "/home/u"), "/home/u/.local/state/ringnfs"},
		{"user with a state directory", machine(7, "HOME", "/home/u", "XDG_STATE_HOME", "/s"), "/s/ringnfs"},
		{"user with a relative state directory", machine(7, "HOME", "/home/u", "XDG_STATE_HOME", "s"), "/home/u/.local/state/ringnfs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, err := defaultStateDir(c.env.uid, c.env.getenv)
			require.NoError(t, err)
			assert.Equal(t, c.want, dir)
		})
	}
	_, err := defaultStateDir(7, machine(7).getenv)
	assert.ErrorContains(t, err, "--state-dir")
}

func TestPortsDependOnWhoRunsTheServer(t *testing.T) {
	for _, c := range []struct {
		name  string
		uid   int
		given bool
		port  int
		want  int
		fixed bool
	}{
		{"root takes the registered port", 0, false, 0, 2049, false},
		{"a user takes an unprivileged one", 7, false, 0, 12049, false},
		{"a port that was asked for is kept", 7, true, 2050, 2050, true},
		{"zero asks for any free one", 0, true, 0, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := nfs.Config{Port: c.port, StateDir: "/s"}
			_, fixed, err := settle(&cfg, c.given, machine(c.uid))
			require.NoError(t, err)
			assert.Equal(t, c.want, cfg.Port)
			assert.Equal(t, c.fixed, fixed)
		})
	}
}

func TestOnlyListenAndAllowOpenTheServer(t *testing.T) {
	addr, network := netip.MustParseAddr, netip.MustParsePrefix
	for _, c := range []struct {
		name       string
		listen     []netip.Addr
		allow      []netip.Prefix
		wantListen []netip.Addr
		wantAllow  []netip.Prefix
	}{
		{"neither: the server's own default, loopback", nil, nil, nil, nil},
		{"another loopback address is no more open", []netip.Addr{addr("127.0.0.5")}, nil, []netip.Addr{addr("127.0.0.5")}, nil},
		{"an address: whoever reaches it", []netip.Addr{addr("10.0.0.1")}, nil, []netip.Addr{addr("10.0.0.1")}, everyone},
		{"clients: every address", nil, []netip.Prefix{network("10.0.0.0/8")}, []netip.Addr{addr("0.0.0.0"), addr("::")}, []netip.Prefix{network("10.0.0.0/8")}},
		{"both: as they say", []netip.Addr{addr("10.0.0.1")}, []netip.Prefix{network("10.0.0.0/8")}, []netip.Addr{addr("10.0.0.1")}, []netip.Prefix{network("10.0.0.0/8")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := nfs.Config{Listen: c.listen, Exports: []nfs.Export{{Dir: "/a", Allow: c.allow}}, StateDir: "/s"}
			notes, _, err := settle(&cfg, false, machine(0))
			require.NoError(t, err)
			assert.Empty(t, notes)
			assert.Equal(t, c.wantListen, cfg.Listen)
			assert.Equal(t, c.wantAllow, cfg.Exports[0].Allow)
		})
	}
}

func TestAMachineWithoutIPv6IsServedAndTold(t *testing.T) {
	env := machine(0)
	env.hasAddr = netip.Addr.Is4
	cfg := nfs.Config{StateDir: "/s", Exports: []nfs.Export{{Dir: "/a", Allow: everyone}}}
	notes, _, err := settle(&cfg, false, env)
	require.NoError(t, err)
	assert.Equal(t, []netip.Addr{netip.IPv4Unspecified()}, cfg.Listen)
	require.Len(t, notes, 1)
	assert.Contains(t, notes[0], "no IPv6")
}
