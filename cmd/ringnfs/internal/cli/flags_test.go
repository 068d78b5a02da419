package cli

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/export"
)

// configOf parses a command line of serve.
func configOf(t *testing.T, line string) (nfs.Config, slog.Level, error) {
	t.Helper()
	var flags serveFlags
	c := &cobra.Command{Use: "serve"}
	flags.register(c)
	require.NoError(t, c.ParseFlags(strings.Fields(line)))
	return flags.config(c, c.Flags().Args())
}

func TestFlagsBecomeTheServersConfiguration(t *testing.T) {
	cfg, level, err := configOf(
		t,
		"--listen 10.0.0.1 --listen [fe80::1] --allow 10.1.2.3/8,192.168.1.1 --port 2050 --mount-port 20048 "+
			"--portmap off --squash all --anonuid 1000 --anongid 100 --ro --io dontcache --lanes 3 --memory 256M --transfer-max 4M --state-dir /s --without send_zc,RECVSEND_BUNDLE --log-level debug /x /y",
	)
	require.NoError(t, err)
	want := nfs.Export{
		ReadOnly: true, Squash: export.SquashAll, AnonUID: 1000, AnonGID: 100, IO: nfs.IODontCache,
		Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.168.1.1/32")},
	}
	x, y := want, want
	x.Dir, y.Dir = "/x", "/y"
	assert.Equal(t, []nfs.Export{x, y}, cfg.Exports)
	assert.Equal(t, []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fe80::1")}, cfg.Listen)
	assert.Equal(t, 2050, cfg.Port)
	assert.Equal(t, 20048, cfg.MountPort)
	assert.Equal(t, nfs.PortmapOff, cfg.Portmap)
	assert.Equal(t, 3, cfg.Lanes)
	assert.EqualValues(t, 256<<20, cfg.Memory)
	assert.EqualValues(t, 4<<20, cfg.ReadMax)
	assert.EqualValues(t, 4<<20, cfg.WriteMax)
	assert.Equal(t, "/s", cfg.StateDir)
	assert.Equal(t, []string{"send_zc", "RECVSEND_BUNDLE"}, cfg.Without)
	assert.Equal(t, slog.LevelDebug, level)
}

func TestWithoutFlagsRootIsSquashedToNobody(t *testing.T) {
	cfg, level, err := configOf(t, "/x")
	require.NoError(t, err)
	assert.Equal(
		t,
		[]nfs.Export{{Dir: "/x", Squash: export.SquashRoot, AnonUID: 65534, AnonGID: 65534}},
		cfg.Exports,
	)
	assert.Equal(t, nfs.PortmapAuto, cfg.Portmap)
	assert.Equal(t, slog.LevelInfo, level)
	assert.Empty(t, cfg.Listen)
}

func TestEachDirectoryCanHaveAnIOModeOfItsOwn(t *testing.T) {
	for _, x := range []struct {
		flags []string
		modes string
	}{
		{nil, "buffered buffered buffered"},
		{[]string{"--io", "auto"}, "auto auto auto"},
		{[]string{"--io", "/b/=direct", "--io", "auto"}, "auto direct auto"},
		{[]string{"--io", "/x/../b=direct"}, "buffered direct buffered"},
		{[]string{"--io", "/c=1=dontcache"}, "buffered buffered dontcache"},
		{[]string{"--io", "/a=direct", "--io", "/a=buffered", "--io", "direct"}, "buffered direct direct"},
	} {
		cfg, _, err := configOf(t, strings.Join(append(x.flags, "/a", "/b", "/c=1"), " "))
		require.NoError(t, err, x.flags)
		var modes []string
		for _, e := range cfg.Exports {
			modes = append(modes, e.IO.String())
		}
		assert.Equal(t, x.modes, strings.Join(modes, " "), x.flags)
	}
}

func TestThresholdsOfTheReadPathsCanBeSet(t *testing.T) {
	cfg, _, err := configOf(t, "--splice-from 128K --zero-copy-from 1M /x")
	require.NoError(t, err)
	assert.Equal(t, []int{128 << 10, 1 << 20}, []int{cfg.SpliceFrom, cfg.ZeroCopyFrom})
	cfg, _, err = configOf(t, "/x")
	require.NoError(t, err)
	assert.Equal(t, []int{0, 0}, []int{cfg.SpliceFrom, cfg.ZeroCopyFrom})
}

func TestVersion4IsServedUnlessToldOtherwise(t *testing.T) {
	for line, want := range map[string]nfs.Config{
		"/x":              {Versions: nfs.VersionsAll, Lease: 45 * time.Second},
		"--versions 3 /x": {Versions: nfs.NFSv3, Lease: 45 * time.Second},
		"--versions 4.1,4.2 --lease 5s --grace 1h --idmap-domain example.org /x": {
			Versions: nfs.NFSv41 | nfs.NFSv42, Lease: 5 * time.Second, Grace: time.Hour, IDMapDomain: "example.org",
		},
		"--lease 1h --grace 3600s /x": {Versions: nfs.VersionsAll, Lease: time.Hour, Grace: time.Hour},
	} {
		cfg, _, err := configOf(t, line)
		require.NoError(t, err)
		require.NotNil(t, cfg.ClientStore)
		require.Equal(t, want, nfs.Config{
			Versions: cfg.Versions, Lease: cfg.Lease, Grace: cfg.Grace, IDMapDomain: cfg.IDMapDomain,
		}, line)
	}
}

func TestAWrongCommandLineIsOneLineAndExitCode2(t *testing.T) {
	for line, says := range map[string]string{
		"serve":                        "which directory",
		"serve --nonsense /x":          "unknown flag: --nonsense (see ringnfs serve --help)",
		"serve --port http /x":         `"http" for "--port" flag (see ringnfs serve --help)`,
		"bench --depth many x:/y":      `"many" for "--depth" flag (see ringnfs bench --help)`,
		"nonsense":                     `ringnfs: "nonsense" is no command (see ringnfs --help)`,
		"serv":                         `ringnfs: "serv" is no command; did you mean ringnfs serve? (see ringnfs --help)`,
		"serv --port 1 /x":             `"serv" is no command; did you mean ringnfs serve?`,
		"help serv":                    `"serv" is no command; did you mean ringnfs serve?`,
		"help bench compar":            `"compar" is no command; did you mean ringnfs bench compare?`,
		"help nonsense":                `"nonsense" is no command`,
		"bench compar a b":             `"compar" is no command; did you mean ringnfs bench compare?`,
		"/srv":                         `ringnfs: "/srv" is no command; to serve that directory: ringnfs serve /srv (see ringnfs --help)`,
		"--ro /srv":                    "to serve that directory: ringnfs serve /srv",
		".":                            "to serve that directory: ringnfs serve .",
		"serve --lisen ::1 /x":         "unknown flag: --lisen; did you mean --listen?",
		"serve -ro /x":                 "did you mean --ro?",
		"completion":                   "say bash, zsh or fish",
		"completion tcsh":              "say bash, zsh or fish",
		"man":                          "ringnfs man DIR",
		"serve --listen here /x":       "--listen",
		"serve --allow everybody /x":   "--allow",
		"serve --allow fe80::1%lo /x":  "--allow",
		"serve --allow 0.0.0.0 /x":     "for every client say 0.0.0.0/0,::/0",
		"serve --allow :: /x":          "for every client say 0.0.0.0/0,::/0",
		"serve --allow ::0.0.0.0 /x":   "for every client say 0.0.0.0/0,::/0",
		"serve --port 65536 /x":        "--port",
		"serve --port -1 /x":           "--port",
		"serve --mount-port 0 /x":      "--mount-port",
		"serve --portmap maybe /x":     "--portmap",
		"serve --squash some /x":       "--squash",
		"serve --anonuid -2 /x":        "--anonuid",
		"serve --anonuid 0 /x":         "would be root",
		"serve --lanes -1 /x":          "--lanes",
		"serve --versions 4 /x":        `--versions "4": say 3, 4.0, 4.1 or 4.2`,
		"serve --versions 3, /x":       "--versions",
		"serve --lease 4s /x":          "--lease 4s: 5s to 1h0m0s, in whole seconds",
		"serve --lease 3601s /x":       "--lease",
		"serve --lease 5500ms /x":      "--lease",
		"serve --lease 45 /x":          "--lease",
		"serve --grace 44s /x":         "--grace 44s: at least the lease, 45s",
		"serve --grace 0s /x":          "--grace",
		"serve --grace 3601s /x":       "--grace",
		"serve --grace 45500ms /x":     "--grace",
		"serve --idmap-domain a@b /x":  "--idmap-domain",
		"serve --spin 2ms /x":          "--spin",
		"serve --without MAGIC /x":     "--without \"MAGIC\": there are ",
		"serve --spin -1us /x":         "--spin",
		"serve --memory lots /x":       "--memory",
		"serve --transfer-max 8M /x":   "--transfer-max",
		"serve --transfer-max 5000 /x": "--transfer-max",
		"serve --io fast /x":           "say buffered, dontcache, direct or auto",
		"serve --io auto=fast /x":      "say buffered, dontcache, direct or auto",
		"serve --io /y=auto /x":        `"/y" is none of the directories to serve`,
		"serve --io =auto .":           `"" is none of the directories to serve`,
		"serve --splice-from 2G /x":    "--splice-from 2 GiB: 1 to 1G",
		"serve --zero-copy-from 0 /x":  "--zero-copy-from",
		"serve --zero-copy-from -1 /x": "--zero-copy-from",
		"serve --log-level loud /x":    "--log-level",
		"serve --log-level info+3 /x":  "--log-level",
		"serve --port 2049 --ro=x /x":  "--ro",
		"serve --memory 16E --ro / /x": "--memory",
	} {
		t.Run(line, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			assert.Equal(t, exitUsage, Main(strings.Fields(line), &stdout, &stderr))
			assert.Empty(t, stdout.String())
			assert.Contains(t, stderr.String(), says)
			assert.True(t, strings.HasPrefix(stderr.String(), "ringnfs: "), stderr.String())
			assert.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
		})
	}
}

