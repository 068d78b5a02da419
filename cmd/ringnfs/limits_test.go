package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
)

// limited gives a process limits on open files, soft and hard.
func limited(soft, hard string) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) {
		cmd.Args = append(
			[]string{
				"sh",
				"-c",
				`ulimit -Sn "$1" && ulimit -Hn "$2" && shift 2 && exec "$0" "$@"`,
				cmd.Path,
				soft,
				hard,
			},
			cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
	}
}

// serveLimited is serve with limits on open files.
func serveLimited(t *testing.T, soft, hard string, args ...string) *process {
	t.Helper()
	return serveBy(t, limited(soft, hard), append([]string{
		"--portmap", "off", "--port", "0", "--listen", "127.0.0.1", "--squash", "none", "--state-dir", t.TempDir(),
	}, args...)...)
}

// files makes a directory with n files, named by their numbers.
func files(t *testing.T, n int) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, whom the client speaks for")
	}
	dir := t.TempDir()
	for i := range n {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte("content"), 0o644))
	}
	return dir
}

// mounted connects to the server and mounts dir.
func (p *process) mounted(t *testing.T, dir string) (*nfstest.Client, nfstest.FH) {
	t.Helper()
	c := nfstest.Dial(t, "127.0.0.1:"+p.port(t))
	root, st := nfstest.Mount(c, dir)
	require.Equal(t, mount3.MNT3_OK, st)
	return c, root
}

// reads looks up and reads the files from up to below to.
func reads(t *testing.T, c *nfstest.Client, root nfstest.FH, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		res := c.Lookup(root, fmt.Sprint(i))
		require.Equal(t, nfs3.NFS3_OK, res.Status, "LOOKUP %d", i)
		read := c.Read(res.Resok.Object, 0, 100)
		require.Equal(t, nfs3.NFS3_OK, read.Status, "READ %d", i)
		require.Equal(t, "content", string(read.Resok.Data))
	}
}

func TestIdleStrangersLeaveDescriptorsForFiles(t *testing.T) {
	dir := files(t, 400)
	p := serveLimited(t, "1024", "1024", "--lanes", "2", dir)
	c, root := p.mounted(t, dir)
	// The clients connect from one address after the other, as often as the server lets them.
	strangers := 0
	for host := 2; host < 12; host++ {
		for {
			s, err := nfstest.TryDial(t, fmt.Sprintf("127.0.0.%d", host), "127.0.0.1:"+p.port(t))
			require.NoError(t, err)
			if _, err := s.StartRaw(nfs3.NFS_PROGRAM, 3, 0, nil).Wait(); err != nil {
				break
			}
			strangers++
		}
	}
	require.Greater(t, strangers, 200)
	t.Logf("%d strangers", strangers)
	reads(t, c, root, 0, 400)
	require.Equal(t, nfs3.NFS3_OK, c.Create(root, "new", nfs3.UNCHECKED, nfstest.Mode(0o644)).Status)
	require.Zero(t, p.end(t, os.Interrupt), p.stderr.String())
}

func TestManyLanesShareFewOpenFiles(t *testing.T) {
	dir := files(t, 300)
	p := serveLimited(t, "1024", "1024", "--lanes", "16", dir)
	c, root := p.mounted(t, dir)
	reads(t, c, root, 0, 300)
	require.Zero(t, p.end(t, os.Interrupt), p.stderr.String())
}

func TestTooFewOpenFilesAreRefusedWithTheRemedy(t *testing.T) {
	needRing(t)
	cmd := command(t, "serve", "--state-dir", t.TempDir(), t.TempDir())
	limited("200", "200")(cmd)
	require.Regexp(
		t,
		`200 open files are too few: .* at least; raise the limit \(ulimit -n \d+, or LimitNOFILE=\d+`,
		refused(t, cmd),
	)
}

// Go sets the limit one lower, so that it later knows whether anybody has changed it.
func TestTheSoftLimitOnOpenFilesIsRaisedToTheHardOne(t *testing.T) {
	p := serveLimited(t, "256", "4096", t.TempDir())
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.cmd.Process.Pid))
	require.NoError(t, err)
	require.Regexp(t, regexp.MustCompile(`(?m)^Max open files\s+409[56]\s+4096\s`), string(limits))
	require.Zero(t, p.end(t, os.Interrupt), p.stderr.String())
}

func TestWhenDescriptorsRunOutThoseThatAreOnlyKeptAreClosed(t *testing.T) {
	dir := files(t, 300)
	p := serveLimited(t, "4096", "4096", "--lanes", "2", dir)
	c, root := p.mounted(t, dir)
	reads(t, c, root, 0, 100)
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	require.NoError(t, err)
	limit := unix.Rlimit{Cur: uint64(len(open)), Max: 4096}
	require.NoError(t, unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_NOFILE, &limit, nil))
	reads(t, c, root, 100, 300)
	require.Equal(t, nfs3.NFS3_OK, c.Create(root, "new", nfs3.UNCHECKED, nfstest.Mode(0o644)).Status)
	require.Equal(t, nfs3.NFS3_OK, c.Mkdir(root, "dir", nfstest.Mode(0o755)).Status)
	require.Contains(t, c.Names(root), "299")
	for range 20 {
		other, _ := p.mounted(t, dir)
		reads(t, other, root, 0, 10)
	}
	require.Zero(t, p.end(t, os.Interrupt), p.stderr.String())
}
