package vfstest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

var xattrTests = []testCase{
	{"an extended attribute is set, read, replaced and removed", xattrLives},
	{"extended attributes are listed in order", xattrsListed},
	{"a value that is too long is refused", xattrTooBig},
	{"extended attributes need their rights", xattrsNeedRights},
	{"extended attributes are of files and directories", xattrsOfOthers},
	{"extended attributes survive a restart", xattrsSurvive},
}

func (t *T) xattrs() vfs.Xattrs {
	t.Helper()
	x := t.Worker.Abilities().Xattrs
	if x == nil {
		t.Skip("needs a back end with extended attributes")
	}
	if !t.Env.FS.Limits().Xattrs {
		_, s := x.GetXattr(t.C, t.Root, []byte("a"), nil)
		require.Equal(t, vfs.NotSupp, s)
		t.Skip("needs a file system with extended attributes")
	}
	return x
}

func (t *T) setXattr(h vfs.Handle, name, value string, how vfs.XattrHow) vfs.Status {
	t.Helper()
	w := poisonWCC
	s := t.xattrs().SetXattr(t.C, h, &vfs.XattrArgs{Name: []byte(name), Value: []byte(value), How: how}, &w)
	require.True(t, w.HasBefore && w.After.Filled())
	if s == vfs.OK {
		require.NotEqual(t, w.Before.Ctime, w.After.Ctime, "it is a change")
	}
	return s
}

func (t *T) xattr(h vfs.Handle, name string) (string, vfs.Status) {
	t.Helper()
	x := t.xattrs()
	n, s := x.GetXattr(t.C, h, []byte(name), nil)
	if s != vfs.TooSmall {
		return "", s
	}
	for _, room := range []int{1, n - 1} {
		if room < n && room > 0 {
			m, s := x.GetXattr(t.C, h, []byte(name), make([]byte, room))
			require.Equal(t, vfs.TooSmall, s)
			require.Equal(t, n, m)
		}
	}
	dst := make([]byte, n)
	m, s := x.GetXattr(t.C, h, []byte(name), dst)
	require.Equal(t, vfs.OK, s)
	require.Equal(t, n, m)
	return string(dst), s
}

func (t *T) xattrNames(h vfs.Handle) (names []string) {
	t.Helper()
	require.Equal(t, vfs.OK, t.xattrs().ListXattrs(t.C, h, func(name []byte) bool {
		names = append(names, string(name))
		return true
	}))
	return names
}

func xattrLives(t *T) {
	for _, h := range []vfs.Handle{t.create(t.Root, "f", 0o644), t.mkdir(t.Root, "d", 0o755)} {
		_, s := t.xattr(h, "a")
		require.Equal(t, vfs.NoXattr, s)
		require.Equal(t, vfs.NoXattr, t.setXattr(h, "a", "1", vfs.XattrReplace))
		require.Equal(t, vfs.OK, t.setXattr(h, "a", "1", vfs.XattrCreate))
		require.Equal(t, vfs.Exist, t.setXattr(h, "a", "2", vfs.XattrCreate))
		v, s := t.xattr(h, "a")
		require.Equal(t, vfs.OK, s)
		require.Equal(t, "1", v)
		require.Equal(t, vfs.OK, t.setXattr(h, "a", "longer\x00value", vfs.XattrReplace))
		require.Equal(t, vfs.OK, t.setXattr(h, "b", "", vfs.XattrEither))
		v, _ = t.xattr(h, "a")
		require.Equal(t, "longer\x00value", v)
		v, s = t.xattr(h, "b")
		require.Equal(t, vfs.OK, s)
		require.Empty(t, v)
		w := poisonWCC
		require.Equal(t, vfs.OK, t.xattrs().RemoveXattr(t.C, h, []byte("a"), &w))
		require.NotEqual(t, w.Before.Ctime, w.After.Ctime)
		require.Equal(t, vfs.NoXattr, t.xattrs().RemoveXattr(t.C, h, []byte("a"), &w))
		require.Equal(t, []string{"b"}, t.xattrNames(h))
	}
}

