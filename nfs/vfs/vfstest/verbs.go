package vfstest

import (
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// The helpers of this file do one operation as the suite's own user, and fail the test if it does
// not succeed. They also check what holds for every success: the WCC of each directory that
// changed.

// mode returns attributes that set only the mode.
func mode(m uint32) *vfs.SetAttr { return &vfs.SetAttr{HasMode: true, Mode: m} }

func (t *T) attr(h vfs.Handle) vfs.Attr {
	t.Helper()
	var a vfs.Attr
	require.Equal(t, vfs.OK, t.V.GetAttr(h, &a), "GetAttr")
	return a
}

// watch remembers the present attributes of dir. The function that it returns checks that w has the
// right before and after.
func (t *T) watch(dir vfs.Handle) func(w *vfs.WCC) {
	t.Helper()
	before := t.attr(dir)
	return func(w *vfs.WCC) {
		t.Helper()
		after := t.attr(dir)
		require.True(t, w.HasBefore, "WCC has no attributes before")
		require.Equal(t, beforeOf(&before), w.Before, "WCC before")
		require.True(t, w.After.Filled(), "WCC has no attributes after")
		require.Equal(t, stable(after), stable(w.After), "WCC after")
	}
}

// beforeOf is the Before of an object that had the attributes a.
func beforeOf(a *vfs.Attr) vfs.Before {
	var w vfs.WCC
	w.SetBefore(a)
	return w.Before
}

// entry checks an Entry against GetAttr and Lookup, and returns its handle.
func (t *T) entry(dir vfs.Handle, name string, e *vfs.Entry) vfs.Handle {
	t.Helper()
	require.NotZero(t, e.Handle.Len(), "the entry has a handle")
	if e.Attr.Filled() {
		require.Equal(t, stable(t.attr(e.Handle)), stable(e.Attr), "attributes of the entry")
	}
	require.Equal(t, e.Handle, t.lookup(dir, name), "handle of %q", name)
	return e.Handle
}

func (t *T) create(dir vfs.Handle, name string, m uint32) vfs.Handle {
	t.Helper()
	return t.createAs(t.C, dir, name, m)
}

func (t *T) createAs(c *vfs.Cred, dir vfs.Handle, name string, m uint32) vfs.Handle {
	t.Helper()
	check := t.watch(dir)
	var e vfs.Entry
	var w vfs.WCC
	require.Equal(
		t,
		vfs.OK,
		t.V.Create(
			c,
			dir,
			&vfs.CreateArgs{Name: []byte(name), How: vfs.Guarded, Set: mode(m)},
			&vfs.Made{Entry: &e, Dir: &w},
		),
		"Create %q",
		name,
	)
	check(&w)
	return t.entry(dir, name, &e)
}

func (t *T) mkdir(dir vfs.Handle, name string, m uint32) vfs.Handle {
	t.Helper()
	check := t.watch(dir)
	var e vfs.Entry
	var w vfs.WCC
	require.Equal(
		t,
		vfs.OK,
		t.V.Mkdir(t.C, dir, &vfs.MkdirArgs{Name: []byte(name), Set: mode(m)}, &vfs.Made{Entry: &e, Dir: &w}),
		"Mkdir %q",
		name,
	)
	check(&w)
	return t.entry(dir, name, &e)
}

func (t *T) symlink(dir vfs.Handle, name, target string) vfs.Handle {
	t.Helper()
	check := t.watch(dir)
	var e vfs.Entry
	var w vfs.WCC
	require.Equal(
		t,
		vfs.OK,
		t.V.Symlink(
			t.C,
			dir,
			&vfs.SymlinkArgs{Name: []byte(name), Target: []byte(target), Set: &vfs.SetAttr{}},
			&vfs.Made{Entry: &e, Dir: &w},
		),
		"Symlink %q",
		name,
	)
	check(&w)
	return t.entry(dir, name, &e)
}

func (t *T) mknod(dir vfs.Handle, name string, typ vfs.FileType, major, minor uint32) vfs.Handle {
	t.Helper()
	check := t.watch(dir)
	var e vfs.Entry
	var w vfs.WCC
	require.Equal(
		t,
		vfs.OK,
		t.V.Mknod(
			t.C,
			dir,
			&vfs.MknodArgs{Name: []byte(name), Type: typ, Major: major, Minor: minor, Set: mode(0o640)},
			&vfs.Made{Entry: &e, Dir: &w},
		),
		"Mknod %q",
		name,
	)
	check(&w)
	return t.entry(dir, name, &e)
}

func (t *T) link(h, dir vfs.Handle, name string) {
	t.Helper()
	check := t.watch(dir)
	var a vfs.Attr
	var w vfs.WCC
	require.Equal(
		t,
		vfs.OK,
		t.V.Link(t.C, &vfs.LinkArgs{Object: h, Dir: dir, Name: []byte(name)}, &a, &w),
		"Link %q",
		name,
	)
	check(&w)
	require.Equal(t, stable(t.attr(h)), stable(a), "attributes after Link")
	require.Equal(t, h, t.lookup(dir, name), "both names have one handle")
}

func (t *T) lookup(dir vfs.Handle, name string) vfs.Handle {
	t.Helper()
	var e vfs.Entry
	var d vfs.Attr
	require.Equal(
		t,
		vfs.OK,
		t.V.Lookup(t.C, dir, []byte(name), &vfs.Found{Entry: &e, Dir: &d}),
		"Lookup %q",
		name,
	)
	require.Equal(t, stable(t.attr(dir)), stable(d), "the directory's attributes from Lookup")
	if e.Attr.Filled() {
		require.Equal(t, stable(t.attr(e.Handle)), stable(e.Attr), "the object's attributes from Lookup")
	}
	return e.Handle
}

// absent checks that a name does not exist.
func (t *T) absent(dir vfs.Handle, name string) {
	t.Helper()
	var e vfs.Entry
	var d vfs.Attr
	require.Equal(
		t,
		vfs.NoEnt,
		t.V.Lookup(t.C, dir, []byte(name), &vfs.Found{Entry: &e, Dir: &d}),
		"Lookup %q",
		name,
	)
	require.Equal(
		t,
		stable(t.attr(dir)),
		stable(d),
		"the directory's attributes from Lookup, also with NoEnt",
	)
}

func (t *T) remove(dir vfs.Handle, name string) {
	t.Helper()
	check := t.watch(dir)
	var w vfs.WCC
	require.Equal(t, vfs.OK, t.V.Remove(t.C, dir, []byte(name), &w), "Remove %q", name)
	check(&w)
	t.absent(dir, name)
}

func (t *T) rmdir(dir vfs.Handle, name string) {
	t.Helper()
	check := t.watch(dir)
	var w vfs.WCC
	require.Equal(t, vfs.OK, t.V.Rmdir(t.C, dir, []byte(name), &w), "Rmdir %q", name)
	check(&w)
	t.absent(dir, name)
}

func (t *T) rename(from vfs.Handle, fromName string, to vfs.Handle, toName string) {
	t.Helper()
	checkFrom, checkTo := t.watch(from), t.watch(to)
	var wf, wt vfs.WCC
	require.Equal(
		t,
		vfs.OK,
		t.V.Rename(
			t.C,
			&vfs.RenameArgs{From: from, FromName: []byte(fromName), To: to, ToName: []byte(toName)},
			&wf,
			&wt,
		),
		"Rename %q to %q",
		fromName,
		toName,
	)
	checkFrom(&wf)
	checkTo(&wt)
}

// set changes attributes.
func (t *T) set(h vfs.Handle, s *vfs.SetAttr) {
	t.Helper()
	check := t.watch(h)
	var w vfs.WCC
	require.Equal(t, vfs.OK, t.V.SetAttr(t.C, h, s, &w), "SetAttr %+v", *s)
	check(&w)
}

// write writes all of data, in as many calls as the FS wants.
func (t *T) write(h vfs.Handle, off uint64, data []byte) {
	t.Helper()
	for len(data) > 0 {
		check := t.watch(h)
		var w vfs.WCC
		n, got, verf, s := t.V.Write(
			t.C,
			h,
			&vfs.WriteArgs{Off: off, Src: [][]byte{data}, How: vfs.Unstable},
			&w,
		)
		require.Equal(t, vfs.OK, s, "Write of %d at %d", len(data), off)
		require.Positive(t, n, "Write with OK writes something")
		require.LessOrEqual(t, n, len(data))
		require.LessOrEqual(t, got, vfs.FileSync)
		require.Equal(t, t.Env.FS.Verifier(), verf, "verifier")
		check(&w)
		off += uint64(n)
		data = data[n:]
	}
}

// read reads up to n bytes and checks that the FS reports the end of the file rightly.
func (t *T) read(h vfs.Handle, off uint64, n int) []byte {
	t.Helper()
	dst := make([]byte, n)
	var a vfs.Attr
	m, eof, s := t.V.Read(t.C, h, &vfs.ReadArgs{Off: off, Dst: dst}, &a)
	require.Equal(t, vfs.OK, s, "Read of %d at %d", n, off)
	require.Equal(t, stable(t.attr(h)), stable(a), "attributes from Read")
	if m < n {
		require.True(t, eof, "a short read of %d of %d at %d without end of file", m, n, off)
	}
	if n > 0 {
		end := off >= a.Size || a.Size-off <= uint64(m)
		require.Equal(t, end, eof, "end of file after %d of %d at %d of %d", m, n, off, a.Size)
	}
	return dst[:m]
}

func (t *T) readLink(h vfs.Handle) string {
	t.Helper()
	dst := make([]byte, 4096)
	var a vfs.Attr
	n, s := t.V.ReadLink(t.C, h, dst, &a)
	require.Equal(t, vfs.OK, s, "ReadLink")
	require.Equal(t, stable(t.attr(h)), stable(a), "attributes from ReadLink")
	return string(dst[:n])
}

// refused asserts that s is one of the given failures.
func (t *T) refused(s vfs.Status, what string, as ...vfs.Status) {
	t.Helper()
	require.Contains(t, as, s, "%s", what)
}
