package memfs_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// user is a View and a credential to use it with.
type user struct {
	vfs.View
	fs   *memfs.FS
	c    *vfs.Cred
	root vfs.Handle
}

func open(t testing.TB, c memfs.Config) *user {
	t.Helper()
	fs := memfs.New(c)
	v, err := fs.View(&vfs.Thread{})
	require.NoError(t, err)
	t.Cleanup(func() {
		v.Close()
		_ = fs.Close()
	})
	return &user{View: v, fs: fs, c: &vfs.Cred{}, root: fs.Root()}
}

func (u *user) create(name string) (vfs.Handle, vfs.Status) {
	var e vfs.Entry
	var w vfs.WCC
	s := u.Create(
		u.c,
		u.root,
		&vfs.CreateArgs{Name: []byte(name), How: vfs.Guarded, Set: &vfs.SetAttr{HasMode: true, Mode: 0o644}},
		&vfs.Made{Entry: &e, Dir: &w},
	)
	return e.Handle, s
}

func (u *user) free(t testing.TB) uint64 {
	t.Helper()
	var f vfs.Statfs
	require.Equal(t, vfs.OK, u.Statfs(u.c, u.root, &f))
	return f.FreeBytes
}

func TestWritesStopWhenTheBudgetIsUsedUp(t *testing.T) {
	u := open(t, memfs.Config{BytesMax: 64 << 10})
	h, s := u.create("f")
	require.Equal(t, vfs.OK, s)
	var w vfs.WCC
	data := make([]byte, 100<<10)
	n, _, _, s := u.Write(u.c, h, &vfs.WriteArgs{Off: 0, Src: [][]byte{data}, How: vfs.FileSync}, &w)
	require.Equal(t, vfs.OK, s, "a short write is a success")
	require.Positive(t, n)
	require.Less(t, n, 64<<10)
	require.EqualValues(t, n, w.After.Size)
	_, _, _, s = u.Write(u.c, h, &vfs.WriteArgs{Off: uint64(n), Src: [][]byte{data}, How: vfs.FileSync}, &w)
	require.Equal(t, vfs.NoSpc, s)
	require.True(t, w.HasBefore && w.After.Filled())
	_, _, _, s = u.Write(u.c, h, &vfs.WriteArgs{Off: 0, Src: [][]byte{data[:n]}, How: vfs.FileSync}, &w)
	require.Equal(t, vfs.OK, s, "overwriting needs no room")
	s = u.SetAttr(u.c, h, &vfs.SetAttr{HasSize: true, Size: 1 << 40}, &w)
	require.Equal(t, vfs.OK, s, "neither does a hole")
	s = u.SetAttr(u.c, h, &vfs.SetAttr{HasSize: true}, &w)
	require.Equal(t, vfs.OK, s)
	_, _, _, s = u.Write(u.c, h, &vfs.WriteArgs{Off: 0, Src: [][]byte{data[:4096]}, How: vfs.FileSync}, &w)
	require.Equal(t, vfs.OK, s, "truncation gives room back")
}

func TestNamesStopWhenTheBudgetIsUsedUp(t *testing.T) {
	u := open(t, memfs.Config{BytesMax: 16 << 10})
	start := u.free(t)
	made := 0
	for ; ; made++ {
		require.Less(t, made, 1000)
		if _, s := u.create(fmt.Sprintf("f%d", made)); s != vfs.OK {
			require.Equal(t, vfs.NoSpc, s)
			break
		}
	}
	require.Greater(t, made, 10)
	var e vfs.Entry
	var w vfs.WCC
	require.Equal(
		t,
		vfs.NoSpc,
		u.Mkdir(
			u.c,
			u.root,
			&vfs.MkdirArgs{Name: []byte("d"), Set: &vfs.SetAttr{}},
			&vfs.Made{Entry: &e, Dir: &w},
		),
	)
	require.Equal(
		t,
		vfs.NoSpc,
		u.Symlink(
			u.c,
			u.root,
			&vfs.SymlinkArgs{Name: []byte("l"), Target: make([]byte, 4000), Set: &vfs.SetAttr{}},
			&vfs.Made{Entry: &e, Dir: &w},
		),
	)
	for i := range made {
		require.Equal(t, vfs.OK, u.Remove(u.c, u.root, fmt.Appendf(nil, "f%d", i), &w))
	}
	require.Equal(t, start, u.free(t), "all of it is given back")
}

