package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
)

// reachable is a directory that any user can enter, owned by uid.
func reachable(t *testing.T, uid int) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		require.NoError(t, os.Chmod(d, 0o755))
	}
	require.NoError(t, os.Chown(dir, uid, uid))
	return dir
}

// programFor returns a copy of this program that any user can start.
func programFor(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	from, err := os.Open(exe)
	require.NoError(t, err)
	defer from.Close()
	path := filepath.Join(reachable(t, 0), "ringnfs")
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(to, from)
	require.NoError(t, err)
	require.NoError(t, to.Close())
	return path
}

func TestAUsersServerServesItsUserAndRootAlone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: several users")
	}
	const mine, other = 61001, 61002
	dir := reachable(t, mine)
	as := func(c *exec.Cmd) {
		c.Path = programFor(t)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: mine, Gid: mine}}
	}
	p := serveBy(t, as,
		"--port", "0", "--portmap", "off", "--listen", "127.0.0.1", "--state-dir", reachable(t, mine), dir)
	addr := "127.0.0.1:" + p.port(t)
	for _, c := range []*nfstest.Client{nfstest.Dial(t, addr), nfstest.DialAs(t, mine, addr), nfstest.DialAs(t, mine, addr).Anonymous()} {
		_, st := nfstest.Mount(c, dir)
		assert.Equal(t, mount3.MNT3_OK, st)
	}
	stranger := nfstest.DialAs(t, other, addr)
	for _, c := range []*nfstest.Client{stranger, stranger.As(other, other), stranger.As(mine, mine), stranger.Anonymous()} {
		assert.True(
			t,
			c.Raw(mount3.MOUNT_PROGRAM, 3, mount3.MOUNTPROC3_MNT, []byte{0, 0, 0, 1, '/', 0, 0, 0}).Denied,
		)
	}
	assert.Zero(t, p.end(t, syscall.SIGTERM), p.stderr.String())
	assert.Contains(t, p.stderr.String(), "root and its own user only")
}

// In a namespace that a user has made, the server is root and still cannot act for anybody else.
// There the machine's root is nobody, and the server knows it by its port.
func TestAUsersNamespaceServesItsUserAndRootAlone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: several users")
	}
	const mine, other = 61001, 61002
	dir := reachable(t, mine)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "private"), []byte("x"), 0o600))
	require.NoError(t, os.Chown(filepath.Join(dir, "private"), mine, mine))
	only := []syscall.SysProcIDMap{{ContainerID: 0, HostID: mine, Size: 1}}
	alone := func(c *exec.Cmd) {
		c.Path = programFor(t)
		c.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWUSER, UidMappings: only, GidMappings: only,
			Credential: &syscall.Credential{NoSetGroups: true},
		}
	}
	p := serveBy(t, alone,
		"--port", "0", "--portmap", "off", "--listen", "127.0.0.1", "--state-dir", reachable(t, mine), dir)
	assert.Contains(
		t,
		p.said(),
		"everyone acts as the server's user, for root and the server's user of this machine",
	)
	addr := "127.0.0.1:" + p.port(t)
	stranger := nfstest.DialAs(t, other, addr)
	for _, c := range []*nfstest.Client{stranger, stranger.As(other, other), stranger.As(mine, mine), stranger.Anonymous()} {
		assert.True(
			t,
			c.Raw(mount3.MOUNT_PROGRAM, 3, mount3.MOUNTPROC3_MNT, []byte{0, 0, 0, 1, '/', 0, 0, 0}).Denied,
		)
	}
	for _, c := range []*nfstest.Client{nfstest.DialReserved(t, addr), nfstest.DialAs(t, mine, addr), nfstest.DialAs(t, mine, addr).Anonymous()} {
		root, st := nfstest.Mount(c, dir)
		require.Equal(t, mount3.MNT3_OK, st)
		found := c.Lookup(root, "private")
		require.Equal(t, nfs3.NFS3_OK, found.Status)
		assert.Equal(t, "x", string(c.Read(found.Resok.Object, 0, 10).Resok.Data))
	}
	assert.Zero(t, p.end(t, syscall.SIGTERM), p.stderr.String())
	assert.Contains(t, p.stderr.String(), "root and its own user only")
}
