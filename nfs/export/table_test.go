package export

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// stubFS is a file system that only has a life cycle.
type stubFS struct {
	vfs.FS // nil: any other method is a bug of the test
	id     vfs.Identity
	views  int
	fail   error
	closed error
	closes int
}

type stubView struct {
	vfs.View
	fs *stubFS
	th *vfs.Thread
}

func (f *stubFS) Identity() vfs.Identity { return f.id }

func (f *stubFS) View(th *vfs.Thread) (vfs.View, error) {
	if f.fail != nil {
		return nil, f.fail
	}
	f.views++
	return &stubView{fs: f, th: th}, nil
}

func (f *stubFS) Close() error { f.closes++; return f.closed }

func (v *stubView) Close() { v.fs.views-- }

func testKey() Key {
	var k Key
	for i := range k {
		k[i] = byte(i)
	}
	return k
}

func newStub() *stubFS { return &stubFS{id: vfs.Identity{1}} }

func exportsOf(paths ...string) []Export {
	var xs []Export
	for _, p := range paths {
		xs = append(xs, Export{Path: p, FS: newStub()})
	}
	return xs
}

func newTable(t testing.TB, paths ...string) *Table {
	t.Helper()
	tab, err := NewTable(testKey(), 2, exportsOf(paths...))
	require.NoError(t, err)
	return tab
}

func TestByPath(t *testing.T) {
	tab := newTable(t, "/srv/data", "/srv/data/inner", "/srv/database", "/home//x/./")
	for _, c := range []struct{ path, export, rest string }{
		{"/srv/data", "/srv/data", ""},
		{"/srv/data/", "/srv/data", ""},
		{"//srv//data//a//b/", "/srv/data", "a/b"},
		{"/srv/./data/./a", "/srv/data", "a"},
		{"/srv/data/inner", "/srv/data/inner", ""},
		{"/srv/data/inner/deep/er", "/srv/data/inner", "deep/er"},
		{"/srv/data/innermost", "/srv/data", "innermost"},
		{"/srv/database", "/srv/database", ""},
		{"/srv/data/a/../b", "/srv/data", "b"},
		{"/srv/data/../database/x", "/srv/database", "x"},
		{"/x/../srv/data/..a/.b/c..", "/srv/data", "..a/.b/c.."},
		{"/home/x", "/home/x", ""},
		{"/", "", ""},
		{"", "", ""},
		{"srv/data", "", ""},
		{"/srv", "", ""},
		{"/srv/dat", "", ""},
		{"/srv/data/..", "", ""},
		{"/..", "", ""},
		{"/../srv/data", "", ""},
		{"/srv/data/../../../srv/data", "", ""},
		{"/srv/data\x00", "", ""},
	} {
		x, rest, ok := tab.ByPath(c.path)
		require.Equal(t, c.export != "", ok, "%q", c.path)
		if ok {
			require.Equal(t, c.export, x.Path, "%q", c.path)
			require.Equal(t, c.rest, rest, "%q", c.path)
		} else {
			require.Nil(t, x, "%q", c.path)
		}
	}
}

func TestSlashMeansTheOnlyExport(t *testing.T) {
	x, rest, ok := newTable(t, "/srv/data").ByPath("//")
	require.True(t, ok)
	require.Equal(t, "/srv/data", x.Path)
	require.Empty(t, rest)
	_, _, ok = newTable(t, "/srv/data").ByPath("/other")
	require.False(t, ok)
	_, _, ok = newTable(t, "/srv/data", "/b").ByPath("/")
	require.False(t, ok)
	x, rest, ok = newTable(t, "/", "/b").ByPath("/c/d")
	require.True(t, ok)
	require.Equal(t, "/", x.Path)
	require.Equal(t, "c/d", rest)
	_, _, ok = newTable(t).ByPath("/")
	require.False(t, ok)
}

func TestIdentityComesFromThePathAndIsStable(t *testing.T) {
	tab := newTable(t, "/srv/data", "/b")
	require.EqualValues(t, 0x1b6de9d4, tab.Exports()[0].ID)
	require.Equal(t, tab.Exports()[0].ID, newTable(t, "/c", "/srv//data/").Exports()[1].ID)
	own, err := NewTable(testKey(), 1, []Export{{ID: 7, Path: "/a", FS: newStub()}})
	require.NoError(t, err)
	require.EqualValues(t, 7, own.Exports()[0].ID)
}

