package posixfs

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// find looks name up as the server does: on the lane, as a call that has just arrived, and on a
// worker if the lane returns Again.
func (s *served) find(dir vfs.Handle, name string) (e vfs.Entry, d vfs.Attr, st vfs.Status) {
	return s.findAs(0, dir, name)
}

// findAs is find for a user.
func (s *served) findAs(uid uint32, dir vfs.Handle, name string) (e vfs.Entry, d vfs.Attr, st vfs.Status) {
	s.l.do(func(v *View) {
		v.th.Epoch++
		st = v.Lookup(s.l.cred(uid, uid), dir, []byte(name), &vfs.Found{Entry: &e, Dir: &d})
	})
	if st == vfs.Again {
		s.w.do(
			func(v *View) { st = v.Lookup(s.w.cred(uid, uid), dir, []byte(name), &vfs.Found{Entry: &e, Dir: &d}) },
		)
	}
	return e, d, st
}

// heat looks names up until the lane remembers them for the present state of the directory.
func (s *served) heat(dir vfs.Handle, names ...string) {
	s.t.Helper()
	time.Sleep(kernel.CtimeGrain + 20*time.Millisecond) // new changes are not remembered
	for range 2 {
		for i := range settleAfter {
			_, _, st := s.find(dir, names[i%len(names)])
			require.Equal(s.t, vfs.OK, st)
		}
		for _, name := range names {
			_, _, st := s.find(dir, name)
			require.Equal(s.t, vfs.OK, st)
		}
	}
	for _, name := range names {
		require.True(s.t, s.remembers(dir, name), "%s is not remembered", name)
	}
}

// remembers reports whether the lane would answer without having the name resolved.
func (s *served) remembers(dir vfs.Handle, name string) (ok bool) {
	s.l.do(func(v *View) {
		de, st := v.acquire(&dir, useMain)
		require2(s.t, st)
		defer v.done()
		require2(s.t, v.stat(de, &v.st))
		var e vfs.Entry
		keep, _ := v.mayRemember(de)
		ok = keep && v.settledPath(s.l.cred(0, 0), de, nameKey(de, []byte(name)), []byte(name), &e)
	})
	return ok
}

// agreesOn asserts that LOOKUP says of a name what the kernel says.
func (s *served) agreesOn(dir vfs.Handle, path, name, msg string) {
	s.t.Helper()
	var want unix.Stat_t
	err := unix.Lstat(filepath.Join(path, name), &want)
	e, d, st := s.find(dir, name)
	if err != nil {
		require.Equal(s.t, vfs.NoEnt, st, "%s: %s", msg, name)
		return
	}
	require.Equal(s.t, vfs.OK, st, "%s: %s", msg, name)
	require.Equal(s.t, want.Ino, e.Attr.FileID, "%s: %s leads elsewhere", msg, name)
	require.Equal(s.t, uint32(want.Nlink), e.Attr.Nlink, "%s: links of %s", msg, name)
	require.Equal(s.t, want.Size, int64(e.Attr.Size), "%s: size of %s", msg, name)
	var dst unix.Stat_t
	require.NoError(s.t, unix.Lstat(path, &dst))
	require.Equal(
		s.t,
		vfs.Time{Sec: dst.Ctim.Sec, Nsec: uint32(dst.Ctim.Nsec)},
		d.Ctime,
		"%s: directory of %s",
		msg,
		name,
	)
}

func put(t testing.TB, path, content string) {
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
}

func exchange(t testing.TB, a, b string) {
	require.NoError(t, unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE))
}