// TestNothingLeaksFromTheBudget does and undoes one of everything.
func TestNothingLeaksFromTheBudget(t *testing.T) {
	u := open(t, memfs.Config{})
	start := u.free(t)
	h, s := u.create("f")
	require.Equal(t, vfs.OK, s)
	var e vfs.Entry
	var a vfs.Attr
	var w, w2 vfs.WCC
	ok := func(s vfs.Status) {
		t.Helper()
		require.Equal(t, vfs.OK, s)
	}
	n := func(name string) []byte { return []byte(name) }
	_, _, _, s = u.Write(
		u.c,
		h,
		&vfs.WriteArgs{Off: 1 << 40, Src: [][]byte{make([]byte, 10_000)}, How: vfs.Unstable},
		&w,
	)
	ok(s)
	ok(u.Link(u.c, &vfs.LinkArgs{Object: h, Dir: u.root, Name: n("linked")}, &a, &w))
	ok(
		u.Symlink(
			u.c,
			u.root,
			&vfs.SymlinkArgs{Name: n("sym"), Target: n("target"), Set: &vfs.SetAttr{}},
			&vfs.Made{Entry: &e, Dir: &w},
		),
	)
	ok(u.Mkdir(u.c, u.root, &vfs.MkdirArgs{Name: n("d"), Set: &vfs.SetAttr{}}, &vfs.Made{Entry: &e, Dir: &w}))
	ok(
		u.Mkdir(
			u.c,
			u.root,
			&vfs.MkdirArgs{Name: n("d2"), Set: &vfs.SetAttr{}},
			&vfs.Made{Entry: &e, Dir: &w},
		),
	)
	ok(
		u.Mknod(
			u.c,
			u.root,
			&vfs.MknodArgs{Name: n("p"), Type: vfs.TypeFifo, Set: &vfs.SetAttr{}},
			&vfs.Made{Entry: &e, Dir: &w},
		),
	)
	ok(u.Rename(u.c, &vfs.RenameArgs{From: u.root, FromName: n("d"), To: u.root, ToName: n("d2")}, &w, &w2))
	ok(
		u.Rename(
			u.c,
			&vfs.RenameArgs{From: u.root, FromName: n("p"), To: u.root, ToName: n("a longer name")},
			&w,
			&w2,
		),
	)
	ok(
		u.Rename(
			u.c,
			&vfs.RenameArgs{From: u.root, FromName: n("a longer name"), To: u.root, ToName: n("sym")},
			&w,
			&w2,
		),
	)
	nobody := &vfs.Cred{UID: 1, GID: 1}
	ok(u.SetAttr(u.c, u.root, &vfs.SetAttr{HasMode: true, Mode: 0o777}, &w))
	set := &vfs.SetAttr{HasUID: true, UID: 9}
	require.Equal(
		t,
		vfs.Perm,
		u.Create(
			nobody,
			u.root,
			&vfs.CreateArgs{Name: n("x"), How: vfs.Guarded, Set: set},
			&vfs.Made{Entry: &e, Dir: &w},
		),
		"an attribute that cannot be set undoes the creation",
	)
	ok(u.Rmdir(u.c, u.root, n("d2"), &w))
	for _, name := range []string{"f", "linked", "sym"} {
		ok(u.Remove(u.c, u.root, n(name), &w))
	}
	require.Equal(t, start, u.free(t))
	require.Equal(t, vfs.Stale, u.GetAttr(h, &a))
}

func TestFilesMax(t *testing.T) {
	u := open(t, memfs.Config{FilesMax: 3})
	for i, want := range []vfs.Status{vfs.OK, vfs.OK, vfs.NoSpc} {
		_, s := u.create(fmt.Sprint(i))
		require.Equal(t, want, s)
	}
}

