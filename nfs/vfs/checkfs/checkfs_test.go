package checkfs_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/checkfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/vfstest"
)

func TestABackEndThatKeepsItsContractIsNotChanged(t *testing.T) {
	again.Skip(t)
	vfstest.Run(t, func(t *testing.T) *vfstest.Env {
		in := memfs.New(memfs.Config{})
		var mu sync.Mutex
		var breaches []string
		wrap := func() *checkfs.FS {
			return checkfs.Wrap(in, func(method, breach string) {
				mu.Lock()
				defer mu.Unlock()
				breaches = append(breaches, method+" "+breach)
			})
		}
		f := wrap()
		t.Cleanup(func() {
			_ = f.Close()
			require.Empty(t, breaches)
		})
		return &vfstest.Env{
			FS: f, HasPermissions: true, HasDevices: true,
			Reopen: func() vfs.FS {
				in = in.Reopen()
				f = wrap()
				return f
			},
		}
	})
}

func TestEveryAbilityIsHeldToItsContract(t *testing.T) {
	vfstest.Decorator(t, func(in vfs.FS) vfs.FS {
		return checkfs.Wrap(in, func(string, string) { t.Error("reported") })
	})
}

// liar answers what a test tells it to.
type liar struct {
	vfs.View
	status  vfs.Status
	n       int
	eof     bool
	attr    vfs.Attr
	handle  vfs.Handle
	got     vfs.Permission
	reached vfs.Stability
	entries []vfs.DirEntry
}

func (l *liar) Close() {}

func (l *liar) Abilities() *vfs.Abilities { return &vfs.Abilities{Splice: l} }

func (l *liar) GetAttr(_ vfs.Handle, a *vfs.Attr) vfs.Status {
	*a = l.attr
	return l.status
}

func (l *liar) Access(_ *vfs.Cred, _ vfs.Handle, _ vfs.Permission, a *vfs.Attr) (vfs.Permission, vfs.Status) {
	*a = l.attr
	return l.got, l.status
}

func (l *liar) Read(_ *vfs.Cred, _ vfs.Handle, r *vfs.ReadArgs, a *vfs.Attr) (int, bool, vfs.Status) {
	*a = l.attr
	return l.n, l.eof, l.status
}

func (l *liar) Write(
	_ *vfs.Cred,
	_ vfs.Handle,
	r *vfs.WriteArgs,
	w *vfs.WCC,
) (int, vfs.Stability, uint64, vfs.Status) {
	w.After = l.attr
	return l.n, l.reached, 0, l.status
}

func (l *liar) ReadLink(_ *vfs.Cred, _ vfs.Handle, _ []byte, a *vfs.Attr) (int, vfs.Status) {
	*a = l.attr
	return l.n, l.status
}

func (l *liar) Lookup(_ *vfs.Cred, _ vfs.Handle, _ []byte, f *vfs.Found) vfs.Status {
	e := f.Entry
	if l.handle.Len() > 0 {
		e.Handle = l.handle
	}
	e.Attr = l.attr
	return l.status
}

func (l *liar) Mkdir(_ *vfs.Cred, _ vfs.Handle, r *vfs.MkdirArgs, m *vfs.Made) vfs.Status {
	e, w := m.Entry, m.Dir
	e.Handle = l.handle
	w.After = l.attr
	return l.status
}

func (l *liar) Walk(_ *vfs.Cred, _ string, e *vfs.Entry) vfs.Status {
	e.Handle = l.handle
	return l.status
}

func (l *liar) ReadDir(
	_ *vfs.Cred,
	_ vfs.Handle,
	r *vfs.ReadDirArgs,
	_ *vfs.Attr,
) (uint64, bool, vfs.Status) {
	yield := r.Yield
	for i := range l.entries {
		yield(&l.entries[i]) // whatever it says
	}
	return 1, l.eof, l.status
}

func (l *liar) Splice(_ *vfs.Cred, _ vfs.Handle, r *vfs.SpliceArgs, a *vfs.Attr) (int, bool, vfs.Status) {
	*a = l.attr
	return l.n, l.eof, l.status
}

