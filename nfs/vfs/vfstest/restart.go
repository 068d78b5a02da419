package vfstest

import (
	"math"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

var restartTests = []testCase{
	{"handles stay good over a restart", handlesOverRestart},
	{"the verifier changes with a restart", verifierOverRestart},
	{"an EXCLUSIVE create is recognised after a restart", exclusiveOverRestart},
	{"a listing goes on after a restart or is told not to", listingOverRestart},
}

// restart closes the FS and opens it again, or skips the test.
func (t *T) restart() {
	t.Helper()
	if t.Env.Reopen == nil {
		t.Skip("the back end cannot be opened again")
	}
	viaLane := t.lane != nil
	t.close()
	t.Env.FS = t.Env.Reopen()
	t.open(t.Env.FS, viaLane)
}

func handlesOverRestart(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	f := t.create(d, "f", 0o644)
	l := t.symlink(d, "l", "target")
	gone := t.create(d, "gone", 0o644)
	t.write(f, 0, []byte("committed"))
	var w vfs.WCC
	_, s := t.V.Commit(t.C, f, &vfs.CommitArgs{Off: 0, Count: 0}, &w)
	require.Equal(t, vfs.OK, s)
	t.remove(d, "gone")
	root := t.Root
	before := t.attr(f)
	id := t.Env.FS.Identity()
	require.NotZero(t, id)

	t.restart()
	require.Equal(t, id, t.Env.FS.Identity())
	require.Equal(t, root, t.Root)
	require.Equal(t, before, t.attr(f))
	require.Equal(t, []byte("committed"), t.read(f, 0, 20))
	require.Equal(t, "target", t.readLink(l))
	require.Equal(t, d, t.lookup(root, "d"))
	require.Equal(t, f, t.lookup(d, "f"))
	require.Equal(t, root, t.lookup(d, ".."))
	var a vfs.Attr
	require.Equal(t, vfs.Stale, t.V.GetAttr(gone, &a))
	t.write(f, 9, []byte(" and more"))
	require.Equal(t, []byte("committed and more"), t.read(f, 0, 20))
}

func verifierOverRestart(t *T) {
	seen := map[uint64]bool{}
	for range 3 {
		verf := t.Env.FS.Verifier()
		require.False(t, seen[verf], "verifier %#x was in force before", verf)
		seen[verf] = true
		t.restart()
	}
}

func exclusiveOverRestart(t *T) {
	for i, verf := range someVerifiers {
		_, s := t.tryCreate(string(rune('a'+i)), vfs.Exclusive, &vfs.SetAttr{}, verf)
		require.Equal(t, vfs.OK, s)
	}
	t.restart()
	for i, verf := range someVerifiers {
		name := string(rune('a' + i))
		_, s := t.tryCreate(name, vfs.Exclusive, &vfs.SetAttr{}, verf)
		require.Equal(t, vfs.OK, s, "verifier %#x", verf)
		_, s = t.tryCreate(name, vfs.Exclusive, &vfs.SetAttr{}, verf^1<<40)
		require.Equal(t, vfs.Exist, s, "verifier %#x", verf^1<<40)
	}
}

func listingOverRestart(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	t.fill(d, "f", 30)
	all, verf, _ := t.page(d, 0, 0, false, math.MaxInt)
	t.restart()
	var got []listed
	var a vfs.Attr
	_, _, s := t.V.ReadDir(
		t.C,
		d,
		&vfs.ReadDirArgs{Cookie: all[9].cookie, Verf: verf, Yield: func(e *vfs.DirEntry) bool {
			got = append(got, listedOf(e))
			return true
		}},
		&a,
	)
	if s != vfs.BadCookie {
		require.Equal(t, vfs.OK, s)
		require.Equal(t, all[10:], got)
	}
}
