package posixfs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// flushing is a served tree on a tmpfs that is treated as a disc, and what was flushed in it: the
// names of objects, "*" for the whole file system.
type flushing struct {
	*served
	mu     sync.Mutex
	did    []string
	errnos []unix.Errno // what the next ones return
	during func()       // called while something is flushed, if not nil
}

func newFlushing(t *testing.T) *flushing {
	x := &flushing{}
	note := func(name string) unix.Errno {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.did = append(x.did, name)
		if x.during != nil {
			x.during()
		}
		if len(x.errnos) == 0 {
			return 0
		}
		errno := x.errnos[0]
		x.errnos = x.errnos[1:]
		return errno
	}
	x.served = serve(t, tmpfsDir(t), Config{}, options{
		fsync: func(fd int) unix.Errno {
			name, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
			return note(filepath.Base(name))
		},
		syncfs: func(int) unix.Errno { return note("*") },
	})
	x.fs.is.memory = false
	return x
}

// flushed returns what has been flushed since it was last called.
func (x *flushing) flushed() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	did := x.did
	x.did = nil
	return did
}

// owing makes changes, and says what they have flushed at once and which debt they leave.
func (x *flushing) owing(change func(v *View) vfs.Status) (number uint64) {
	x.t.Helper()
	x.w.do(func(v *View) {
		x.w.th.Debts.Open()
		require.Equal(x.t, vfs.OK, change(v))
		number = x.w.th.Debts.Close()
	})
	return number
}

func (x *flushing) pay(number uint64) (s vfs.Status) {
	x.w.do(func(*View) { s = x.w.th.Debts.Pay(number) })
	return s
}

func (x *flushing) create(v *View, dir vfs.Handle, name string, set vfs.SetAttr) vfs.Status {
	return v.Create(x.root(), dir, &vfs.CreateArgs{Name: []byte(name), How: vfs.Guarded, Set: &set},
		&vfs.Made{Entry: new(vfs.Entry), Dir: new(vfs.WCC)})
}

func (x *flushing) rename(v *View, from vfs.Handle, name string, to vfs.Handle) vfs.Status {
	return v.Rename(x.root(), &vfs.RenameArgs{From: from, FromName: []byte(name), To: to, ToName: []byte(name)},
		new(vfs.WCC), new(vfs.WCC))
}

func TestChangesOfOneDirectoryAreFlushedOnce(t *testing.T) {
	x := newFlushing(t)
	const top = "/" // in the mount of the server's own
	var numbers []uint64
	for i := range 20 {
		numbers = append(numbers, x.owing(func(v *View) vfs.Status {
			return x.create(v, x.fs.Root(), fmt.Sprint("f", i), vfs.SetAttr{})
		}))
	}
	numbers = append(numbers, x.owing(func(v *View) vfs.Status {
		return v.Remove(x.root(), x.fs.Root(), []byte("f3"), new(vfs.WCC))
	}))
	require.Empty(t, x.flushed())
	for _, n := range numbers {
		require.Equal(t, vfs.OK, x.pay(n))
	}
	require.Equal(t, []string{top}, x.flushed())
}

func TestAnObjectIsFlushedBeforeItsName(t *testing.T) {
	x := newFlushing(t)
	const top = "/" // in the mount of the server's own
	n := x.owing(func(v *View) vfs.Status {
		if s := x.create(v, x.fs.Root(), "plain", vfs.SetAttr{}); s != vfs.OK {
			return s
		}
		return x.create(v, x.fs.Root(), "given", vfs.SetAttr{HasUID: true, UID: 7})
	})
	require.Equal(t, vfs.OK, x.pay(n))
	require.Equal(t, []string{top, "given"}, x.flushed(), "the directory is flushed for plain anyway")
	n = x.owing(func(v *View) vfs.Status {
		return x.create(v, x.fs.Root(), "alone", vfs.SetAttr{HasUID: true, UID: 7})
	})
	require.Equal(t, vfs.OK, x.pay(n))
	require.Equal(t, []string{"alone", top}, x.flushed())

	x.fs.is.selfSync = true
	n = x.owing(func(v *View) vfs.Status {
		return v.Mkdir(x.root(), x.fs.Root(), &vfs.MkdirArgs{Name: []byte("dir"), Set: &vfs.SetAttr{}},
			&vfs.Made{Entry: new(vfs.Entry), Dir: new(vfs.WCC)})
	})
	require.Equal(t, vfs.OK, x.pay(n))
	require.Equal(t, []string{"dir", top}, x.flushed())
	plain := x.lookup("plain")
	n = x.owing(func(v *View) vfs.Status {
		return v.Link(x.root(), &vfs.LinkArgs{Object: plain, Dir: x.fs.Root(), Name: []byte("again")},
			new(vfs.Attr), new(vfs.WCC))
	})
	require.Equal(t, vfs.OK, x.pay(n))
	require.ElementsMatch(t, []string{"plain", top}, x.flushed())
}