// directoryChanges are changes that processes on this machine make to a directory d. It has files
// a, b and h, and a directory sub; h also has a link elsewhere. Next to d is a directory other with
// the same contents.
var directoryChanges = map[string]func(t testing.TB, d, other string){
	"rename over":          func(t testing.TB, d, _ string) { require.NoError(t, os.Rename(d+"/a", d+"/b")) },
	"rename over from":     func(t testing.TB, d, o string) { require.NoError(t, os.Rename(o+"/a", d+"/a")) },
	"rename away":          func(t testing.TB, d, o string) { require.NoError(t, os.Rename(d+"/a", o+"/new")) },
	"rename of a linked":   func(t testing.TB, d, o string) { require.NoError(t, os.Rename(d+"/h", o+"/new")) },
	"rename over a linked": func(t testing.TB, d, o string) { require.NoError(t, os.Rename(d+"/a", d+"/h")) },
	"exchange":             func(t testing.TB, d, _ string) { exchange(t, d+"/a", d+"/b") },
	"exchange with other":  func(t testing.TB, d, o string) { exchange(t, o+"/b", d+"/b") },
	"exchange of kinds":    func(t testing.TB, d, o string) { exchange(t, d+"/sub", d+"/a") },
	"unlink": func(t testing.TB, d, _ string) {
		require.NoError(t, os.Remove(d+"/a"))
	},
	"unlink of a linked": func(t testing.TB, d, _ string) { require.NoError(t, os.Remove(d+"/h")) },
	"another of the same name": func(t testing.TB, d, _ string) {
		require.NoError(t, os.Remove(d+"/a"))
		put(t, d+"/a", "another")
	},
	"link in place": func(t testing.TB, d, o string) {
		require.NoError(t, os.Remove(d+"/a"))
		require.NoError(t, os.Link(o+"/b", d+"/a"))
	},
	"symlink in place": func(t testing.TB, d, _ string) {
		require.NoError(t, os.Remove(d+"/a"))
		require.NoError(t, os.Symlink("b", d+"/a"))
	},
	"another directory": func(t testing.TB, d, _ string) {
		require.NoError(t, os.Remove(d+"/sub"))
		require.NoError(t, os.Mkdir(d+"/sub", 0o755))
	},
	"directory over directory": func(t testing.TB, d, o string) { require.NoError(t, unix.Rename(o+"/sub", d+"/sub")) },
	"there and back": func(t testing.TB, d, o string) {
		require.NoError(t, os.Rename(d+"/a", o+"/new"))
		require.NoError(t, os.Rename(o+"/new", d+"/a"))
	},
	"whiteout": func(t testing.TB, d, o string) {
		if err := unix.Renameat2(unix.AT_FDCWD, d+"/a", unix.AT_FDCWD, o+"/new", unix.RENAME_WHITEOUT); err != unix.EINVAL {
			require.NoError(t, err)
		}
	},
	"contents": func(t testing.TB, d, _ string) { put(t, d+"/a", "longer than it was") },
	"nothing":  func(testing.TB, string, string) {},
}

func fill(t testing.TB, d string) {
	require.NoError(t, os.Mkdir(d, 0o755))
	require.NoError(t, os.Mkdir(d+"/sub", 0o755))
	for _, f := range []string{"a", "b", "h"} {
		put(t, d+"/"+f, f)
	}
	require.NoError(t, os.Link(d+"/h", d+"-h"))
}

func TestRememberedNamesAreForgottenWhenSomebodyChangesThem(t *testing.T) {
	needRoot(t)
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, k.dir(t), Config{}, options{})
			for name, change := range directoryChanges {
				n := strings.ReplaceAll(name, " ", "-")
				d, o := filepath.Join(s.dir, n), filepath.Join(s.dir, n+"-other")
				fill(t, d)
				fill(t, o)
				h := s.lookup(n)
				s.heat(h, "a", "b", "h", "sub")
				change(t, d, o)
				for range 3 {
					for _, f := range []string{"a", "b", "h", "sub", "new"} {
						s.agreesOn(h, d, f, name)
					}
				}
				var left []string
				for _, f := range []string{"a", "b", "h", "sub"} {
					if _, err := os.Lstat(d + "/" + f); err == nil {
						left = append(left, f)
					}
				}
				s.heat(h, left...)
				for _, f := range []string{"a", "b", "h", "sub", "new"} {
					s.agreesOn(h, d, f, name+" and remembered anew")
				}
			}
		})
	}
}

