package posixfs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// ways are the two ways to serve: with the private mount and without it.
var waysOfServing = map[string]options{
	"private mount":           {},
	"no private mount":        {noPrivate: true},
	"no mount and no handles": {noPrivate: true, noHandles: true},
	"no openat2":              {noOpenat2: true},
	"no openat2 and no mount": {noOpenat2: true, noPrivate: true},
	"no openat2 and nothing":  {noOpenat2: true, noPrivate: true, noHandles: true},
}

func eachWay(t *testing.T, f func(t *testing.T, s *served, outside string)) {
	for name, o := range waysOfServing {
		t.Run(name, func(t *testing.T) {
			needRoot(t)
			base := tmpfsDir(t)
			dir := filepath.Join(base, "export")
			require.NoError(t, os.Mkdir(dir, 0o755))
			f(t, serve(t, dir, Config{}, o), base)
		})
	}
}

func (s *served) tryLookup(h vfs.Handle, name string) (vfs.Entry, vfs.Status) {
	var e vfs.Entry
	var st vfs.Status
	s.w.do(func(v *View) {
		var d vfs.Attr
		st = v.Lookup(s.root(), h, []byte(name), &vfs.Found{Entry: &e, Dir: &d})
	})
	return e, st
}

func TestDotDotEndsAtTheRoot(t *testing.T) {
	eachWay(t, func(t *testing.T, s *served, _ string) {
		require.NoError(t, os.MkdirAll(filepath.Join(s.dir, "a/b"), 0o755))
		h := s.lookup("a/b")
		for _, want := range []vfs.Handle{s.lookup("a"), s.fs.Root(), s.fs.Root()} {
			e, st := s.tryLookup(h, "..")
			require.Equal(t, vfs.OK, st)
			require.Equal(t, want, e.Handle)
			h = e.Handle
		}
	})
}

func TestADirectoryThatWasMovedOutIsNoLadder(t *testing.T) {
	eachWay(t, func(t *testing.T, s *served, outside string) {
		require.NoError(t, os.MkdirAll(filepath.Join(s.dir, "a/b"), 0o755))
		b := s.lookup("a/b")
		require.NoError(t, os.MkdirAll(filepath.Join(outside, "secret"), 0o755))
		require.NoError(t, os.Rename(filepath.Join(s.dir, "a/b"), filepath.Join(outside, "secret/b")))
		_, st := s.tryLookup(b, "..")
		require.Equal(t, vfs.Stale, st)
		s.w.do(func(v *View) {
			var d vfs.Attr
			_, _, _ = v.ReadDir(
				s.root(),
				b,
				&vfs.ReadDirArgs{Want: vfs.EntryHandle | vfs.EntryAttr, Yield: func(x *vfs.DirEntry) bool {
					if string(x.Name) == ".." {
						require.False(t, x.HasEntry, "READDIRPLUS gives the handle of a directory outside")
					}
					return true
				}},
				&d,
			)
		})
		require.NoError(t, os.Rename(filepath.Join(outside, "secret/b"), filepath.Join(s.dir, "b")))
		if s.fs.is.byHandle {
			e, st := s.tryLookup(b, "..")
			require.Equal(t, vfs.OK, st, "back inside")
			require.Equal(t, s.fs.Root(), e.Handle)
		}
	})
}

func TestSymlinksAreNotFollowed(t *testing.T) {
	eachWay(t, func(t *testing.T, s *served, outside string) {
		require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o644))
		for name, target := range map[string]string{"abs": outside, "up": "../secret", "proc": "/proc/self/root"} {
			require.NoError(t, os.Symlink(target, filepath.Join(s.dir, name)))
			h := s.lookup(name)
			_, st := s.tryLookup(h, "secret")
			require.Equal(t, vfs.NotDir, st)
			s.w.do(func(v *View) {
				var e vfs.Entry
				require.Equal(t, vfs.Access, v.Walk(s.root(), name, &e), name)
				var a vfs.Attr
				require.Equal(t, vfs.OK, v.GetAttr(h, &a))
				require.Equal(t, vfs.TypeLnk, a.Type)
			})
		}
	})
}

func TestMountPointsBelowAreNotCrossed(t *testing.T) {
	eachWay(t, func(t *testing.T, s *served, _ string) {
		for _, name := range []string{"before", "m"} {
			require.NoError(t, os.MkdirAll(filepath.Join(s.dir, name), 0o755))
		}
		p := filepath.Join(s.dir, "m")
		require.NoError(t, unix.Mount("none", p, "tmpfs", 0, "size=64k"))
		t.Cleanup(func() { _ = unix.Unmount(p, unix.MNT_DETACH) })
		require.NoError(t, os.WriteFile(filepath.Join(p, "secret"), []byte("x"), 0o644))
		e, st := s.tryLookup(s.fs.Root(), "m")
		if s.fs.is.private {
			require.Equal(t, vfs.OK, st, "the directory below the mount")
			_, st = s.tryLookup(e.Handle, "secret")
			require.Equal(t, vfs.NoEnt, st)
		} else {
			require.Equal(t, vfs.Access, st)
		}
		s.w.do(func(v *View) {
			var e vfs.Entry
			require.NotEqual(t, vfs.OK, v.Walk(s.root(), "m/secret", &e))
			var d vfs.Attr
			_, _, st := v.ReadDir(
				s.root(),
				s.fs.Root(),
				&vfs.ReadDirArgs{Want: vfs.EntryHandle | vfs.EntryAttr, Yield: func(x *vfs.DirEntry) bool {
					if string(x.Name) == "m" {
						require.Equal(t, s.fs.is.private, x.HasEntry)
					}
					return true
				}},
				&d,
			)
			require.Equal(t, vfs.OK, st)
		})
	})
}

