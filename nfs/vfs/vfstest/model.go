package vfstest

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"slices"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

var modelTests = []testCase{
	{"random operations do what a simple model does", randomOperations},
}

// node is an object of the model, which says what POSIX says, as plainly as possible.
type node struct {
	h      vfs.Handle
	typ    vfs.FileType
	data   []byte
	target string
	mode   uint32
	names  int              // links
	sub    map[string]*node // of a directory
	parent *node
}

// model is one run of the random test, in a directory of its own.
type model struct {
	t    *T
	rt   *rapid.T
	root *node
	dead []vfs.Handle
}

func randomOperations(t *T) {
	runs, enough := 0, t.enough()
	failed := false // shrinking may take as many runs as it likes
	rapid.Check(t.T, func(rt *rapid.T) {
		if runs >= enough && !failed {
			return
		}
		defer func() { failed = failed || rt.Failed() }()
		runs++
		if l, ok := t.V.(*laneFirst); ok {
			l.t = rt // so that rapid shrinks a difference and prints its seed
			defer func() { l.t = t }()
		}
		var e vfs.Entry
		var w vfs.WCC
		s := t.V.Mkdir(
			t.C,
			t.Root,
			&vfs.MkdirArgs{Name: fmt.Appendf(nil, "run%d", runs), Set: mode(0o755)},
			&vfs.Made{Entry: &e, Dir: &w},
		)
		require.Equal(rt, vfs.OK, s)
		m := &model{
			t:    t,
			rt:   rt,
			root: &node{h: e.Handle, typ: vfs.TypeDir, mode: 0o755, sub: map[string]*node{}},
		}
		rt.Repeat(map[string]func(*rapid.T){
			"create": m.create, "mkdir": m.mkdir, "symlink": m.symlink, "link": m.link, "write": m.write, "write again": m.write,
			"truncate": m.truncate, "chmod": m.chmod, "read": m.read, "remove": m.remove, "rmdir": m.rmdir, "rename": m.rename,
			"rename again": m.rename, "lookup": m.lookup, "list": m.list, "stale": m.stale,
		})
		m.compare(m.root)
	})
}

// enough is how many of rapid's runs do something. On a real disc these are only the first few,
// unless a flag sets the number.
func (t *T) enough() int {
	set := false
	flag.Visit(func(g *flag.Flag) { set = set || g.Name == "rapid.checks" })
	if t.Env.RealDisk && !set {
		return 10
	}
	return math.MaxInt
}

// all returns the model's living objects for which keep returns true, in a fixed order.
func (m *model) all(keep func(*node) bool) (ns []*node) {
	var visit func(n *node)
	visit = func(n *node) {
		if keep(n) && !slices.Contains(ns, n) {
			ns = append(ns, n)
		}
		for _, name := range sortedNames(n) {
			visit(n.sub[name])
		}
	}
	visit(m.root)
	return ns
}