func TestLinkMax(t *testing.T) {
	u := open(t, memfs.Config{LinkMax: 3})
	require.EqualValues(t, 3, u.fs.Limits().LinkMax)
	h, s := u.create("f")
	require.Equal(t, vfs.OK, s)
	var a vfs.Attr
	var e vfs.Entry
	var w vfs.WCC
	for i, want := range []vfs.Status{vfs.OK, vfs.OK, vfs.MLink} {
		require.Equal(
			t,
			want,
			u.Link(u.c, &vfs.LinkArgs{Object: h, Dir: u.root, Name: fmt.Appendf(nil, "l%d", i)}, &a, &w),
		)
	}
	require.Equal(
		t,
		vfs.OK,
		u.Mkdir(
			u.c,
			u.root,
			&vfs.MkdirArgs{Name: []byte("d"), Set: &vfs.SetAttr{}},
			&vfs.Made{Entry: &e, Dir: &w},
		),
	)
	require.Equal(
		t,
		vfs.MLink,
		u.Mkdir(
			u.c,
			u.root,
			&vfs.MkdirArgs{Name: []byte("d2"), Set: &vfs.SetAttr{}},
			&vfs.Made{Entry: &e, Dir: &w},
		),
		"the root has its two links and one of d",
	)
}

func TestReadOnlyRefusesEveryChange(t *testing.T) {
	u := open(t, memfs.Config{})
	h, s := u.create("f")
	require.Equal(t, vfs.OK, s)
	u.fs.SetReadOnly(true)
	var a, before vfs.Attr
	var e vfs.Entry
	var w, w2 vfs.WCC
	require.Equal(t, vfs.OK, u.GetAttr(u.root, &before))
	n := []byte("new")
	_, _, _, wrote := u.Write(u.c, h, &vfs.WriteArgs{Off: 0, Src: [][]byte{n}, How: vfs.Unstable}, &w)
	_, created := u.create("new")
	for what, s := range map[string]vfs.Status{
		"Write": wrote, "Create": created,
		"SetAttr": u.SetAttr(u.c, h, &vfs.SetAttr{HasMode: true}, &w),
		"Mkdir":   u.Mkdir(u.c, u.root, &vfs.MkdirArgs{Name: n, Set: &vfs.SetAttr{}}, &vfs.Made{Entry: &e, Dir: &w}),
		"Symlink": u.Symlink(u.c, u.root, &vfs.SymlinkArgs{Name: n, Target: n, Set: &vfs.SetAttr{}}, &vfs.Made{Entry: &e, Dir: &w}),
		"Mknod":   u.Mknod(u.c, u.root, &vfs.MknodArgs{Name: n, Type: vfs.TypeFifo, Set: &vfs.SetAttr{}}, &vfs.Made{Entry: &e, Dir: &w}),
		"Remove":  u.Remove(u.c, u.root, []byte("f"), &w),
		"Rmdir":   u.Rmdir(u.c, u.root, []byte("f"), &w),
		"Rename":  u.Rename(u.c, &vfs.RenameArgs{From: u.root, FromName: []byte("f"), To: u.root, ToName: n}, &w, &w2),
		"Link":    u.Link(u.c, &vfs.LinkArgs{Object: h, Dir: u.root, Name: n}, &a, &w),
	} {
		require.Equal(t, vfs.ROFS, s, what)
	}
	require.True(t, w.HasBefore && w.After.Filled())
	got, s := u.Access(u.c, h, vfs.MayRead|vfs.MayWrite, &a)
	require.Equal(t, vfs.OK, s)
	require.Equal(t, vfs.MayRead, got)
	_, _, s = u.Read(u.c, h, &vfs.ReadArgs{Off: 0, Dst: make([]byte, 1)}, &a)
	require.Equal(t, vfs.OK, s)
	require.Equal(t, vfs.OK, u.GetAttr(u.root, &a))
	require.Equal(t, before, a)
	u.fs.SetReadOnly(false)
	require.Equal(t, vfs.OK, u.Remove(u.c, u.root, []byte("f"), &w))
}

