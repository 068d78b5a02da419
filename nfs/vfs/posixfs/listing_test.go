package posixfs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// walk reads a whole directory as READDIRPLUS does, with one call for every few entries, until a
// call does not succeed. It returns what the calls said of each name.
func walk(v *View, c *vfs.Cred, dir vfs.Handle, each int) (map[string]vfs.DirEntry, vfs.Status) {
	got := map[string]vfs.DirEntry{}
	var d vfs.Attr
	var cookie, verf uint64
	for eof := false; !eof; {
		n := 0
		var s vfs.Status
		verf, eof, s = v.ReadDir(
			c,
			dir,
			&vfs.ReadDirArgs{
				Cookie: cookie,
				Verf:   verf,
				Want:   vfs.EntryHandle | vfs.EntryAttr,
				Yield: func(x *vfs.DirEntry) bool {
					if n++; n > each {
						return false
					}
					y := *x
					y.Name = nil
					got[string(x.Name)] = y
					cookie = x.Cookie
					return true
				},
			},
			&d,
		)
		if s != vfs.OK {
			return nil, s
		}
	}
	return got, vfs.OK
}

// list is walk for a directory where all calls must succeed.
func list(t testing.TB, v *View, c *vfs.Cred, dir vfs.Handle, each int) map[string]vfs.DirEntry {
	got, s := walk(v, c, dir, each)
	require2(t, s)
	return got
}

// listsAlone reports whether a lane can list dir without a worker.
func listsAlone(v *View, c *vfs.Cred, dir vfs.Handle, each int) bool {
	_, s := walk(v, c, dir, each)
	return s == vfs.OK
}

// grow waits until new objects are old enough to be remembered: 50 ms (package known).
func grow() { time.Sleep(80 * time.Millisecond) }

// listed lists with root's rights where waiting is allowed.
func (s *served) listed(dir vfs.Handle) (got map[string]vfs.DirEntry) {
	s.w.do(func(v *View) { got = list(s.t, v, s.root(), dir, 7) })
	return got
}

// listings are the ways to serve that make a difference for listings.
var listings = map[string]options{
	"":                 {},
	"no births":        {noBirths: true},
	"no private mount": {noPrivate: true},
}

func eachListing(t *testing.T, f func(t *testing.T, s *served)) {
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			base := k.dir(t)
			for name, o := range listings {
				t.Run(name, func(t *testing.T) {
					dir, err := os.MkdirTemp(base, "export")
					require.NoError(t, err)
					require.NoError(t, os.Chmod(dir, 0o755))
					s := serve(t, dir, Config{}, o)
					f(t, s)
					s.close()
				})
			}
		})
	}
}

// agrees asserts that a listing says of every name what LOOKUP says.
func (s *served) agrees(dir string, got map[string]vfs.DirEntry) {
	s.t.Helper()
	names, err := os.ReadDir(filepath.Join(s.dir, dir))
	require.NoError(s.t, err)
	require.Len(s.t, got, len(names)+2)
	for _, n := range names {
		x := got[n.Name()]
		var st unix.Stat_t
		require.NoError(s.t, unix.Lstat(filepath.Join(s.dir, dir, n.Name()), &st))
		require.True(s.t, x.HasEntry, n.Name())
		require.Equal(s.t, s.lookup(filepath.Join(dir, n.Name())), x.Entry.Handle, n.Name())
		require.EqualValues(s.t, st.Size, x.Entry.Attr.Size, n.Name())
		require.Equal(s.t, st.Mode&07777, x.Entry.Attr.Mode, n.Name())
		require.Equal(s.t, x.FileID, x.Entry.Attr.FileID, n.Name())
	}
}