func xattrsListed(t *T) {
	h := t.create(t.Root, "f", 0o644)
	require.Empty(t, t.xattrNames(h))
	var want []string
	for i := range 30 {
		name := fmt.Sprintf("%d.%s", i*7%30, strings.Repeat("n", i))
		require.Equal(t, vfs.OK, t.setXattr(h, name, "v", vfs.XattrEither))
		want = append(want, name)
	}
	long := strings.Repeat("l", vfs.XattrNameMax)
	require.Equal(t, vfs.OK, t.setXattr(h, long, "v", vfs.XattrEither))
	want = append(want, long)
	slices.Sort(want)
	require.Equal(t, want, t.xattrNames(h))
	n := 0
	require.Equal(t, vfs.OK, t.xattrs().ListXattrs(t.C, h, func([]byte) bool { n++; return n < 3 }))
	require.Equal(t, 3, n)
}

func xattrTooBig(t *T) {
	h := t.create(t.Root, "f", 0o644)
	s := t.setXattr(h, "a", strings.Repeat("v", vfs.XattrValueMax+1), vfs.XattrEither)
	require.Equal(t, vfs.XattrTooBig, s)
	value := bytes.Repeat([]byte("v"), vfs.XattrValueMax)
	if s = t.setXattr(h, "a", string(value), vfs.XattrEither); s != vfs.OK {
		t.refused(s, "a value of the longest length", vfs.NoSpc, vfs.XattrTooBig, vfs.DQuot)
		return
	}
	got, _ := t.xattr(h, "a")
	require.True(t, got == string(value))
}

func xattrsNeedRights(t *T) {
	x := t.xattrs()
	if !t.Env.HasPermissions {
		t.Skip("needs users")
	}
	h := t.create(t.Root, "f", 0o604)
	require.Equal(t, vfs.OK, t.setXattr(h, "a", "1", vfs.XattrEither))
	c, dst := t.cred(4001, 4001), make([]byte, 10)
	args := &vfs.XattrArgs{Name: []byte("a"), Value: []byte("2")}
	n, s := x.GetXattr(c, h, []byte("a"), dst)
	require.Equal(t, vfs.OK, s)
	require.Equal(t, "1", string(dst[:n]))
	require.Equal(t, vfs.OK, x.ListXattrs(c, h, func([]byte) bool { return true }))
	require.Equal(t, vfs.Access, x.SetXattr(c, h, args, new(vfs.WCC)))
	require.Equal(t, vfs.Access, x.RemoveXattr(c, h, []byte("a"), new(vfs.WCC)))
	t.set(h, &vfs.SetAttr{HasMode: true, Mode: 0o602})
	_, s = x.GetXattr(c, h, []byte("a"), dst)
	require.Equal(t, vfs.Access, s)
	require.Equal(t, vfs.Access, x.ListXattrs(c, h, func([]byte) bool { return true }))
	require.Equal(t, vfs.OK, x.SetXattr(c, h, args, new(vfs.WCC)))
	v, _ := t.xattr(h, "a")
	require.Equal(t, "2", v)
}

func xattrsOfOthers(t *T) {
	x := t.xattrs()
	for name, h := range t.others() {
		if name == "directory" {
			continue
		}
		s := x.SetXattr(t.C, h, &vfs.XattrArgs{Name: []byte("a"), Value: []byte("1")}, new(vfs.WCC))
		t.refused(s, "an extended attribute of a "+name, vfs.Perm, vfs.NotSupp, vfs.Access)
		_, s = x.GetXattr(t.C, h, []byte("a"), nil)
		t.refused(s, "an extended attribute of a "+name, vfs.NoXattr, vfs.Perm, vfs.NotSupp, vfs.Access)
	}
}

func xattrsSurvive(t *T) {
	h := t.create(t.Root, "f", 0o644)
	require.Equal(t, vfs.OK, t.setXattr(h, "a", "kept", vfs.XattrEither))
	t.restart()
	v, s := t.xattr(h, "a")
	require.Equal(t, vfs.OK, s)
	require.Equal(t, "kept", v)
}
