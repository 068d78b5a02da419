package faultfs_test

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/faultfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/vfstest"
)

// conformance runs the suite on memfs with rules that must not be noticed.
func conformance(t *testing.T, rules ...faultfs.Rule) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	vfstest.Run(t, func(t *testing.T) *vfstest.Env {
		in := memfs.New(memfs.Config{})
		wrap := func() *faultfs.FS {
			f := faultfs.Wrap(in, seed)
			for _, r := range rules {
				f.Add(r)
			}
			return f
		}
		f := wrap()
		t.Cleanup(func() { _ = f.Close() })
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

func TestWithoutRulesNothingChanges(t *testing.T) {
	again.Skip(t)
	conformance(t)
}

func TestAgainOnLanesIsNotNoticed(t *testing.T) {
	again.Long(t)
	again.Skip(t)
	t.Setenv("VFSTEST_ENTRIES", "2000")
	t.Run("always", func(t *testing.T) { conformance(t, faultfs.Rule{Status: vfs.Again}) })
	t.Run("by chance", func(t *testing.T) { conformance(t, faultfs.Rule{Status: vfs.Again, OneIn: 2}) })
}

func TestShortWrites(t *testing.T) {
	f := faultfs.Wrap(memfs.New(memfs.Config{}), 1)
	short := f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Write}, Short: 3})
	v, c, h := openFile(t, f, true)
	var w vfs.WCC
	n, _, _, s := v.Write(
		c,
		h,
		&vfs.WriteArgs{Off: 6, Src: [][]byte{[]byte("ab"), []byte("cd"), []byte("ef")}, How: vfs.Unstable},
		&w,
	)
	require.Equal(t, vfs.OK, s)
	require.Equal(t, 3, n)
	require.EqualValues(t, 9, w.After.Size)
	require.Equal(t, 1, short.Hits())
}

// openFile makes a View and a file of six bytes in it.
func openFile(t *testing.T, f *faultfs.FS, mayWait bool) (vfs.View, *vfs.Cred, vfs.Handle) {
	t.Helper()
	th := &vfs.Thread{MayWait: mayWait}
	v, err := f.View(th)
	require.NoError(t, err)
	t.Cleanup(func() {
		v.Close()
		_ = f.Close()
	})
	c := th.Creds.Intern(0, 0, nil)
	var e vfs.Entry
	var w vfs.WCC
	s := v.Create(
		c,
		f.Root(),
		&vfs.CreateArgs{
			Name: []byte("file"),
			How:  vfs.Guarded,
			Set:  &vfs.SetAttr{HasMode: true, Mode: 0o644, HasSize: true, Size: 6},
		},
		&vfs.Made{Entry: &e, Dir: &w},
	)
	require.Equal(t, vfs.OK, s)
	return v, c, e.Handle
}

// methods are the operations that vfs.View and its abilities have.
func methods() map[string]reflect.Method {
	all := map[string]reflect.Method{}
	view := reflect.TypeFor[vfs.View]()
	for i := range view.NumMethod() {
		if m := view.Method(i); m.Name != "Close" && m.Name != "Abilities" {
			all[m.Name] = m
		}
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[vfs.Abilities]()) {
		for i := range f.Type.NumMethod() {
			m := f.Type.Method(i)
			if n := m.Type.NumOut(); n > 0 && m.Type.Out(n-1) == reflect.TypeFor[vfs.Status]() {
				all[m.Name] = m // others cannot fail
			}
		}
	}
	return all
}

func TestEveryOperationIsInTheTable(t *testing.T) {
	all := methods()
	require.Len(t, all, int(faultfs.NumOp)-1)
	for op := range faultfs.NumOp {
		if op != faultfs.Pay {
			require.Contains(t, all, op.String())
		}
	}
	require.Equal(t, "unknown operation", faultfs.NumOp.String())
	require.NotContains(t, faultfs.Changing(), faultfs.Read)
	require.Contains(t, faultfs.Changing(), faultfs.Rename)
}

func TestEveryAbilityHasFaults(t *testing.T) {
	vfstest.Decorator(t, func(in vfs.FS) vfs.FS { return faultfs.Wrap(in, 1) })
}

// method finds a method of v or of one of its abilities.
func method(v vfs.View, name string) reflect.Value {
	if m := reflect.ValueOf(v).MethodByName(name); m.IsValid() {
		return m
	}
	able := reflect.ValueOf(v.Abilities()).Elem()
	for i := range able.NumField() {
		if m := able.Field(i).MethodByName(name); m.IsValid() {
			return m
		}
	}
	panic("nothing has a method " + name)
}