func TestAListingShowsWhatWasChangedBehindTheServer(t *testing.T) {
	again.Long(t)
	eachListing(t, func(t *testing.T, s *served) {
		require.NoError(t, os.Mkdir(filepath.Join(s.dir, "d"), 0o755))
		for i := range 20 {
			s.write(fmt.Sprintf("d/f%02d", i), "x", 0o644)
		}
		require.NoError(t, os.Symlink("f00", filepath.Join(s.dir, "d/link")))
		require.NoError(t, os.Mkdir(filepath.Join(s.dir, "d/sub"), 0o700))
		grow()
		dir := s.lookup("d")
		changes := []func(){
			func() {},
			func() {},
			func() { s.write("d/f03", "longer", 0o640) }, // attributes only
			func() { require.NoError(t, os.Chmod(filepath.Join(s.dir, "d/sub"), 0o711)) },
			func() { s.write("d/new", "content", 0o600) },
			func() { require.NoError(t, os.Remove(filepath.Join(s.dir, "d/f05"))) },
			func() {
				require.NoError(t, os.Rename(filepath.Join(s.dir, "d/f06"), filepath.Join(s.dir, "d/f07")))
			},
			func() { // the same name, at once
				require.NoError(t, os.Remove(filepath.Join(s.dir, "d/f08")))
				s.write("d/f08", "another", 0o600)
			},
		}
		for _, wait := range []bool{true, false} {
			for _, change := range changes {
				s.listed(dir)
				if wait {
					grow() // pages and handles are remembered
					s.listed(dir)
					s.listed(dir) // and entries
				}
				change()
				s.agrees("d", s.listed(dir))
				if wait {
					grow() // a page would be used again
					s.agrees("d", s.listed(dir))
				}
			}
			s.write("d/f05", "x", 0o644)
			s.write("d/f06", "x", 0o644)
			require.NoError(t, os.Remove(filepath.Join(s.dir, "d/new")))
		}
	})
}

func TestAnInodeNumberThatIsUsedAgainGetsANewHandle(t *testing.T) {
	again.Long(t)
	eachListing(t, func(t *testing.T, s *served) {
		reused := 0
		for i := range 40 {
			path := filepath.Join(s.dir, "f")
			s.write("f", "old", 0o644)
			if i%4 == 0 {
				grow()
			}
			before := s.listed(s.fs.Root())["f"]
			require.True(t, before.HasEntry)
			require.NoError(t, os.Remove(path))
			s.write("f", "newer", 0o644)
			after := s.listed(s.fs.Root())["f"]
			require.True(t, after.HasEntry)
			if before.FileID == after.FileID {
				reused++
			}
			require.NotEqual(t, before.Entry.Handle, after.Entry.Handle)
			require.EqualValues(t, 5, after.Entry.Attr.Size)
			s.agrees("", s.listed(s.fs.Root()))
			require.NoError(t, os.Remove(path))
		}
		t.Logf("%d inode numbers of 40 were used again at once", reused)
	})
}

func TestAMountPointInADirectoryIsListedAsWhatItCovers(t *testing.T) {
	for name, private := range map[string]bool{"private mount": true, "no private mount": false} {
		t.Run(name, func(t *testing.T) {
			needRoot(t)
			s := serve(t, tmpfsDir(t), Config{}, options{noPrivate: !private})
			at := filepath.Join(s.dir, "mnt")
			require.NoError(t, os.Mkdir(at, 0o711))
			grow()
			want := s.lookup("mnt")
			for range 3 {
				s.listed(s.fs.Root()) // the page and the entry are remembered
			}
			if err := unix.Mount("none", at, "tmpfs", 0, "size=64k"); err != nil {
				t.Skipf("needs to mount a tmpfs: %v", err)
			}
			defer func() { require.NoError(t, unix.Unmount(at, unix.MNT_DETACH)) }()
			x, there := s.listed(s.fs.Root())["mnt"]
			require.True(t, there)
			require.Equal(t, private, x.HasEntry)
			if private {
				require.Equal(t, want, x.Entry.Handle)
				require.EqualValues(t, 0o711, x.Entry.Attr.Mode)
			}
		})
	}
}

