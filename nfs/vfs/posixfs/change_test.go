package posixfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/vfstest"
)

func TestChangesBehindTheServersBackAreSeenAtOnce(t *testing.T) {
	t.Parallel()
	for _, k := range fileSystems[:2] {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, k.dir(t), Config{}, options{})
			t.Cleanup(s.close)
			s.write("f", "one", 0o644)
			h := s.lookup("f")
			both := func(f func(r *runner, v *View) vfs.Status) {
				var st vfs.Status
				s.l.do(func(v *View) { st = f(s.l, v) })
				if st == vfs.Again {
					s.w.do(func(v *View) { st = f(s.w, v) })
				}
				require.Equal(t, vfs.OK, st)
			}
			lookup := func(name string) (e vfs.Entry, st vfs.Status) {
				var d vfs.Attr
				s.l.do(func(v *View) {
					st = v.Lookup(s.l.cred(0, 0), s.fs.Root(), []byte(name), &vfs.Found{Entry: &e, Dir: &d})
				})
				if st == vfs.Again {
					s.w.do(
						func(v *View) { st = v.Lookup(s.root(), s.fs.Root(), []byte(name), &vfs.Found{Entry: &e, Dir: &d}) },
					)
				}
				return e, st
			}
			for i := range 50 {
				text := fmt.Sprintf("content %d", i)
				s.write("f", text, 0o644)
				both(func(r *runner, v *View) vfs.Status {
					b := make([]byte, 64)
					var a vfs.Attr
					n, _, st := v.Read(r.cred(0, 0), h, &vfs.ReadArgs{Off: 0, Dst: b}, &a)
					if st == vfs.OK {
						require.Equal(t, text, string(b[:n]))
						require.EqualValues(t, len(text), a.Size)
					}
					return st
				})
				// The name leads to another file, is gone, and leads to the first
				// file again.
				s.write("g", "other", 0o600)
				f, g, kept := filepath.Join(
					s.dir,
					"f",
				), filepath.Join(
					s.dir,
					"g",
				), filepath.Join(
					s.dir,
					"kept",
				)
				require.NoError(t, os.Rename(f, kept))
				_, st := lookup("f")
				require.Equal(t, vfs.NoEnt, st)
				require.NoError(t, os.Rename(g, f))
				e, st := lookup("f")
				require.Equal(t, vfs.OK, st)
				require.NotEqual(t, h, e.Handle)
				require.NoError(t, os.Remove(f))
				_, st = lookup("f")
				require.Equal(t, vfs.NoEnt, st)
				require.NoError(t, os.Rename(kept, f))
				e, st = lookup("f")
				require.Equal(t, vfs.OK, st)
				require.Equal(t, h, e.Handle)
			}
			require.NoError(t, os.Remove(filepath.Join(s.dir, "f")))
			var a vfs.Attr
			s.l.do(func(v *View) { require.Equal(t, vfs.Stale, v.GetAttr(h, &a)) })
			s.w.do(func(v *View) { require.Equal(t, vfs.Stale, v.GetAttr(h, &a)) })
		})
	}
}

func TestTimesOfASymbolicLinkTakeEffect(t *testing.T) {
	t.Parallel()
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, k.dir(t), Config{}, options{})
			t.Cleanup(s.close)
			require.NoError(t, os.Symlink("nowhere", filepath.Join(s.dir, "l")))
			h := s.lookup("l")
			s.w.do(func(v *View) {
				var w vfs.WCC
				want := vfs.Time{Sec: 1234567890, Nsec: 123456789}
				st := v.SetAttr(
					s.root(),
					h,
					&vfs.SetAttr{
						AtimeHow: vfs.TimeClient,
						Atime:    want,
						MtimeHow: vfs.TimeClient,
						Mtime:    want,
					},
					&w,
				)
				require.Equal(t, vfs.OK, st)
				require.Equal(t, want, w.After.Mtime)
			})
			var st unix.Stat_t
			require.NoError(t, unix.Lstat(filepath.Join(s.dir, "l"), &st))
			require.EqualValues(t, 1234567890, st.Mtim.Sec)
		})
	}
}

