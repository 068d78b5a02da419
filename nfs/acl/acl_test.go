package acl_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/ringnfs/ringnfs/nfs/acl"
)

func TestWhichListsAreValid(t *testing.T) {
	base := acl.FromMode(0o751)
	with := func(more ...acl.Entry) acl.List { return append(append(acl.List{}, base...), more...) }
	mask := acl.Entry{Tag: acl.Mask, Perm: 7}
	for name, x := range map[string]struct {
		l    acl.List
		want bool
	}{
		"of a mode":        {base, true},
		"in another order": {acl.List{base[2], base[0], base[1]}, true},
		"with a mask":      {with(mask), true},
		"with users": {
			with(mask, acl.Entry{Tag: acl.User, ID: 1}, acl.Entry{Tag: acl.User, ID: 2}, acl.Entry{Tag: acl.Group, ID: 1}),
			true,
		},
		"nothing":                {nil, false},
		"without others":         {base[:2], false},
		"without the owner":      {base[1:], false},
		"a user without a mask":  {with(acl.Entry{Tag: acl.User, ID: 1}), false},
		"a group without a mask": {with(acl.Entry{Tag: acl.Group, ID: 1}), false},
		"two masks":              {with(mask, mask), false},
		"two owners":             {with(base[0]), false},
		"a user twice": {
			with(mask, acl.Entry{Tag: acl.User, ID: 1}, acl.Entry{Tag: acl.User, ID: 1, Perm: 4}),
			false,
		},
		"a tag that there is not": {with(acl.Entry{Tag: 3}), false},
		"rights that there are not": {
			acl.List{{Tag: acl.UserObj, Perm: 8}, base[1], base[2]}, false},
	} {
		require.Equal(t, x.want, x.l.Valid(), name)
	}
}

func TestOnlyWholeEntriesAreRead(t *testing.T) {
	whole := acl.AppendXattr(nil, acl.FromMode(0o754))
	require.Len(t, whole, 4+3*8)
	for n := range len(whole) + 8 {
		l, err := acl.ParseXattr(append(whole, make([]byte, 8)...)[:n])
		if n < 4 || (n-4)%8 != 0 {
			require.Error(t, err, "%d bytes", n)
			continue
		}
		require.NoError(t, err, "%d bytes", n)
		require.Len(t, l, (n-4)/8, "%d bytes", n)
	}
}

func TestModesAndBack(t *testing.T) {
	for mode := range uint32(0o1000) {
		l := acl.FromMode(mode)
		require.True(t, l.Valid())
		got, exact := l.Mode()
		require.True(t, exact)
		require.Equal(t, mode, got)
		masked := append(acl.List{{Tag: acl.Mask, Perm: 5}}, l...)
		got, exact = masked.Mode()
		require.False(t, exact)
		require.Equal(t, mode&^0o070|0o050, got, "the mask stands in the group's place")
		got, exact = append(masked, acl.Entry{Tag: acl.User, ID: 7, Perm: 7}).Mode()
		require.False(t, exact)
		require.Equal(t, mode&^0o070|0o050, got)
	}
}

func entries() *rapid.Generator[acl.Entry] {
	return rapid.Custom(func(t *rapid.T) acl.Entry {
		e := acl.Entry{
			Tag: rapid.SampledFrom(
				[]acl.Tag{acl.UserObj, acl.User, acl.GroupObj, acl.Group, acl.Mask, acl.Other},
			).
				Draw(
					t,
					"tag",
				),
			Perm: acl.Perm(rapid.IntRange(0, 7).Draw(t, "perm")),
		}
		if e.Tag == acl.User || e.Tag == acl.Group {
			e.ID = rapid.Uint32().Draw(t, "id")
		}
		return e
	})
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l acl.List
		if drawn := rapid.SliceOf(entries()).Draw(t, "list"); len(drawn) > 0 {
			l = drawn
		}
		b := acl.AppendXattr(nil, l)
		require.Len(t, b, acl.XattrLen(len(l)))
		got, err := acl.ParseXattr(b)
		require.NoError(t, err)
		require.Equal(t, l, got)
	})
}

func FuzzParseXattr(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0})
	f.Add(acl.AppendXattr(nil, acl.FromMode(0o640)))
	f.Add([]byte{1, 0, 0, 0})
	f.Add([]byte{2, 0, 0, 0, 1, 0, 8, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := acl.ParseXattr(b)
		if err != nil {
			return
		}
		again, err := acl.ParseXattr(acl.AppendXattr(nil, l))
		require.NoError(t, err)
		require.Equal(t, l, again)
	})
}

// The kernel and setfacl(1) judge whether the layout and the order are right.
func TestTheKernelReadsAndWritesThisLayout(t *testing.T) {
	if _, err := exec.LookPath("setfacl"); err != nil {
		t.Skipf("needs setfacl: %v", err)
	}
	file := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(file, nil, 0o640))
	set := exec.Command("setfacl", "-m", "u:1234:rw,u:77:r,g:4321:x,m::rwx", file)
	if out, err := set.CombinedOutput(); err != nil {
		t.Skipf("needs a file system with ACLs: %s", out)
	}
	b := make([]byte, 4096)
	n, err := unix.Getxattr(file, acl.XattrAccess, b)
	require.NoError(t, err)
	l, err := acl.ParseXattr(b[:n])
	require.NoError(t, err)
	want := acl.List{
		{Tag: acl.UserObj, Perm: 6},
		{Tag: acl.User, Perm: 4, ID: 77},
		{Tag: acl.User, Perm: 6, ID: 1234},
		{Tag: acl.GroupObj, Perm: 4},
		{Tag: acl.Group, Perm: 1, ID: 4321},
		{Tag: acl.Mask, Perm: 7},
		{Tag: acl.Other, Perm: 0},
	}
	require.Equal(t, want, l)
	mixed := acl.List{l[6], l[2], l[1], l[5], l[4], l[3], l[0]}
	mixed.Sort()
	require.Equal(t, want, mixed)
	require.Equal(t, b[:n], acl.AppendXattr(nil, l))
	require.True(t, l.Valid())
	require.NoError(
		t,
		unix.Setxattr(file, acl.XattrAccess, acl.AppendXattr(nil, append(want[:1:1], want[3], want[6])), 0),
	)
	_, err = unix.Getxattr(file, acl.XattrAccess, b)
	require.Equal(t, unix.ENODATA, err, "a list that says what the mode says is not kept")
}