func TestAVariableThatIsNotSetServesNothing(t *testing.T) {
	var stdout, stderr bytes.Buffer
	assert.Equal(t, exitUsage, Main([]string{"serve", "/x", ""}, &stdout, &stderr))
	assert.Equal(t, "ringnfs: an empty word is no directory (see ringnfs serve --help)\n", stderr.String())
}

func TestAnEmptyWordIsNeverADefault(t *testing.T) {
	for _, args := range [][]string{
		{"--allow", ""}, {"--allow", "10.0.0.0/8,,10.1.0.0/16"}, {"--allow", ","}, {"--allow", " "},
		{"--allow", "", "--allow", "10.0.0.0/8"},
		{"--allow", "10.0.0.0/8", "--allow="}, {"--listen", ""}, {"--listen", "127.0.0.1,"},
		{"--without", ""}, {"--without", "SEND_ZC,"},
		{"--io", ""}, {"--io", "/x="}, {"--port", ""}, {"--mount-port", ""}, {"--portmap", ""},
		{"--squash", ""}, {"--anonuid", ""}, {"--anongid", ""},
		{"--ro="}, {"--insecure="}, {"--lanes", ""}, {"--memory", ""}, {"--read-path", ""},
		{"--splice-from", ""}, {"--zero-copy-from", ""},
		{"--spin", ""}, {"--write-path", ""}, {"--transfer-max", ""}, {"--state-dir", ""},
		{"--versions", ""}, {"--lease", ""}, {"--grace", ""}, {"--idmap-domain", ""},
		{"--log-level", ""}, {"--cpu-profile", ""},
	} {
		var stdout, stderr bytes.Buffer
		assert.Equal(
			t,
			exitUsage,
			Main(append([]string{"serve"}, append(args, "/x")...), &stdout, &stderr),
			args,
		)
		assert.Contains(t, stderr.String(), strings.TrimSuffix(args[0], "="), args)
		assert.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
	}
	for _, args := range [][]string{{"--json", ""}, {"--html", ""}, {"--label", ""}, {"--workload", ""}, {"--stable", ""}} {
		var stdout, stderr bytes.Buffer
		assert.Equal(
			t,
			exitUsage,
			Main(append([]string{"bench"}, append(args, "127.0.0.1:/x")...), &stdout, &stderr),
			args,
		)
		assert.Contains(t, stderr.String(), args[0])
	}
}

