package cli

import (
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/export"
)

var (
	loopback4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	loopback6 = netip.IPv6Loopback()
)

func bannerOf(f facts) string {
	var b strings.Builder
	writeBanner(&b, f)
	return b.String()
}

func TestBannerTellsAllThatAUserNeeds(t *testing.T) {
	f := facts{
		version: "ringnfs 1.2.3", kernel: "6.1.0", lanes: 2, memory: 64 << 20, stateDir: "/var/lib/ringnfs",
		features: []feature{
			{"multishot-recv", true, ""},
			{"recv-bundle", false, "needs Linux 6.10"},
			{"x", true, ""},
			{"y", false, ""},
		},
		exports: []exported{
			{path: "/srv/data", anonUID: 65534, anonGID: 65534},
			{
				path:     "/srv/it's",
				readOnly: true,
				squash:   export.SquashAll,
				anonUID:  1000,
				anonGID:  100,
				allow:    []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
				io:       "auto",
			},
		},
		listen: []netip.Addr{loopback4, loopback6}, port: 12049, mount: 12050, portmapWhy: "switched off",
		notes: []string{"a surprise"}, host: loopback4, versions: nfs.VersionsAll,
	}
	assert.Equal(t, `ringnfs 1.2.3
kernel 6.1.0, 2 lanes, 64 MiB of buffers, state in /var/lib/ringnfs
  io_uring with multishot-recv, x
  without recv-bundle: needs Linux 6.10
  without y: this kernel does not have it
export /srv/data: read-write, root is 65534:65534, for this machine
export /srv/it's: read-only, everyone is 1000:100, for 10.0.0.0/8, from ports below 1024, large I/O auto
listening on 127.0.0.1, ::1: NFS on port 12049, MOUNT on port 12050, no portmap: switched off
  note: a surprise
mount on Linux, as root:
  mount -t nfs -o port=12049 127.0.0.1:/ /mnt
mount on Linux by version 3, as root:
  mount -t nfs -o vers=3,nolock,proto=tcp,port=12049,mountport=12050,mountproto=tcp 127.0.0.1:/srv/data /mnt
  mount -t nfs -o vers=3,nolock,proto=tcp,port=12049,mountport=12050,mountproto=tcp '127.0.0.1:/srv/it'\''s' /mnt
mount on macOS:
  mkdir -p /tmp/ringnfs && sudo mount_nfs -o vers=3,tcp,resvport,locallocks,port=12049,mountport=12050 127.0.0.1:/srv/data /tmp/ringnfs
  mkdir -p /tmp/ringnfs && sudo mount_nfs -o vers=3,tcp,resvport,locallocks,port=12049,mountport=12050 '127.0.0.1:/srv/it'\''s' /tmp/ringnfs
only this machine reaches it; --allow CIDR opens it to others, and so does, on theirs,
  ssh -N -L 12049:127.0.0.1:12049 -L 12050:127.0.0.1:12050 root@THIS-MACHINE
`, bannerOf(f))
}

func TestBannerOfAnOrdinaryUsersServerSaysWhoItActsAs(t *testing.T) {
	text := bannerOf(
		facts{
			exports: []exported{{path: "/new\nline", anonUID: 65534, anonGID: 65534}},
			host:    loopback4,
			uid:     1234,
			alone:   true,
		},
	)
	assert.Contains(
		t,
		text,
		"export $'/new\\012line': read-write, everyone acts as user 1234, for root and user 1234 of this machine\n",
	)
}

func TestBannerOfAServerInAUsersNamespaceDoesNotCallItRoots(t *testing.T) {
	text := bannerOf(
		facts{
			exports: []exported{{path: "/d", anonUID: 65534, anonGID: 65534}},
			host:    loopback4,
			listen:  []netip.Addr{loopback4},
			alone:   true,
		},
	)
	assert.Contains(
		t,
		text,
		"export /d: read-write, everyone acts as the server's user, for root and the server's user of this machine\n",
	)
	assert.NotContains(t, text, "root@")
}