func TestNamesAreRememberedAcrossTheRenameOfTheirDirectory(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{})
	d := filepath.Join(s.dir, "d")
	fill(t, d)
	h := s.lookup("d")
	s.heat(h, "a")
	require.NoError(t, os.Rename(d, d+"2"))
	s.agreesOn(h, d+"2", "a", "renamed")
	s.heat(h, "a")
	require.NoError(t, os.Remove(d+"2/a"))
	s.agreesOn(h, d+"2", "a", "removed")
	require.NoError(t, os.RemoveAll(d+"2"))
	_, _, st := s.find(h, "a")
	require.Equal(t, vfs.Stale, st)
}

func TestAMountOnARememberedNameStaysUnseen(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{})
	if !s.fs.is.private {
		t.Skip("needs a private mount")
	}
	d := filepath.Join(s.dir, "d")
	fill(t, d)
	h := s.lookup("d")
	s.heat(h, "sub")
	before, _, st := s.find(h, "sub")
	require.Equal(t, vfs.OK, st)
	if err := unix.Mount("none", d+"/sub", "tmpfs", 0, ""); err != nil {
		t.Skipf("needs to mount: %v", err)
	}
	defer func() { require.NoError(t, disktest.Unmount(d+"/sub")) }()
	for range 2 * settleAfter {
		after, _, st := s.find(h, "sub")
		require.Equal(t, vfs.OK, st)
		require.Equal(t, before.Handle, after.Handle)
	}
}

func TestNothingIsRememberedWithoutAPrivateMount(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{noPrivate: true})
	s.write("a", "a", 0o644)
	time.Sleep(kernel.CtimeGrain + 20*time.Millisecond)
	for range 4 * settleAfter {
		_, _, st := s.find(s.fs.Root(), "a")
		require.Equal(t, vfs.OK, st)
	}
	require.False(t, s.remembers(s.fs.Root(), "a"))
	require.False(t, s.l.v.paths.Ready())
}

func TestWhoMayNotSearchIsToldNothingRemembered(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{})
	d := filepath.Join(s.dir, "d")
	fill(t, d)
	h := s.lookup("d")
	require.NoError(t, os.Chmod(d, 0o700))
	s.heat(h, "a")
	ask := func() vfs.Status {
		_, _, st := s.findAs(1000, h, "a")
		return st
	}
	for range 3 { // the thread acts for root first, and for the user from the second round on
		require.Equal(t, vfs.Access, ask())
	}
	require.NoError(t, os.Chmod(d, 0o711))
	s.heat(h, "a")
	require.Equal(t, vfs.OK, ask())
	require.Equal(t, vfs.OK, ask())
	require.NoError(t, os.Chmod(d, 0o700))
	require.Equal(t, vfs.Access, ask())
}

func TestRememberedNamesMayBeMoreThanThereIsRoomFor(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{})
	const n = pathSets*pathWays + 1000
	long := strings.Repeat("l", pathNameMax)
	names := []string{long, long + "l", long + "m"}
	for i := range n {
		names = append(names, fmt.Sprint("f", i))
	}
	for _, name := range names {
		s.write(name, name, 0o644)
	}
	s.heat(s.fs.Root(), "f1", long)
	require.False(t, s.remembers(s.fs.Root(), long+"l"))
	for range 2 {
		for _, name := range names {
			e, _, st := s.find(s.fs.Root(), name)
			require.Equal(t, vfs.OK, st)
			require.EqualValues(t, len(name), e.Attr.Size, name)
		}
	}
	require.True(t, s.l.v.paths.Ready())
}

func TestRememberedNamesDoNotKeepDescriptorsOpen(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{})
	s.write("a", "a", 0o644)
	s.heat(s.fs.Root(), "a")
	open := s.fs.tab.Open()
	require.Positive(t, open)
	s.fs.tab.RetireAll()
	s.fs.reap(true)
	require.Zero(t, s.fs.tab.Open())
	s.agreesOn(s.fs.Root(), s.dir, "a", "closed")
	s.heat(s.fs.Root(), "a")
}