func TestHelpNamesEveryFlagThatScriptsMayUse(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Equal(t, exitOK, Main([]string{"serve", "--help"}, &stdout, &stderr))
	for _, flag := range []string{"--listen ADDR", "--allow CIDR", "--port PORT",
		"--mount-port PORT", "--portmap", "--squash", "--anonuid", "--anongid",
		"--ro", "--insecure", "--io MODE", "--splice-from SIZE", "--zero-copy-from SIZE", "--lanes N", "--memory SIZE", "--versions LIST", "--lease TIME", "--grace TIME", "--idmap-domain DOMAIN", "--state-dir DIR", "--log-level", "--version"} {
		assert.Contains(t, stdout.String(), flag)
	}
	text := strings.Join(strings.Fields(stdout.String()), " ")
	assert.Contains(
		t,
		text,
		"A second signal ends it at once, as does a first one before it serves: the exit code is then "+
			"128 plus the signal's number",
	)
	assert.Empty(t, stderr.String())
}

func TestVersionIsToldByBothCommands(t *testing.T) {
	for _, line := range []string{"--version", "serve --version"} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, exitOK, Main(strings.Fields(line), &stdout, &stderr))
		assert.Equal(t, versionText()+"\n", stdout.String())
		assert.True(t, strings.HasPrefix(stdout.String(), "ringnfs "+version))
	}
}

func TestNetworksOfIPv4MappedIntoIPv6AreThoseOfIPv4(t *testing.T) {
	cfg, _, err := configOf(t, "--allow ::ffff:10.0.0.0/104 --allow ::/0 /x")
	require.NoError(t, err)
	require.Equal(
		t,
		[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::/0")},
		cfg.Exports[0].Allow,
	)
}

func TestExclusiveNamesADirectoryThatIsServed(t *testing.T) {
	alone, err := parseExclusive([]string{"/b/", "/c"}, []string{"/a", "/b", "/c"})
	require.NoError(t, err)
	require.Equal(t, []bool{false, true, true}, alone)
	for _, text := range []string{"", "/d", "b"} {
		_, err = parseExclusive([]string{text}, []string{"/a", "/b"})
		require.ErrorContains(t, err, "it is none of the directories to serve", text)
	}
}
