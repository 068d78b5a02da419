package posixfs

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/vfstest"
)

// What differs between file systems is outside of our code, so the second run looks at two.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, k := range fileSystems {
		if again.Now() && k.name != "tmpfs" && k.name != "ext4" {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			base := k.dir(t)
			vfstest.Run(t, func(t *testing.T) *vfstest.Env { return newEnv(t, base, k.name, options{}) })
		})
	}
}

// TestConformanceWithoutPrivileges runs the suite over the paths that the FS takes when the kernel
// refuses what only root may have. Walks take no time by the test's clock. On a busy machine they
// would otherwise use up their share of the time, and the suite would not get its answers.
func TestConformanceWithoutPrivileges(t *testing.T) {
	again.Long(t)
	t.Parallel()
	needRoot(t)
	again.Skip(t)
	base := tmpfsDir(t)
	clock := &slowWalks{at: time.Now()}
	vfstest.Run(t, func(t *testing.T) *vfstest.Env {
		return newEnv(
			t,
			base,
			"tmpfs",
			options{noPrivate: true, noHandles: true, noChmodEmpty: true, now: clock.now},
		)
	})
}

// TestConformanceWithoutTheNewerCalls runs the suite over the paths that the FS takes when a filter
// refuses system calls that it can do without.
func TestConformanceWithoutTheNewerCalls(t *testing.T) {
	again.Long(t)
	t.Parallel()
	needRoot(t)
	again.Skip(t)
	base := tmpfsDir(t)
	vfstest.Run(t, func(t *testing.T) *vfstest.Env {
		return newEnv(
			t,
			base,
			"tmpfs",
			options{noOpenat2: true, noPreadv2: true, noPwritev2: true, noChmodEmpty: true},
		)
	})
}

func newEnv(t *testing.T, base, kind string, o options) *vfstest.Env {
	return newEnvWith(t, Config{}, base, kind, o)
}

func newEnvWith(t *testing.T, cfg Config, base, kind string, o options) *vfstest.Env {
	dir, err := os.MkdirTemp(base, "t")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o777))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cfg.Dir, cfg.FDMax = dir, 512
	open := func() *FS {
		fs, err := newFS(cfg, o)
		require.NoError(t, err)
		return fs
	}
	fs := open()
	t.Cleanup(func() { require.NoError(t, fs.Close()) })
	env := &vfstest.Env{
		FS:             fs,
		UID:            uint32(os.Geteuid()),
		GID:            uint32(os.Getegid()),
		HasPermissions: os.Geteuid() == 0,
		HasDevices:     os.Geteuid() == 0,
		Unprivileged:   os.Geteuid() != 0,
		RealDisk:       kind != "tmpfs",
		Reopen: func() vfs.FS {
			require.NoError(t, fs.Close())
			fs = open()
			return fs
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
	if kind == "xfs" {
		env.SymlinkMax = 1023                                    // XFS_SYMLINK_MAXLEN with the NUL
		env.DeviceMajorMax, env.DeviceMinorMax = 1<<9-1, 1<<18-1 // as on disc
	}
	return env
}