// invoke calls a method of v with arguments that are valid as far as types go,
// and returns its status.
func invoke(v vfs.View, name string, c *vfs.Cred, h vfs.Handle) vfs.Status {
	m := method(v, name)
	var args []reflect.Value
	for i := range m.Type().NumIn() {
		args = append(args, argument(m.Type().In(i), c, h))
	}
	out := m.Call(args)
	return out[len(out)-1].Interface().(vfs.Status)
}

// argument makes one argument, with everything that it points to.
func argument(in reflect.Type, c *vfs.Cred, h vfs.Handle) reflect.Value {
	switch {
	case in == reflect.TypeFor[*vfs.Cred]():
		return reflect.ValueOf(c)
	case in == reflect.TypeFor[vfs.Handle]():
		return reflect.ValueOf(h)
	case in == reflect.TypeFor[[]byte]():
		return reflect.ValueOf([]byte("new"))
	case in == reflect.TypeFor[*vfs.Time](): // a guard
		return reflect.Zero(in)
	case in.Kind() == reflect.Func && in != reflect.TypeFor[func(*vfs.DirEntry) bool]():
		return reflect.Zero(in) // who is asked does nothing
	case in.Kind() == reflect.Func:
		return reflect.ValueOf(func(*vfs.DirEntry) bool { return true })
	case in.Kind() == reflect.Pointer:
		to := reflect.New(in.Elem())
		if to.Elem().Kind() == reflect.Struct {
			for i := range to.Elem().NumField() {
				if f := to.Elem().Field(i); f.CanSet() {
					f.Set(argument(f.Type(), c, h))
				}
			}
		}
		return to
	default:
		return reflect.Zero(in)
	}
}

func TestEveryOperationCanBeMadeToFail(t *testing.T) {
	for name := range methods() {
		for _, mayWait := range []bool{false, true} {
			for s := vfs.OK + 1; s < vfs.NumStatus; s++ {
				if s == vfs.Again && mayWait {
					continue
				}
				in := faultfs.Wrap(vfstest.Able(memfs.New(memfs.Config{}), vfstest.All()), 1)
				f := faultfs.Wrap(in, 1)
				v, c, _ := openFile(t, f, mayWait)
				in.Record()
				f.Record()
				fault := f.Add(faultfs.Rule{Status: s})
				require.Equal(t, s, invoke(v, name, c, f.Root()), name)
				require.Equal(t, 1, fault.Hits(), name)
				require.Len(t, f.Calls(), 1, name)
				require.Equal(t, name, f.Calls()[0].Op.String())
				require.Equal(t, s, f.Calls()[0].Status)
				require.Equal(t, mayWait, f.Calls()[0].MayWait)
				for _, call := range in.Calls() {
					require.Equal(t, faultfs.GetAttr, call.Op, "%s reached the wrapped file system", name)
				}
			}
		}
	}
}

func TestWhatChangesOweCanBeMadeToFail(t *testing.T) {
	for name := range methods() {
		op := faultfs.GetAttr
		for op.String() != name {
			op++
		}
		f := faultfs.Wrap(vfstest.Able(memfs.New(memfs.Config{}), vfstest.All()), 1)
		th := &vfs.Thread{MayWait: true}
		v, err := f.View(th)
		require.NoError(t, err)
		f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Pay}, Status: vfs.IO})
		verf := f.Verifier()
		th.Debts.Open()
		s := invoke(v, name, th.Creds.Intern(0, 0, nil), f.Root())
		n := th.Debts.Close()
		if s != vfs.OK {
			require.Zero(t, n, name)
		} else if n != 0 {
			require.Contains(t, faultfs.Changing(), op)
			require.Equal(t, vfs.IO, th.Debts.Pay(n), name)
			require.NotEqual(t, verf, f.Verifier(), "what was not flushed may be lost")
		}
		v.Close()
		require.NoError(t, f.Close())
	}
}