// liarFS has one View.
type liarFS struct {
	vfs.FS
	l *liar
}

func (f *liarFS) View(*vfs.Thread) (vfs.View, error) { return f.l, nil }

// good returns a liar that tells the truth until the test changes its answers.
func good() *liar {
	h, _ := vfs.MakeHandle([]byte{1})
	return &liar{
		attr:    vfs.Attr{Mask: vfs.AttrBasic, Type: vfs.TypeReg, Mode: 0o644},
		handle:  h,
		n:       10,
		reached: vfs.FileSync,
		got:     vfs.MayRead,
	}
}

func TestEachBreachIsAServerFaultAndReported(t *testing.T) {
	buf := make([]byte, 10)
	var a vfs.Attr
	var e vfs.Entry
	var w vfs.WCC
	read := func(v vfs.View) vfs.Status {
		_, _, s := v.Read(nil, vfs.Handle{}, &vfs.ReadArgs{Off: 0, Dst: buf}, &a)
		return s
	}
	write := func(v vfs.View) vfs.Status {
		_, _, _, s := v.Write(
			nil,
			vfs.Handle{},
			&vfs.WriteArgs{Off: 0, Src: [][]byte{buf}, How: vfs.DataSync},
			&w,
		)
		return s
	}
	link := func(v vfs.View) vfs.Status { _, s := v.ReadLink(nil, vfs.Handle{}, buf, &a); return s }
	list := func(v vfs.View) vfs.Status {
		taken := 0
		_, _, s := v.ReadDir(
			nil,
			vfs.Handle{},
			&vfs.ReadDirArgs{
				Cookie: 5,
				Verf:   1,
				Want:   vfs.EntryHandle | vfs.EntryAttr,
				Yield:  func(*vfs.DirEntry) bool { taken++; return taken < 2 },
			},
			&a,
		)
		return s
	}
	splice := func(v vfs.View) vfs.Status {
		_, _, s := v.Abilities().Splice.Splice(nil, vfs.Handle{}, &vfs.SpliceArgs{Off: 0, N: 10, To: nil}, &a)
		return s
	}
	getattr := func(v vfs.View) vfs.Status { return v.GetAttr(vfs.Handle{}, &a) }
	access := func(v vfs.View) vfs.Status { _, s := v.Access(nil, vfs.Handle{}, vfs.MayRead, &a); return s }
	entry := func(name string, cookie uint64) vfs.DirEntry { return vfs.DirEntry{Name: []byte(name), Cookie: cookie} }
	for name, x := range map[string]struct {
		lie    func(*liar)
		call   func(vfs.View) vfs.Status
		method string
	}{
		"Read of too much":            {func(l *liar) { l.n = 11 }, read, "Read"},
		"Read of less than nothing":   {func(l *liar) { l.n = -1 }, read, "Read"},
		"Read that does not end":      {func(l *liar) { l.n = 0 }, read, "Read"},
		"Write of too much":           {func(l *liar) { l.n = 11 }, write, "Write"},
		"Write of less than nothing":  {func(l *liar) { l.n = -1 }, write, "Write"},
		"Write of nothing":            {func(l *liar) { l.n = 0 }, write, "Write"},
		"Write that is not safe":      {func(l *liar) { l.reached = vfs.Unstable }, write, "Write"},
		"Write that is what?":         {func(l *liar) { l.reached = 3 }, write, "Write"},
		"ReadLink of too much":        {func(l *liar) { l.n = 11 }, link, "ReadLink"},
		"ReadLink of less":            {func(l *liar) { l.n = -1 }, link, "ReadLink"},
		"Splice of too much":          {func(l *liar) { l.n = 11 }, splice, "Splice"},
		"Splice of less":              {func(l *liar) { l.n = -1 }, splice, "Splice"},
		"Again on a worker":           {func(l *liar) { l.status = vfs.Again }, read, "Read"},
		"an unknown status":           {func(l *liar) { l.status = vfs.NumStatus }, getattr, "GetAttr"},
		"the last status":             {func(l *liar) { l.status = 255 }, write, "Write"},
		"GetAttr of nothing":          {func(l *liar) { l.attr.Type = 0 }, getattr, "GetAttr"},
		"GetAttr of an unknown type":  {func(l *liar) { l.attr.Type = 8 }, getattr, "GetAttr"},
		"GetAttr with a type in mode": {func(l *liar) { l.attr.Mode = 0o100644 }, getattr, "GetAttr"},
		"GetAttr of no time":          {func(l *liar) { l.attr.Mtime.Nsec = 1e9 }, getattr, "GetAttr"},
		"Access to more":              {func(l *liar) { l.got = vfs.MayRead | vfs.MayWrite }, access, "Access"},
		"Lookup without a handle":     {func(l *liar) { l.handle = vfs.Handle{} }, func(v vfs.View) vfs.Status { return v.Lookup(nil, vfs.Handle{}, nil, &vfs.Found{Entry: &e, Dir: &a}) }, "Lookup"},
		"Mkdir without a handle": {func(l *liar) { l.handle = vfs.Handle{} }, func(v vfs.View) vfs.Status {
			return v.Mkdir(nil, vfs.Handle{}, &vfs.MkdirArgs{Name: nil, Set: nil},
				&vfs.Made{Entry: &e, Dir: &w})
		}, "Mkdir"},
		"Walk without a handle":        {func(l *liar) { l.handle = vfs.Handle{} }, func(v vfs.View) vfs.Status { return v.Walk(nil, "", &e) }, "Walk"},
		"ReadDir that goes on":         {func(l *liar) { l.entries = []vfs.DirEntry{entry("a", 6), entry("b", 7), entry("c", 8)} }, list, "ReadDir"},
		"ReadDir without progress":     {func(l *liar) { l.entries = []vfs.DirEntry{entry("a", 5)} }, list, "ReadDir"},
		"ReadDir of no entries":        {func(*liar) {}, list, "ReadDir"},
		"ReadDir of a cookie 0":        {func(l *liar) { l.entries = []vfs.DirEntry{entry("a", 0)} }, list, "ReadDir"},
		"ReadDir of a path":            {func(l *liar) { l.entries = []vfs.DirEntry{entry("a/b", 6)} }, list, "ReadDir"},
		"ReadDir of a NUL":             {func(l *liar) { l.entries = []vfs.DirEntry{entry("a\x00", 6)} }, list, "ReadDir"},
		"ReadDir of no name":           {func(l *liar) { l.entries = []vfs.DirEntry{entry("", 6)} }, list, "ReadDir"},
		"ReadDir of a name too long":   {func(l *liar) { l.entries = []vfs.DirEntry{entry(strings.Repeat("n", 256), 6)} }, list, "ReadDir"},
		"ReadDir with the same cookie": {func(l *liar) { l.entries = []vfs.DirEntry{entry("a", 6), entry("b", 6)} }, list, "ReadDir"},
	} {
		t.Run(name, func(t *testing.T) {
			a, w, e = vfs.Attr{}, vfs.WCC{}, vfs.Entry{Handle: good().handle} // of another call
			l := good()
			x.lie(l)
			var reports []string
			v, err := checkfs.Wrap(
				&liarFS{l: l},
				func(method, breach string) { reports = append(reports, fmt.Sprintf("%s %s", method, breach)) },
			).View(
				&vfs.Thread{MayWait: true},
			)
			require.NoError(t, err)
			require.Equal(t, vfs.ServerFault, x.call(v))
			require.Len(t, reports, 1)
			require.True(t, strings.HasPrefix(reports[0], x.method+" "), reports)
			v.Close()
		})
	}
}

