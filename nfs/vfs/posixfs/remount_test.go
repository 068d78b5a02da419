package posixfs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
)

// The private mount is a copy of the exported one as it was at the start, flags included. Only
// changes that the file system itself reports show at once.
func TestFlagsOfTheMountAreThoseOfTheStart(t *testing.T) {
	needRoot(t)
	base := tmpfsDir(t)
	dir := filepath.Join(base, "mnt")
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, unix.Mount(dir, dir, "", unix.MS_BIND, ""))
	disktest.UnmountAtEnd(t, dir)
	readOnly := func(flag uintptr) {
		t.Helper()
		require.NoError(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|flag, ""))
	}
	makes := func(s *served, name string) (st vfs.Status) {
		s.w.do(func(v *View) {
			st = v.Mkdir(
				s.root(),
				s.fs.Root(),
				&vfs.MkdirArgs{Name: []byte(name), Set: new(vfs.SetAttr)},
				&vfs.Made{Entry: new(vfs.Entry), Dir: new(vfs.WCC)},
			)
		})
		return st
	}
	private, plain := serve(t, dir, Config{}, options{}), serve(t, dir, Config{}, options{noPrivate: true})
	require.Equal(t, vfs.OK, makes(private, "a"))
	require.Equal(t, vfs.OK, makes(plain, "b"))
	readOnly(unix.MS_RDONLY)
	require.Equal(t, vfs.OK, makes(private, "c"), "the copy is not changed")
	require.Equal(t, vfs.ROFS, makes(plain, "d"))
	private.close()
	plain.close()
	private = serve(t, dir, Config{}, options{})
	require.Equal(t, vfs.ROFS, makes(private, "e"))
	readOnly(0)
	require.Equal(t, vfs.ROFS, makes(private, "f"))
	private.close()
}
