package vfstest

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

var nameTests = []testCase{
	{"names are bytes", namesAreBytes},
	{"every single byte is a name", singleByteNames},
	{"names of 255 bytes", longestNames},
	{"LOOKUP of dot and dot-dot", lookupDots},
	{"LOOKUP of what is not there", lookupAbsent},
	{"LOOKUP does not follow symbolic links", lookupLinks},
	{"MKDIR applies the mode and nothing else", mkdirModes},
	{"MKDIR, SYMLINK and MKNOD refuse existing names", makeOverExisting},
	{"MKNOD makes every type", mknodTypes},
	{"MKNOD refuses types that it cannot make", mknodBadTypes},
	{"directories count their links", directoryLinks},
	{"LINK counts and shares", linkCounts},
	{"LINK of other types and over existing names", linkOthers},
	{"REMOVE removes all but directories", removeTypes},
	{"RMDIR removes empty directories only", rmdirTypes},
	{"changes show in the directory's times", directoryTimes},
}

var oddNames = []string{
	" ", "  two  ", "...", "..x", ".hidden", "-rf", "*", "?", "~", "\\", "a\\b", ":", "con", "NUL", "new\nline", "tab\t", "\"", "'", "$HOME", "%s",
	"ümlaut", "日本語", "\xff\xfe\xfd", "\xc3\x28", "e\u0301", "\u00e9", "\x01", "\x7f", "upper", "UPPER",
}

func namesAreBytes(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	made := map[string]vfs.Handle{}
	for _, name := range oddNames {
		made[name] = t.create(d, name, 0o644)
	}
	for name, h := range made {
		require.Equal(t, h, t.lookup(d, name), "%q", name)
	}
	t.hasNames(d, oddNames...)
	for _, name := range oddNames {
		t.remove(d, name)
	}
	t.hasNames(d)
}

func singleByteNames(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	var names []string
	for b := 1; b < 256; b++ {
		if b == '.' || b == '/' {
			continue
		}
		names = append(names, string([]byte{byte(b)}))
		t.create(d, names[len(names)-1], 0o644)
	}
	t.hasNames(d, names...)
}

func longestNames(t *T) {
	if n := t.Env.FS.Limits().NameMax; n < 255 {
		t.Skipf("the file system's names have %d bytes at most", n)
	}
	var names []string
	for _, fill := range []string{"a", "\xff", " "} {
		for _, n := range []int{254, 255} {
			names = append(names, strings.Repeat(fill, n))
		}
	}
	d := t.mkdir(t.Root, names[1], 0o755)
	for _, name := range names {
		t.create(d, name, 0o644)
	}
	t.hasNames(d, names...)
	t.rename(d, names[0], t.Root, names[3])
	t.link(t.lookup(t.Root, names[3]), d, names[0])
	t.symlink(t.Root, names[5], names[1])
	t.hasNames(t.Root, names[1], names[3], names[5])
	t.hasNames(d, names...)
}

func lookupDots(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	sub := t.mkdir(d, "sub", 0o755)
	for _, c := range []struct {
		dir  vfs.Handle
		name string
		want vfs.Handle
	}{
		{t.Root, ".", t.Root}, {t.Root, "..", t.Root}, {d, ".", d}, {d, "..", t.Root}, {sub, "..", d}, {sub, ".", sub},
	} {
		require.Equal(t, c.want, t.lookup(c.dir, c.name))
	}
}

func lookupAbsent(t *T) {
	t.create(t.Root, "there", 0o644)
	for _, name := range []string{"absent", "the", "there ", "theree", "..."} {
		t.absent(t.Root, name)
	}
	if !t.Env.FS.Limits().CaseInsensitive {
		t.absent(t.Root, "THERE")
	}
}

func lookupLinks(t *T) {
	for name, target := range map[string]string{"up": "..", "dot": ".", "abs": "/", "gone": "nowhere", "self": "self"} {
		h := t.symlink(t.Root, name, target)
		require.Equal(t, vfs.TypeLnk, t.attr(h).Type, name)
		require.Equal(t, h, t.lookup(t.Root, name), name)
		var e vfs.Entry
		var d vfs.Attr
		for _, below := range []string{".", "..", "x"} {
			require.Equal(
				t,
				vfs.NotDir,
				t.V.Lookup(t.C, h, []byte(below), &vfs.Found{Entry: &e, Dir: &d}),
				"%s/%s",
				name,
				below,
			)
		}
	}
}

