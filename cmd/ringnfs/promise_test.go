package main

import (
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
)

var mountLine = regexp.MustCompile(`(?m)^  mount -t nfs -o \S+ '?\[?([0-9a-f.:]+)\]?:/`)

// TestTheBannerPromisesWhatClientsGet starts servers in a network namespace with flags of all
// kinds. A client of each kind then tries what the banner says about it.
func TestTheBannerPromisesWhatClientsGet(t *testing.T) {
	needRing(t)
	again.Skip(t)
	link := nfstest.NewVeth(t)
	dir := t.TempDir()
	bound := t.TempDir()
	require.NoError(t, unix.Mount(dir, bound, "", unix.MS_BIND, ""))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(bound, unix.MNT_DETACH)) })
	require.NoError(t, unix.Mount("", bound, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))

	const (
		local4, local6 = "127.0.0.1", "::1"
		four, six      = nfstest.VethServer, nfstest.VethServer6
	)
	made := 0
	for _, c := range []struct {
		args   []string
		dir    string
		says   string
		grants []string // the addresses at which a client of the same kind mounts
		any    bool     // from any port
		ro     bool
	}{
		{nil, dir, "read-write, root is root, for this machine", []string{local4, local6}, true, false},
		{[]string{"--allow", "0.0.0.0/0"}, dir, "for every IPv4 client and no IPv6 client, from ports below 1024", []string{local4, four}, false, false},
		{[]string{"--allow", "::/0"}, dir, "for every IPv6 client and no IPv4 client, from ports below 1024", []string{local6, six}, false, false},
		{[]string{"--allow", "0.0.0.0/0,::/0", "--insecure"}, dir, "for every client that reaches it (--allow CIDR narrows that), from any port",
			[]string{local4, local6, four, six}, true, false},
		{[]string{"--allow", nfstest.VethPeer + "/24"}, dir, "for 10.111.77.0/24, from ports below 1024", []string{four}, false, false},
		{[]string{"--listen", four}, dir, "for every client that reaches it", []string{four}, false, false},
		{[]string{"--listen", "::"}, dir, "for every client that reaches it", []string{local4, local6, four, six}, false, false},
		{[]string{"--allow", "127.0.0.1", "--ro"}, dir, "read-only, root is root, for this machine by IPv4", []string{local4}, true, true},
		{nil, bound, "read-only, as it is mounted so here, root is root, for this machine", []string{local4, local6}, true, true},
	} {
		t.Run(fmt.Sprint(c.args, filepath.Base(c.dir)), func(t *testing.T) {
			inside := func(cmd *exec.Cmd) {
				ip, err := exec.LookPath("ip")
				require.NoError(t, err)
				cmd.Args = append([]string{"ip", "netns", "exec", link.Server, cmd.Path}, cmd.Args[1:]...)
				cmd.Path = ip
			}
			args := append(
				[]string{
					"--port",
					"0",
					"--portmap",
					"off",
					"--lanes",
					"1",
					"--squash",
					"none",
					"--state-dir",
					t.TempDir(),
				},
				c.args...)
			p := serveBy(t, inside, append(args, c.dir)...)
			assert.Contains(t, p.said(), c.says)
			line := mountLine.FindStringSubmatch(p.said())
			require.NotNil(t, line, p.said())
			assert.Contains(t, c.grants, line[1], "what the banner says to mount from")

			for _, at := range []string{local4, local6, four, six} {
				from := link.Peer
				if netip.MustParseAddr(at).IsLoopback() {
					from = link.Server
				}
				for _, reserved := range []bool{true, false} {
					to := netip.AddrPortFrom(netip.MustParseAddr(at), uint16(portNumber(t, p))).String()
					client, err := link.TryDial(from, to, reserved)
					got := false
					if err == nil {
						fh, st := nfstest.Mount(client, c.dir)
						if got = st == mount3.MNT3_OK; got {
							want := nfs3.NFS3_OK
							if c.ro {
								want = nfs3.NFS3ERR_ROFS
							}
							made++
							assert.Equal(
								t,
								want,
								client.Mkdir(fh, fmt.Sprint("d", made), nfstest.Mode(0o755)).Status,
							)
						}
					}
					want := false
					for _, g := range c.grants {
						want = want || g == at && (reserved || c.any || from == link.Server)
					}
					assert.Equal(t, want, got, "%s, from a reserved port: %v", at, reserved)
				}
			}
			assert.Zero(t, p.end(t, syscall.SIGTERM), p.stderr.String())
		})
	}
}

func portNumber(t *testing.T, p *process) (port int) {
	t.Helper()
	_, err := fmt.Sscan(p.port(t), &port)
	require.NoError(t, err)
	return port
}
