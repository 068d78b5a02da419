package vfstest

import (
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

var walkTests = []testCase{
	{"a path leads to its object", walkPaths},
	{"links inside the tree are followed", walkInside},
	{"nothing leads out of the tree", walkOutside},
	{"loops of links end", walkLoops},
}

func (t *T) walk(path string) (vfs.Handle, vfs.Status) {
	var e vfs.Entry
	s := t.V.Walk(t.C, path, &e)
	return e.Handle, s
}

func walkPaths(t *T) {
	a := t.mkdir(t.Root, "a", 0o755)
	b := t.mkdir(a, "b", 0o755)
	f := t.create(b, "f", 0o644)
	for path, want := range map[string]vfs.Handle{"": t.Root, "a": a, "a/b": b, "a/b/f": f} {
		h, s := t.walk(path)
		require.Equal(t, vfs.OK, s, "%q", path)
		require.Equal(t, want, h, "%q", path)
	}
	for path, want := range map[string]vfs.Status{
		"x": vfs.NoEnt, "a/x": vfs.NoEnt, "a/x/b": vfs.NoEnt, "a/b/f/x": vfs.NotDir, "a/" + strings.Repeat("n", 256): vfs.NameTooLong,
	} {
		_, s := t.walk(path)
		require.Equal(t, want, s, "%q", path)
	}
}

func walkInside(t *T) {
	a := t.mkdir(t.Root, "a", 0o755)
	b := t.mkdir(a, "b", 0o755)
	t.symlink(t.Root, "to-b", "a/b")
	t.symlink(b, "to-a", "..")
	t.symlink(a, "around", "../to-b/to-a/b/.")
	for path, want := range map[string]vfs.Handle{"to-b": b, "to-b/to-a": a, "a/around": b, "a/around/to-a": a} {
		h, s := t.walk(path)
		require.Equal(t, vfs.OK, s, path)
		require.Equal(t, want, h, path)
	}
}

func walkOutside(t *T) {
	a := t.mkdir(t.Root, "a", 0o755)
	t.create(a, "inside", 0o644)
	for name, target := range map[string]string{
		"abs": "/", "etc": "/etc", "up": "..", "up-more": "../../../../../../../../etc", "deep": "a/../../etc", "proc": "/proc/self/root", "back": "../a",
	} {
		t.symlink(t.Root, name, target)
	}
	inside := func(h vfs.Handle) bool { return h == t.Root || h == a }
	for _, path := range []string{
		"abs", "etc", "etc/passwd", "up", "up/etc", "up-more", "up-more/passwd", "deep", "proc", "proc/etc", "..", "../..", "a/../..", "a/../../etc", "abs/etc",
	} {
		if h, s := t.walk(path); s == vfs.OK {
			require.True(t, inside(h), "%q leads out of the tree", path)
		}
	}
}

func walkLoops(t *T) {
	t.symlink(t.Root, "self", "self")
	t.symlink(t.Root, "x", "y")
	t.symlink(t.Root, "y", "x")
	for _, path := range []string{"self", "x", "x/y", "self/a"} {
		_, s := t.walk(path)
		require.Equal(t, vfs.Loop, s, path)
	}
}
