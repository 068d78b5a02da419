package endtoend

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/ringnfs/ringnfs/nfs/transport"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
)

// fileSystem is a kind of file system, and the program that makes it.
type fileSystem struct {
	name string
	mkfs []string // nothing for one in memory
}

// fileSystems are the file systems on which the ways of data are tried.
var fileSystems = []fileSystem{
	{"ext4", []string{"mkfs.ext4", "-q", "-F", "-m", "0"}},
	{"xfs", []string{"mkfs.xfs", "-q", "-f"}},
	{"btrfs", []string{"mkfs.btrfs", "-q", "-f"}},
	{"tmpfs", nil},
}

// mounted returns the root of a fresh file system, which the end of the test removes.
func mounted(t *testing.T, mkfs []string) string {
	t.Helper()
	needRoot(t)
	base, err := os.MkdirTemp("/dev/shm", "ringnfs-fs-") // in memory: any disc will do
	if err != nil {
		base = t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	at := filepath.Join(base, "mnt")
	require.NoError(t, os.Mkdir(at, 0o755))
	image := ""
	if len(mkfs) > 0 {
		image = makeImage(t, filepath.Join(base, "img"), mkfs)
	}
	mountAt(t, image, at)
	return at
}

// makeImage makes a file system in a file.
func makeImage(t *testing.T, image string, mkfs []string) string {
	t.Helper()
	if _, err := exec.LookPath(mkfs[0]); err != nil {
		t.Skipf("needs %s: %v", mkfs[0], err)
	}
	require.NoError(t, os.WriteFile(image, nil, 0o600))
	require.NoError(t, os.Truncate(image, 400<<20)) // xfs wants 300 MiB
	require.NoError(t, disktest.MakeFS(mkfs[0], append(mkfs[1:len(mkfs):len(mkfs)], image)...))
	return image
}

// mountAt mounts an image, or a tmpfs for "". unmount unmounts it; if it is not called, the end of
// the test does.
func mountAt(t *testing.T, image, at string, options ...string) (unmount func()) {
	t.Helper()
	args := []string{"-t", "tmpfs", "-o", "size=200m", "none", at}
	if image != "" {
		args = []string{"-o", strings.Join(append([]string{"loop"}, options...), ","), image, at}
	}
	if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
		t.Skipf("needs mounts of images and tmpfs: %s", strings.TrimSpace(string(out)))
	}
	unmount = disktest.UnmountAtEnd(t, at)
	require.NoError(t, os.Chmod(at, 0o755))
	return unmount
}

// memoryDir returns a directory on a tmpfs. It needs no rights.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "nfs")
	if err != nil {
		t.Skipf("needs a tmpfs on /dev/shm: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// onEveryPath runs f with a server for each way in which the data of READs leaves, on each file
// system. At the end it asserts that data has left in that way and that nothing is kept.
func onEveryPath(t *testing.T, f func(t *testing.T, s *testServer, dir string)) {
	paths := []transport.ReadPath{
		transport.PathCopy,
		transport.PathSplice,
		transport.PathZeroCopy,
		transport.PathAuto,
	}
	for i, fs := range fileSystems {
		t.Run(fs.name, func(t *testing.T) {
			dir := mounted(t, fs.mkfs)
			for j, path := range paths {
				if again.Now() && j != i%len(paths) {
					continue // one of each is enough for the race detector
				}
				t.Run(path.String(), func(t *testing.T) {
					noLeaks(t)
					cfg := config(t, dir)
					cfg.ReadPath = path
					s := start(t, cfg)
					s.mount() // it serves
					f(t, s, dir)
					s.left(path)
					s.stop()
				})
			}
		})
	}
}

// left asserts that data has left by this path. On loopback, auto is splice.
func (s *testServer) left(path transport.ReadPath) {
	s.t.Helper()
	var all transport.Stats
	eventually(s.t, func() bool {
		all = transport.Stats{}
		for _, l := range s.Stats() {
			all.Plain += l.Plain
			all.Spliced += l.Spliced
			all.ZeroCopy += l.ZeroCopy
			all.Pinned += l.Pinned
		}
		return all.Pinned == 0
	}, "sends without a copy are notified")
	s.t.Logf("plain %d, spliced %d, zero-copy %d", all.Plain, all.Spliced, all.ZeroCopy)
	switch path {
	case transport.PathCopy:
		require.Zero(s.t, all.Spliced+all.ZeroCopy)
	case transport.PathZeroCopy:
		require.NotZero(s.t, all.ZeroCopy)
		require.Zero(s.t, all.Spliced)
	default:
		require.NotZero(s.t, all.Spliced)
		require.Zero(s.t, all.ZeroCopy)
	}
}

func TestFromWhichSizeOnDataIsSplicedOrNotCopiedCanBeSet(t *testing.T) {
	for _, path := range []transport.ReadPath{transport.PathSplice, transport.PathZeroCopy} {
		t.Run(path.String(), func(t *testing.T) {
			noLeaks(t)
			if path == transport.PathSplice && os.Geteuid() != 0 {
				t.Skip("needs root: other users share a quota of memory in pipes")
			}
			dir := memoryDir(t) // splices on all kernels
			require.NoError(t, os.WriteFile(filepath.Join(dir, "f"), make([]byte, 64<<10), 0o644))
			cfg := config(t, dir)
			cfg.Lanes, cfg.ReadPath = 1, path
			cfg.SpliceFrom, cfg.ZeroCopyFrom = 16<<10, 16<<10
			s := start(t, cfg)
			c, root := s.mount()
			f := lookup(t, c, root, "f")
			apart := func() uint64 { l := s.Stats()[0]; return l.Spliced + l.ZeroCopy }
			ok(t, c.Read(f, 0, 8<<10).Status)
			require.Zero(t, apart())
			ok(t, c.Read(f, 0, 16<<10).Status)
			eventually(t, func() bool { return apart() == 1 }, "one has left by it")
			s.stop()
		})
	}
	cfg := config(t, exportDir(t))
	cfg.SpliceFrom = -1
	_, err := nfs.New(cfg)
	require.ErrorContains(t, err, "cannot be negative")
}
