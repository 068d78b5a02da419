package endtoend

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// The kernel's handles of a file system open the same numbers on any other file system of its kind:
// the root of every ext4 is inode 2 of generation 0.
func TestHandlesOfAnExportAreNoGoodForTheDiskThatIsThereNext(t *testing.T) {
	for _, fs := range fileSystems {
		t.Run(fs.name, func(t *testing.T) {
			noLeaks(t)
			host := mounted(t, fs.mkfs) // where the directory is, of the same kind
			require.NoError(t, os.WriteFile(filepath.Join(host, "secret"), []byte("the machine's"), 0o644))
			dir := filepath.Join(host, "dir")
			require.NoError(t, os.Mkdir(dir, 0o755))
			images := []string{"", ""}
			if len(fs.mkfs) > 0 {
				base := memoryDir(t)
				for i := range images {
					images[i] = makeImage(t, filepath.Join(base, []string{"one", "two"}[i]), fs.mkfs)
				}
			}
			cfg := config(t, dir)
			var old []fh
			stale := func(what string) {
				t.Helper()
				s := start(t, cfg)
				c, _ := s.mount()
				for _, h := range old {
					require.Equal(t, nfs3.NFS3ERR_STALE, c.Getattr(h).Status, what)
					require.Equal(t, nfs3.NFS3ERR_STALE, c.Lookup(h, "secret").Status, what)
					require.Equal(t, nfs3.NFS3ERR_STALE, c.Mkdir(h, "made", nfs3.Sattr3{}).Status, what)
				}
				s.stop()
			}

			unmount := mountAt(t, images[0], dir)
			s := start(t, cfg)
			c, root := s.mount()
			old = []fh{root, mkdir(t, c, root, "sub", 0o755), put(t, c, root, "file", []byte("content"))}
			s.stop()
			unmount()
			stale("the disk is gone: the directory below is served")
			unmount = mountAt(t, images[1], dir)
			stale("another disk")
			unmount()
			if fs.mkfs == nil {
				return // what was in memory is gone
			}
			unmount = mountAt(t, images[0], dir)
			s = start(t, cfg)
			c, again := s.mount()
			require.Equal(t, root, again)
			for _, h := range old {
				ok(t, c.Getattr(h).Status, "the same disk")
			}
			s.stop()
			unmount()
		})
	}
}

// A handle leads to its object wherever the object is on the disk. A handle of a directory that was
// exported must not become one of another directory that now has its path.
func TestHandlesOfAnExportAreNoGoodForTheDirectoryThatIsThereNext(t *testing.T) {
	s, dir := serveDir(t)
	c, root := s.mount()
	f := put(t, c, root, "file", nil)
	s.stop()
	moved := dir + ".old"
	require.NoError(t, os.Rename(dir, moved))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(moved)) })
	require.NoError(t, os.Mkdir(dir, 0o755))
	s = s.again()
	c = s.dial()
	for _, h := range []fh{root, f} {
		require.Equal(t, nfs3.NFS3ERR_STALE, c.Getattr(h).Status)
	}
	s.stop()
	require.NoError(t, os.Remove(dir))
	require.NoError(t, os.Rename(moved, dir))
	s = s.again()
	c = s.dial()
	for _, h := range []fh{root, f} {
		ok(t, c.Getattr(h).Status)
	}
}

func TestHandlesOfATreeInMemoryAreNoGoodForAnother(t *testing.T) {
	noLeaks(t)
	cfg := config(t, "/memory")
	tree := memfs.New(memfs.Config{Mode: 0o777})
	with := func(fs *memfs.FS) *testServer {
		cfg.Exports = []nfs.Export{{Dir: "/memory", FS: fs, Squash: export.SquashNone}}
		return start(t, cfg)
	}
	s := with(tree)
	c, root := s.mount()
	f := put(t, c, root, "file", nil)
	s.stop()
	s = with(memfs.New(memfs.Config{Mode: 0o777}))
	c = s.dial()
	for _, h := range []fh{root, f} {
		require.Equal(t, nfs3.NFS3ERR_STALE, c.Getattr(h).Status)
	}
	s.stop()
	s = with(tree.Reopen())
	c = s.dial()
	for _, h := range []fh{root, f} {
		ok(t, c.Getattr(h).Status)
	}
}
