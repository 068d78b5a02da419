package vfstest

import (
	"bytes"
	"math"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

var rangeTests = []testCase{
	{"DEALLOCATE makes zeroes of exactly its range", deallocateRange},
	{"DEALLOCATE gives space back and keeps the size", deallocateGivesBack},
	{"ALLOCATE keeps what there is and grows the file", allocateKeeps},
	{"ALLOCATE of what is too large is refused", allocateTooLarge},
	{"SEEK finds the edges of data and holes", seekEdges},
	{"SEEK at and behind the end", seekEnd},
	{"ranges are of files only and need their rights", rangesNeedRights},
	{"READ ahead is a hint", willNeed},
}

// ranges are the View's, for a test that needs them.
func (t *T) ranges() vfs.Ranges {
	t.Helper()
	r := t.Worker.Abilities().Ranges
	if r == nil {
		t.Skip("needs a back end with ranges")
	}
	return r
}

// change calls f and requires that the change was told and is one.
func (t *T) changed(h vfs.Handle, f func(w *vfs.WCC) vfs.Status) {
	t.Helper()
	before := t.attr(h)
	w := poisonWCC
	require.Equal(t, vfs.OK, f(&w))
	require.True(t, w.HasBefore)
	require.Equal(t, before.Size, w.Before.Size)
	require.Equal(t, before.Ctime, w.Before.Ctime)
	require.Equal(t, stable(t.attr(h)), stable(w.After))
}

// alike requires that a file has the content want.
func (t *T) alike(h vfs.Handle, want []byte) {
	t.Helper()
	require.EqualValues(t, len(want), t.attr(h).Size)
	require.True(t, bytes.Equal(want, t.read(h, 0, len(want)+1)))
}

func deallocateRange(t *T) {
	x := t.ranges()
	for _, r := range []vfs.RangeArgs{
		{Off: 0, Len: 4096}, {Off: 1, Len: 1}, {Off: 4095, Len: 2}, {Off: 100, Len: 60_000}, {Off: 8192, Len: 8192},
		{Off: 65_000, Len: 1000}, {Off: 65_536, Len: 1}, {Off: 70_000, Len: 100}, {Off: 5, Len: math.MaxUint64 - 5},
	} {
		h := t.create(t.Root, "f", 0o644)
		data := pattern(65_536, 1)
		t.write(h, 0, data)
		t.changed(h, func(w *vfs.WCC) vfs.Status { return x.Deallocate(t.C, h, &r, w) })
		if r.Off < uint64(len(data)) {
			clear(data[r.Off:min(r.Off+r.Len, uint64(len(data)))])
		}
		t.alike(h, data)
		t.remove(t.Root, "f")
	}
}

func deallocateGivesBack(t *T) {
	x := t.ranges()
	h := t.create(t.Root, "f", 0o644)
	t.write(h, 0, pattern(1<<20, 2))
	_, _, _, s := t.Worker.Write(
		t.C,
		h,
		&vfs.WriteArgs{Src: [][]byte{pattern(1<<20, 2)}, How: vfs.FileSync},
		new(vfs.WCC),
	)
	require.Equal(t, vfs.OK, s)
	full := t.attr(h).Used
	t.changed(
		h,
		func(w *vfs.WCC) vfs.Status { return x.Deallocate(t.C, h, &vfs.RangeArgs{Off: 0, Len: 1 << 20}, w) },
	)
	require.EqualValues(t, 1<<20, t.attr(h).Size)
	require.Less(t, t.attr(h).Used, full/2)
}

// allocate is Allocate, and skips the test where the file system cannot do it.
func (t *T) allocate(h vfs.Handle, r vfs.RangeArgs) {
	t.Helper()
	x := t.ranges()
	var w vfs.WCC
	if x.Allocate(t.C, h, &vfs.RangeArgs{Off: 0, Len: 1}, &w) == vfs.NotSupp {
		t.Skip("needs a file system that keeps space free")
	}
	t.changed(h, func(w *vfs.WCC) vfs.Status { return x.Allocate(t.C, h, &r, w) })
}

func allocateKeeps(t *T) {
	h := t.create(t.Root, "f", 0o644)
	data := pattern(10_000, 3)
	t.write(h, 0, data)
	t.allocate(h, vfs.RangeArgs{Off: 5000, Len: 1000})
	t.alike(h, data)
	t.allocate(h, vfs.RangeArgs{Off: 9000, Len: 100_000})
	t.alike(h, append(data, make([]byte, 99_000)...))
	require.GreaterOrEqual(t, t.attr(h).Used, uint64(100_000))
}

func allocateTooLarge(t *T) {
	x := t.ranges()
	h := t.create(t.Root, "f", 0o644)
	data := []byte("content")
	t.write(h, 0, data)
	for _, r := range []vfs.RangeArgs{
		{Off: 1 << 63, Len: 1}, {Off: math.MaxInt64, Len: 1}, {Off: math.MaxUint64, Len: math.MaxUint64}, {Off: 0, Len: 1 << 62},
		{Off: 1, Len: math.MaxUint64},
	} {
		s := x.Allocate(t.C, h, &r, new(vfs.WCC))
		t.refused(s, "ALLOCATE of too much", vfs.FBig, vfs.NoSpc, vfs.Inval, vfs.NotSupp)
		t.alike(h, data)
	}
	t.refused(x.Allocate(t.C, h, &vfs.RangeArgs{}, new(vfs.WCC)), "ALLOCATE of nothing", vfs.Inval)
	t.refused(x.Deallocate(t.C, h, &vfs.RangeArgs{}, new(vfs.WCC)), "DEALLOCATE of nothing", vfs.Inval)
	t.refused(
		x.Deallocate(t.C, h, &vfs.RangeArgs{Off: 1 << 63, Len: 1}, new(vfs.WCC)),
		"DEALLOCATE far away",
		vfs.FBig,
	)
}

func seekEdges(t *T) {
	x := t.ranges()
	h := t.create(t.Root, "f", 0o644)
	// Data at 64 KiB and at 256 KiB, 64 KiB each; a hole at the end.
	const unit = 64 << 10
	for _, at := range []uint64{unit, 4 * unit} {
		_, _, _, s := t.Worker.Write(
			t.C, h, &vfs.WriteArgs{Off: at, Src: [][]byte{pattern(unit, 4)}, How: vfs.FileSync}, new(vfs.WCC),
		)
		require.Equal(t, vfs.OK, s)
	}
	t.set(h, &vfs.SetAttr{HasSize: true, Size: 8 * unit})
	for _, c := range []struct {
		off  uint64
		hole bool
		want uint64
	}{
		{0, false, unit}, {0, true, 0}, {5, true, 5}, {unit, false, unit}, {unit + 7, false, unit + 7}, {unit, true, 2 * unit},
		{2 * unit, false, 4 * unit}, {2*unit + 1, true, 2*unit + 1}, {4*unit + 100, true, 5 * unit}, {6 * unit, true, 6 * unit},
	} {
		a := poisonAttr
		got, s := x.Seek(t.C, h, &vfs.SeekArgs{Off: c.off, Hole: c.hole}, &a)
		require.Equal(t, vfs.OK, s, "%+v", c)
		require.Equal(t, c.want, got, "%+v", c)
		require.EqualValues(t, 8*unit, a.Size)
	}
	_, s := x.Seek(t.C, h, &vfs.SeekArgs{Off: 5 * unit}, new(vfs.Attr))
	require.Equal(t, vfs.NXIO, s, "no data after the last")
}

func seekEnd(t *T) {
	x := t.ranges()
	h := t.create(t.Root, "f", 0o644)
	seek := func(off uint64, hole bool) (uint64, vfs.Status) {
		return x.Seek(t.C, h, &vfs.SeekArgs{Off: off, Hole: hole}, new(vfs.Attr))
	}
	for _, hole := range []bool{false, true} {
		_, s := seek(0, hole)
		require.Equal(t, vfs.NXIO, s, "an empty file has nothing")
	}
	t.write(h, 0, []byte("data"))
	at, s := seek(0, true)
	require.Equal(t, vfs.OK, s)
	require.EqualValues(t, 4, at, "behind the end is a hole")
	for _, off := range []uint64{4, 5, 1 << 40, math.MaxInt64, 1 << 63, math.MaxUint64} {
		for _, hole := range []bool{false, true} {
			_, s := seek(off, hole)
			require.Equal(t, vfs.NXIO, s, "%d", off)
		}
	}
}

func rangesNeedRights(t *T) {
	x := t.ranges()
	for name, h := range t.others() {
		for _, s := range []vfs.Status{
			x.Allocate(t.C, h, &vfs.RangeArgs{Len: 1}, new(vfs.WCC)), x.Deallocate(t.C, h, &vfs.RangeArgs{Len: 1}, new(vfs.WCC)),
			x.WillNeed(t.C, h, &vfs.RangeArgs{Len: 1}),
		} {
			t.refused(s, name, noFile...)
		}
		_, s := x.Seek(t.C, h, &vfs.SeekArgs{}, new(vfs.Attr))
		t.refused(s, name, noFile...)
	}
	if !t.Env.HasPermissions {
		t.Skip("needs users")
	}
	h := t.create(t.Root, "f", 0o600)
	t.write(h, 0, []byte("private"))
	c := t.cred(4001, 4001)
	require.Equal(t, vfs.Access, x.Allocate(c, h, &vfs.RangeArgs{Len: 100}, new(vfs.WCC)))
	require.Equal(t, vfs.Access, x.Deallocate(c, h, &vfs.RangeArgs{Len: 100}, new(vfs.WCC)))
	require.Equal(t, vfs.Access, x.WillNeed(c, h, &vfs.RangeArgs{Len: 100}))
	_, s := x.Seek(c, h, &vfs.SeekArgs{}, new(vfs.Attr))
	require.Equal(t, vfs.Access, s)
	t.alike(h, []byte("private"))
}

func willNeed(t *T) {
	x := t.ranges()
	h := t.create(t.Root, "f", 0o644)
	t.write(h, 0, pattern(100_000, 5))
	for _, r := range []vfs.RangeArgs{{}, {Off: 5, Len: 10}, {Off: 1 << 63, Len: 1 << 63}, {Len: math.MaxUint64}} {
		require.Equal(t, vfs.OK, x.WillNeed(t.C, h, &r))
	}
}