func TestASparseFileCostsOneBlock(t *testing.T) {
	u := open(t, memfs.Config{})
	h, _ := u.create("f")
	before := u.free(t)
	var w vfs.WCC
	n, _, _, s := u.Write(
		u.c,
		h,
		&vfs.WriteArgs{
			Off: math.MaxInt64 - 10,
			Src: [][]byte{make([]byte, 4), make([]byte, 100)},
			How: vfs.Unstable,
		},
		&w,
	)
	require.Equal(t, vfs.OK, s)
	require.Equal(t, 10, n, "up to the largest size")
	require.EqualValues(t, math.MaxInt64, w.After.Size)
	require.EqualValues(t, 4096, before-u.free(t))
	_, _, _, s = u.Write(
		u.c,
		h,
		&vfs.WriteArgs{Off: math.MaxInt64, Src: [][]byte{{1}}, How: vfs.Unstable},
		&w,
	)
	require.Equal(t, vfs.FBig, s)
}

func TestTimeStampsIncreaseThoughTheClockDoesNot(t *testing.T) {
	at := time.Unix(1000, 999_999_998)
	u := open(t, memfs.Config{Now: func() time.Time { return at }})
	last := vfs.Time{}
	var w vfs.WCC
	for range 5 {
		require.Equal(t, vfs.OK, u.SetAttr(u.c, u.root, &vfs.SetAttr{MtimeHow: vfs.TimeServer}, &w))
		now := w.After.Ctime
		require.True(t, now.Sec > last.Sec || now.Sec == last.Sec && now.Nsec > last.Nsec)
		require.Less(t, now.Nsec, uint32(1e9))
		last = now
	}
	require.EqualValues(t, 1001, last.Sec)
	at = time.Unix(900, 0) // set back
	require.Equal(t, vfs.OK, u.SetAttr(u.c, u.root, &vfs.SetAttr{MtimeHow: vfs.TimeServer}, &w))
	require.Greater(t, w.After.Ctime.Nsec, last.Nsec)
}

func TestBadNamesDoNotBreakTheTree(t *testing.T) {
	u := open(t, memfs.Config{})
	for name, want := range map[string]vfs.Status{
		"": vfs.Inval, ".": vfs.Inval, "..": vfs.Inval, "a/b": vfs.Inval, "a\x00": vfs.Inval, string(make([]byte, 256)): vfs.NameTooLong,
	} {
		_, s := u.create(name)
		require.Equal(t, want, s, "%q", name)
		var w, w2 vfs.WCC
		require.Equal(t, want, u.Remove(u.c, u.root, []byte(name), &w), "%q", name)
		require.Equal(
			t,
			want,
			u.Rename(
				u.c,
				&vfs.RenameArgs{From: u.root, FromName: []byte("x"), To: u.root, ToName: []byte(name)},
				&w,
				&w2,
			),
			"%q",
			name,
		)
	}
}

func TestAClosedTreeGivesNoViews(t *testing.T) {
	fs := memfs.New(memfs.Config{})
	again := fs.Reopen()
	_, err := fs.View(&vfs.Thread{})
	require.Error(t, err)
	require.Equal(t, fs.Root(), again.Root())
	require.NotEqual(t, fs.Verifier(), again.Verifier())
	require.NoError(t, again.Close())
	_, err = again.View(&vfs.Thread{})
	require.Error(t, err)
}

func TestHandlesOfAnotherTreeAreStale(t *testing.T) {
	u, other := open(t, memfs.Config{}), open(t, memfs.Config{})
	var a vfs.Attr
	require.Equal(t, vfs.Stale, u.GetAttr(other.root, &a))
}

func TestTheRootIsAsConfigured(t *testing.T) {
	u := open(t, memfs.Config{UID: 5, GID: 6, Mode: 0o1777})
	var a vfs.Attr
	require.Equal(t, vfs.OK, u.GetAttr(u.root, &a))
	require.Equal(t, []uint32{5, 6, 0o1777}, []uint32{a.UID, a.GID, a.Mode})
}

