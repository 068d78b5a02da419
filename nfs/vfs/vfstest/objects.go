package vfstest

import (
	"fmt"
	"math"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

var objectTests = []testCase{
	{"the root is a directory", rootIsADirectory},
	{"attributes say what was made", attributesSayWhatWasMade},
	{"identities are unique in one file system", identitiesAreUnique},
	{"limits are sane", limitsAreSane},
	{"SETATTR of nothing changes nothing", setNothing},
	{"SETATTR sets all mode bits", setMode},
	{"SETATTR sets owner and group", setOwner},
	{"SETATTR sets times to the nanosecond", setTimes},
	{"SETATTR sets times to the server's present", setServerTimes},
	{"SETATTR refuses times that are none", setImpossibleTimes},
	{"SETATTR changes the times of a symbolic link itself", setLinkTimes},
	{"the change attribute differs after every change", changesAreTold},
	{"the time of birth stays", birthStays},
	{"SETATTR with a guard", setGuarded},
	{"SETATTR truncates and extends", setSize},
	{"SETATTR of sizes around 2^63 never wraps", setHugeSize},
	{"SETATTR of a size of what is no file", setSizeOfOthers},
	{"STATFS is sane", statfsIsSane},
}

func rootIsADirectory(t *T) {
	a := t.attr(t.Root)
	require.Equal(t, vfs.TypeDir, a.Type)
	require.NotZero(t, a.FileID)
	require.Equal(t, t.Root, t.Env.FS.Root(), "the root's handle does not change")
}

func attributesSayWhatWasMade(t *T) {
	for _, c := range []struct {
		h   vfs.Handle
		typ vfs.FileType
	}{
		{t.create(t.Root, "file", 0o640), vfs.TypeReg},
		{t.mkdir(t.Root, "dir", 0o750), vfs.TypeDir},
		{t.symlink(t.Root, "link", "else/where"), vfs.TypeLnk},
		{t.mknod(t.Root, "fifo", vfs.TypeFifo, 0, 0), vfs.TypeFifo},
		{t.mknod(t.Root, "sock", vfs.TypeSock, 0, 0), vfs.TypeSock},
	} {
		a := t.attr(c.h)
		require.Equal(t, c.typ, a.Type)
		require.Equal(t, t.Env.UID, a.UID, "owner of a %d", c.typ)
		require.Equal(t, t.attr(t.Root).FSID, a.FSID)
		require.Zero(t, a.Mode&^0o7777, "mode has permission bits only")
		for _, at := range []vfs.Time{a.Atime, a.Mtime, a.Ctime} {
			require.Positive(t, at.Sec)
			require.Less(t, at.Nsec, uint32(1e9))
		}
		if c.typ != vfs.TypeDir {
			require.EqualValues(t, 1, a.Nlink)
		}
		if c.typ == vfs.TypeReg {
			require.Zero(t, a.Size)
			require.EqualValues(t, 0o640, a.Mode)
		}
		if c.typ == vfs.TypeDir {
			require.EqualValues(t, 0o750, a.Mode)
		}
		if c.typ == vfs.TypeLnk {
			require.EqualValues(t, len("else/where"), a.Size)
		}
	}
}

func identitiesAreUnique(t *T) {
	seen := map[uint64]bool{t.attr(t.Root).FileID: true}
	for _, name := range []string{"a", "b", "c"} {
		id := t.attr(t.create(t.Root, name, 0o600)).FileID
		require.False(t, seen[id])
		seen[id] = true
		id = t.attr(t.mkdir(t.Root, name+"dir", 0o700)).FileID
		require.False(t, seen[id])
		seen[id] = true
	}
}

func limitsAreSane(t *T) {
	l := t.Env.FS.Limits()
	require.GreaterOrEqual(t, l.NameMax, uint32(14))
	require.GreaterOrEqual(t, l.LinkMax, uint32(1))
	require.GreaterOrEqual(t, l.FileSizeMax, uint64(1<<31))
	require.LessOrEqual(t, l.FileSizeMax, uint64(math.MaxInt64))
	require.Less(t, l.TimeDelta.Nsec, uint32(1e9))
	require.NotEqual(t, vfs.Time{}, l.TimeDelta)
	require.Equal(t, l, t.Env.FS.Limits())
	for _, h := range []vfs.Handle{t.Root, t.mkdir(t.Root, "d", 0o700), t.create(t.Root, "f", 0o600)} {
		var here vfs.Limits
		require.Equal(t, vfs.OK, t.V.PathConf(h, &here))
		require.Equal(t, l, here, "no directory of the suite is a special one")
	}
}

func setNothing(t *T) {
	h := t.create(t.Root, "f", 0o604)
	before := t.attr(h)
	t.set(h, &vfs.SetAttr{})
	after := t.attr(h)
	after.Ctime = before.Ctime // may change
	require.Equal(t, stable(before), stable(after))
}

func setMode(t *T) {
	for name, h := range map[string]vfs.Handle{"file": t.create(t.Root, "f", 0), "dir": t.mkdir(t.Root, "d", 0)} {
		for _, m := range []uint32{0, 0o777, 0o4711, 0o2755, 0o1777, 0o7777, 0o001, 0o400} {
			t.set(h, mode(m))
			require.Equal(t, m, t.attr(h).Mode, "mode of the %s", name)
		}
		t.set(h, mode(0o100644))
		require.EqualValues(t, 0o644, t.attr(h).Mode, "other bits are ignored")
	}
}

func setOwner(t *T) {
	if !t.Env.HasPermissions {
		t.Skip("the back end cannot give files away")
	}
	for name, h := range map[string]vfs.Handle{
		"file": t.create(t.Root, "f", 0o644), "dir": t.mkdir(t.Root, "d", 0o755), "link": t.symlink(t.Root, "l", "f"),
	} {
		t.set(h, &vfs.SetAttr{HasUID: true, UID: 1234})
		a := t.attr(h)
		require.EqualValues(t, 1234, a.UID, name)
		require.Equal(t, t.Env.GID, a.GID, name)
		t.set(h, &vfs.SetAttr{HasUID: true, UID: 5, HasGID: true, GID: 1<<31 + 7})
		a = t.attr(h)
		require.EqualValues(t, 5, a.UID, name)
		require.EqualValues(t, uint32(1<<31+7), a.GID, name)
		t.set(h, &vfs.SetAttr{HasGID: true, GID: 99})
		a = t.attr(h)
		require.EqualValues(t, 5, a.UID, name)
		require.EqualValues(t, 99, a.GID, name)
	}
}

var someTimes = []vfs.Time{
	{
		Sec:  0,
		Nsec: 0,
	}, {Sec: 1, Nsec: 999_999_999}, {Sec: 1_600_000_000, Nsec: 123_456_789}, {Sec: 1<<31 - 1, Nsec: 5},
}

// rounded is the time that a file system of the given resolution keeps for at.
func (t *T) rounded(at vfs.Time) vfs.Time {
	if d := t.Env.FS.Limits().TimeDelta; d.Sec == 0 && d.Nsec > 1 {
		at.Nsec -= at.Nsec % d.Nsec
	}
	return at
}

func setTimes(t *T) {
	for name, h := range map[string]vfs.Handle{"file": t.create(t.Root, "f", 0o644), "dir": t.mkdir(t.Root, "d", 0o755)} {
		for i, at := range someTimes {
			other := someTimes[(i+1)%len(someTimes)]
			t.set(
				h,
				&vfs.SetAttr{AtimeHow: vfs.TimeClient, Atime: at, MtimeHow: vfs.TimeClient, Mtime: other},
			)
			a := t.attr(h)
			require.Equal(t, t.rounded(at), a.Atime, name)
			require.Equal(t, t.rounded(other), a.Mtime, name)
		}
		// Setting one of the times leaves the other unchanged.
		t.set(h, &vfs.SetAttr{AtimeHow: vfs.TimeClient, Atime: vfs.Time{Sec: 77}})
		before := t.attr(h)
		t.set(h, &vfs.SetAttr{MtimeHow: vfs.TimeClient, Mtime: vfs.Time{Sec: 78}})
		after := t.attr(h)
		require.Equal(t, vfs.Time{Sec: 77}, before.Atime, name)
		require.Equal(t, vfs.Time{Sec: 77}, after.Atime, name)
		require.Equal(t, vfs.Time{Sec: 78}, after.Mtime, name)
	}
}

func setServerTimes(t *T) {
	h := t.create(t.Root, "f", 0o644)
	old := vfs.Time{Sec: 1000}
	t.set(h, &vfs.SetAttr{AtimeHow: vfs.TimeClient, Atime: old, MtimeHow: vfs.TimeClient, Mtime: old})
	t.set(h, &vfs.SetAttr{MtimeHow: vfs.TimeServer})
	a := t.attr(h)
	require.Equal(t, old, a.Atime)
	require.Greater(t, a.Mtime.Sec, old.Sec)
	t.set(h, &vfs.SetAttr{AtimeHow: vfs.TimeServer, MtimeHow: vfs.TimeServer})
	require.Greater(t, t.attr(h).Atime.Sec, old.Sec)
}

// setImpossibleTimes sets nanoseconds from 2^30-2 on. Some kernel interfaces give them a meaning of
// their own, which must not become visible.
func setImpossibleTimes(t *T) {
	h := t.create(t.Root, "f", 0o644)
	t.set(
		h,
		&vfs.SetAttr{
			AtimeHow: vfs.TimeClient,
			Atime:    vfs.Time{Sec: 5},
			MtimeHow: vfs.TimeClient,
			Mtime:    vfs.Time{Sec: 6},
		},
	)
	before := t.attr(h)
	for _, nsec := range []uint32{1e9, 1<<30 - 2, 1<<30 - 1, math.MaxInt32, math.MaxUint32} {
		var w vfs.WCC
		s := t.V.SetAttr(
			t.C,
			h,
			&vfs.SetAttr{MtimeHow: vfs.TimeClient, Mtime: vfs.Time{Sec: 7, Nsec: nsec}},
			&w,
		)
		require.Equal(t, vfs.Inval, s, "%d nanoseconds", nsec)
		require.Equal(t, stable(before), stable(t.attr(h)))
	}
}

func setLinkTimes(t *T) {
	file := t.create(t.Root, "f", 0o644)
	l := t.symlink(t.Root, "l", "f")
	before := t.attr(file)
	at, mt := vfs.Time{Sec: 1_500_000_000}, vfs.Time{Sec: 1_400_000_001}
	t.set(l, &vfs.SetAttr{AtimeHow: vfs.TimeClient, Atime: at, MtimeHow: vfs.TimeClient, Mtime: mt})
	a := t.attr(l)
	require.Equal(t, vfs.TypeLnk, a.Type)
	require.Equal(t, at, a.Atime)
	require.Equal(t, mt, a.Mtime)
	require.Equal(t, before, t.attr(file), "the target is left alone")
	dangling := t.symlink(t.Root, "dangling", "nowhere")
	t.set(dangling, &vfs.SetAttr{MtimeHow: vfs.TimeClient, Mtime: mt})
	require.Equal(t, mt, t.attr(dangling).Mtime)
}

// changesAreTold makes changes as fast as it can, and looks at the change attribute after each. It
// does nothing if the View gives no change attribute.
func changesAreTold(t *T) {
	file, dir := t.create(t.Root, "f", 0o644), t.mkdir(t.Root, "d", 0o755)
	for _, h := range []vfs.Handle{file, dir} {
		if a := t.attr(h); !a.Has(vfs.AttrChange) {
			t.Skip("the file system cannot tell changes apart that come fast")
		}
	}
	seen := map[uint64]string{t.attr(file).Change: "as it was made"}
	last := make(map[vfs.Handle]uint64)
	var limits vfs.Limits
	require.Equal(t, vfs.OK, t.V.PathConf(t.Root, &limits))
	told := func(h vfs.Handle, what string) {
		t.Helper()
		a := t.attr(h)
		n := a.Change
		if limits.CtimeIsChange {
			require.Equal(t, a.Ctime.Change(), n, "after %s", what)
			require.Greater(t, n, last[h], "after %s", what)
			last[h] = n
		}
		require.NotContains(t, seen, n, "after %s", what)
		seen[n] = what
	}
	for i := range 8 {
		t.write(file, 0, []byte{byte(i)})
		told(file, "a write")
		t.set(file, mode(0o600+uint32(i)&1))
		told(file, "a change of mode")
		t.set(file, &vfs.SetAttr{HasSize: true, Size: 100 + uint64(i)}) // another size each time
		told(file, "a truncation")
	}
	clear(seen)
	for i := range 8 {
		t.create(dir, fmt.Sprint("f", i), 0o644)
		told(dir, "a CREATE in it")
		var w vfs.WCC
		require.Equal(t, vfs.OK, t.V.Remove(t.C, dir, fmt.Append(nil, "f", i), &w))
		told(dir, "a REMOVE from it")
		require.True(t, w.Before.HasChange)
		require.NotEqual(t, w.Before.Change, w.After.Change)
	}
	before := t.attr(file)
	t.read(file, 0, 1)
	require.Equal(t, before.Change, t.attr(file).Change, "reading changes nothing")
}

func birthStays(t *T) {
	h := t.create(t.Root, "f", 0o644)
	born := t.attr(h)
	if !born.Has(vfs.AttrBirth) {
		t.Skip("the file system does not tell when an object was made")
	}
	require.Positive(t, born.Birth.Sec)
	t.write(h, 0, []byte("x"))
	t.set(h, &vfs.SetAttr{MtimeHow: vfs.TimeClient, Mtime: vfs.Time{Sec: 1}})
	require.Equal(t, born.Birth, t.attr(h).Birth)
}

func setGuarded(t *T) {
	h := t.create(t.Root, "f", 0o644)
	ctime := t.attr(h).Ctime
	for _, bad := range []vfs.Time{{}, {Sec: ctime.Sec + 1, Nsec: ctime.Nsec}, {Sec: ctime.Sec, Nsec: ctime.Nsec ^ 1}, {Sec: ctime.Sec - 1, Nsec: ctime.Nsec}} {
		check := t.watch(h)
		var w vfs.WCC
		s := t.V.SetAttr(
			t.C,
			h,
			&vfs.SetAttr{HasMode: true, Mode: 0o600, HasSize: true, Size: 9, Guard: &bad},
			&w,
		)
		require.Equal(t, vfs.NotSync, s)
		check(&w)
		require.EqualValues(t, 0o644, t.attr(h).Mode)
		require.Zero(t, t.attr(h).Size)
	}
	var w vfs.WCC
	set := mode(0o600)
	set.Guard = &ctime
	require.Equal(t, vfs.OK, t.V.SetAttr(t.C, h, set, &w))
	require.EqualValues(t, 0o600, t.attr(h).Mode)
}

func setSize(t *T) {
	h := t.create(t.Root, "f", 0o644)
	t.write(h, 0, pattern(10_000, 1))
	t.set(h, &vfs.SetAttr{HasSize: true, Size: 5000})
	require.Equal(t, pattern(5000, 1), t.read(h, 0, 20_000))
	t.set(h, &vfs.SetAttr{HasSize: true, Size: 9000})
	require.Equal(
		t,
		append(pattern(5000, 1), make([]byte, 4000)...),
		t.read(h, 0, 20_000),
		"what was cut off does not come back",
	)
	t.set(h, &vfs.SetAttr{HasSize: true, Size: 0})
	require.Empty(t, t.read(h, 0, 100))
	// Size together with the rest.
	t.set(
		h,
		&vfs.SetAttr{
			HasSize:  true,
			Size:     3,
			HasMode:  true,
			Mode:     0o600,
			MtimeHow: vfs.TimeClient,
			Mtime:    vfs.Time{Sec: 42},
		},
	)
	a := t.attr(h)
	require.EqualValues(t, 3, a.Size)
	require.EqualValues(t, 0o600, a.Mode)
	require.Equal(t, vfs.Time{Sec: 42}, a.Mtime, "size comes first, so the given time stays")
}

// hugeSizes are the edges of signed and unsigned offsets.
var hugeSizes = []uint64{
	1<<62 + 1,
	1<<63 - 4096,
	1<<63 - 2,
	1<<63 - 1,
	1 << 63,
	1<<63 + 1,
	1<<63 + 4096,
	math.MaxUint64 - 4096,
	math.MaxUint64 - 1,
	math.MaxUint64,
}

func setHugeSize(t *T) {
	h := t.create(t.Root, "f", 0o644)
	t.write(h, 0, []byte("content"))
	size := uint64(7)
	for _, huge := range hugeSizes {
		check := t.watch(h)
		var w vfs.WCC
		s := t.V.SetAttr(t.C, h, &vfs.SetAttr{HasSize: true, Size: huge}, &w)
		check(&w)
		if s == vfs.OK && huge <= t.Env.FS.Limits().FileSizeMax {
			size = huge
		} else {
			t.refused(s, "a huge size", vfs.FBig, vfs.Inval)
		}
		require.Equal(t, size, t.attr(h).Size, "after size %d: %v", huge, s)
		require.Equal(t, []byte("content"), t.read(h, 0, 7))
	}
	for _, huge := range hugeSizes {
		for _, how := range []vfs.CreateHow{vfs.Unchecked, vfs.Guarded} {
			var e vfs.Entry
			var w vfs.WCC
			s := t.V.Create(
				t.C,
				t.Root,
				&vfs.CreateArgs{
					Name: []byte("new"),
					How:  how,
					Set:  &vfs.SetAttr{HasMode: true, Mode: 0o644, HasSize: true, Size: huge},
				},
				&vfs.Made{Entry: &e, Dir: &w},
			)
			if s == vfs.OK && huge <= t.Env.FS.Limits().FileSizeMax {
				require.Equal(t, huge, t.attr(e.Handle).Size)
				t.remove(t.Root, "new")
				continue
			}
			t.refused(s, "CREATE with a huge size", vfs.FBig, vfs.Inval)
			t.absent(t.Root, "new")
		}
	}
}

func setSizeOfOthers(t *T) {
	for name, h := range map[string]vfs.Handle{
		"dir": t.mkdir(t.Root, "d", 0o755), "link": t.symlink(t.Root, "l", "f"), "fifo": t.mknod(t.Root, "p", vfs.TypeFifo, 0, 0),
	} {
		check := t.watch(h)
		var w vfs.WCC
		s := t.V.SetAttr(t.C, h, &vfs.SetAttr{HasSize: true, Size: 1}, &w)
		t.refused(s, "size of a "+name, vfs.Inval, vfs.IsDir, vfs.Loop, vfs.NotSupp)
		check(&w)
	}
}

func statfsIsSane(t *T) {
	for _, h := range []vfs.Handle{t.Root, t.create(t.Root, "f", 0o644)} {
		var f vfs.Statfs
		require.Equal(t, vfs.OK, t.V.Statfs(t.C, h, &f))
		require.NotZero(t, f.TotalBytes)
		require.LessOrEqual(t, f.FreeBytes, f.TotalBytes)
		require.LessOrEqual(t, f.AvailBytes, f.FreeBytes)
		require.LessOrEqual(t, f.FreeFiles, f.TotalFiles)
		require.LessOrEqual(t, f.AvailFiles, f.FreeFiles)
	}
}