func TestBannerOfAnOpenServerOnTheRegisteredPorts(t *testing.T) {
	host := netip.MustParseAddr("2001:db8::1")
	text := bannerOf(facts{
		exports: []exported{{path: "/", squash: export.SquashNone, allow: everyone}},
		listen:  []netip.Addr{host}, port: 2049, mount: 2049, portmap: 111, lanes: 1, host: host,
		versions: nfs.VersionsAll,
	})
	assert.Contains(t, text, "listening on 2001:db8::1: NFS and MOUNT on port 2049, portmap on port 111\n")
	assert.Contains(t, text, "root is root, for every client that reaches it")
	assert.Contains(t, text, "mount on Linux, as root:\n  mount -t nfs '[2001:db8::1]:/' /mnt\n")
	assert.Contains(t, text, "proto=tcp6,port=2049,mountport=2049,mountproto=tcp6 '[2001:db8::1]:/' /mnt\n")
	assert.NotContains(t, text, "ssh")
}

func TestTheBannerShowsTheMountsThatWork(t *testing.T) {
	host := netip.MustParseAddr("192.0.2.1")
	mounts := func(v nfs.Versions) string {
		text := bannerOf(facts{
			exports: []exported{
				{path: "/a", allow: everyone},
				{path: "/b", allow: everyone, host: host},
				{path: "/c", allow: everyone},
			},
			listen: []netip.Addr{host, loopback4}, port: 2049, mount: 2049, host: loopback4, versions: v,
		})
		return text[strings.Index(text, "mount on"):]
	}
	all := `mount on Linux, as root:
  mount -t nfs 127.0.0.1:/ /mnt
  mount -t nfs 192.0.2.1:/ /mnt
`
	require.Equal(t, all, mounts(nfs.NFSv42))
	require.Equal(t, all+`mount on macOS:
  mkdir -p /tmp/ringnfs && sudo mount_nfs -o vers=4.0,tcp,resvport,port=2049 127.0.0.1:/ /tmp/ringnfs
  mkdir -p /tmp/ringnfs && sudo mount_nfs -o vers=4.0,tcp,resvport,port=2049 192.0.2.1:/ /tmp/ringnfs
`, mounts(nfs.NFSv40|nfs.NFSv41))
	only3 := mounts(nfs.NFSv3)
	require.True(t, strings.HasPrefix(only3, "mount on Linux, as root:\n  mount -t nfs -o vers=3,nolock,"), only3)
	require.NotContains(t, only3, ":/ ")
	require.Equal(t, 3, strings.Count(only3, "mount_nfs -o vers=3,"))
	both := mounts(nfs.NFSv3 | nfs.NFSv40)
	require.Equal(t, all+strings.Replace(only3, "Linux", "Linux by version 3", 1), both)
}

func TestMountLinesSurviveTheShell(t *testing.T) {
	for _, path := range []string{"/plain", "/with space", "/it's", `/back\slash`, "/$HOME`id`", "/a;b&c|d", "/*?[x]", "/ü", "/new\nline", "/~", "/\xff'q\"$x\\\x1b[2J9"} {
		f := facts{host: loopback6, port: 1, mount: 2}
		line := mountLinux(f, path)
		assert.NotContains(t, line, "\n")
		shell := "sh"
		if strings.Contains(line, "$'") {
			shell = "bash"
		}
		out, err := exec.Command(shell, "-c", "set -- "+line+"; shift 5; printf %s \"$1\"").Output()
		require.NoError(t, err, line)
		assert.Equal(t, "[::1]:"+path, string(out))
	}
}

