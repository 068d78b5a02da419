package posixfs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Calls of Linux clients that Linux's own system calls would refuse.

func TestWhoMayWriteMaySetOneTimeToThePresent(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{})
	s.write("open", "content", 0o666)
	s.write("shut", "content", 0o644)
	past := []unix.Timespec{{Sec: 1e9}, {Sec: 1e9}}
	stamps := func(name string) (atime, mtime int64) {
		var st unix.Stat_t
		require.NoError(t, unix.Stat(filepath.Join(s.dir, name), &st))
		return st.Atim.Sec, st.Mtim.Sec
	}
	set := func(name string, a vfs.SetAttr) vfs.Status {
		require.NoError(t, unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(s.dir, name), past, 0))
		h := s.lookup(name)
		var st vfs.Status
		s.w.do(func(v *View) {
			var w vfs.WCC
			st = v.SetAttr(s.w.cred(1000, 1000), h, &a, &w)
			assert.True(t, w.HasBefore && w.After.Filled())
		})
		return st
	}
	// As for open(O_TRUNC).
	require.Equal(t, vfs.OK, set("open", vfs.SetAttr{HasSize: true, Size: 0, MtimeHow: vfs.TimeServer}))
	atime, mtime := stamps("open")
	require.EqualValues(t, 1e9, atime)
	require.Greater(t, mtime, int64(1e9))
	require.Equal(t, vfs.OK, set("open", vfs.SetAttr{AtimeHow: vfs.TimeServer}))
	atime, mtime = stamps("open")
	require.Greater(t, atime, int64(1e9))
	require.EqualValues(t, 1e9, mtime)

	for name, a := range map[string]vfs.SetAttr{
		"open": {AtimeHow: vfs.TimeClient, MtimeHow: vfs.TimeServer},
		"shut": {MtimeHow: vfs.TimeServer},
	} {
		require.NotEqual(t, vfs.OK, set(name, a), name)
		atime, mtime = stamps(name)
		require.EqualValues(t, []int64{1e9, 1e9}, []int64{atime, mtime}, name)
	}
	require.Equal(t, vfs.Perm, set("open", vfs.SetAttr{HasMode: true, Mode: 0o777, MtimeHow: vfs.TimeServer}))
}

func TestADirectoryKeepsTheGroupBitThatItInherits(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{})
	dir := filepath.Join(s.dir, "shared")
	require.NoError(t, os.Mkdir(dir, 0o755))
	chown(t, dir, 0, 2000)
	require.NoError(t, unix.Chmod(dir, 0o2777))
	h := s.lookup("shared")
	for name, mode := range map[string]uint32{"asked": 0o2755, "silent": 0o755} {
		s.w.do(func(v *View) {
			var e vfs.Entry
			var w vfs.WCC
			c := s.w.cred(1000, 1000)
			require.Equal(
				t,
				vfs.OK,
				v.Mkdir(
					c,
					h,
					&vfs.MkdirArgs{Name: []byte(name), Set: &vfs.SetAttr{HasMode: true, Mode: mode}},
					&vfs.Made{Entry: &e, Dir: &w},
				),
			)
			require.Equal(t, uint32(0o2755), e.Attr.Mode, name)
			require.Equal(t, uint32(2000), e.Attr.GID, name)
		})
	}
}