func TestRulesChooseByOperationNameThreadAndCount(t *testing.T) {
	f := faultfs.Wrap(memfs.New(memfs.Config{}), 1)
	v, c, _ := openFile(t, f, true)
	var e vfs.Entry
	var d vfs.Attr
	look := func(name string) vfs.Status {
		return v.Lookup(c, f.Root(), []byte(name), &vfs.Found{Entry: &e, Dir: &d})
	}

	f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Lookup}, Name: "absent", Status: vfs.IO})
	require.Equal(t, vfs.IO, look("absent"))
	require.Equal(t, vfs.OK, look("file"))
	f.Clear()
	require.Equal(t, vfs.NoEnt, look("absent"))

	third := f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Lookup}, Skip: 2, Count: 1, Status: vfs.Delay})
	for _, want := range []vfs.Status{vfs.OK, vfs.OK, vfs.Delay, vfs.OK} {
		require.Equal(t, want, look("file"))
	}
	require.Equal(t, 1, third.Hits())
	third.Remove()

	for _, r := range []faultfs.Rule{{Threads: faultfs.LaneOnly, Status: vfs.IO}, {Status: vfs.Again}, {Ops: []faultfs.Op{faultfs.Read}, Status: vfs.IO}} {
		x := f.Add(r)
		require.Equal(t, vfs.OK, look("file"))
		x.Remove()
	}
	f.Add(faultfs.Rule{Threads: faultfs.WorkerOnly, Status: vfs.ROFS})
	require.Equal(t, vfs.ROFS, look("file"))
	f.Clear()

	chance := f.Add(faultfs.Rule{OneIn: 4, Status: vfs.Delay})
	for range 400 {
		look("file")
	}
	require.Greater(t, chance.Hits(), 40)
	require.Less(t, chance.Hits(), 200)
	require.Equal(t, 411, f.Count(faultfs.Lookup))
}

func TestTheSameSeedGivesTheSameFaults(t *testing.T) {
	hits := func(seed uint64) (got []vfs.Status) {
		f := faultfs.Wrap(memfs.New(memfs.Config{}), seed)
		v, _, h := openFile(t, f, true)
		f.Add(faultfs.Rule{OneIn: 3, Status: vfs.IO})
		var a vfs.Attr
		for range 64 {
			got = append(got, v.GetAttr(h, &a))
		}
		return got
	}
	require.Equal(t, hits(7), hits(7))
	require.NotEqual(t, hits(7), hits(8))
}

func TestFailuresComeWithAttributes(t *testing.T) {
	f := faultfs.Wrap(memfs.New(memfs.Config{}), 1)
	v, c, h := openFile(t, f, true)
	f.Add(faultfs.Rule{Status: vfs.NoSpc})
	var a vfs.Attr
	var e vfs.Entry
	var w, w2 vfs.WCC
	_, _, _, s := v.Write(c, h, &vfs.WriteArgs{Off: 0, Src: [][]byte{[]byte("x")}, How: vfs.Unstable}, &w)
	require.Equal(t, vfs.NoSpc, s)
	require.True(t, w.HasBefore && w.After.Filled())
	require.EqualValues(t, 6, w.Before.Size)
	require.EqualValues(t, 6, w.After.Size)
	w = vfs.WCC{}
	require.Equal(
		t,
		vfs.NoSpc,
		v.Rename(
			c,
			&vfs.RenameArgs{From: f.Root(), FromName: []byte("a"), To: f.Root(), ToName: []byte("b")},
			&w,
			&w2,
		),
	)
	require.True(t, w.HasBefore && w2.After.Filled())
	require.Equal(t, vfs.NoSpc, v.Lookup(c, f.Root(), []byte("file"), &vfs.Found{Entry: &e, Dir: &a}))
	require.Equal(t, vfs.TypeDir, a.Type)
	_, _, s = v.Read(c, h, &vfs.ReadArgs{Off: 0, Dst: make([]byte, 9)}, &a)
	require.Equal(t, vfs.NoSpc, s)
	require.Equal(t, vfs.TypeReg, a.Type)
}

func TestAStatusAfterTheWorkIsDone(t *testing.T) {
	f := faultfs.Wrap(memfs.New(memfs.Config{}), 1)
	v, c, _ := openFile(t, f, true)
	x := f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Mkdir}, Status: vfs.IO, AfterDone: true})
	var e vfs.Entry
	var w vfs.WCC
	require.Equal(
		t,
		vfs.IO,
		v.Mkdir(
			c,
			f.Root(),
			&vfs.MkdirArgs{Name: []byte("d"), Set: &vfs.SetAttr{}},
			&vfs.Made{Entry: &e, Dir: &w},
		),
	)
	x.Remove()
	require.Equal(
		t,
		vfs.Exist,
		v.Mkdir(
			c,
			f.Root(),
			&vfs.MkdirArgs{Name: []byte("d"), Set: &vfs.SetAttr{}},
			&vfs.Made{Entry: &e, Dir: &w},
		),
	)
}

