package vfstest

import (
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

var renameTests = []testCase{
	{"RENAME moves every type", renameTypes},
	{"RENAME onto itself does nothing", renameSelf},
	{"RENAME onto another link of the same file does nothing", renameSameFile},
	{"RENAME replaces what POSIX allows and refuses the rest", renameMatrix},
	{"RENAME of a directory into itself is refused", renameIntoItself},
	{"RENAME of what is not there", renameAbsent},
	{"RENAME changes dot-dot", renameDotDot},
	{"RENAME in what is no directory", renameInFile},
	{"RENAME back and forth by two threads loses nothing", renameRace},
}

// tryRename renames and checks both WCCs, whatever the outcome.
func (t *T) tryRename(from vfs.Handle, fromName string, to vfs.Handle, toName string) vfs.Status {
	t.Helper()
	checkFrom, checkTo := t.watch(from), t.watch(to)
	var wf, wt vfs.WCC
	s := t.V.Rename(
		t.C,
		&vfs.RenameArgs{From: from, FromName: []byte(fromName), To: to, ToName: []byte(toName)},
		&wf,
		&wt,
	)
	checkFrom(&wf)
	checkTo(&wt)
	return s
}

func renameTypes(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	all := t.others()
	t.create(t.Root, "file", 0o644)
	for _, name := range []string{"file", "other-dir", "other-link", "other-fifo", "other-sock"} {
		h := t.lookup(t.Root, name)
		t.rename(t.Root, name, t.Root, "same directory")
		require.Equal(t, h, t.lookup(t.Root, "same directory"))
		t.absent(t.Root, name)
		t.rename(t.Root, "same directory", d, name)
		require.Equal(t, h, t.lookup(d, name))
		t.absent(t.Root, "same directory")
	}
	require.Equal(t, "other-dir", t.readLink(all["link"]), "a link is moved, not its target")
}

func renameSelf(t *T) {
	t.others()
	t.create(t.Root, "file", 0o644)
	for _, name := range []string{"file", "other-dir", "other-link"} {
		h := t.lookup(t.Root, name)
		require.Equal(t, vfs.OK, t.tryRename(t.Root, name, t.Root, name), name)
		require.Equal(t, h, t.lookup(t.Root, name), name)
	}
}

func renameSameFile(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	h := t.create(t.Root, "a", 0o644)
	t.link(h, t.Root, "b")
	t.link(h, d, "c")
	require.Equal(t, vfs.OK, t.tryRename(t.Root, "a", t.Root, "b"))
	require.Equal(t, vfs.OK, t.tryRename(t.Root, "a", d, "c"))
	for dir, name := range map[vfs.Handle]string{t.Root: "a", d: "c"} {
		require.Equal(t, h, t.lookup(dir, name))
	}
	require.Equal(t, h, t.lookup(t.Root, "b"))
	require.EqualValues(t, 3, t.attr(h).Nlink)
}

func renameMatrix(t *T) {
	makers := map[string]func(dir vfs.Handle, name string) vfs.Handle{
		"file":  func(dir vfs.Handle, name string) vfs.Handle { return t.create(dir, name, 0o644) },
		"link":  func(dir vfs.Handle, name string) vfs.Handle { return t.symlink(dir, name, "anywhere") },
		"empty": func(dir vfs.Handle, name string) vfs.Handle { return t.mkdir(dir, name, 0o755) },
		"full": func(dir vfs.Handle, name string) vfs.Handle {
			h := t.mkdir(dir, name, 0o755)
			t.create(h, "inside", 0o644)
			return h
		},
	}
	isDir := func(kind string) bool { return kind == "empty" || kind == "full" }
	round := 0
	for source, makeSource := range makers {
		for target, makeTarget := range makers {
			for _, apart := range []bool{false, true} {
				round++
				d := t.mkdir(t.Root, fmt.Sprintf("d%d", round), 0o755)
				to := d
				if apart {
					to = t.mkdir(d, "to", 0o755)
				}
				hs, ht := makeSource(d, "source"), makeTarget(to, "target")
				s := t.tryRename(d, "source", to, "target")
				what := fmt.Sprintf("%s over %s, other directory: %v", source, target, apart)
				switch {
				case isDir(source) && !isDir(target):
					require.Equal(t, vfs.NotDir, s, what)
				case !isDir(source) && isDir(target):
					require.Equal(t, vfs.IsDir, s, what)
				case target == "full":
					t.refused(s, what, vfs.NotEmpty, vfs.Exist)
				default:
					require.Equal(t, vfs.OK, s, what)
					t.absent(d, "source")
					require.Equal(t, hs, t.lookup(to, "target"), what)
					var a vfs.Attr
					require.Equal(t, vfs.Stale, t.V.GetAttr(ht, &a), what)
					continue
				}
				require.Equal(t, hs, t.lookup(d, "source"), what)
				require.Equal(t, ht, t.lookup(to, "target"), what)
			}
		}
	}
}

func renameIntoItself(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	sub := t.mkdir(d, "sub", 0o755)
	deep := t.mkdir(sub, "deep", 0o755)
	for name, into := range map[string]vfs.Handle{"itself": d, "its child": sub, "its grandchild": deep} {
		require.Equal(t, vfs.Inval, t.tryRename(t.Root, "d", into, "new"), name)
	}
	t.refused(t.tryRename(sub, "deep", t.Root, "d"), "over its grandparent", vfs.NotEmpty, vfs.Exist)
	require.Equal(t, deep, t.lookup(sub, "deep"))
}

func renameAbsent(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	t.create(d, "f", 0o644)
	require.Equal(t, vfs.NoEnt, t.tryRename(t.Root, "absent", d, "x"))
	require.Equal(t, vfs.NoEnt, t.tryRename(t.Root, "absent", d, "f"))
	require.Equal(t, vfs.NoEnt, t.tryRename(t.Root, "absent", t.Root, "absent"))
	t.lookup(d, "f")
}

func renameDotDot(t *T) {
	a, b := t.mkdir(t.Root, "a", 0o755), t.mkdir(t.Root, "b", 0o755)
	sub := t.mkdir(a, "sub", 0o755)
	require.Equal(t, a, t.lookup(sub, ".."))
	t.rename(a, "sub", b, "sub")
	require.Equal(t, b, t.lookup(sub, ".."))
	t.rename(b, "sub", t.Root, "sub")
	require.Equal(t, t.Root, t.lookup(sub, ".."))
}

func renameInFile(t *T) {
	f := t.create(t.Root, "f", 0o644)
	t.create(t.Root, "g", 0o644)
	var wf, wt vfs.WCC
	require.Equal(
		t,
		vfs.NotDir,
		t.V.Rename(
			t.C,
			&vfs.RenameArgs{From: f, FromName: []byte("x"), To: t.Root, ToName: []byte("y")},
			&wf,
			&wt,
		),
	)
	require.Equal(
		t,
		vfs.NotDir,
		t.V.Rename(
			t.C,
			&vfs.RenameArgs{From: t.Root, FromName: []byte("g"), To: f, ToName: []byte("y")},
			&wf,
			&wt,
		),
	)
	t.lookup(t.Root, "g")
}

func renameRace(t *T) {
	a, b := t.mkdir(t.Root, "a", 0o755), t.mkdir(t.Root, "b", 0o755)
	const files = 8
	for i := range files {
		t.create(a, fmt.Sprintf("f%d", i), 0o644)
	}
	move := func(from, to vfs.Handle) <-chan error {
		return t.peer(func(v vfs.View, th *vfs.Thread) error {
			c := th.Creds.Intern(t.Env.UID, t.Env.GID, t.Env.Groups)
			for i := range 10 * files {
				n := fmt.Appendf(nil, "f%d", i%files)
				var wf, wt vfs.WCC
				if s := v.Rename(c, &vfs.RenameArgs{From: from, FromName: n, To: to, ToName: n}, &wf, &wt); s != vfs.OK &&
					s != vfs.NoEnt {
					return fmt.Errorf("rename of %s: %v", n, s)
				}
			}
			return nil
		})
	}
	there, back := move(a, b), move(b, a)
	require.NoError(t, <-there)
	require.NoError(t, <-back)
	names := map[string]bool{}
	for _, dir := range []vfs.Handle{a, b} {
		for _, e := range t.list(dir, false) {
			if e.name != "." && e.name != ".." {
				require.False(t, names[e.name], "%s is in both directories", e.name)
				names[e.name] = true
			}
		}
	}
	require.Len(t, names, files)
}