func TestAttributesThatCannotBeAreLeftOutOfWhatHasHappened(t *testing.T) {
	l := good()
	l.attr.Mode = 0o40755
	reports := 0
	v, err := checkfs.Wrap(&liarFS{l: l}, func(string, string) { reports++ }).View(&vfs.Thread{})
	require.NoError(t, err)
	var w vfs.WCC
	n, _, _, s := v.Write(
		nil,
		vfs.Handle{},
		&vfs.WriteArgs{Off: 0, Src: [][]byte{make([]byte, 10)}, How: vfs.Unstable},
		&w,
	)
	require.Equal(t, vfs.OK, s, "it is written")
	require.Equal(t, 10, n)
	require.False(t, w.After.Filled())
	var e vfs.Entry
	var d vfs.Attr
	require.Equal(t, vfs.OK, v.Lookup(nil, vfs.Handle{}, nil, &vfs.Found{Entry: &e, Dir: &d}))
	require.False(t, e.Attr.Filled())
	h := l.handle
	l.entries = []vfs.DirEntry{
		{Name: []byte("a"), Cookie: 1, HasEntry: true, Entry: vfs.Entry{Handle: h, Attr: l.attr}},
		{Name: []byte("b"), Cookie: 2, HasEntry: true},
	}
	l.eof = true
	var seen []vfs.DirEntry
	_, eof, s := v.ReadDir(
		nil,
		vfs.Handle{},
		&vfs.ReadDirArgs{
			Want:  vfs.EntryHandle | vfs.EntryAttr,
			Yield: func(x *vfs.DirEntry) bool { seen = append(seen, *x); return true },
		},
		&d,
	)
	require.Equal(t, vfs.OK, s)
	require.True(t, eof)
	require.Len(t, seen, 2)
	require.True(t, seen[0].HasEntry)
	require.False(t, seen[0].Entry.Attr.Filled())
	require.False(t, seen[1].HasEntry)
	require.True(t, l.entries[0].Entry.Attr.Filled(), "what is the back end's stays as it is")
	require.Equal(t, 4, reports)
	v.Close()
}