func TestLaterMountsDoNotComeIntoAnExportOnASharedMount(t *testing.T) {
	needRoot(t)
	dir := tmpfsDir(t)
	require.NoError(t, unix.Mount("none", dir, "tmpfs", 0, "size=1m"))
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	require.NoError(t, unix.Mount("", dir, "", unix.MS_SHARED, ""))
	s := serve(t, dir, Config{}, options{})
	if !s.fs.is.private {
		t.Skip("needs open_tree")
	}
	p := filepath.Join(dir, "m")
	require.NoError(t, os.Mkdir(p, 0o755))
	require.NoError(t, unix.Mount("none", p, "tmpfs", 0, "size=64k"))
	t.Cleanup(func() { _ = unix.Unmount(p, unix.MNT_DETACH) })
	require.NoError(t, os.WriteFile(filepath.Join(p, "secret"), nil, 0o644))
	_, st := s.tryLookup(s.lookup("m"), "secret")
	require.Equal(t, vfs.NoEnt, st)
}

func TestAFileSystemWithoutHandlesIsRefusedWithTheRemedy(t *testing.T) {
	_, err := New(Config{Dir: "/proc"})
	require.ErrorContains(t, err, "proc")
	require.ErrorContains(t, err, "export a directory of another file system")
	_, err = New(Config{Dir: "/nonexistent"})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestHandlesOutliveAnUnmount(t *testing.T) {
	for _, k := range fileSystems[1:] {
		t.Run(k.name, func(t *testing.T) {
			mnt := k.dir(t)
			s := serve(t, mnt, Config{}, options{})
			s.write("f", "content", 0o644)
			h, root, fsid, id := s.lookup("f"), s.fs.Root(), s.fs.fsid, s.fs.Identity()
			s.close()
			var st unix.Stat_t
			require.NoError(t, unix.Stat(mnt, &st))
			was := st.Dev
			require.NoError(t, disktest.Unmount(mnt))
			img := filepath.Join(filepath.Dir(mnt), "img")
			for st.Dev == was { // the loop device's number is free, but may stay unused
				out, err := exec.Command("losetup", "-f", "--show", img).CombinedOutput()
				require.NoError(t, err, "%s", out)
				dev := strings.TrimSpace(string(out))
				t.Cleanup(func() { run(t, "losetup", "-d", dev) }) // mounted, it goes with the mount
				var rdev unix.Stat_t
				require.NoError(t, unix.Stat(dev, &rdev))
				if st.Dev = rdev.Rdev; st.Dev != was {
					run(t, "mount", dev, mnt)
				}
			}
			s = serve(t, mnt, Config{}, options{})
			require.Equal(t, root, s.fs.Root())
			require.Equal(t, fsid, s.fs.fsid)
			require.Equal(t, id, s.fs.Identity())
			s.w.do(func(v *View) {
				b := make([]byte, 16)
				var a vfs.Attr
				n, eof, st := v.Read(s.root(), h, &vfs.ReadArgs{Off: 0, Dst: b}, &a)
				require.Equal(t, vfs.OK, st)
				require.True(t, eof)
				require.Equal(t, "content", string(b[:n]))
			})
		})
	}
}

// Without handles an object is found where it was seen. A directory is not seen in itself.
func TestListingADirectoryDoesNotForgetWhereItIs(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{noPrivate: true, noHandles: true})
	require.NoError(t, os.MkdirAll(filepath.Join(s.dir, "a/b"), 0o755))
	a, b := s.lookup("a"), s.lookup("a/b")
	s.w.do(func(v *View) {
		for _, h := range []vfs.Handle{s.fs.Root(), a, b} {
			var d vfs.Attr
			_, _, st := v.ReadDir(
				s.root(),
				h,
				&vfs.ReadDirArgs{
					Want:  vfs.EntryHandle | vfs.EntryAttr,
					Yield: func(*vfs.DirEntry) bool { return true },
				},
				&d,
			)
			require.Equal(t, vfs.OK, st)
		}
	})
	fd, ok := s.fs.finder.Remembered(&b)
	require.True(t, ok, "the whole tree would be searched for it")
	kernel.CloseFD(fd)
}