// Else a crash between the two could leave an object without a name.
func TestTheNewPlaceOfAnObjectIsFlushedBeforeTheOld(t *testing.T) {
	x := newFlushing(t)
	for _, d := range []string{"a", "b"} {
		require.NoError(t, os.Mkdir(filepath.Join(x.dir, d), 0o755))
	}
	x.write("a/one", "", 0o644)
	a, b := x.lookup("a"), x.lookup("b")
	n := x.owing(func(v *View) vfs.Status { return x.rename(v, a, "one", b) })
	require.Equal(t, vfs.OK, x.pay(n))
	require.Equal(t, []string{"b", "a"}, x.flushed())

	n = x.owing(func(v *View) vfs.Status { return x.create(v, a, "new", vfs.SetAttr{}) })
	_ = x.owing(func(v *View) vfs.Status { return x.rename(v, a, "new", b) })
	require.Equal(t, []string{"a"}, x.flushed(), "a owes already, and would come before b")
	require.Equal(t, vfs.OK, x.pay(n))
	require.Equal(t, []string{"b", "a"}, x.flushed())

	x.write("a/two", "", 0o644)
	n = x.owing(func(v *View) vfs.Status { return x.rename(v, a, "two", b) })
	for _, name := range []string{"more", "and more"} {
		require.Equal(t, n, x.owing(func(v *View) vfs.Status {
			return x.create(v, a, name,
				vfs.SetAttr{})
		}))
		require.Equal(t, n, x.owing(func(v *View) vfs.Status { return x.rename(v, a, name, b) }))
	}
	require.Empty(t, x.flushed(), "a is behind b")
	require.Equal(t, vfs.OK, x.pay(n))
	require.Equal(t, []string{"b", "a"}, x.flushed())

	// The entry of a that owes need not be the one that a has now.
	n = x.owing(func(v *View) vfs.Status { return x.create(v, a, "old", vfs.SetAttr{}) })
	old := x.entryOf(a)
	x.fs.tab.Retire(old)
	_ = x.owing(func(v *View) vfs.Status {
		s := x.rename(v, a, "old", b)
		require.NotSame(t, old, x.entryOf(a))
		return s
	})
	require.Equal(t, []string{"a"}, x.flushed())
	require.Equal(t, vfs.OK, x.pay(n+1))
	require.Equal(t, []string{"b", "a"}, x.flushed())

	x.errnos = []unix.Errno{unix.EIO}
	n = x.owing(func(v *View) vfs.Status { return x.create(v, a, "bad", vfs.SetAttr{}) })
	_ = x.owing(func(v *View) vfs.Status { return x.rename(v, a, "bad", b) })
	require.Equal(t, vfs.IO, x.pay(n), "what was paid early counts")
}

// A directory that the process may not read is flushed with the whole file system.
func TestTheWholeFileSystemIsFlushedInItsTurn(t *testing.T) {
	x := newFlushing(t)
	for _, d := range []string{"a", "b"} {
		require.NoError(t, os.Mkdir(filepath.Join(x.dir, d), 0o755))
	}
	a, b := x.lookup("a"), x.lookup("b")
	chmod := func(v *View, h vfs.Handle) vfs.Status {
		return v.SetAttr(x.root(), h, &vfs.SetAttr{HasMode: true, Mode: 0o700}, new(vfs.WCC))
	}
	n := x.owing(func(v *View) vfs.Status {
		s := chmod(v, a)
		for _, name := range []string{"s", "t"} { // links cannot be opened
			if s == vfs.OK {
				s = v.Symlink(x.root(), x.fs.Root(), &vfs.SymlinkArgs{
					Name: []byte(name), Target: []byte("to"), Set: &vfs.SetAttr{HasUID: true, UID: 7},
				}, &vfs.Made{Entry: new(vfs.Entry), Dir: new(vfs.WCC)})
			}
		}
		if s == vfs.OK {
			s = chmod(v, b)
		}
		return s
	})
	x.errnos = []unix.Errno{0, unix.ENOSPC}
	require.Equal(t, vfs.NoSpc, x.pay(n))
	require.Equal(t, []string{"a", "*", "/", "b"}, x.flushed())
}

