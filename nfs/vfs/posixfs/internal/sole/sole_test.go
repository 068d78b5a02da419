package sole

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

func TestAttributesAreKeptForOneCount(t *testing.T) {
	tree := New()
	require.Same(t, tree.Slot(5), tree.Slot(5+32768), "as many slots as are documented")
	require.NotSame(t, tree.Slot(5), tree.Slot(6))
	slot := tree.Slot(5)
	k := NewKept(slot)
	require.Same(t, slot, k.Slot())
	a := vfs.Attr{
		Mask: 7, Type: 2, Mode: 3, Nlink: 4, UID: 5, GID: 6, Size: 7, Used: 8, Major: 9, Minor: 10, FSID: 11,
		FileID: 12, Atime: vfs.Time{Sec: -13, Nsec: 14}, Mtime: vfs.Time{Sec: 15, Nsec: 16},
		Ctime: vfs.Time{Sec: 17, Nsec: 18}, Change: 19, Birth: vfs.Time{Sec: 20, Nsec: 21},
	}
	var b vfs.Attr
	require.False(t, k.Recall(&b, 1), "nothing is kept at the beginning")
	k.Keep(slot.Attr.Now(), 1, &a)
	require.True(t, k.Recall(&b, 1))
	require.Equal(t, a, b)
	require.True(t, k.Fresh(slot.Attr.Now(), 4))
	require.False(t, k.Fresh(slot.Attr.Now(), 5))
	require.False(t, k.Fresh(slot.Attr.Now()+1, 1))
	require.True(t, k.Recall(&b, 8))
	require.False(t, k.Recall(&b, 9), "after 8 ticks")
	require.True(t, k.At(slot.Attr.Now(), &b), "it can still be compared")

	was := slot.Attr.Begin()
	require.True(t, AtRest(was))
	require.False(t, AtRest(slot.Attr.Now()))
	require.False(t, k.Recall(&b, 1), "a change is under way")
	require.True(t, k.At(was, &b))
	k.Keep(slot.Attr.Now(), 1, &a)
	require.False(t, k.At(slot.Attr.Now(), &b), "nothing is kept during a change")
	now := slot.Attr.End()
	require.Equal(t, Ended(was), now)
	require.False(t, k.Recall(&b, 1))
	k.Keep(now, 1, &a)
	require.True(t, k.Recall(&b, 1))
	slot.Attr.Bump()
	require.False(t, k.Recall(&b, 1))

	one := slot.Attr.Begin()
	two := slot.Attr.Begin()
	require.False(t, AtRest(two))
	slot.Attr.End()
	require.NotEqual(t, Ended(one), slot.Attr.End(), "two changes at once")
	require.True(t, AtRest(slot.Attr.Now()))
}

func TestOnlyAccessTimeAndSpaceMayDiffer(t *testing.T) {
	a := vfs.Attr{Mask: 7, Size: 1, Ctime: vfs.Time{Sec: 1}}
	for _, x := range []struct {
		same   bool
		change func(*vfs.Attr)
	}{
		{true, func(*vfs.Attr) {}},
		{true, func(a *vfs.Attr) { a.Atime.Nsec++ }},
		{true, func(a *vfs.Attr) { a.Used++ }},
		{false, func(a *vfs.Attr) { a.Size++ }},
		{false, func(a *vfs.Attr) { a.Mode++ }},
		{false, func(a *vfs.Attr) { a.Nlink++ }},
		{false, func(a *vfs.Attr) { a.UID++ }},
		{false, func(a *vfs.Attr) { a.Mtime.Nsec++ }},
		{false, func(a *vfs.Attr) { a.Ctime.Nsec++ }},
	} {
		b := a
		x.change(&b)
		require.Equal(t, x.same, Same(&a, &b), "%+v", b)
	}
}

func TestATreeIsWithdrawnOnce(t *testing.T) {
	tree := New()
	require.True(t, tree.On())
	require.True(t, tree.Withdraw())
	require.False(t, tree.On())
	require.False(t, tree.Withdraw())
}