func TestShortReads(t *testing.T) {
	f := faultfs.Wrap(memfs.New(memfs.Config{}), 1)
	v, c, h := openFile(t, f, true)
	f.Add(faultfs.Rule{Short: 4})
	var a vfs.Attr
	n, eof, s := v.Read(c, h, &vfs.ReadArgs{Off: 0, Dst: make([]byte, 100)}, &a)
	require.Equal(t, vfs.OK, s)
	require.Equal(t, 4, n)
	require.False(t, eof)
	n, eof, _ = v.Read(c, h, &vfs.ReadArgs{Off: 4, Dst: make([]byte, 100)}, &a)
	require.Equal(t, 2, n)
	require.True(t, eof)
	require.Equal(t, vfs.OK, v.GetAttr(h, &a), "other operations pass")
}

func TestAFailedFlushChangesTheVerifier(t *testing.T) {
	for _, status := range []vfs.Status{vfs.IO, vfs.NoSpc, vfs.DQuot} {
		f := faultfs.Wrap(memfs.New(memfs.Config{}), 1)
		v, c, h := openFile(t, f, true)
		verf := f.Verifier()
		x := f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Commit}, Status: status, Count: 1})
		var w vfs.WCC
		_, s := v.Commit(c, h, &vfs.CommitArgs{Off: 0, Count: 0}, &w)
		require.Equal(t, status, s)
		require.True(t, w.HasBefore && w.After.Filled())
		require.Equal(t, 1, x.Hits())
		require.NotEqual(t, verf, f.Verifier())
		got, s := v.Commit(c, h, &vfs.CommitArgs{Off: 0, Count: 0}, &w)
		require.Equal(t, vfs.OK, s)
		require.Equal(t, f.Verifier(), got)
		_, _, got, s = v.Write(
			c,
			h,
			&vfs.WriteArgs{Off: 0, Src: [][]byte{[]byte("x")}, How: vfs.Unstable},
			&w,
		)
		require.Equal(t, vfs.OK, s)
		require.Equal(t, f.Verifier(), got)
	}
	f := faultfs.Wrap(memfs.New(memfs.Config{}), 1)
	v, c, h := openFile(t, f, true)
	verf := f.Verifier()
	f.Add(faultfs.Rule{Status: vfs.Access})
	var w vfs.WCC
	_, s := v.Commit(c, h, &vfs.CommitArgs{Off: 0, Count: 0}, &w)
	require.Equal(t, vfs.Access, s)
	require.Equal(t, verf, f.Verifier(), "a refusal loses nothing")
}

func TestTheVerifierIsTheOneAtTheBeginning(t *testing.T) {
	f := faultfs.Wrap(memfs.New(memfs.Config{}), 1)
	v, c, h := openFile(t, f, true)
	verf := f.Verifier()
	g := faultfs.NewGate()
	f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Write, faultfs.Commit}, Gate: g})
	type result struct {
		verf uint64
		s    vfs.Status
	}
	got := make(chan result)
	go func() {
		var w vfs.WCC
		_, _, verf, s := v.Write(
			c,
			h,
			&vfs.WriteArgs{Off: 0, Src: [][]byte{[]byte("x")}, How: vfs.Unstable},
			&w,
		)
		got <- result{verf, s}
	}()
	<-g.Entered()
	f.LoseData()
	require.False(t, g.IsOpen())
	g.Open()
	g.Open()
	require.Equal(t, result{verf, vfs.OK}, <-got)
	require.NotEqual(t, verf, f.Verifier())
	var w vfs.WCC
	now, s := v.Commit(c, h, &vfs.CommitArgs{Off: 0, Count: 0}, &w)
	require.Equal(t, vfs.OK, s)
	require.Equal(t, f.Verifier(), now, "an open gate holds nobody")
}

func TestAGateOnALaneIsAgain(t *testing.T) {
	f := faultfs.Wrap(memfs.New(memfs.Config{}), 1)
	v, _, h := openFile(t, f, false)
	g := faultfs.NewGate()
	f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.GetAttr}, Gate: g})
	var a vfs.Attr
	require.Equal(t, vfs.Again, v.GetAttr(h, &a))
	g.Open()
	require.Equal(t, vfs.OK, v.GetAttr(h, &a))
}

func TestViewsCanBeMadeToFail(t *testing.T) {
	f := faultfs.Wrap(memfs.New(memfs.Config{}), 1)
	broken := errors.New("broken")
	f.FailViews(broken)
	_, err := f.View(&vfs.Thread{})
	require.ErrorIs(t, err, broken)
	f.FailViews(nil)
	v, err := f.View(&vfs.Thread{})
	require.NoError(t, err)
	v.Close()
	require.NoError(t, f.Close())
}