// The whole file system is both places: it must not be flushed before the new one.
func TestTheWholeFileSystemIsNotFlushedBeforeTheNewPlaceOfAnObject(t *testing.T) {
	x := newFlushing(t)
	for _, d := range []string{"a", "b"} {
		require.NoError(t, os.Mkdir(filepath.Join(x.dir, d), 0o755))
	}
	x.write("a/one", "", 0o644)
	a, b := x.lookup("a"), x.lookup("b")
	link := func(v *View) vfs.Status { // cannot be opened
		return v.Symlink(x.root(), b, &vfs.SymlinkArgs{
			Name: []byte("link"), Target: []byte("to"), Set: &vfs.SetAttr{HasUID: true, UID: 7},
		}, &vfs.Made{Entry: new(vfs.Entry), Dir: new(vfs.WCC)})
	}
	_ = x.owing(link)
	n := x.owing(func(v *View) vfs.Status { return x.rename(v, a, "one", b) })
	require.Equal(t, []string{"*", "b"}, x.flushed())
	require.Equal(t, vfs.OK, x.pay(n))
	require.Equal(t, []string{"b", "a"}, x.flushed())
	x.w.do(func(v *View) {
		ae, be := x.entryOf(a), x.entryOf(b)
		for _, c := range []struct {
			d        debts
			fd       int // of b
			toB, toA bool
		}{
			{debts{}, 0, false, false},
			{debts{}, -1, false, false},
			{debts{all: true}, 0, true, true},
			{debts{all: true}, -1, false, true},
			{debts{list: [8]debt{{e: ae}}, n: 1}, 0, true, false},
			{debts{list: [8]debt{{e: ae}}, n: 1}, -1, true, false},
			{debts{list: [8]debt{{e: be}}, n: 1}, 0, false, true},
			{debts{list: [8]debt{{e: be}, {e: ae}}, n: 2}, 0, false, true},
			{debts{list: [8]debt{{e: be}, {e: ae}}, n: 2, all: true}, 0, true, true},
			{debts{list: [8]debt{{e: be}, {e: ae}}, n: 2, all: true, at: 1}, 0, false, true},
			{debts{list: [8]debt{{e: ae}}, n: 1, all: true, at: 1}, -1, true, false},
		} {
			require.Equal(t, c.toB, c.d.overtakes(ae, be, c.fd), "from a to b with %+v", c)
			require.Equal(t, c.toA, c.d.overtakes(be, ae, 0), "from b to a with %+v", c)
		}
	})
}

func TestMoreDebtsThanThereIsRoomForArePaidEarly(t *testing.T) {
	x := newFlushing(t)
	const files = 20
	var handles []vfs.Handle
	for i := range files {
		name := fmt.Sprint("f", i)
		x.write(name, "", 0o644)
		handles = append(handles, x.lookup(name))
	}
	for _, fail := range []bool{false, true} {
		if fail {
			x.errnos = []unix.Errno{0, unix.ENOSPC} // among those that are paid early
		}
		verf := x.fs.Verifier()
		n := x.owing(func(v *View) vfs.Status {
			for _, h := range handles {
				s := v.SetAttr(x.root(), h, &vfs.SetAttr{HasMode: true, Mode: 0o600}, new(vfs.WCC))
				if s != vfs.OK {
					return s
				}
			}
			return vfs.OK
		})
		early := len(x.flushed())
		require.Positive(t, early)
		require.Less(t, early, files)
		if fail {
			require.Equal(t, vfs.NoSpc, x.pay(n))
			require.NotEqual(t, verf, x.fs.Verifier())
		} else {
			require.Equal(t, vfs.OK, x.pay(n))
		}
		require.Len(t, x.flushed(), files-early)
	}
}

