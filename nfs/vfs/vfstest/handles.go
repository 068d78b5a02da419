package vfstest

import (
	"bytes"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

var handleTests = []testCase{
	{"a handle stays good over renames", handleOverRename},
	{"a handle is the same by every way to the object", handleIsOne},
	{"a handle is stale once its file is gone", staleAfterRemove},
	{"a handle is stale once its directory is gone", staleAfterRmdir},
	{"a handle stays stale when its number is used again", staleAfterReuse},
	{"a handle is stale when another object took its name", staleAfterReplace},
	{"a handle lives as long as one link does", aliveWhileLinked},
	{"handles that were never given out are refused", inventedHandles},
}

func handleOverRename(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	sub := t.mkdir(d, "sub", 0o755)
	f := t.create(sub, "f", 0o644)
	t.write(f, 0, []byte("here"))
	t.rename(sub, "f", t.Root, "moved")
	require.Equal(t, []byte("here"), t.read(f, 0, 10))
	require.Equal(t, f, t.lookup(t.Root, "moved"))
	t.rename(d, "sub", t.Root, "moved-dir")
	t.create(sub, "inside", 0o644)
	require.Equal(t, sub, t.lookup(t.Root, "moved-dir"))
	require.Equal(t, t.Root, t.lookup(sub, ".."))
}

func handleIsOne(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	f := t.create(d, "f", 0o644)
	t.link(f, t.Root, "also")
	require.Equal(t, f, t.lookup(d, "f"))
	require.Equal(t, f, t.lookup(t.Root, "also"))
	require.Equal(t, d, t.lookup(t.Root, "d"))
	require.Equal(t, d, t.lookup(d, "."))
	require.Equal(t, t.Root, t.lookup(d, ".."))
	require.Equal(t, t.Root, t.lookup(t.Root, "."))
}

// allStale runs every operation on a handle whose object is gone.
func (t *T) allStale(h vfs.Handle) {
	t.Helper()
	t.all(h, func(method string, s vfs.Status) { require.Equal(t, vfs.Stale, s, method) })
}

// all runs every operation on h, as an object and as a directory.
func (t *T) all(h vfs.Handle, check func(method string, s vfs.Status)) {
	t.Helper()
	var a vfs.Attr
	var e vfs.Entry
	var f vfs.Statfs
	var w, w2 vfs.WCC
	name, buf := []byte("x"), make([]byte, 4096)
	check("GetAttr", t.V.GetAttr(h, &a))
	check("SetAttr", t.V.SetAttr(t.C, h, mode(0o644), &w))
	check("SetAttr of size", t.V.SetAttr(t.C, h, &vfs.SetAttr{HasSize: true}, &w))
	_, s := t.V.Access(t.C, h, vfs.MayRead, &a)
	check("Access", s)
	check("Statfs", t.V.Statfs(t.C, h, &f))
	check("PathConf", t.V.PathConf(h, new(vfs.Limits)))
	_, _, s = t.V.Read(t.C, h, &vfs.ReadArgs{Off: 0, Dst: buf}, &a)
	check("Read", s)
	for how := vfs.Unstable; how <= vfs.FileSync; how++ {
		_, _, _, s = t.V.Write(t.C, h, &vfs.WriteArgs{Off: 0, Src: [][]byte{name}, How: how}, &w)
		check("Write", s)
	}
	_, s = t.V.Commit(t.C, h, &vfs.CommitArgs{Off: 0, Count: 0}, &w)
	check("Commit", s)
	_, s = t.V.ReadLink(t.C, h, buf, &a)
	check("ReadLink", s)
	for _, n := range []string{"x", ".", ".."} {
		check("Lookup "+n, t.V.Lookup(t.C, h, []byte(n), &vfs.Found{Entry: &e, Dir: &a}))
	}
	for how := vfs.Unchecked; how <= vfs.Exclusive; how++ {
		check(
			"Create",
			t.V.Create(
				t.C,
				h,
				&vfs.CreateArgs{Name: name, How: how, Set: mode(0o644), Verf: 1},
				&vfs.Made{Entry: &e, Dir: &w},
			),
		)
	}
	check(
		"Mkdir",
		t.V.Mkdir(t.C, h, &vfs.MkdirArgs{Name: name, Set: mode(0o755)}, &vfs.Made{Entry: &e, Dir: &w}),
	)
	check(
		"Symlink",
		t.V.Symlink(
			t.C,
			h,
			&vfs.SymlinkArgs{Name: name, Target: name, Set: &vfs.SetAttr{}},
			&vfs.Made{Entry: &e, Dir: &w},
		),
	)
	check(
		"Mknod",
		t.V.Mknod(
			t.C,
			h,
			&vfs.MknodArgs{Name: name, Type: vfs.TypeFifo, Set: mode(0o644)},
			&vfs.Made{Entry: &e, Dir: &w},
		),
	)
	check("Remove", t.V.Remove(t.C, h, name, &w))
	check("Rmdir", t.V.Rmdir(t.C, h, name, &w))
	check(
		"Rename from",
		t.V.Rename(t.C, &vfs.RenameArgs{From: h, FromName: name, To: t.Root, ToName: name}, &w, &w2),
	)
	check("Link", t.V.Link(t.C, &vfs.LinkArgs{Object: h, Dir: t.Root, Name: []byte("linked")}, &a, &w))
	for _, plus := range []bool{false, true} {
		_, _, s = t.V.ReadDir(
			t.C,
			h,
			&vfs.ReadDirArgs{Want: Plus(plus), Yield: func(*vfs.DirEntry) bool { return true }},
			&a,
		)
		check(fmt.Sprintf("ReadDir plus=%v", plus), s)
	}
	file := t.create(t.Root, "x", 0o644)
	check(
		"Rename to",
		t.V.Rename(t.C, &vfs.RenameArgs{From: t.Root, FromName: name, To: h, ToName: name}, &w2, &w),
	)
	check("Link into", t.V.Link(t.C, &vfs.LinkArgs{Object: file, Dir: h, Name: name}, &a, &w))
	t.remove(t.Root, "x")
	t.absent(t.Root, "linked")
}

func staleAfterRemove(t *T) {
	h := t.create(t.Root, "f", 0o644)
	t.write(h, 0, []byte("data"))
	t.remove(t.Root, "f")
	t.allStale(h)
}

func staleAfterRmdir(t *T) {
	h := t.mkdir(t.Root, "d", 0o755)
	t.rmdir(t.Root, "d")
	t.allStale(h)
}

func staleAfterReuse(t *T) {
	var dead []vfs.Handle
	for i := range 20 {
		h := t.create(t.Root, "f", 0o644)
		require.NotContains(t, dead, h, "round %d", i)
		for _, d := range dead {
			var a vfs.Attr
			require.Equal(t, vfs.Stale, t.V.GetAttr(d, &a))
		}
		t.remove(t.Root, "f")
		dead = append(dead, h)
	}
}

func staleAfterReplace(t *T) {
	old := t.create(t.Root, "old", 0o644)
	n := t.create(t.Root, "new", 0o644)
	t.rename(t.Root, "new", t.Root, "old")
	require.Equal(t, n, t.lookup(t.Root, "old"))
	var a vfs.Attr
	require.Equal(t, vfs.Stale, t.V.GetAttr(old, &a))
}

func aliveWhileLinked(t *T) {
	h := t.create(t.Root, "a", 0o644)
	t.link(h, t.Root, "b")
	t.write(h, 0, []byte("data"))
	t.remove(t.Root, "a")
	require.Equal(t, []byte("data"), t.read(h, 0, 10))
	require.Equal(t, h, t.lookup(t.Root, "b"))
	t.remove(t.Root, "b")
	var a vfs.Attr
	require.Equal(t, vfs.Stale, t.V.GetAttr(h, &a))
}

func inventedHandles(t *T) {
	h := t.create(t.Root, "f", 0o644)
	good := h.Bytes()
	var bad [][]byte
	for cut := range len(good) {
		bad = append(bad, good[:cut])
	}
	if len(good) < vfs.HandleMax {
		bad = append(bad, append(bytes.Clone(good), 0))
	}
	for _, fill := range []byte{0, 1, 0x7f, 0xff} {
		for _, n := range []int{1, 4, 8, 12, 16, 20, 24, len(good), vfs.HandleMax} {
			bad = append(bad, bytes.Repeat([]byte{fill}, n))
		}
	}
	for _, b := range bad {
		made, ok := vfs.MakeHandle(b)
		require.True(t, ok)
		if made == h {
			continue
		}
		t.all(made, func(method string, s vfs.Status) {
			require.Contains(t, []vfs.Status{vfs.Stale, vfs.BadHandle}, s, "%s of handle %x", method, b)
		})
	}
}