func TestRememberedNamesCostNoAllocation(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{})
	s.write("a", "a", 0o644)
	root, name := s.fs.Root(), []byte("a")
	s.heat(root, "a")
	s.l.do(func(v *View) {
		c := s.l.cred(0, 0)
		var e vfs.Entry
		var d vfs.Attr
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			v.th.Epoch++
			require2(t, v.Lookup(c, root, name, &vfs.Found{Entry: &e, Dir: &d}))
		}))
	})
}

func TestCallsOfOneEpochShareTheAttributesOfADirectory(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{})
	s.write("a", "a", 0o644)
	root := s.fs.Root()
	s.lookup("a")
	look := func(epoch uint64) (d vfs.Attr) {
		s.l.do(func(v *View) {
			v.th.Epoch = epoch
			var e vfs.Entry
			st := v.Lookup(s.l.cred(0, 0), root, []byte("a"), &vfs.Found{Entry: &e, Dir: &d})
			for range 100 { // somebody on this machine renames or mounts something
				if st == vfs.Again {
					st = v.Lookup(s.l.cred(0, 0), root, []byte("a"), &vfs.Found{Entry: &e, Dir: &d})
				}
			}
			require2(t, st)
		})
		return d
	}
	for _, shared := range []bool{true, false} {
		first, again, next := uint64(1), uint64(1), uint64(2)
		if !shared {
			first, again, next = 0, 0, 0
		}
		before := look(first)
		require.NoError(t, os.Chmod(s.dir, 0o751))
		require.NoError(t, os.Chmod(s.dir, 0o755))
		require.Equal(t, shared, look(again) == before)
		require.NotEqual(t, before, look(next))
	}
}

func TestOnlyTheOldTimeOfAnOpenDirectoryIsSteady(t *testing.T) {
	needRoot(t)
	s := serve(t, tmpfsDir(t), Config{}, options{})
	at := func(ago time.Duration) (st unix.Statx_t) {
		then := time.Now().Add(-ago)
		st.Ctime = unix.StatxTimestamp{Sec: then.Unix(), Nsec: uint32(then.Nanosecond()) | 1}
		return st
	}
	old, young, coming := at(time.Hour), at(0), at(-time.Hour)
	whole, secret := at(time.Hour), at(time.Hour)
	whole.Ctime.Nsec = 0
	secret.Attributes = unix.STATX_ATTR_ENCRYPTED
	require.Equal(t, s.fs.is.private, s.fs.steady(&old))
	for name, st := range map[string]*unix.Statx_t{"young": &young, "of the future": &coming, "of whole seconds": &whole, "encrypted": &secret} {
		require.False(t, s.fs.steady(st), name)
	}
	s.fs.magic = unix.OVERLAYFS_SUPER_MAGIC
	require.False(t, s.fs.steady(&old), "another file system")
}