// Nothing is left of what was used for a debt: entries can be closed again.
func TestAnEntryStaysOpenUntilItsDebtIsPaid(t *testing.T) {
	x := newFlushing(t)
	x.write("f", "", 0o644)
	h := x.lookup("f")
	n := x.owing(func(v *View) vfs.Status {
		return v.SetAttr(x.root(), h, &vfs.SetAttr{HasSize: true, Size: 9}, new(vfs.WCC))
	})
	e := x.entryOf(h)
	x.owing(func(v *View) vfs.Status { return v.Remove(x.root(), x.fs.Root(), []byte("f"), new(vfs.WCC)) })
	x.fs.tab.Retire(e) // as an idle entry, or by somebody who finds the object gone
	x.fs.reap(true)
	require.True(t, e.Dead())
	_, err := unix.FcntlInt(uintptr(e.FD), unix.F_GETFD, 0)
	require.NoError(t, err, "closed")
	require.Equal(t, vfs.OK, x.pay(n))
	require.True(t, slices.Contains(x.flushed(), "f (deleted)"))
	require.Zero(t, x.fs.tab.Counts().Retired, "its space is free")
}

// Afterwards nothing keeps entries from being closed.
func TestAViewThatIsClosedPays(t *testing.T) {
	x := newFlushing(t)
	x.write("f", "", 0o644)
	h, r := x.lookup("f"), newRunner(t, x.fs, true)
	var number uint64
	r.do(func(v *View) {
		r.th.Debts.Open()
		require.Equal(t, vfs.OK, v.SetAttr(x.root(), h, &vfs.SetAttr{HasMode: true}, new(vfs.WCC)))
		number = r.th.Debts.Close()
		x.errnos = []unix.Errno{unix.EIO}
		v.Close()
		require.Equal(t, []string{"f"}, x.flushed())
		require.Equal(t, vfs.IO, r.th.Debts.Pay(number))
		require.Empty(t, x.flushed())
	})
	r.close()
}

func TestAFailureDuringAChangeIsItsDebts(t *testing.T) {
	x := newFlushing(t)
	x.write("f", "", 0o644)
	h := x.lookup("f")
	n := x.owing(func(v *View) vfs.Status {
		_, got, _, s := v.Write(x.root(), h, &vfs.WriteArgs{Src: [][]byte{{1}}, How: vfs.FileSync}, new(vfs.WCC))
		require.Equal(t, vfs.FileSync, got)
		return s
	})
	require.Empty(t, x.flushed())
	// Another one is told of the failure, and the kernel reports it once.
	x.errnos = []unix.Errno{unix.EIO}
	x.w.do(func(v *View) {
		_, s := v.Commit(x.root(), h, &vfs.CommitArgs{}, new(vfs.WCC))
		require.Equal(t, vfs.IO, s, "COMMIT is not put off")
	})
	require.Equal(t, vfs.IO, x.pay(n))
}

// The second CREATE promises what the first one has not kept yet.
func TestAnExclusiveCreateThatComesAgainFlushesTheFile(t *testing.T) {
	x := newFlushing(t)
	const top = "/" // in the mount of the server's own
	create := func(v *View) vfs.Status {
		return v.Create(x.root(), x.fs.Root(), &vfs.CreateArgs{Name: []byte("f"), How: vfs.Exclusive, Verf: 7},
			&vfs.Made{Entry: new(vfs.Entry), Dir: new(vfs.WCC)})
	}
	for _, c := range []struct {
		errno unix.Errno
		want  vfs.Status
	}{{0, vfs.OK}, {0, vfs.OK}, {unix.EIO, vfs.IO}, {0, vfs.IO}} { // what has failed is no success later
		x.errnos = []unix.Errno{c.errno}
		require.Equal(t, c.want, x.pay(x.owing(create)))
		require.Equal(t, []string{"f", top}, x.flushed())
	}
}

// Of several changes of an object the first one says which failures count.
func TestAFailureBetweenTwoChangesIsTheirDebts(t *testing.T) {
	x := newFlushing(t)
	x.write("f", "", 0o644)
	h := x.lookup("f")
	chmod := func(v *View) vfs.Status {
		return v.SetAttr(x.root(), h, &vfs.SetAttr{HasMode: true, Mode: 0o600}, new(vfs.WCC))
	}
	link := func(name string) func(v *View) vfs.Status {
		return func(v *View) vfs.Status {
			return v.Symlink(x.root(), x.fs.Root(), &vfs.SymlinkArgs{
				Name: []byte(name), Target: []byte("to"), Set: &vfs.SetAttr{HasUID: true, UID: 7},
			}, &vfs.Made{Entry: new(vfs.Entry), Dir: new(vfs.WCC)})
		}
	}
	r := newRunner(t, x.fs, true) // somebody else, who is told of the failure
	defer r.close()
	for _, c := range []struct{ first, failing, second func(v *View) vfs.Status }{
		{chmod, chmod, chmod},
		{link("a"), link("b"), link("c")},
	} {
		n := x.owing(c.first)
		x.errnos = []unix.Errno{unix.EIO}
		r.do(func(v *View) { require.Equal(t, vfs.IO, c.failing(v)) })
		require.Equal(t, n, x.owing(c.second))
		require.Equal(t, vfs.IO, x.pay(n))
	}
}