func sortedNames(n *node) (names []string) {
	for name := range n.sub {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (m *model) dir() *node {
	return rapid.SampledFrom(m.all(func(n *node) bool { return n.typ == vfs.TypeDir })).Draw(m.rt, "dir")
}

func (m *model) file() *node {
	files := m.all(func(n *node) bool { return n.typ == vfs.TypeReg })
	if len(files) == 0 {
		m.rt.Skip("no file yet")
	}
	return rapid.SampledFrom(files).Draw(m.rt, "file")
}

func (m *model) name() string {
	return rapid.SampledFrom([]string{"a", "b", "c", "dd", "\xff"}).Draw(m.rt, "name")
}

func (m *model) expect(s vfs.Status, what string, want ...vfs.Status) {
	m.rt.Helper()
	require.Contains(m.rt, want, s, "%s", what)
}

// add enters a new object.
func (m *model) add(d *node, name string, n *node) {
	n.names, n.parent = 1, d
	if n.typ == vfs.TypeDir {
		n.sub = map[string]*node{}
	}
	d.sub[name] = n
}

// drop removes a name.
func (m *model) drop(d *node, name string) {
	n := d.sub[name]
	delete(d.sub, name)
	if n.names--; n.names == 0 {
		m.dead = append(m.dead, n.h)
	}
}

func (m *model) create(rt *rapid.T) {
	d, name := m.dir(), m.name()
	how := vfs.CreateHow(rapid.IntRange(0, 1).Draw(rt, "how"))
	set := mode(rapid.SampledFrom([]uint32{0o600, 0o644, 0o7777}).Draw(rt, "mode"))
	if set.HasSize = rapid.Bool().Draw(rt, "has size"); set.HasSize {
		set.Size = rapid.Uint64Range(0, 9000).Draw(rt, "size")
	}
	var e vfs.Entry
	var w vfs.WCC
	s := m.t.V.Create(
		m.t.C,
		d.h,
		&vfs.CreateArgs{Name: []byte(name), How: how, Set: set},
		&vfs.Made{Entry: &e, Dir: &w},
	)
	old := d.sub[name]
	switch {
	case old == nil:
		m.expect(s, "create", vfs.OK)
		m.add(d, name, &node{h: e.Handle, typ: vfs.TypeReg, mode: set.Mode, data: make([]byte, set.Size)})
	case how == vfs.Guarded:
		m.expect(s, "guarded create", vfs.Exist)
	case old.typ != vfs.TypeReg:
		m.expect(s, "create over something else", vfs.Exist, vfs.IsDir, vfs.Inval, vfs.Loop)
	default:
		m.expect(s, "create of an existing file", vfs.OK)
		require.Equal(rt, old.h, e.Handle)
		if set.HasSize {
			old.resize(int(set.Size))
			m.dropSetID(old)
		}
	}
}

func (n *node) resize(size int) {
	if size <= len(n.data) {
		n.data = n.data[:size:size]
		return
	}
	n.data = append(n.data, make([]byte, size-len(n.data))...)
}

func (m *model) mkdir(*rapid.T) {
	d, name := m.dir(), m.name()
	var e vfs.Entry
	var w vfs.WCC
	s := m.t.V.Mkdir(
		m.t.C,
		d.h,
		&vfs.MkdirArgs{Name: []byte(name), Set: mode(0o700)},
		&vfs.Made{Entry: &e, Dir: &w},
	)
	if d.sub[name] != nil {
		m.expect(s, "mkdir", vfs.Exist)
		return
	}
	m.expect(s, "mkdir", vfs.OK)
	m.add(d, name, &node{h: e.Handle, typ: vfs.TypeDir, mode: 0o700})
}

func (m *model) symlink(rt *rapid.T) {
	d, name := m.dir(), m.name()
	target := rapid.SampledFrom([]string{"a", "../b", "/", "no where"}).Draw(rt, "target")
	var e vfs.Entry
	var w vfs.WCC
	s := m.t.V.Symlink(
		m.t.C,
		d.h,
		&vfs.SymlinkArgs{Name: []byte(name), Target: []byte(target), Set: &vfs.SetAttr{}},
		&vfs.Made{Entry: &e, Dir: &w},
	)
	if d.sub[name] != nil {
		m.expect(s, "symlink", vfs.Exist)
		return
	}
	m.expect(s, "symlink", vfs.OK)
	m.add(d, name, &node{h: e.Handle, typ: vfs.TypeLnk, target: target})
}

func (m *model) link(*rapid.T) {
	f, d, name := m.file(), m.dir(), m.name()
	var a vfs.Attr
	var w vfs.WCC
	s := m.t.V.Link(m.t.C, &vfs.LinkArgs{Object: f.h, Dir: d.h, Name: []byte(name)}, &a, &w)
	if d.sub[name] != nil {
		m.expect(s, "link", vfs.Exist)
		return
	}
	m.expect(s, "link", vfs.OK)
	d.sub[name] = f
	f.names++
}

func (m *model) write(rt *rapid.T) {
	f := m.file()
	off := rapid.IntRange(0, 10_000).Draw(rt, "offset")
	data := pattern(rapid.IntRange(1, 9000).Draw(rt, "length"), rapid.IntRange(0, 99).Draw(rt, "seed"))
	how := vfs.Stability(rapid.IntRange(0, 2).Draw(rt, "stability"))
	cut := rapid.IntRange(0, len(data)).Draw(rt, "cut")
	var w vfs.WCC
	n, got, _, s := m.t.V.Write(
		m.t.C,
		f.h,
		&vfs.WriteArgs{Off: uint64(off), Src: [][]byte{data[:cut], data[cut:]}, How: how},
		&w,
	)
	m.expect(s, "write", vfs.OK)
	require.GreaterOrEqual(rt, got, how)
	require.Positive(rt, n)
	if off+n > len(f.data) {
		f.resize(off + n)
	}
	copy(f.data[off:], data[:n])
	m.dropSetID(f)
	require.EqualValues(rt, len(f.data), w.After.Size)
}

func (m *model) truncate(rt *rapid.T) {
	f := m.file()
	size := rapid.IntRange(0, 20_000).Draw(rt, "size")
	var w vfs.WCC
	m.expect(
		m.t.V.SetAttr(m.t.C, f.h, &vfs.SetAttr{HasSize: true, Size: uint64(size)}, &w),
		"truncate",
		vfs.OK,
	)
	f.resize(size)
	m.dropSetID(f)
}

// dropSetID removes the bits that the kernel removes when an ordinary user changes a file. A
// set-group-ID bit without execution for the group means nothing and stays.
func (m *model) dropSetID(f *node) {
	if !m.t.Env.Unprivileged {
		return
	}
	f.mode &^= 0o4000
	if f.mode&0o010 != 0 {
		f.mode &^= 0o2000
	}
}

func (m *model) chmod(rt *rapid.T) {
	f := m.file()
	f.mode = rapid.Uint32Range(0, 0o7777).Draw(rt, "mode")
	if m.t.Env.Unprivileged {
		f.mode |= 0o600
	}
	var w vfs.WCC
	m.expect(m.t.V.SetAttr(m.t.C, f.h, mode(f.mode), &w), "chmod", vfs.OK)
}

func (m *model) read(rt *rapid.T) {
	f := m.file()
	off := rapid.IntRange(0, 25_000).Draw(rt, "offset")
	dst := make([]byte, rapid.IntRange(1, 20_000).Draw(rt, "length"))
	var a vfs.Attr
	n, eof, s := m.t.V.Read(m.t.C, f.h, &vfs.ReadArgs{Off: uint64(off), Dst: dst}, &a)
	m.expect(s, "read", vfs.OK)
	size := len(f.data)
	want := f.data[min(off, size):min(off+len(dst), size)]
	require.True(rt, bytes.Equal(want, dst[:n]), "read %d at %d of %d", len(dst), off, size)
	require.Equal(rt, off+n >= size, eof)
	require.EqualValues(rt, size, a.Size)
}

func (m *model) remove(*rapid.T) {
	d, name := m.dir(), m.name()
	var w vfs.WCC
	s := m.t.V.Remove(m.t.C, d.h, []byte(name), &w)
	switch n := d.sub[name]; {
	case n == nil:
		m.expect(s, "remove", vfs.NoEnt)
	case n.typ == vfs.TypeDir:
		m.expect(s, "remove of a directory", vfs.IsDir)
	default:
		m.expect(s, "remove", vfs.OK)
		m.drop(d, name)
	}
}

func (m *model) rmdir(*rapid.T) {
	d, name := m.dir(), m.name()
	var w vfs.WCC
	s := m.t.V.Rmdir(m.t.C, d.h, []byte(name), &w)
	switch n := d.sub[name]; {
	case n == nil:
		m.expect(s, "rmdir", vfs.NoEnt)
	case n.typ != vfs.TypeDir:
		m.expect(s, "rmdir of no directory", vfs.NotDir)
	case len(n.sub) > 0:
		m.expect(s, "rmdir of a full directory", vfs.NotEmpty)
	default:
		m.expect(s, "rmdir", vfs.OK)
		m.drop(d, name)
	}
}

func within(n, dir *node) bool {
	for ; n != nil; n = n.parent {
		if n == dir {
			return true
		}
	}
	return false
}

func (m *model) rename(*rapid.T) {
	from, fromName := m.dir(), m.name()
	to, toName := m.dir(), m.name()
	var wf, wt vfs.WCC
	s := m.t.V.Rename(
		m.t.C,
		&vfs.RenameArgs{From: from.h, FromName: []byte(fromName), To: to.h, ToName: []byte(toName)},
		&wf,
		&wt,
	)
	n, old := from.sub[fromName], to.sub[toName]
	switch {
	case n == nil:
		// A file system may notice that the target is an ancestor before it misses the
		// source.
		want := []vfs.Status{vfs.NoEnt}
		if old != nil && within(from, old) {
			want = append(want, vfs.NotEmpty, vfs.Exist)
		}
		m.expect(s, "rename of nothing", want...)
	case n.typ == vfs.TypeDir && within(to, n):
		m.expect(s, "rename into itself", vfs.Inval)
	case n == old:
		m.expect(s, "rename onto itself", vfs.OK)
	case old != nil && within(from, old):
		m.expect(s, "rename over its ancestor", vfs.NotEmpty, vfs.Exist, vfs.IsDir)
	case old != nil && n.typ == vfs.TypeDir && old.typ != vfs.TypeDir:
		m.expect(s, "rename of a directory over none", vfs.NotDir)
	case old != nil && n.typ != vfs.TypeDir && old.typ == vfs.TypeDir:
		m.expect(s, "rename over a directory", vfs.IsDir)
	case old != nil && old.typ == vfs.TypeDir && len(old.sub) > 0:
		m.expect(s, "rename over a full directory", vfs.NotEmpty, vfs.Exist)
	default:
		m.expect(s, "rename", vfs.OK)
		if old != nil {
			m.drop(to, toName)
		}
		delete(from.sub, fromName)
		to.sub[toName] = n
		if n.typ == vfs.TypeDir {
			n.parent = to
		}
	}
}

func (m *model) lookup(rt *rapid.T) {
	d, name := m.dir(), m.name()
	var e vfs.Entry
	var a vfs.Attr
	s := m.t.V.Lookup(m.t.C, d.h, []byte(name), &vfs.Found{Entry: &e, Dir: &a})
	if d.sub[name] == nil {
		m.expect(s, "lookup", vfs.NoEnt)
		return
	}
	m.expect(s, "lookup", vfs.OK)
	require.Equal(rt, d.sub[name].h, e.Handle)
}

func (m *model) list(*rapid.T) { m.listed(m.dir()) }

func (m *model) listed(d *node) {
	var got []string
	var a vfs.Attr
	_, eof, s := m.t.V.ReadDir(m.t.C, d.h, &vfs.ReadDirArgs{Yield: func(e *vfs.DirEntry) bool {
		got = append(got, string(e.Name))
		return true
	}}, &a)
	m.expect(s, "list", vfs.OK)
	require.True(m.rt, eof)
	require.ElementsMatch(m.rt, append(sortedNames(d), ".", ".."), got)
}

func (m *model) stale(rt *rapid.T) {
	if len(m.dead) == 0 {
		rt.Skip("nothing is dead yet")
	}
	var a vfs.Attr
	m.expect(m.t.V.GetAttr(rapid.SampledFrom(m.dead).Draw(rt, "dead"), &a), "getattr of the dead", vfs.Stale)
}

// compare checks the whole tree below n.
func (m *model) compare(n *node) {
	var a vfs.Attr
	m.expect(m.t.V.GetAttr(n.h, &a), "getattr", vfs.OK)
	require.Equal(m.rt, n.typ, a.Type)
	switch n.typ {
	case vfs.TypeReg:
		require.Equal(m.rt, n.mode, a.Mode)
		require.EqualValues(m.rt, n.names, a.Nlink)
		require.EqualValues(m.rt, len(n.data), a.Size)
		dst := make([]byte, len(n.data)+1)
		got, eof, s := m.t.V.Read(m.t.C, n.h, &vfs.ReadArgs{Off: 0, Dst: dst}, &a)
		m.expect(s, "read", vfs.OK)
		require.True(m.rt, eof)
		require.True(m.rt, bytes.Equal(n.data, dst[:got]))
	case vfs.TypeLnk:
		dst := make([]byte, 4096)
		got, s := m.t.V.ReadLink(m.t.C, n.h, dst, &a)
		m.expect(s, "readlink", vfs.OK)
		require.Equal(m.rt, n.target, string(dst[:got]))
	case vfs.TypeDir:
		m.listed(n)
		for _, name := range sortedNames(n) {
			m.compare(n.sub[name])
		}
	default:
	}
}
