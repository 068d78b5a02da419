package vfstest

import (
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

var copyTests = []testCase{
	{"COPY copies as READ and WRITE would", copyBytes},
	{"COPY ends at the end of what is read", copyEnds},
	{"COPY within a file", copyWithin},
	{"COPY from another View of the thread", copyBetweenViews},
	{"COPY and CLONE are of files only and need their rights", copyNeedsRights},
	{"CLONE makes a range the same, holes included", cloneRange},
	{"CLONE of what is no range of blocks is refused", cloneRefuses},
}

func (t *T) copier() vfs.Copier {
	t.Helper()
	x := t.Worker.Abilities().Copy
	if x == nil {
		t.Skip("needs a back end that copies")
	}
	return x
}

// from is CopyArgs that read h.
func (t *T) from(h vfs.Handle, fromOff, off, n uint64) *vfs.CopyArgs {
	return &vfs.CopyArgs{From: t.copier(), FromCred: t.C, FromHandle: h, FromOff: fromOff, Off: off, Len: n}
}

// copyAll copies until all has been copied, and returns how much that was.
func (t *T) copyAll(to, from vfs.Handle, fromOff, off, n uint64) (done uint64) {
	t.Helper()
	for {
		w := poisonWCC
		r := t.from(from, fromOff+done, off+done, n)
		if n != 0 {
			r.Len = n - done
		}
		got, verf, s := t.copier().Copy(t.C, to, r, &w)
		require.Equal(t, vfs.OK, s)
		require.Equal(t, t.Env.FS.Verifier(), verf)
		require.True(t, w.HasBefore && w.After.Filled())
		done += got
		if got == 0 || done == n {
			return done
		}
	}
}

func copyBytes(t *T) {
	const size = 5<<20 + 77
	data := pattern(size, 1)
	a, b := t.create(t.Root, "a", 0o644), t.create(t.Root, "b", 0o644)
	t.write(a, 0, data)
	t.write(b, 0, pattern(100_000, 2))
	require.EqualValues(t, size-10, t.copyAll(b, a, 10, 33, size-10))
	want := append(pattern(100_000, 2)[:33], data[10:]...)
	t.alike(b, want)
	t.alike(a, data)
	require.EqualValues(t, 5, t.copyAll(b, a, 100, 3, 5))
	copy(want[3:], data[100:105])
	t.alike(b, want)
}

func copyEnds(t *T) {
	a, b := t.create(t.Root, "a", 0o644), t.create(t.Root, "b", 0o644)
	t.write(a, 0, []byte("0123456789"))
	require.EqualValues(t, 10, t.copyAll(b, a, 0, 0, 0))
	require.EqualValues(t, 3, t.copyAll(b, a, 7, 10, 100))
	t.alike(b, []byte("0123456789789"))
	for _, off := range []uint64{10, 11, 1 << 40, 1 << 63, 1<<64 - 1} {
		for _, n := range []uint64{0, 5} {
			require.Zero(t, t.copyAll(b, a, off, 0, n), "%d", off)
		}
	}
	for _, r := range []*vfs.CopyArgs{t.from(a, 0, 1<<63, 5), t.from(a, 0, 1<<63-1, 5), t.from(a, 0, 5, 1<<63)} {
		_, _, s := t.copier().Copy(t.C, b, r, new(vfs.WCC))
		t.refused(s, "COPY beyond the largest file", vfs.FBig, vfs.Inval)
	}
	t.alike(b, []byte("0123456789789"))
}

func copyWithin(t *T) {
	h := t.create(t.Root, "f", 0o644)
	t.write(h, 0, []byte("0123456789"))
	require.EqualValues(t, 5, t.copyAll(h, h, 0, 5, 5))
	t.alike(h, []byte("0123401234"))
	for _, r := range []*vfs.CopyArgs{t.from(h, 0, 4, 5), t.from(h, 4, 0, 5), t.from(h, 3, 3, 1), t.from(h, 0, 9, 0)} {
		_, _, s := t.copier().Copy(t.C, h, r, new(vfs.WCC))
		require.Equal(t, vfs.Inval, s, "%d to %d", r.FromOff, r.Off)
	}
	t.alike(h, []byte("0123401234"))
	// Also where what is copied at once does not overlap.
	t.set(h, &vfs.SetAttr{HasSize: true, Size: 200 << 20})
	_, _, s := t.copier().Copy(t.C, h, t.from(h, 0, 80<<20, 100<<20), new(vfs.WCC))
	require.Equal(t, vfs.Inval, s)
}

func copyBetweenViews(t *T) {
	a, b := t.create(t.Root, "a", 0o644), t.create(t.Root, "b", 0o644)
	t.write(a, 0, []byte("from there"))
	other, err := t.Env.FS.View(t.thread)
	require.NoError(t, err)
	defer other.Close()
	r := t.from(a, 0, 0, 0)
	r.From = other.Abilities().Copy
	n, _, s := t.copier().Copy(t.C, b, r, new(vfs.WCC))
	require.Equal(t, vfs.OK, s)
	require.EqualValues(t, 10, n)
	t.alike(b, []byte("from there"))
	for _, from := range []vfs.Copier{nil, stranger{}} {
		r.From = from
		_, _, s = t.copier().Copy(t.C, b, r, new(vfs.WCC))
		require.Equal(t, vfs.XDev, s)
		require.Equal(t, vfs.XDev, t.copier().Clone(t.C, b, r, new(vfs.WCC)))
	}
}

// stranger is a Copier of another kind of back end.
type stranger struct{ idle }

func (stranger) Lend(_ *vfs.Cred, _ vfs.Handle, use func(any, uint64) vfs.Status) vfs.Status {
	return use("what nobody knows", 10)
}

func copyNeedsRights(t *T) {
	x := t.copier()
	f := t.create(t.Root, "f", 0o666)
	t.write(f, 0, []byte("content"))
	for name, h := range t.others() {
		_, _, s := x.Copy(t.C, f, t.from(h, 0, 0, 1), new(vfs.WCC))
		t.refused(s, "COPY from a "+name, noFile...)
		_, _, s = x.Copy(t.C, h, t.from(f, 0, 0, 1), new(vfs.WCC))
		t.refused(s, "COPY to a "+name, noFile...)
		t.refused(x.Clone(t.C, h, t.from(f, 0, 0, 0), new(vfs.WCC)), "CLONE to a "+name, noFile...)
	}
	if !t.Env.HasPermissions {
		t.Skip("needs users")
	}
	secret, c := t.create(t.Root, "secret", 0o600), t.cred(4001, 4001)
	t.write(secret, 0, []byte("secrets"))
	r := t.from(secret, 0, 0, 0)
	r.FromCred = c
	_, _, s := x.Copy(c, f, r, new(vfs.WCC))
	require.Equal(t, vfs.Access, s)
	t.refused(x.Clone(c, f, r, new(vfs.WCC)), "CLONE of what may not be read", vfs.Access)
	t.alike(f, []byte("content"))
	r = t.from(f, 0, 0, 0)
	r.FromCred = c
	_, _, s = x.Copy(c, secret, r, new(vfs.WCC))
	require.Equal(t, vfs.Access, s)
	require.Equal(t, vfs.Access, x.Clone(c, secret, r, new(vfs.WCC)))
	t.alike(secret, []byte("secrets"))
}

// cloneBlock returns the block size for clones, or skips.
func (t *T) cloneBlock() uint64 {
	t.Helper()
	x, n := t.copier(), t.Env.FS.Limits().CloneBlock
	if n == 0 {
		h := t.create(t.Root, "no-clone", 0o644)
		t.write(h, 0, []byte("x"))
		o := t.create(t.Root, "no-clone-2", 0o644)
		require.Equal(t, vfs.NotSupp, x.Clone(t.C, o, t.from(h, 0, 0, 0), new(vfs.WCC)))
		t.Skip("needs a file system that clones")
	}
	return uint64(n)
}

func cloneRange(t *T) {
	block := t.cloneBlock()
	unit := int(16 * block)
	a, b := t.create(t.Root, "a", 0o644), t.create(t.Root, "b", 0o644)
	data := pattern(5*unit+100, 1)
	clear(data[unit : 2*unit])
	t.write(a, 0, data[:unit])
	t.write(a, uint64(2*unit), data[2*unit:])
	old := pattern(6*unit, 2)
	t.write(b, 0, old)
	t.changed(b, func(w *vfs.WCC) vfs.Status {
		return t.copier().Clone(t.C, b, t.from(a, 0, uint64(unit), uint64(3*unit)), w)
	})
	copy(old[unit:], data[:3*unit])
	t.alike(b, old)
	t.write(b, uint64(unit), []byte("changed"))
	t.alike(a, data)
	c := t.create(t.Root, "c", 0o644)
	t.changed(c, func(w *vfs.WCC) vfs.Status { return t.copier().Clone(t.C, c, t.from(a, 0, 0, 0), w) })
	t.alike(c, data)
}

func cloneRefuses(t *T) {
	block := t.cloneBlock()
	a, b := t.create(t.Root, "a", 0o644), t.create(t.Root, "b", 0o644)
	data, old := pattern(int(4*block)+10, 1), pattern(int(4*block)+20, 2)
	t.write(a, 0, data)
	t.write(b, 0, old)
	for _, r := range []*vfs.CopyArgs{
		t.from(a, 1, 0, block), t.from(a, 0, 1, block), t.from(a, 0, 0, block-1), t.from(a, 0, 0, 100*block),
		t.from(a, 100*block, 0, block), t.from(a, 0, 0, 1<<63), t.from(a, 1<<63, 0, block), t.from(a, 1<<63, 0, 1<<63),
		t.from(a, 100*block, 0, 0), t.from(b, 0, block, 2*block), t.from(b, block, block, block),
		t.from(a, 4*block, 0, 0), // not to the end of b
	} {
		s := t.copier().Clone(t.C, b, r, new(vfs.WCC))
		t.refused(s, "CLONE", vfs.Inval, vfs.FBig)
	}
	t.alike(a, data)
	t.alike(b, old)
}