// The kernel sets a directory's ctime before it moves a name. If a rename hangs in between, the
// lane must not remember the old name.
func TestAChangeThatIsUnderWayIsNotMistakenForDone(t *testing.T) {
	outer, dir := stuckDir(
		t,
		64,
		"dirsync",
		"mkfs.ext4",
		"-q",
		"-b",
		"4096",
	) // changes of directories wait for the journal
	s := serve(t, dir, Config{}, options{})
	d := dir + "/d"
	require.NoError(t, os.Mkdir(d, 0o755))
	put(t, d+"/a", "a")
	put(t, d+"/b", "bb")
	require.NoError(t, os.Link(d+"/b", dir+"/b")) // or the name's end would show in its links
	h := s.lookup("d")
	s.heat(h, "a", "b")

	thaw, renamed := getStuck(t, outer, d, func() error { return os.Rename(d+"/a", d+"/b") })
	defer thaw()
	time.Sleep(kernel.CtimeGrain + 20*time.Millisecond)
	look := func() (st vfs.Status) {
		s.l.do(func(v *View) {
			v.th.Epoch++
			var e vfs.Entry
			var a vfs.Attr
			st = v.Lookup(s.l.cred(0, 0), h, []byte("b"), &vfs.Found{Entry: &e, Dir: &a})
		})
		return st
	}
	var de *entry
	s.l.do(func(v *View) { de, _ = v.acquire(&h, useMain); v.done() })
	for range 8 * settleAfter {
		if look(); de.Own.names.unsettled.Load() {
			break
		}
	}
	require.True(t, de.Own.names.unsettled.Load(), "the lane does not want to remember")
	settled := make(chan struct{})
	go func() {
		defer close(settled)
		s.w.do(func(v *View) { // waits for the rename
			var e vfs.Entry
			var a vfs.Attr
			_ = v.Lookup(s.w.cred(0, 0), h, []byte("b"), &vfs.Found{Entry: &e, Dir: &a})
		})
	}()
	for range 20 {
		require.NotEqual(t, vfs.NoEnt, look())
		require.False(t, s.remembers(h, "b"))
		time.Sleep(5 * time.Millisecond)
	}
	select {
	case err := <-renamed:
		thaw()
		t.Skipf("needs a rename that waits for its journal (it did not: %v)", err)
	default:
	}
	thaw()
	require.NoError(t, <-renamed)
	<-settled
	s.agreesOn(h, d, "a", "at last")
	s.agreesOn(h, d, "b", "at last")
	s.heat(h, "b")
	s.agreesOn(h, d, "b", "at last")
}

// Somebody changes names all the time while the lane looks them up and remembers them. Whenever
// there is a pause, all must agree.
func TestRememberedNamesAgreeWithARandomMutator(t *testing.T) {
	needRoot(t)
	seed := rand.Uint64()
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			t.Logf("seed %d", seed)
			r := rand.New(rand.NewPCG(seed, 1))
			s := serve(t, k.dir(t), Config{}, options{})
			m := mutator{rand.New(rand.NewPCG(seed, 2)), [2]string{s.dir + "/d", s.dir + "/e"}}
			var hs [2]vfs.Handle
			for i, d := range m.dirs {
				require.NoError(t, os.Mkdir(d, 0o755))
				hs[i] = s.lookup(filepath.Base(d))
			}
			for round := range 12 {
				var done sync.WaitGroup
				done.Go(func() {
					for range 300 {
						m.step()
					}
				})
				for range 600 {
					_, _, _ = s.find(hs[r.IntN(2)], m.name(r))
				}
				done.Wait()
				if round%3 > 0 {
					time.Sleep(kernel.CtimeGrain + 20*time.Millisecond)
				}
				for try := range 60 { // often enough to settle the directory
					if try%20 == 19 {
						m.step()
					}
					for i, d := range m.dirs {
						for n := range mutatorNames {
							s.agreesOn(
								hs[i],
								d,
								fmt.Sprint("n", n),
								fmt.Sprint("round ", round, " try ", try),
							)
						}
					}
				}
			}
		})
	}
}

const mutatorNames = 6

// mutator changes two directories at random.
type mutator struct {
	r    *rand.Rand
	dirs [2]string
}

func (m *mutator) name(r *rand.Rand) string { return fmt.Sprint("n", r.IntN(mutatorNames)) }

func (m *mutator) path() string { return filepath.Join(m.dirs[m.r.IntN(2)], m.name(m.r)) }

// step makes one change, which may fail.
func (m *mutator) step() {
	a, b := m.path(), m.path()
	switch m.r.IntN(8) {
	case 0:
		_ = os.WriteFile(a, []byte(b), 0o644)
	case 1:
		_ = os.Mkdir(a, 0o755)
	case 2:
		_ = os.Remove(a)
	case 3:
		_ = os.Link(a, b)
	case 4, 5:
		_ = unix.Rename(a, b)
	case 6:
		_ = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
	case 7:
		_ = os.Remove(a)
		_ = os.WriteFile(a, []byte("new"), 0o644)
	}
}
