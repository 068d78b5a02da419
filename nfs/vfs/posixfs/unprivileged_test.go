package posixfs

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/vfstest"
)

const nobody = 65534

// TestAnOrdinaryUserCanServe runs the tests below in a process without rights.
func TestAnOrdinaryUserCanServe(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dir := tmpfsDir(t)
	bin := filepath.Join(dir, "posixfs.test")
	self, err := os.Executable()
	require.NoError(t, err)
	// Copied here, it would be open for writing in whatever other tests start meanwhile.
	text, err := exec.Command("install", "-m", "755", self, bin).CombinedOutput()
	require.NoError(t, err, "%s", text)
	work := filepath.Join(dir, "work")
	require.NoError(t, os.Mkdir(work, 0o777))
	require.NoError(t, os.Chown(work, nobody, nobody))
	cmd := exec.Command(bin, "-test.run", "^TestUnprivileged", "-test.v")
	cmd.Env = append(os.Environ(), "POSIXFS_UNPRIVILEGED="+work, "TMPDIR="+work, "HOME="+work)
	cmd.Dir = work
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	text, err = cmd.CombinedOutput()
	require.NoError(t, err, "%s", text)
	require.Contains(t, string(text), "--- PASS: TestUnprivilegedConformance")
}

func unprivileged(t *testing.T) string {
	dir := os.Getenv("POSIXFS_UNPRIVILEGED")
	if dir == "" {
		t.Skip("run by TestAnOrdinaryUserCanServe")
	}
	return dir
}

func TestUnprivilegedConformance(t *testing.T) {
	base := unprivileged(t)
	vfstest.Run(t, func(t *testing.T) *vfstest.Env { return newEnv(t, base, "tmpfs", options{}) })
}

func TestUnprivilegedHandlesOutliveRenameAndRestart(t *testing.T) {
	dir, err := os.MkdirTemp(unprivileged(t), "t")
	require.NoError(t, err)
	s := serve(t, dir, Config{}, options{})
	require.False(t, s.fs.handles)
	kind, without := s.fs.Features()
	require.Equal(t, "tmpfs", kind)
	require.Len(t, without, 3)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "a/b/c"), 0o755))
	s.write("a/b/c/f", "content", 0o644)
	h := s.lookup("a/b/c/f")
	s.close()
	require.NoError(t, os.Rename(filepath.Join(dir, "a/b"), filepath.Join(dir, "moved")))
	s = serve(t, dir, Config{}, options{})
	text, st := s.read(h, 5, 5)
	require.Equal(t, vfs.OK, st)
	require.Equal(t, "content", text)
	require.NoError(t, os.Remove(filepath.Join(dir, "moved/c/f")))
	_, st = s.read(h, 5, 5)
	require.Equal(t, vfs.Stale, st)
	_, st = s.read(h, 5, 5)
	require.Equal(t, vfs.Stale, st)
}
