package posixfs

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
)

// identityOf serves dir for a moment.
func identityOf(t *testing.T, dir string, o options) (id vfs.Identity, fsid uint64, without []string) {
	t.Helper()
	s := serve(t, dir, Config{}, o)
	defer s.close()
	_, without = s.fs.Features()
	return s.fs.Identity(), s.fs.fsid, without
}

func TestEachDirectoryAndFileSystemHasAnIdentityThatStays(t *testing.T) {
	seen := make(map[vfs.Identity]string)
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			dir := k.dir(t)
			sub := filepath.Join(dir, "sub")
			require.NoError(t, os.Mkdir(sub, 0o755))
			for _, d := range []string{dir, sub} {
				id, fsid, without := identityOf(t, d, options{})
				for _, w := range without {
					require.NotContains(t, w, "handles are good until")
				}
				require.Empty(t, seen[id])
				seen[id] = d
				again, fsidAgain, _ := identityOf(t, d, options{})
				require.Equal(t, id, again)
				require.Equal(t, fsid, fsidAgain)
			}
		})
	}
}

// The same holds for FUSE.
func TestWithoutAUUIDTheIdentityIsThatOfTheMount(t *testing.T) {
	needRoot(t)
	dir := tmpfsDir(t)
	mnt := filepath.Join(dir, "mnt")
	require.NoError(t, os.Mkdir(mnt, 0o755))
	mount := func() (unmount func()) {
		t.Helper()
		require.NoError(t, unix.Mount("none", mnt, "tmpfs", 0, "size=1m"))
		return disktest.UnmountAtEnd(t, mnt)
	}
	o := options{noUUID: true}
	unmount := mount()
	id, _, without := identityOf(t, mnt, o)
	if again, _, _ := identityOf(t, mnt, o); again != id {
		t.Log("no STATX_MNT_ID_UNIQUE, Linux 6.8 has it")
		require.Contains(
			t,
			without[len(without)-1],
			"has no UUID: file handles are good until the server ends",
		)
	} else {
		require.Contains(t, without[len(without)-1], "has no UUID: file handles are good until it is unmounted")
	}
	unmount()
	mount()
	next, _, _ := identityOf(t, mnt, o)
	require.NotEqual(t, id, next, "mounted anew")

	o.noMountID = true
	id, _, without = identityOf(t, mnt, o)
	require.Contains(t, without[len(without)-1], "has no UUID: file handles are good until the server ends")
	next, _, _ = identityOf(t, mnt, o)
	require.NotEqual(t, id, next)
}

// Copies of an image have the same UUID, inode numbers and handles. If they are mounted one after
// the other at the same place, nothing tells them apart. At the same time they are two file
// systems.
func TestCopiesMountedAtTheSameTimeHaveFSIDsOfTheirOwn(t *testing.T) {
	for _, k := range []struct {
		name, options string
		size          int64
		mkfs          []string
	}{
		{"ext4", "loop", 16, []string{"mkfs.ext4", "-q"}},
		{"xfs", "loop,nouuid", 320, []string{"mkfs.xfs", "-q"}},
	} {
		t.Run(k.name, func(t *testing.T) {
			needRoot(t)
			if _, err := exec.LookPath(k.mkfs[0]); err != nil {
				t.Skipf("needs %s: %v", k.mkfs[0], err)
			}
			base := tmpfsDir(t)
			one, two := filepath.Join(base, "one"), filepath.Join(base, "two")
			require.NoError(t, os.Mkdir(one, 0o755))
			require.NoError(t, os.Mkdir(two, 0o755))
			first, err := mountImage(t, one, k.size, k.options, k.mkfs[0], k.mkfs[1:]...)
			if err != nil {
				t.Skipf("needs loop mounts: %v", err)
			}
			require.NoError(t, disktest.Unmount(first))
			run(t, "cp", "--sparse=always", filepath.Join(one, "img"), filepath.Join(two, "img"))
			second := filepath.Join(two, "mnt")
			require.NoError(t, os.Mkdir(second, 0o755))
			run(t, "mount", "-o", k.options, filepath.Join(one, "img"), first)
			run(t, "mount", "-o", k.options, filepath.Join(two, "img"), second)
			disktest.UnmountAtEnd(t, second)

			a, b := serve(t, first, Config{}, options{}), serve(t, second, Config{}, options{})
			require.Equal(t, a.fs.Root(), b.fs.Root())
			require.Equal(
				t,
				a.fs.Identity(),
				b.fs.Identity(),
				"the copies were told apart: say so in docs/operations.md",
			)
			var x, y vfs.Attr
			a.w.do(func(v *View) { require.Equal(t, vfs.OK, v.GetAttr(a.fs.Root(), &x)) })
			b.w.do(func(v *View) { require.Equal(t, vfs.OK, v.GetAttr(b.fs.Root(), &y)) })
			require.Equal(t, x.FileID, y.FileID)
			require.NotEqual(t, x.FSID, y.FSID)
		})
	}
}

func TestUmountOfAnExportedDiskSaysBusyUntilTheServerEnds(t *testing.T) {
	for _, o := range []options{{}, {noPrivate: true}} {
		needRoot(t)
		base := tmpfsDir(t)
		mnt, err := mountImage(t, base, 16, "loop", "mkfs.ext4", "-q")
		if err != nil {
			t.Skipf("needs loop mounts: %v", err)
		}
		dir := filepath.Join(mnt, "dir") // need not be the top
		require.NoError(t, os.Mkdir(dir, 0o755))
		s := serve(t, dir, Config{}, o)
		require.ErrorIs(t, unix.Unmount(mnt, 0), unix.EBUSY)
		s.write("f", "content", 0o644)
		s.lookup("f")
		require.ErrorIs(t, unix.Unmount(mnt, 0), unix.EBUSY)
		s.close()
		// No descriptor of the file system is left: its image can be mounted elsewhere, or
		// made anew.
		require.NoError(t, disktest.Unmount(mnt))
		run(t, "mkfs.ext4", "-q", "-F", filepath.Join(base, "img"))
		run(t, "mount", "-o", "loop", filepath.Join(base, "img"), mnt)
	}
}
