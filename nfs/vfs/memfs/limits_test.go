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
	s := u.Create(u.c, u.root, []byte(name), vfs.Guarded, &vfs.SetAttr{HasMode: true, Mode: 0o644}, 0, &e, &w)
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
	n, _, _, s := u.Write(u.c, h, 0, [][]byte{data}, vfs.FileSync, &w)
	require.Equal(t, vfs.OK, s, "a short write is a success")
	require.Positive(t, n)
	require.Less(t, n, 64<<10)
	require.EqualValues(t, n, w.After.Size)
	_, _, _, s = u.Write(u.c, h, uint64(n), [][]byte{data}, vfs.FileSync, &w)
	require.Equal(t, vfs.NoSpc, s)
	require.True(t, w.HasBefore && w.HasAfter)
	_, _, _, s = u.Write(u.c, h, 0, [][]byte{data[:n]}, vfs.FileSync, &w)
	require.Equal(t, vfs.OK, s, "overwriting needs no room")
	s = u.SetAttr(u.c, h, &vfs.SetAttr{HasSize: true, Size: 1 << 40}, nil, &w)
	require.Equal(t, vfs.OK, s, "neither does a hole")
	s = u.SetAttr(u.c, h, &vfs.SetAttr{HasSize: true}, nil, &w)
	require.Equal(t, vfs.OK, s)
	_, _, _, s = u.Write(u.c, h, 0, [][]byte{data[:4096]}, vfs.FileSync, &w)
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
	require.Equal(t, vfs.NoSpc, u.Mkdir(u.c, u.root, []byte("d"), &vfs.SetAttr{}, &e, &w))
	require.Equal(t, vfs.NoSpc, u.Symlink(u.c, u.root, []byte("l"), make([]byte, 4000), &vfs.SetAttr{}, &e, &w))
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
	_, _, _, s = u.Write(u.c, h, 1<<40, [][]byte{make([]byte, 10_000)}, vfs.Unstable, &w)
	ok(s)
	ok(u.Link(u.c, h, u.root, n("linked"), &a, &w))
	ok(u.Symlink(u.c, u.root, n("sym"), n("target"), &vfs.SetAttr{}, &e, &w))
	ok(u.Mkdir(u.c, u.root, n("d"), &vfs.SetAttr{}, &e, &w))
	ok(u.Mkdir(u.c, u.root, n("d2"), &vfs.SetAttr{}, &e, &w))
	ok(u.Mknod(u.c, u.root, n("p"), vfs.TypeFifo, 0, 0, &vfs.SetAttr{}, &e, &w))
	ok(u.Rename(u.c, u.root, n("d"), u.root, n("d2"), &w, &w2))
	ok(u.Rename(u.c, u.root, n("p"), u.root, n("a longer name"), &w, &w2))
	ok(u.Rename(u.c, u.root, n("a longer name"), u.root, n("sym"), &w, &w2))
	nobody := &vfs.Cred{UID: 1, GID: 1}
	ok(u.SetAttr(u.c, u.root, &vfs.SetAttr{HasMode: true, Mode: 0o777}, nil, &w))
	set := &vfs.SetAttr{HasUID: true, UID: 9}
	require.Equal(t, vfs.Perm, u.Create(nobody, u.root, n("x"), vfs.Guarded, set, 0, &e, &w), "an attribute that cannot be set undoes the creation")
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
		require.Equal(t, want, u.Link(u.c, h, u.root, fmt.Appendf(nil, "l%d", i), &a, &w))
	}
	require.Equal(t, vfs.OK, u.Mkdir(u.c, u.root, []byte("d"), &vfs.SetAttr{}, &e, &w))
	require.Equal(t, vfs.MLink, u.Mkdir(u.c, u.root, []byte("d2"), &vfs.SetAttr{}, &e, &w), "the root has its two links and one of d")
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
	_, _, _, wrote := u.Write(u.c, h, 0, [][]byte{n}, vfs.Unstable, &w)
	_, created := u.create("new")
	for what, s := range map[string]vfs.Status{
		"Write": wrote, "Create": created,
		"SetAttr": u.SetAttr(u.c, h, &vfs.SetAttr{HasMode: true}, nil, &w),
		"Mkdir":   u.Mkdir(u.c, u.root, n, &vfs.SetAttr{}, &e, &w),
		"Symlink": u.Symlink(u.c, u.root, n, n, &vfs.SetAttr{}, &e, &w),
		"Mknod":   u.Mknod(u.c, u.root, n, vfs.TypeFifo, 0, 0, &vfs.SetAttr{}, &e, &w),
		"Remove":  u.Remove(u.c, u.root, []byte("f"), &w),
		"Rmdir":   u.Rmdir(u.c, u.root, []byte("f"), &w),
		"Rename":  u.Rename(u.c, u.root, []byte("f"), u.root, n, &w, &w2),
		"Link":    u.Link(u.c, h, u.root, n, &a, &w),
	} {
		require.Equal(t, vfs.ROFS, s, what)
	}
	require.True(t, w.HasBefore && w.HasAfter)
	got, s := u.Access(u.c, h, vfs.MayRead|vfs.MayWrite, &a)
	require.Equal(t, vfs.OK, s)
	require.Equal(t, vfs.MayRead, got)
	_, _, s = u.Read(u.c, h, 0, make([]byte, 1), &a)
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
	n, _, _, s := u.Write(u.c, h, math.MaxInt64-10, [][]byte{make([]byte, 4), make([]byte, 100)}, vfs.Unstable, &w)
	require.Equal(t, vfs.OK, s)
	require.Equal(t, 10, n, "up to the largest size")
	require.EqualValues(t, math.MaxInt64, w.After.Size)
	require.EqualValues(t, 4096, before-u.free(t))
	_, _, _, s = u.Write(u.c, h, math.MaxInt64, [][]byte{{1}}, vfs.Unstable, &w)
	require.Equal(t, vfs.FBig, s)
}

func TestTimeStampsIncreaseThoughTheClockDoesNot(t *testing.T) {
	at := time.Unix(1000, 999_999_998)
	u := open(t, memfs.Config{Now: func() time.Time { return at }})
	last := vfs.Time{}
	var w vfs.WCC
	for range 5 {
		require.Equal(t, vfs.OK, u.SetAttr(u.c, u.root, &vfs.SetAttr{MtimeHow: vfs.TimeServer}, nil, &w))
		now := w.After.Ctime
		require.True(t, now.Sec > last.Sec || now.Sec == last.Sec && now.Nsec > last.Nsec)
		require.Less(t, now.Nsec, uint32(1e9))
		last = now
	}
	require.EqualValues(t, 1001, last.Sec)
	at = time.Unix(900, 0) // set back
	require.Equal(t, vfs.OK, u.SetAttr(u.c, u.root, &vfs.SetAttr{MtimeHow: vfs.TimeServer}, nil, &w))
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
		require.Equal(t, want, u.Rename(u.c, u.root, []byte("x"), u.root, []byte(name), &w, &w2), "%q", name)
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