func TestTheLastCookieIsTheLastThatIsTaken(t *testing.T) {
	u := open(t, memfs.Config{})
	for _, name := range []string{"a", "b"} {
		_, s := u.create(name)
		require.Equal(t, vfs.OK, s)
	}
	last := uint64(0)
	verf, eof, s := u.ReadDir(u.c, u.root, &vfs.ReadDirArgs{Yield: func(d *vfs.DirEntry) bool {
		last = d.Cookie
		return true
	}}, new(vfs.Attr))
	require.True(t, eof)
	require.Equal(t, vfs.OK, s)
	for cookie, want := range map[uint64]vfs.Status{last: vfs.OK, last + 1: vfs.BadCookie, last + 2: vfs.BadCookie} {
		_, _, s = u.ReadDir(
			u.c,
			u.root,
			&vfs.ReadDirArgs{Cookie: cookie, Verf: verf, Yield: func(*vfs.DirEntry) bool {
				require.Fail(t, "there is nothing behind the last entry")
				return false
			}},
			new(vfs.Attr),
		)
		require.Equal(t, want, s, "cookie %d of %d", cookie, last)
	}
}

func TestADirectoryThatIsReplacedIsNoLinkOfItsParentAnyMore(t *testing.T) {
	u := open(t, memfs.Config{})
	var w, to vfs.WCC
	for _, name := range []string{"a", "b"} {
		require.Equal(
			t,
			vfs.OK,
			u.Mkdir(
				u.c,
				u.root,
				&vfs.MkdirArgs{Name: []byte(name), Set: &vfs.SetAttr{}},
				&vfs.Made{Entry: new(vfs.Entry), Dir: &w},
			),
		)
	}
	require.EqualValues(t, 4, w.After.Nlink)
	require.Equal(
		t,
		vfs.OK,
		u.Rename(
			u.c,
			&vfs.RenameArgs{From: u.root, FromName: []byte("a"), To: u.root, ToName: []byte("b")},
			&w,
			&to,
		),
	)
	require.EqualValues(t, 3, to.After.Nlink)
	require.Equal(t, vfs.OK, u.Rmdir(u.c, u.root, []byte("b"), &w))
	require.EqualValues(t, 2, w.After.Nlink)
}

// Those who may remove a name by Linux's sticky(7): the owner of the directory, the owner of the
// object, and root.
func TestWhoMayRemoveFromAStickyDirectory(t *testing.T) {
	const owner, maker = 1, 2
	u := open(t, memfs.Config{UID: owner, Mode: 0o1777})
	for uid, want := range map[uint32]vfs.Status{owner: vfs.OK, maker: vfs.OK, 0: vfs.OK, 3: vfs.Perm} {
		var e vfs.Entry
		var w vfs.WCC
		mine, caller := &vfs.Cred{UID: maker, GID: maker}, &vfs.Cred{UID: uid, GID: uid}
		require.Equal(
			t,
			vfs.OK,
			u.Create(
				mine,
				u.root,
				&vfs.CreateArgs{Name: []byte("f"), How: vfs.Unchecked, Set: &vfs.SetAttr{}},
				&vfs.Made{Entry: &e, Dir: &w},
			),
		)
		require.Equal(t, want, u.Remove(caller, u.root, []byte("f"), &w), "user %d", uid)
	}
}

func TestAFileThatIsCutAtTheEndOfABlockKeepsThatOne(t *testing.T) {
	u := open(t, memfs.Config{})
	h, s := u.create("f")
	require.Equal(t, vfs.OK, s)
	free := u.free(t)
	var w vfs.WCC
	_, _, _, s = u.Write(u.c, h, &vfs.WriteArgs{Src: [][]byte{make([]byte, 3*4096)}, How: vfs.FileSync}, &w)
	require.Equal(t, vfs.OK, s)
	for size, used := range map[uint64]uint64{2 * 4096: 2 * 4096, 4096 + 1: 2 * 4096, 4096: 4096, 1: 4096, 0: 0} {
		_, _, _, s = u.Write(
			u.c,
			h,
			&vfs.WriteArgs{Src: [][]byte{make([]byte, 3*4096)}, How: vfs.FileSync},
			&w,
		)
		require.Equal(t, vfs.OK, s)
		require.Equal(t, vfs.OK, u.SetAttr(u.c, h, &vfs.SetAttr{HasSize: true, Size: size}, &w))
		require.Equal(t, used, w.After.Used, "%d bytes", size)
		require.Equal(t, free-used, u.free(t), "%d bytes", size)
	}
}