func mkdirModes(t *T) {
	for i, m := range []uint32{0, 0o777, 0o700, 0o1777, 0o111} {
		a := t.attr(t.mkdir(t.Root, fmt.Sprintf("d%d", i), m))
		require.Equal(t, m, a.Mode, "no umask applies")
		require.Equal(t, vfs.TypeDir, a.Type)
	}
	var e vfs.Entry
	var w vfs.WCC
	at := vfs.Time{Sec: 12345}
	set := &vfs.SetAttr{HasMode: true, Mode: 0o755, MtimeHow: vfs.TimeClient, Mtime: at}
	require.Equal(
		t,
		vfs.OK,
		t.V.Mkdir(
			t.C,
			t.Root,
			&vfs.MkdirArgs{Name: []byte("dated"), Set: set},
			&vfs.Made{Entry: &e, Dir: &w},
		),
	)
	require.Equal(t, at, t.attr(e.Handle).Mtime)
}

func makeOverExisting(t *T) {
	t.others()
	t.create(t.Root, "file", 0o644)
	for _, name := range []string{"file", "other-dir", "other-link", "other-fifo"} {
		n := []byte(name)
		before := t.attr(t.lookup(t.Root, name))
		for method, do := range map[string]func(e *vfs.Entry, w *vfs.WCC) vfs.Status{
			"Mkdir": func(e *vfs.Entry, w *vfs.WCC) vfs.Status {
				return t.V.Mkdir(t.C, t.Root, &vfs.MkdirArgs{Name: n, Set: mode(0o777)}, &vfs.Made{Entry: e, Dir: w})
			},
			"Symlink": func(e *vfs.Entry, w *vfs.WCC) vfs.Status {
				return t.V.Symlink(t.C, t.Root, &vfs.SymlinkArgs{Name: n, Target: n, Set: mode(0o777)}, &vfs.Made{Entry: e, Dir: w})
			},
			"Mknod": func(e *vfs.Entry, w *vfs.WCC) vfs.Status {
				return t.V.Mknod(t.C, t.Root, &vfs.MknodArgs{Name: n, Type: vfs.TypeFifo, Set: mode(0o777)}, &vfs.Made{Entry: e, Dir: w})
			},
		} {
			check := t.watch(t.Root)
			var e vfs.Entry
			var w vfs.WCC
			require.Equal(t, vfs.Exist, do(&e, &w), "%s over %s", method, name)
			check(&w)
		}
		require.Equal(t, stable(before), stable(t.attr(t.lookup(t.Root, name))), name)
	}
}

func mknodTypes(t *T) {
	majorMax, minorMax := cmp.Or(t.Env.DeviceMajorMax, 1<<12-1), cmp.Or(t.Env.DeviceMinorMax, 1<<20-1)
	for i, c := range []struct {
		typ          vfs.FileType
		major, minor uint32
	}{
		{vfs.TypeFifo, 0, 0}, {vfs.TypeSock, 0, 0}, {vfs.TypeFifo, 1, 3}, {vfs.TypeSock, 7, 7},
		{vfs.TypeChr, 1, 3}, {vfs.TypeBlk, 7, 0}, {vfs.TypeChr, 259, 1}, {vfs.TypeBlk, 8, 300}, {vfs.TypeChr, majorMax, minorMax}, {vfs.TypeChr, 0, 0},
	} {
		device := c.typ == vfs.TypeChr || c.typ == vfs.TypeBlk
		if device && !t.Env.HasDevices {
			continue
		}
		name := fmt.Sprintf("n%d", i)
		a := t.attr(t.mknod(t.Root, name, c.typ, c.major, c.minor))
		require.Equal(t, c.typ, a.Type)
		require.EqualValues(t, 0o640, a.Mode)
		if !device {
			c.major, c.minor = 0, 0
		}
		require.Equal(t, []uint32{c.major, c.minor}, []uint32{a.Major, a.Minor}, "device number of %s", name)
		t.remove(t.Root, name)
	}
	if t.Env.HasDevices && t.Env.DeviceMajorMax != 0 {
		var e vfs.Entry
		var w vfs.WCC
		s := t.V.Mknod(
			t.C,
			t.Root,
			&vfs.MknodArgs{Name: []byte("n"), Type: vfs.TypeChr, Major: majorMax + 1, Set: mode(0o640)},
			&vfs.Made{Entry: &e, Dir: &w},
		)
		t.refused(s, "a larger device number than there can be", vfs.Inval, vfs.FBig)
		t.absent(t.Root, "n")
	}
	if !t.Env.HasDevices {
		t.Skip("devices: the back end's user cannot make them")
	}
}

func mknodBadTypes(t *T) {
	for _, typ := range []vfs.FileType{vfs.TypeReg, vfs.TypeDir, vfs.TypeLnk, 0, 8, 1 << 20} {
		check := t.watch(t.Root)
		var e vfs.Entry
		var w vfs.WCC
		s := t.V.Mknod(
			t.C,
			t.Root,
			&vfs.MknodArgs{Name: []byte("x"), Type: typ, Set: mode(0o644)},
			&vfs.Made{Entry: &e, Dir: &w},
		)
		t.refused(s, fmt.Sprintf("MKNOD of type %d", typ), vfs.BadType, vfs.Inval)
		check(&w)
		t.absent(t.Root, "x")
	}
}

