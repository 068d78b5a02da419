package endtoend

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
)

// TestClientsCannotUseAStateDirectoryInTheirExport: clients can neither read the key nor replace
// it, neither by names nor by handles that an earlier server has given out.
func TestClientsCannotUseAStateDirectoryInTheirExport(t *testing.T) {
	noLeaks(t)
	dir := exportDir(t)
	require.NoError(t, os.Chmod(dir, 0o755)) // nobody else may replace what is in it
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "home/state"), 0o755))
	state, link := filepath.Join(dir, "home/state"), filepath.Join(dir, "link")
	before := start(t, config(t, dir))
	key, err := os.ReadFile(filepath.Join(before.cfg.StateDir, "handle.key"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(state, "handle.key"), key, 0o600))
	require.NoError(t, os.Link(filepath.Join(state, "handle.key"), link))
	c := before.dial()
	root, st := nfstest.Mount(c, dir)
	require.Equal(t, mount3.MNT3_OK, st)
	home := find(t, c, root, "home")
	old, oldKey := find(t, c, home, "state"), find(t, c, root, "link")
	before.stop()

	cfg := config(t, dir)
	cfg.StateDir = state
	s := start(t, cfg)
	assert.Contains(
		t,
		strings.Join(s.Info().Notes, "\n"),
		"the state directory "+state+" lies in the export "+dir,
	)
	c = s.dial()
	const denied = nfs3.NFS3ERR_ACCES
	named := c.Lookup(home, "state")
	require.Equal(t, nfs3.NFS3_OK, named.Status, "it may be seen")
	require.Equal(t, old, named.Resok.Object)
	assert.Equal(t, nfs3.NFS3_OK, c.Getattr(old).Status)
	if got := c.Access(old, nfs3.ACCESS3_READ|nfs3.ACCESS3_LOOKUP); assert.Equal(t, nfs3.NFS3_OK, got.Status) {
		assert.Zero(t, got.Resok.Access)
	}
	assert.Equal(t, denied, c.Lookup(old, "handle.key").Status)
	assert.Equal(t, denied, c.Readdir(old, 0, nfs3.Cookieverf3{}, 4096).Status)
	assert.Equal(t, denied, c.Readdirplus(old, 0, nfs3.Cookieverf3{}, 4096, 4096).Status)
	assert.Equal(t, denied, c.Create(old, "x", nfs3.UNCHECKED, nfstest.Mode(0o600)).Status)
	assert.Equal(t, denied, c.Remove(old, "handle.key").Status)
	assert.Equal(t, denied, c.Setattr(old, nfstest.Mode(0o777), nil).Status)
	assert.Equal(t, denied, c.Rename(old, "handle.key", root, "key").Status, "out of it")
	for _, h := range []fh{oldKey, find(t, c, root, "link")} {
		assert.Equal(t, denied, c.Read(h, 0, 100).Status)
		assert.Equal(t, denied, c.Write(h, 0, []byte("mine"), nfs3.FILE_SYNC).Status)
		assert.Equal(t, denied, c.Link(h, root, "another").Status)
	}
	for _, x := range c.List(home, true, 4096, func() {}) {
		if x.Name == "state" && x.Handle.HandleFollows {
			assert.Equal(t, denied, c.Lookup(x.Handle.Handle, "handle.key").Status, "by a listing's handle")
		}
	}
	assert.Equal(t, denied, c.Rename(home, "state", root, "state").Status)
	assert.Equal(t, denied, c.Rename(root, "home", root, "house").Status, "with what it lies in")
	require.Equal(t, nfs3.NFS3_OK, c.Create(home, "x", nfs3.UNCHECKED, nfstest.Mode(0o600)).Status)
	assert.Equal(t, nfs3.NFS3_OK, c.Rename(home, "x", root, "x").Status)
	for _, path := range []string{state, filepath.Join(state, "handle.key")} {
		_, st := nfstest.Mount(c, path)
		assert.Equal(t, mount3.MNT3ERR_ACCES, st, path)
	}
	now, err := os.ReadFile(filepath.Join(state, "handle.key"))
	require.NoError(t, err)
	assert.Equal(t, key, now)
}

func TestTheStateDirectoryItselfIsNoExport(t *testing.T) {
	noLeaks(t)
	needRing(t)
	cfg := config(t, keyDir(t))
	cfg.StateDir = cfg.Exports[0].Dir
	_, err := nfs.New(cfg)
	require.ErrorContains(t, err, "export another one")
	require.ErrorContains(t, err, "--state-dir")
}

// find returns the handle that LOOKUP gives for name.
func find(t *testing.T, c *nfstest.Client, dir fh, name string) fh {
	t.Helper()
	res := c.Lookup(dir, name)
	require.Equal(t, nfs3.NFS3_OK, res.Status)
	return res.Resok.Object
}