func TestBadTablesAreRefused(t *testing.T) {
	fs := newStub()
	for want, xs := range map[string][]Export{
		"not an absolute path": {{Path: "data", FS: fs}},
		"no file system":       {{Path: "/data"}},
		"or a nil pointer":     {{Path: "/data", FS: (*stubFS)(nil)}},
		"exported twice":       {{Path: "/data", FS: fs}, {Path: "/data/", FS: fs}},
		"/b: exported twice":   {{ID: 1, Path: "/b", FS: fs}, {ID: 2, Path: "/b", FS: fs}},
		"also that of /a":      {{ID: 3, Path: "/a", FS: fs}, {ID: 3, Path: "/b", FS: fs}},
		"use SquashRoot":       {{Path: "/a", FS: fs, Options: Options{Squash: 9}}},
		"use one below it":     {{Path: "/a", FS: fs, Options: Options{AnonGID: 1<<32 - 1}}},
	} {
		_, err := NewTable(testKey(), 1, xs)
		require.ErrorContains(t, err, want)
	}
	require.Zero(t, fs.closes, "file systems stay the caller's")
}

func TestAttachGivesEachPlaceItsOwnViews(t *testing.T) {
	tab := newTable(t, "/a", "/b")
	ths := []*vfs.Thread{{MayWait: true}, {}}
	for i, th := range ths {
		require.NoError(t, tab.Attach(i, th))
	}
	require.Error(t, tab.Attach(0, ths[0]), "attached already")
	require.Error(t, tab.Attach(2, ths[0]), "no such place")
	for i, th := range ths {
		for _, x := range tab.Exports() {
			v := tab.View(i, x).(*stubView)
			require.Same(t, th, v.th)
			require.Same(t, x.FS, v.fs)
		}
	}
	require.ErrorContains(t, tab.Close(), "2 places attached")
	tab.Detach(0)
	tab.Detach(0)
	tab.Detach(1)
	for _, x := range tab.Exports() {
		require.Zero(t, x.FS.(*stubFS).views)
	}
	require.NoError(t, tab.Close())
	require.Equal(t, 1, tab.Exports()[1].FS.(*stubFS).closes)
}

func TestFailedAttachLeavesNoView(t *testing.T) {
	tab := newTable(t, "/a", "/b")
	tab.Exports()[1].FS.(*stubFS).fail = errors.New("no capability")
	require.ErrorContains(t, tab.Attach(0, &vfs.Thread{}), "export /b: no capability")
	require.Zero(t, tab.Exports()[0].FS.(*stubFS).views)
	require.NoError(t, tab.Close())
}

func TestCloseTriesAllAndReportsEachFailure(t *testing.T) {
	tab := newTable(t, "/a", "/b")
	tab.Exports()[0].FS.(*stubFS).closed = errors.New("broken")
	require.ErrorContains(t, tab.Close(), "export /a: broken")
	require.Equal(t, 1, tab.Exports()[1].FS.(*stubFS).closes)
}

func TestTheObjectOfAHandleIsThatOfItsExport(t *testing.T) {
	table := newTable(t, "/one", "/two")
	one, two := table.Exports()[0], table.Exports()[1]
	seen := map[uint64]bool{}
	for n := 1; n <= vfs.HandleMax; n++ {
		for _, last := range []byte{0, 1} {
			b := make([]byte, n)
			b[n-1] = last
			h, ok := vfs.MakeHandle(b)
			require.True(t, ok)
			for _, x := range []*Export{one, two} {
				got := x.ObjectHash(&h)
				require.NotZero(t, got)
				require.False(t, seen[got], "another object has it")
				seen[got] = true
				require.Equal(t, got, ObjectOf(table.Seal(x, &h, nil)))
			}
		}
	}
	for _, n := range []int{0, 1, wireMin - 1, wireFull + 1} {
		require.Zero(t, ObjectOf(make([]byte, n)))
	}
	require.NotZero(t, ObjectOf(make([]byte, wireMin)))
	require.NotZero(t, ObjectOf(make([]byte, wireFull)))
}