func TestAListingGivesNothingOfObjectsThatMayNotBeLookedUp(t *testing.T) {
	eachListing(t, func(t *testing.T, s *served) {
		needRoot(t)
		require.NoError(t, os.Mkdir(filepath.Join(s.dir, "d"), 0o755))
		s.write("d/f", "x", 0o644)
		grow()
		dir := s.lookup("d")
		for range 3 {
			s.listed(dir)
		}
		for mode, sees := range map[os.FileMode]bool{0o744: false, 0o755: true} {
			require.NoError(t, os.Chmod(filepath.Join(s.dir, "d"), mode))
			for range 3 {
				grow()
				s.w.do(func(v *View) {
					x := list(t, v, s.w.cred(1000, 1000), dir, 9)["f"]
					require.Equal(t, sees, x.HasEntry, "mode %o", mode)
				})
			}
		}
	})
}

// warmListing makes a directory that a lane can list. In about one such directory of twenty, three
// of its thirty pages share a set of pages. The set has two places, so they drive each other out
// without end. warmListing then makes another directory.
func warmListing(t *testing.T, dir string) (s *served, h vfs.Handle) {
	s = serve(t, dir, Config{}, options{})
	for range 10 {
		if h = s.fill(); s.warmUp(h) {
			return s, h
		}
		require.NoError(t, os.RemoveAll(filepath.Join(s.dir, "d")))
	}
	t.Fatal("the lane can list none of ten directories")
	return nil, h
}

// fill makes d with 200 files.
func (s *served) fill() vfs.Handle {
	require.NoError(s.t, os.Mkdir(filepath.Join(s.dir, "d"), 0o755))
	for i := range 200 {
		s.write(fmt.Sprintf("d/file-%03d", i), "x", 0o644)
	}
	grow()
	return s.lookup("d")
}

// warmUp lists h until the lane can do it without a worker, and reports whether it can.
func (s *served) warmUp(h vfs.Handle) (alone bool) {
	for range 3 {
		s.listed(h)
	}
	// A machine that is slow enough closes entries again before all are open.
	for range 50 {
		s.l.do(
			func(v *View) { alone = listsAlone(v, s.l.cred(0, 0), h, 7) && listsAlone(v, s.l.cred(0, 0), h, 1000) },
		)
		if alone {
			return true
		}
		s.listed(h)
		s.w.do(func(v *View) { list(s.t, v, s.root(), h, 1000) })
	}
	return false
}

func TestALaneListsByItselfWhatIsOpen(t *testing.T) {
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			needRoot(t)
			s, h := warmListing(t, k.dir(t))
			c := s.l.cred(0, 0)
			s.l.do(func(v *View) {
				s.write("d/file-007", "longer", 0o644)
				got := list(t, v, c, h, 7)
				require.Len(t, got, 202)
				require.EqualValues(t, 6, got["file-007"].Entry.Attr.Size, "attributes are asked for")
				for name, x := range got {
					require.True(t, x.HasEntry, name)
				}
			})
			s.agrees("d", s.listed(h))
			require.NoError(t, os.Remove(filepath.Join(s.dir, "d/file-009")))
			s.l.do(func(v *View) {
				var d vfs.Attr
				_, _, st := v.ReadDir(
					c,
					h,
					&vfs.ReadDirArgs{
						Want:  vfs.EntryHandle | vfs.EntryAttr,
						Yield: func(*vfs.DirEntry) bool { return true },
					},
					&d,
				)
				require.Equal(t, vfs.Again, st, "the directory has changed")
			})
			require.NotContains(t, s.listed(h), "file-009")
		})
	}
}

func TestAWarmListingDoesNotAllocate(t *testing.T) {
	needRoot(t)
	s, h := warmListing(t, tmpfsDir(t))
	for range 3 { // in one call, which reads other pages
		s.w.do(func(v *View) { list(t, v, s.root(), h, 1000) })
	}
	c := s.l.cred(0, 0)
	var d vfs.Attr
	n := 0
	yield := func(*vfs.DirEntry) bool { n++; return true }
	s.l.do(func(v *View) {
		require.Zero(t, testing.AllocsPerRun(20, func() {
			_, _, st := v.ReadDir(
				c,
				h,
				&vfs.ReadDirArgs{Want: vfs.EntryHandle | vfs.EntryAttr, Yield: yield},
				&d,
			)
			require2(t, st)
		}))
		require.Equal(t, 21*202, n)
	})
}