func TestClientsAreToldTheAddressTheyCanReach(t *testing.T) {
	a := netip.MustParseAddr
	local := func() []netip.Addr {
		return []netip.Addr{loopback4, loopback6, a("fe80::1"), a("2001:db8::7"), a("10.1.1.1")}
	}
	for _, c := range []struct {
		name     string
		listen   []netip.Addr
		allow    string
		want     string
		unserved bool
	}{
		{"loopback", []netip.Addr{loopback6, loopback4}, "", "127.0.0.1", false},
		{"loopback of IPv6 alone", []netip.Addr{loopback6}, "", "::1", false},
		{"one of the network before loopback", []netip.Addr{loopback4, a("192.168.0.2")}, "",
			"192.168.0.2", false},
		{"all of IPv4", []netip.Addr{a("0.0.0.0")}, "", "10.1.1.1", false},
		{"all of IPv6", []netip.Addr{a("::")}, "", "2001:db8::7", false},
		{"all", []netip.Addr{a("0.0.0.0"), a("::")}, "", "10.1.1.1", false},
		{"clients of IPv6", []netip.Addr{a("0.0.0.0"), a("::")}, "::/0", "2001:db8::7", false},
		{"clients of IPv4", []netip.Addr{a("::"), a("0.0.0.0")}, "10.0.0.0/8", "10.1.1.1", false},
		{"loopback clients", []netip.Addr{a("0.0.0.0"), a("::")}, "127.0.0.1/32", "127.0.0.1", false},
		{"one of its own addresses", []netip.Addr{a("0.0.0.0"), a("::")}, "2001:db8::7/128",
			"2001:db8::7", false},
		{"clients of its links", []netip.Addr{a("::")}, "fe80::/10", "2001:db8::7", false},
		{"clients that cannot reach it", []netip.Addr{loopback4}, "10.0.0.0/8", "127.0.0.1", true},
		{"clients of the other family", []netip.Addr{a("0.0.0.0")}, "::/0", "10.1.1.1", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			allow := c.allow
			if allow == "" {
				allow = "127.0.0.0/8 ::1/128 0.0.0.0/0 ::/0"
			}
			var x exported
			for _, p := range strings.Fields(allow) {
				x.allow = append(x.allow, netip.MustParsePrefix(p))
			}
			host, served := hostOf(c.listen, local, x.serves)
			assert.Equal(t, c.want, host.String())
			assert.Equal(t, !c.unserved, served)
		})
	}
	host, served := hostOf(
		[]netip.Addr{a("::")},
		func() []netip.Addr { return nil },
		func(netip.Addr) bool { return true },
	)
	assert.Equal(t, loopback4, host)
	assert.True(t, served, "nothing is known to be wrong")
}

func TestTheBannerSaysWhomAnExportServes(t *testing.T) {
	for _, c := range []struct {
		allow    string
		insecure bool
		want     string
	}{
		{"", false, "this machine"},
		{"127.0.0.0/8 ::1/128", false, "this machine"},
		{"127.0.0.1/32", false, "this machine by IPv4"},
		{"::1/128", true, "this machine by IPv6"},
		{"0.0.0.0/0", false, "every IPv4 client and no IPv6 client, from ports below 1024"},
		{"::/0", true, "every IPv6 client and no IPv4 client, from any port"},
		{"0.0.0.0/0 ::/0", false, "every client that reaches it (--allow CIDR narrows that), from ports below 1024"},
		{"0.0.0.0/0 10.0.0.0/8 2001:db8::/32", false,
			"every IPv4 client, 10.0.0.0/8, 2001:db8::/32, from ports below 1024"},
		{"10.0.0.0/8 127.0.0.0/8 ::1/128", false, "10.0.0.0/8, this machine, from ports below 1024"},
		{"::/0 127.0.0.1/32", false, "every IPv6 client, this machine by IPv4, from ports below 1024"},
	} {
		x := exported{insecure: c.insecure}
		for _, p := range strings.Fields(c.allow) {
			x.allow = append(x.allow, netip.MustParsePrefix(p))
		}
		assert.Equal(t, c.want, clients(x, "this machine"), c.allow)
	}
}

func TestBannerOfAnExportForOthersThatOnlyThisMachineReaches(t *testing.T) {
	text := bannerOf(facts{
		exports: []exported{{path: "/d", allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}},
		listen:  []netip.Addr{loopback4}, port: 2049, mount: 2049, host: loopback4,
	})
	assert.Contains(t, text, "--listen on another address\n")
	assert.NotContains(t, text, "ssh")
	assert.NotContains(t, text, "--allow CIDR opens")
}