// A lane that wrote to the file now would wait.
func TestAFileIsLockedWhileItsDebtIsPaid(t *testing.T) {
	x := newFlushing(t)
	x.write("f", "", 0o644)
	h := x.lookup("f")
	n := x.owing(func(v *View) vfs.Status {
		return v.SetAttr(x.root(), h, &vfs.SetAttr{HasMode: true, Mode: 0o600}, new(vfs.WCC))
	})
	e, locking := x.entryOf(h), int32(0)
	require.Zero(t, e.Own.data.Locking.Load())
	x.during = func() { locking = e.Own.data.Locking.Load() }
	require.Equal(t, vfs.OK, x.pay(n))
	require.EqualValues(t, 1, locking)
	require.Zero(t, e.Own.data.Locking.Load())
}

// A batch that is made while another one is being flushed may have been met by that flush: the kernel
// tells of a failure once. What is changed after the failure is not concerned.
func TestAFailedFlushIsOfAllThatWasChangedBeforeIt(t *testing.T) {
	x := newFlushing(t)
	const calls = 3
	other := newRunner(t, x.fs, true) // another worker
	defer other.close()
	batch := func(r *runner, name string) (numbers []uint64) {
		r.do(func(v *View) {
			for i := range calls {
				r.th.Debts.Open()
				if s := x.create(v, x.fs.Root(), fmt.Sprint(name, i),
					vfs.SetAttr{}); s != vfs.OK {
					t.Errorf("CREATE: %v", s)
				}
				numbers = append(numbers, r.th.Debts.Close())
			}
		})
		return numbers
	}
	pays := func(r *runner, want vfs.Status, numbers []uint64) {
		t.Helper()
		r.do(func(*View) {
			for _, n := range numbers {
				require.Equal(t, want, r.th.Debts.Pay(n))
			}
		})
	}
	verf := x.fs.Verifier()
	first := batch(x.w, "first")
	var second []uint64
	x.errnos = []unix.Errno{unix.ENOSPC}
	x.during = func() {
		x.during = nil
		second = batch(other, "second")
	}
	pays(x.w, vfs.NoSpc, first)
	require.NotEqual(t, verf, x.fs.Verifier())
	third := batch(x.w, "third")
	pays(other, vfs.NoSpc, second)
	pays(x.w, vfs.OK, third)
	require.Len(t, x.flushed(), 3)
	made, err := os.ReadDir(x.dir)
	require.NoError(t, err)
	require.Len(t, made, 3*calls, "what was made stays")
}

// The space of a removed object is free when the change has been paid. That of a large file is not
// freed while others wait for the directory.
func TestWhatIsRemovedIsReleasedWhenTheChangeIsPaid(t *testing.T) {
	for _, size := range []int{0, largeBlocks * 512} {
		x := newFlushing(t)
		x.write("f", string(make([]byte, size)), 0o644)
		h := x.lookup("f")
		e := x.entryOf(h)
		number := x.owing(func(v *View) vfs.Status {
			return v.Remove(x.root(), x.fs.Root(), []byte("f"), new(vfs.WCC))
		})
		require.Equal(t, size == 0, e.Dead())
		if size > 0 {
			_, err := unix.FcntlInt(uintptr(e.FD), unix.F_GETFD, 0)
			require.NoError(t, err, "closed")
		}
		x.w.do(func(v *View) {
			var a vfs.Attr
			require.Equal(t, vfs.Stale, v.GetAttr(h, &a), "nobody can use it any more")
		})
		require.Equal(t, vfs.OK, x.pay(number))
		require.True(t, e.Dead())
		require.Zero(t, x.fs.tab.Counts().Retired)
	}
}