func directoryLinks(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	if t.attr(d).Nlink == 1 {
		t.Skip("the file system does not count the links of directories")
	}
	require.EqualValues(t, 2, t.attr(d).Nlink)
	t.mkdir(d, "a", 0o755)
	t.mkdir(d, "b", 0o755)
	t.create(d, "f", 0o644)
	require.EqualValues(t, 4, t.attr(d).Nlink)
	t.rename(d, "a", t.Root, "a")
	require.EqualValues(t, 3, t.attr(d).Nlink)
	t.rmdir(d, "b")
	require.EqualValues(t, 2, t.attr(d).Nlink)
}

func linkCounts(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	h := t.create(t.Root, "one", 0o644)
	for i := range 5 {
		require.EqualValues(t, i+1, t.attr(h).Nlink)
		t.link(h, d, fmt.Sprintf("more%d", i))
	}
	t.write(h, 0, []byte("shared"))
	require.Equal(t, []byte("shared"), t.read(t.lookup(d, "more3"), 0, 10))
	t.remove(t.Root, "one")
	require.EqualValues(t, 5, t.attr(h).Nlink)
}

func linkOthers(t *T) {
	for name, h := range t.others() {
		var a vfs.Attr
		var w vfs.WCC
		check := t.watch(t.Root)
		s := t.V.Link(t.C, &vfs.LinkArgs{Object: h, Dir: t.Root, Name: []byte("second")}, &a, &w)
		check(&w)
		require.NotZero(t, a.Type, "the object's attributes, also on failure")
		if name == "directory" {
			t.refused(s, "LINK of a directory", vfs.Perm, vfs.IsDir, vfs.Inval, vfs.NotSupp)
			continue
		}
		if s == vfs.OK {
			require.EqualValues(t, 2, t.attr(h).Nlink)
			require.Equal(t, h, t.lookup(t.Root, "second"), "a link to the %s itself", name)
			t.remove(t.Root, "second")
		}
	}
	f := t.create(t.Root, "f", 0o644)
	for _, name := range []string{"f", "other-dir", "other-link"} {
		var a vfs.Attr
		var w vfs.WCC
		require.Equal(
			t,
			vfs.Exist,
			t.V.Link(t.C, &vfs.LinkArgs{Object: f, Dir: t.Root, Name: []byte(name)}, &a, &w),
			name,
		)
		require.EqualValues(t, 1, t.attr(f).Nlink)
		require.Equal(t, stable(t.attr(f)), stable(a))
	}
}

func removeTypes(t *T) {
	t.others()
	t.create(t.Root, "file", 0o000)
	var w vfs.WCC
	check := t.watch(t.Root)
	require.Equal(t, vfs.IsDir, t.V.Remove(t.C, t.Root, []byte("other-dir"), &w))
	check(&w)
	require.Equal(t, vfs.NoEnt, t.V.Remove(t.C, t.Root, []byte("absent"), &w))
	check(&w)
	target := t.lookup(t.Root, "other-dir")
	for _, name := range []string{"file", "other-link", "other-fifo", "other-sock"} {
		t.remove(t.Root, name)
	}
	require.Equal(t, vfs.TypeDir, t.attr(target).Type, "a link's target stays")
}

func rmdirTypes(t *T) {
	t.others()
	t.create(t.Root, "file", 0o644)
	d := t.mkdir(t.Root, "full", 0o755)
	t.create(d, "x", 0o644)
	for name, want := range map[string]vfs.Status{
		"file": vfs.NotDir, "other-link": vfs.NotDir, "other-fifo": vfs.NotDir, "full": vfs.NotEmpty, "absent": vfs.NoEnt,
	} {
		check := t.watch(t.Root)
		var w vfs.WCC
		require.Equal(t, want, t.V.Rmdir(t.C, t.Root, []byte(name), &w), name)
		check(&w)
	}
	t.remove(d, "x")
	t.rmdir(t.Root, "full")
	t.rmdir(t.Root, "other-dir")
}

func directoryTimes(t *T) {
	d := t.mkdir(t.Root, "d", 0o755)
	old := vfs.Time{Sec: 1000}
	for what, do := range map[string]func(){
		"1 create": func() { t.create(d, "f", 0o644) }, "2 mkdir": func() { t.mkdir(d, "s", 0o755) },
		"3 symlink": func() { t.symlink(d, "l", "x") }, "4 remove": func() { t.create(d, "r", 0o644); t.remove(d, "r") },
		"5 rename": func() { t.create(d, "m", 0o644); t.rename(d, "m", d, "n") },
	} {
		t.set(d, &vfs.SetAttr{MtimeHow: vfs.TimeClient, Mtime: old})
		do()
		require.Greater(t, t.attr(d).Mtime.Sec, old.Sec, what)
	}
}