// readAll lists a directory in pages of n entries and calls between after each.
func (s *served) readAll(h vfs.Handle, plus bool, n int, between func()) (names []string) {
	var cookie, verf uint64
	for eof := false; !eof; {
		s.w.do(func(v *View) {
			var d vfs.Attr
			var st vfs.Status
			left := n
			verf, eof, st = v.ReadDir(
				s.root(),
				h,
				&vfs.ReadDirArgs{
					Cookie: cookie,
					Verf:   verf,
					Want:   vfstest.Plus(plus),
					Yield: func(x *vfs.DirEntry) bool {
						if left == 0 {
							return false
						}
						left--
						names = append(names, string(x.Name))
						cookie = x.Cookie
						return true
					},
				},
				&d,
			)
			require.Equal(s.t, vfs.OK, st)
		})
		between()
	}
	return names
}

// TestALargeDirectoryIsListedOnceEachWhileItChanges has 20,000 entries, or
// POSIXFS_ENTRIES.
func TestALargeDirectoryIsListedOnceEachWhileItChanges(t *testing.T) {
	t.Parallel()
	count := 20000
	if n, err := strconv.Atoi(os.Getenv("POSIXFS_ENTRIES")); err == nil {
		count = n
	}
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, k.dir(t), Config{}, options{})
			t.Cleanup(s.close)
			dir := filepath.Join(s.dir, "d")
			require.NoError(t, os.Mkdir(dir, 0o755))
			for i := range count {
				require.NoError(t, os.Link(s.seed(i), filepath.Join(dir, fmt.Sprintf("keep%d", i))))
			}
			h, round := s.lookup("d"), 0
			names := s.readAll(h, false, 100, func() {
				require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("come%d", round)), nil, 0o644))
				if round%2 == 1 {
					require.NoError(t, os.Remove(filepath.Join(dir, fmt.Sprintf("come%d", round-1))))
				}
				round++
			})
			seen := map[string]int{}
			for _, n := range names {
				seen[n]++
			}
			require.Equal(t, 1, seen["."])
			require.Equal(t, 1, seen[".."])
			for i := range count {
				require.Equal(t, 1, seen[fmt.Sprintf("keep%d", i)], "keep%d", i)
			}
		})
	}
}

// seed returns a file to make links to. It makes a new one now and then, because the number of
// links per file is limited.
func (s *served) seed(i int) string {
	p := filepath.Join(s.dir, fmt.Sprintf("seed%d", i/30000))
	if i%30000 == 0 {
		s.write(filepath.Base(p), "", 0o644)
	}
	return p
}

func TestForeignCookiesAreRefused(t *testing.T) {
	t.Parallel()
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, k.dir(t), Config{}, options{})
			t.Cleanup(s.close)
			s.w.do(func(v *View) {
				var d vfs.Attr
				none := func(*vfs.DirEntry) bool { return true }
				verf, _, st := v.ReadDir(s.root(), s.fs.Root(), &vfs.ReadDirArgs{Yield: none}, &d)
				require.Equal(t, vfs.OK, st)
				_, _, st = v.ReadDir(
					s.root(),
					s.fs.Root(),
					&vfs.ReadDirArgs{Cookie: 1, Verf: verf + 1, Yield: none},
					&d,
				)
				require.Equal(t, vfs.BadCookie, st)
				for _, c := range []uint64{1 << 63, 1<<64 - 1} {
					_, _, st = v.ReadDir(
						s.root(),
						s.fs.Root(),
						&vfs.ReadDirArgs{Cookie: c, Verf: verf, Yield: none},
						&d,
					)
					require.Equal(t, vfs.BadCookie, st)
				}
			})
		})
	}
}
