package vfstest

import (
	"fmt"
	"math/rand/v2"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

var createTests = []testCase{
	{"CREATE applies exactly the given attributes", createAttributes},
	{"CREATE UNCHECKED finds an existing file and applies only the size", createUnchecked},
	{"CREATE GUARDED refuses whatever is there", createGuarded},
	{"CREATE EXCLUSIVE succeeds again with the same verifier only", createExclusive},
	{"CREATE EXCLUSIVE gives a new file its mode, and none to one that it finds", createExclusiveMode},
	{"CREATE EXCLUSIVE tells verifiers apart that differ in one bit", createExclusiveBits},
	{"CREATE EXCLUSIVE refuses what another CREATE made", createExclusiveForeign},
	{"CREATE does not replace other objects", createOverOthers},
	{"CREATE in what is no directory", createInFile},
	{"of many GUARDED creates of one name one succeeds", createRace},
}

func (t *T) tryCreate(
	name string,
	how vfs.CreateHow,
	set *vfs.SetAttr,
	verf uint64,
) (vfs.Handle, vfs.Status) {
	t.Helper()
	check := t.watch(t.Root)
	var e vfs.Entry
	var w vfs.WCC
	s := t.V.Create(
		t.C,
		t.Root,
		&vfs.CreateArgs{Name: []byte(name), How: how, Set: set, Verf: verf},
		&vfs.Made{Entry: &e, Dir: &w},
	)
	check(&w)
	if s == vfs.OK {
		t.entry(t.Root, name, &e)
	}
	return e.Handle, s
}

func createAttributes(t *T) {
	at, mt := vfs.Time{Sec: 1_111_111_111}, vfs.Time{Sec: 1_222_222_222}
	for i, how := range []vfs.CreateHow{vfs.Unchecked, vfs.Guarded} {
		for j, m := range []uint32{0, 0o666, 0o777, 0o4755, 0o2711, 0o1644, 0o7777} {
			h, s := t.tryCreate(fmt.Sprintf("f%d-%d", i, j), how, &vfs.SetAttr{
				HasMode: true, Mode: m, HasSize: true, Size: 123,
				AtimeHow: vfs.TimeClient, Atime: at, MtimeHow: vfs.TimeClient, Mtime: mt,
			}, 0)
			require.Equal(t, vfs.OK, s)
			a := t.attr(h)
			require.Equal(t, m, a.Mode, "no umask applies")
			require.EqualValues(t, 123, a.Size)
			require.Equal(t, at, a.Atime)
			require.Equal(t, mt, a.Mtime)
			require.Equal(t, make([]byte, 123), t.read(h, 0, 200))
		}
	}
}

func createUnchecked(t *T) {
	first, s := t.tryCreate("f", vfs.Unchecked, mode(0o640), 0)
	require.Equal(t, vfs.OK, s)
	t.write(first, 0, []byte("content"))
	again, s := t.tryCreate("f", vfs.Unchecked, mode(0o777), 0)
	require.Equal(t, vfs.OK, s)
	require.Equal(t, first, again)
	require.EqualValues(t, 0o640, t.attr(first).Mode, "the mode is not applied")
	require.Equal(t, []byte("content"), t.read(first, 0, 100), "without a size the content stays")

	for _, size := range []uint64{3, 6, 0} {
		again, s = t.tryCreate(
			"f",
			vfs.Unchecked,
			&vfs.SetAttr{HasMode: true, Mode: 0o777, HasSize: true, Size: size, MtimeHow: vfs.TimeClient},
			0,
		)
		require.Equal(t, vfs.OK, s)
		require.Equal(t, first, again)
		a := t.attr(first)
		require.Equal(t, size, a.Size)
		require.EqualValues(t, 0o640, a.Mode)
		require.NotZero(t, a.Mtime.Sec)
	}
}

func createGuarded(t *T) {
	t.others()
	t.create(t.Root, "file", 0o644)
	for _, name := range []string{"file", "other-dir", "other-link", "other-fifo", "other-sock"} {
		before := t.attr(t.lookup(t.Root, name))
		_, s := t.tryCreate(name, vfs.Guarded, &vfs.SetAttr{HasMode: true, HasSize: true}, 0)
		require.Equal(t, vfs.Exist, s, name)
		require.Equal(t, stable(before), stable(t.attr(t.lookup(t.Root, name))), name)
	}
}

var someVerifiers = []uint64{
	0,
	1,
	1 << 31,
	1 << 32,
	1 << 63,
	1<<64 - 1,
	0xdeadbeef_cafebabe,
	0x7fffffff_ffffffff,
	0x80000000_80000000,
}

func createExclusive(t *T) {
	for i, verf := range someVerifiers {
		name := fmt.Sprintf("f%d", i)
		h, s := t.tryCreate(name, vfs.Exclusive, nil, verf)
		require.Equal(t, vfs.OK, s, "verifier %#x", verf)
		require.Equal(t, vfs.TypeReg, t.attr(h).Type)
		require.Zero(t, t.attr(h).Size)
		for range 2 {
			again, s := t.tryCreate(name, vfs.Exclusive, nil, verf)
			require.Equal(t, vfs.OK, s, "verifier %#x again", verf)
			require.Equal(t, h, again)
		}
		for _, other := range someVerifiers {
			if other != verf {
				_, s := t.tryCreate(name, vfs.Exclusive, &vfs.SetAttr{}, other)
				require.Equal(t, vfs.Exist, s, "verifier %#x after %#x", other, verf)
			}
		}
		_, s = t.tryCreate(name, vfs.Exclusive, nil, verf)
		require.Equal(t, vfs.OK, s, "a refused verifier does not replace the first")

		// A client next does this; then the file is like any other.
		t.set(h, &vfs.SetAttr{HasMode: true, Mode: 0o644, AtimeHow: vfs.TimeServer, MtimeHow: vfs.TimeServer})
		t.write(h, 0, []byte("data"))
		require.EqualValues(t, 0o644, t.attr(h).Mode)
		require.Equal(t, []byte("data"), t.read(h, 0, 10))
		_, s = t.tryCreate(name, vfs.Guarded, &vfs.SetAttr{}, verf)
		require.Equal(t, vfs.Exist, s)
	}
}

func createExclusiveMode(t *T) {
	make := func(m uint32) vfs.Handle {
		var e vfs.Entry
		s := t.V.Create(t.C, t.Root, &vfs.CreateArgs{Name: []byte("f"), How: vfs.Exclusive, Verf: 7, Mode: m},
			&vfs.Made{Entry: &e, Dir: new(vfs.WCC)})
		require.Equal(t, vfs.OK, s)
		return e.Handle
	}
	require.EqualValues(t, 0o751, t.attr(make(0o6751)).Mode)
	require.EqualValues(t, 0o751, t.attr(make(0o600)).Mode)
}

func createExclusiveBits(t *T) {
	verf := rand.Uint64()
	t.Logf("verifier %#x", verf)
	_, s := t.tryCreate("f", vfs.Exclusive, &vfs.SetAttr{}, verf)
	require.Equal(t, vfs.OK, s)
	for bit := range 64 {
		_, s := t.tryCreate("f", vfs.Exclusive, &vfs.SetAttr{}, verf^1<<bit)
		require.Equal(t, vfs.Exist, s, "bit %d", bit)
	}
	_, s = t.tryCreate("f", vfs.Exclusive, &vfs.SetAttr{}, verf)
	require.Equal(t, vfs.OK, s)
}

func createExclusiveForeign(t *T) {
	t.create(t.Root, "guarded", 0o644)
	_, s := t.tryCreate(
		"unchecked",
		vfs.Unchecked,
		&vfs.SetAttr{HasMode: true, Mode: 0o644, MtimeHow: vfs.TimeClient, AtimeHow: vfs.TimeClient},
		0,
	)
	require.Equal(t, vfs.OK, s)
	for _, verf := range someVerifiers {
		for _, name := range []string{"guarded", "unchecked"} {
			_, s := t.tryCreate(name, vfs.Exclusive, nil, verf)
			require.Equal(t, vfs.Exist, s, "%s with verifier %#x", name, verf)
		}
	}
}

func createOverOthers(t *T) {
	t.others()
	for _, name := range []string{"other-dir", "other-link", "other-fifo", "other-sock"} {
		for _, how := range []vfs.CreateHow{vfs.Unchecked, vfs.Exclusive} {
			before := t.attr(t.lookup(t.Root, name))
			_, s := t.tryCreate(name, how, &vfs.SetAttr{HasSize: how == vfs.Unchecked}, 7)
			t.refused(s, "CREATE over "+name, vfs.Exist, vfs.IsDir, vfs.Inval, vfs.Loop, vfs.NXIO)
			if how == vfs.Exclusive {
				require.Equal(t, vfs.Exist, s, name)
			}
			require.Equal(t, stable(before), stable(t.attr(t.lookup(t.Root, name))), name)
		}
	}
	// A link to a file is an object of its own: its target must not be reached.
	f := t.create(t.Root, "target", 0o644)
	t.write(f, 0, []byte("content"))
	t.symlink(t.Root, "to-target", "target")
	_, s := t.tryCreate("to-target", vfs.Unchecked, &vfs.SetAttr{HasSize: true}, 0)
	require.NotEqual(t, vfs.OK, s)
	require.Equal(t, []byte("content"), t.read(f, 0, 10))
	t.symlink(t.Root, "dangling", "nowhere")
	_, s = t.tryCreate("dangling", vfs.Unchecked, mode(0o644), 0)
	require.NotEqual(t, vfs.OK, s)
	t.absent(t.Root, "nowhere")
}

func createInFile(t *T) {
	f := t.create(t.Root, "f", 0o644)
	l := t.symlink(t.Root, "l", ".")
	for name, h := range map[string]vfs.Handle{"file": f, "link": l} {
		var e vfs.Entry
		var w vfs.WCC
		var a vfs.Attr
		n := []byte("x")
		for how := vfs.Unchecked; how <= vfs.Exclusive; how++ {
			require.Equal(
				t,
				vfs.NotDir,
				t.V.Create(
					t.C,
					h,
					&vfs.CreateArgs{Name: n, How: how, Set: mode(0o644)},
					&vfs.Made{Entry: &e, Dir: &w},
				),
				"Create in a %s",
				name,
			)
		}
		require.Equal(
			t,
			vfs.NotDir,
			t.V.Mkdir(t.C, h, &vfs.MkdirArgs{Name: n, Set: mode(0o755)}, &vfs.Made{Entry: &e, Dir: &w}),
			"Mkdir in a %s",
			name,
		)
		require.Equal(
			t,
			vfs.NotDir,
			t.V.Symlink(
				t.C,
				h,
				&vfs.SymlinkArgs{Name: n, Target: n, Set: &vfs.SetAttr{}},
				&vfs.Made{Entry: &e, Dir: &w},
			),
			"Symlink in a %s",
			name,
		)
		require.Equal(
			t,
			vfs.NotDir,
			t.V.Mknod(
				t.C,
				h,
				&vfs.MknodArgs{Name: n, Type: vfs.TypeFifo, Set: mode(0o644)},
				&vfs.Made{Entry: &e, Dir: &w},
			),
			"Mknod in a %s",
			name,
		)
		require.Equal(t, vfs.NotDir, t.V.Remove(t.C, h, n, &w), "Remove in a %s", name)
		require.Equal(t, vfs.NotDir, t.V.Rmdir(t.C, h, n, &w), "Rmdir in a %s", name)
		require.Equal(
			t,
			vfs.NotDir,
			t.V.Lookup(t.C, h, n, &vfs.Found{Entry: &e, Dir: &a}),
			"Lookup in a %s",
			name,
		)
		require.Equal(
			t,
			vfs.NotDir,
			t.V.Link(t.C, &vfs.LinkArgs{Object: f, Dir: h, Name: n}, &a, &w),
			"Link in a %s",
			name,
		)
	}
}

func createRace(t *T) {
	const peers, names = 4, 10
	type result struct{ won [names]bool }
	results := make([]result, peers)
	var waits []<-chan error
	for i := range peers {
		waits = append(waits, t.peer(func(v vfs.View, th *vfs.Thread) error {
			c := th.Creds.Intern(t.Env.UID, t.Env.GID, t.Env.Groups)
			for n := range names {
				var e vfs.Entry
				var w vfs.WCC
				switch s := v.Create(c, t.Root, &vfs.CreateArgs{Name: fmt.Appendf(nil, "f%d", n), How: vfs.Guarded, Set: mode(0o644)}, &vfs.Made{Entry: &e, Dir: &w}); s {
				case vfs.OK:
					results[i].won[n] = true
				case vfs.Exist:
				default:
					return fmt.Errorf("create of f%d: %v", n, s)
				}
			}
			return nil
		}))
	}
	for _, w := range waits {
		require.NoError(t, <-w)
	}
	for n := range names {
		winners := 0
		for i := range results {
			if results[i].won[n] {
				winners++
			}
		}
		require.Equal(t, 1, winners, "creators of f%d", n)
	}
}