func TestAgainOnALaneIsPassedOn(t *testing.T) {
	l := good()
	l.status = vfs.Again
	v, err := checkfs.Wrap(&liarFS{l: l}, func(string, string) { t.Error("reported") }).View(&vfs.Thread{})
	require.NoError(t, err)
	var a vfs.Attr
	require.Equal(t, vfs.Again, v.GetAttr(vfs.Handle{}, &a))
	_, _, s := v.ReadDir(
		nil,
		vfs.Handle{},
		&vfs.ReadDirArgs{Yield: func(*vfs.DirEntry) bool { return true }},
		&a,
	)
	require.Equal(t, vfs.Again, s)
	v.Close()
}

func TestCheckingAllocatesNothing(t *testing.T) {
	l := good()
	l.entries = []vfs.DirEntry{{Name: []byte("a"), Cookie: 1}}
	l.eof = true
	v, err := checkfs.Wrap(&liarFS{l: l}, func(string, string) { t.Error("reported") }).View(&vfs.Thread{})
	require.NoError(t, err)
	buf, src := make([]byte, 10), [][]byte{make([]byte, 10)}
	var a vfs.Attr
	var w vfs.WCC
	read, write := &vfs.ReadArgs{Dst: buf}, &vfs.WriteArgs{Src: src} // a front end keeps them, too
	list := &vfs.ReadDirArgs{Yield: func(*vfs.DirEntry) bool { return true }}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		v.GetAttr(vfs.Handle{}, &a)
		v.Read(nil, vfs.Handle{}, read, &a)
		v.Write(nil, vfs.Handle{}, write, &w)
		v.ReadDir(nil, vfs.Handle{}, list, &a)
	}))
	v.Close()
}

func (l *liar) Statfs(*vfs.Cred, vfs.Handle, *vfs.Statfs) vfs.Status { return vfs.OK }

func (l *liar) PathConf(vfs.Handle, *vfs.Limits) vfs.Status { return vfs.OK }

func TestWhatIsNotFilledIsNotOfTheCallBefore(t *testing.T) {
	v, err := checkfs.Wrap(
		&liarFS{l: good()},
		func(string, string) { t.Error("reported") },
	).View(
		&vfs.Thread{},
	)
	require.NoError(t, err)
	defer v.Close()
	st, l := vfs.Statfs{TotalBytes: 1}, vfs.Limits{NameMax: 255}
	require.Equal(t, vfs.OK, v.Statfs(nil, vfs.Handle{}, &st))
	require.Equal(t, vfs.OK, v.PathConf(vfs.Handle{}, &l))
	require.Zero(t, st)
	require.Zero(t, l)
}
