package vfstest

import (
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

var permissionTests = []testCase{
	{"mode bits decide by owner, group, supplementary group and other", modeBitsDecide},
	{"the owner may always read and write", ownerMayAlways},
	{"who may execute may read", execMayRead},
	{"supplementary groups count", supplementaryGroups},
	{"users that take turns never borrow each other's rights", turns},
	{"the superuser may read and write all", superuserMay},
	{"only who may write a directory changes it", directoryWrite},
	{"CREATE UNCHECKED truncates only what its caller may write", createTruncateRights},
	{"only who may search a directory finds names in it", directorySearch},
	{"new objects belong to who made them", newOwner},
	{"a directory with the set-group-ID bit passes its group on", setGIDDirectory},
	{"a sticky directory guards its entries", stickyDirectory},
	{"only the owner changes the mode", chmodRights},
	{"owner and group are given as POSIX allows", chownRights},
	{"times are set as POSIX allows", timeRights},
	{"set-ID bits go when others write or the owner changes", setIDBits},
	{"moving a directory needs the right to change it", moveDirectoryRights},
	{"only the superuser makes devices", deviceRights},
}

// people are the users in whose names the tests of permissions act.
type people struct {
	alice, aliceInClub, bob, bobInClub *vfs.Cred
}

const (
	aliceID = 1001
	bobID   = 1002
	club    = 3000
)

// people skips the test if the back end knows no users. It opens the root directory for all.
func (t *T) people() people {
	t.Helper()
	if !t.Env.HasPermissions {
		t.Skip("the back end cannot act as other users")
	}
	t.set(t.Root, mode(0o777))
	return people{
		alice: t.cred(aliceID, aliceID), aliceInClub: t.cred(aliceID, aliceID, 7, club),
		bob: t.cred(bobID, bobID), bobInClub: t.cred(bobID, bobID, club, 8),
	}
}

// own gives h to a user and a group and sets its mode.
func (t *T) own(h vfs.Handle, uid, gid, m uint32) vfs.Handle {
	t.Helper()
	t.set(h, &vfs.SetAttr{HasUID: true, UID: uid, HasGID: true, GID: gid})
	t.set(h, mode(m))
	return h
}

func (t *T) access(c *vfs.Cred, h vfs.Handle) vfs.Permission {
	t.Helper()
	var a vfs.Attr
	got, s := t.V.Access(c, h, vfs.MayRead|vfs.MayWrite|vfs.MayExec, &a)
	require.Equal(t, vfs.OK, s, "Access")
	require.Equal(t, stable(t.attr(h)), stable(a))
	return got
}

func (t *T) readAs(c *vfs.Cred, h vfs.Handle) vfs.Status {
	t.Helper()
	var a vfs.Attr
	_, _, s := t.V.Read(c, h, &vfs.ReadArgs{Off: 0, Dst: make([]byte, 10)}, &a)
	require.Equal(t, vfs.TypeReg, a.Type, "attributes come also with a failure")
	return s
}

func (t *T) writeAs(c *vfs.Cred, h vfs.Handle) vfs.Status {
	t.Helper()
	check := t.watch(h)
	var w vfs.WCC
	_, _, _, s := t.V.Write(c, h, &vfs.WriteArgs{Off: 0, Src: [][]byte{[]byte("w")}, How: vfs.Unstable}, &w)
	check(&w)
	return s
}

func modeBitsDecide(t *T) {
	p := t.people()
	callers := []struct {
		name  string
		c     *vfs.Cred
		shift int
	}{
		{
			"owner",
			p.alice,
			6,
		}, {"owner also in the group", p.aliceInClub, 6}, {"supplementary group", p.bobInClub, 3},
		{"primary group", t.cred(bobID, club), 3}, {"other", p.bob, 0},
	}
	for kind, h := range map[string]vfs.Handle{"file": t.create(t.Root, "f", 0), "dir": t.mkdir(t.Root, "d", 0)} {
		t.own(h, aliceID, club, 0)
		for _, class := range []int{0, 3, 6} {
			for bits := range uint32(8) {
				// One class has these bits, the others have the opposite.
				m := (0o777&^(7<<class)) & ^(bits*0o111) | bits<<class
				t.set(h, mode(m))
				for _, c := range callers {
					require.Equal(
						t,
						vfs.Permission(m>>c.shift&7),
						t.access(c.c, h),
						"%s of mode %04o by %s",
						kind,
						m,
						c.name,
					)
				}
				want := vfs.MayRead | vfs.MayWrite
				if kind == "dir" || m&0o111 != 0 {
					want |= vfs.MayExec
				}
				require.Equal(t, want, t.access(t.C, h), "%s of mode %04o by the superuser", kind, m)
			}
		}
		var a vfs.Attr
		for want := range vfs.Permission(8) {
			got, s := t.V.Access(p.alice, h, want, &a)
			require.Equal(t, vfs.OK, s)
			require.Zero(t, got&^want, "no more than was asked for")
		}
	}
}

func ownerMayAlways(t *T) {
	p := t.people()
	h := t.own(t.create(t.Root, "f", 0), aliceID, aliceID, 0)
	for _, m := range []uint32{0, 0o400, 0o200, 0o077} {
		t.set(h, mode(m))
		require.Equal(t, vfs.OK, t.readAs(p.alice, h), "mode %04o", m)
		require.Equal(t, vfs.OK, t.writeAs(p.alice, h), "mode %04o", m)
		var w vfs.WCC
		_, s := t.V.Commit(p.alice, h, &vfs.CommitArgs{Off: 0, Count: 0}, &w)
		require.Equal(t, vfs.OK, s, "COMMIT of mode %04o", m)
		// This works like writing, and for the same reason: the file may be open.
		require.Equal(
			t,
			vfs.OK,
			t.V.SetAttr(p.alice, h, &vfs.SetAttr{HasSize: true, Size: 5}, &w),
			"truncation of mode %04o",
			m,
		)
		require.Equal(t, vfs.Permission(m>>6&7), t.access(p.alice, h), "ACCESS does not count it")
	}
	t.set(h, mode(0o700))
	require.Equal(t, vfs.Access, t.readAs(p.bob, h))
	require.Equal(t, vfs.Access, t.writeAs(p.bob, h))
}

func execMayRead(t *T) {
	p := t.people()
	h := t.create(t.Root, "program", 0o711)
	require.Equal(t, vfs.OK, t.readAs(p.bob, h))
	require.Equal(t, vfs.Access, t.writeAs(p.bob, h))
	require.Equal(t, vfs.MayExec, t.access(p.bob, h))
	t.set(h, mode(0o700))
	require.Equal(t, vfs.Access, t.readAs(p.bob, h))
}

func supplementaryGroups(t *T) {
	p := t.people()
	h := t.own(t.create(t.Root, "f", 0), 0, club, 0o640)
	require.Equal(t, vfs.Access, t.readAs(p.alice, h))
	require.Equal(t, vfs.OK, t.readAs(p.aliceInClub, h))
	require.Equal(t, vfs.Access, t.writeAs(p.aliceInClub, h))
	t.set(h, mode(0o060))
	require.Equal(t, vfs.OK, t.writeAs(p.bobInClub, h))
	require.Equal(t, vfs.Access, t.writeAs(p.bob, h))
	// With sixteen groups the last one counts, too.
	var many []uint32
	for g := range uint32(15) {
		many = append(many, 5000+g)
	}
	require.Equal(t, vfs.OK, t.readAs(t.cred(bobID, bobID, append(many, club)...), h))
	require.Equal(t, vfs.Access, t.readAs(t.cred(bobID, bobID, many...), h))
}

func turns(t *T) {
	p := t.people()
	a := t.own(t.create(t.Root, "a", 0), aliceID, aliceID, 0o600)
	b := t.own(t.create(t.Root, "b", 0), bobID, bobID, 0o600)
	c := t.own(t.create(t.Root, "c", 0), 0, club, 0o060)
	for i := range 50 {
		require.Equal(t, vfs.OK, t.readAs(p.alice, a), "turn %d", i)
		require.Equal(t, vfs.Access, t.readAs(p.bob, a), "turn %d", i)
		require.Equal(t, vfs.OK, t.writeAs(p.bob, b), "turn %d", i)
		require.Equal(t, vfs.Access, t.writeAs(p.aliceInClub, b), "turn %d", i)
		require.Equal(t, vfs.OK, t.readAs(p.aliceInClub, c), "turn %d", i)
		require.Equal(t, vfs.Access, t.readAs(p.alice, c), "turn %d", i)
		require.Equal(t, vfs.OK, t.readAs(t.C, a), "turn %d", i)
		require.Equal(t, vfs.Access, t.readAs(p.bob, c), "turn %d", i)
	}
	// A verdict does not outlive a change of the mode.
	require.Equal(t, vfs.Access, t.readAs(p.bob, a))
	t.set(a, mode(0o604))
	require.Equal(t, vfs.OK, t.readAs(p.bob, a))
	t.set(a, mode(0o600))
	require.Equal(t, vfs.Access, t.readAs(p.bob, a))
}

func superuserMay(t *T) {
	t.people()
	h := t.own(t.create(t.Root, "f", 0), aliceID, aliceID, 0)
	require.Equal(t, vfs.OK, t.readAs(t.C, h))
	require.Equal(t, vfs.OK, t.writeAs(t.C, h))
	d := t.own(t.mkdir(t.Root, "d", 0), aliceID, aliceID, 0)
	t.create(d, "f", 0o600)
	t.remove(d, "f")
	t.hasNames(d)
}

func directoryWrite(t *T) {
	p := t.people()
	d := t.mkdir(t.Root, "d", 0o755)
	f := t.own(t.create(d, "f", 0o666), aliceID, aliceID, 0o666)
	t.own(t.mkdir(d, "sub", 0o777), aliceID, aliceID, 0o777)
	n := []byte("new")
	var e vfs.Entry
	var a vfs.Attr
	var w, w2 vfs.WCC
	for _, m := range []uint32{0o755, 0o756, 0o750} { // without write, without search, with neither
		t.set(d, mode(m))
		check := t.watch(d)
		for what, s := range map[string]vfs.Status{
			"Create":      t.V.Create(p.alice, d, &vfs.CreateArgs{Name: n, How: vfs.Guarded, Set: mode(0o644)}, &vfs.Made{Entry: &e, Dir: &w}),
			"Exclusive":   t.V.Create(p.alice, d, &vfs.CreateArgs{Name: n, How: vfs.Exclusive, Set: mode(0o644), Verf: 5}, &vfs.Made{Entry: &e, Dir: &w}),
			"Mkdir":       t.V.Mkdir(p.alice, d, &vfs.MkdirArgs{Name: n, Set: mode(0o755)}, &vfs.Made{Entry: &e, Dir: &w}),
			"Symlink":     t.V.Symlink(p.alice, d, &vfs.SymlinkArgs{Name: n, Target: n, Set: &vfs.SetAttr{}}, &vfs.Made{Entry: &e, Dir: &w}),
			"Mknod":       t.V.Mknod(p.alice, d, &vfs.MknodArgs{Name: n, Type: vfs.TypeFifo, Set: mode(0o644)}, &vfs.Made{Entry: &e, Dir: &w}),
			"Remove":      t.V.Remove(p.alice, d, []byte("f"), &w),
			"Rmdir":       t.V.Rmdir(p.alice, d, []byte("sub"), &w),
			"Link":        t.V.Link(p.alice, &vfs.LinkArgs{Object: f, Dir: d, Name: n}, &a, &w),
			"Rename from": t.V.Rename(p.alice, &vfs.RenameArgs{From: d, FromName: []byte("f"), To: t.Root, ToName: n}, &w, &w2),
			"Rename in":   t.V.Rename(p.alice, &vfs.RenameArgs{From: d, FromName: []byte("f"), To: d, ToName: n}, &w, &w2),
		} {
			require.Equal(t, vfs.Access, s, "%s with mode %04o", what, m)
			check(&w)
		}
	}
	t.set(d, mode(0o757))
	require.Equal(
		t,
		vfs.OK,
		t.V.Rename(p.alice, &vfs.RenameArgs{From: d, FromName: []byte("f"), To: d, ToName: n}, &w, &w2),
	)
	require.Equal(t, vfs.OK, t.V.Rmdir(p.alice, d, []byte("sub"), &w))
	t.hasNames(d, "new")
}

func createTruncateRights(t *T) {
	p := t.people()
	h := t.own(t.create(t.Root, "f", 0), aliceID, aliceID, 0o644)
	t.write(h, 0, []byte("content"))
	try := func(c *vfs.Cred) vfs.Status {
		check := t.watch(t.Root)
		var e vfs.Entry
		var w vfs.WCC
		s := t.V.Create(
			c,
			t.Root,
			&vfs.CreateArgs{
				Name: []byte("f"),
				How:  vfs.Unchecked,
				Set:  &vfs.SetAttr{HasMode: true, Mode: 0o666, HasSize: true},
			},
			&vfs.Made{Entry: &e, Dir: &w},
		)
		check(&w)
		return s
	}
	require.Equal(t, vfs.Access, try(p.bob))
	require.Equal(t, []byte("content"), t.read(h, 0, 10))
	require.Equal(t, vfs.OK, try(p.alice))
	require.Empty(t, t.read(h, 0, 10))
}

func directorySearch(t *T) {
	p := t.people()
	d := t.mkdir(t.Root, "d", 0o755)
	t.create(d, "f", 0o644)
	var e vfs.Entry
	var a vfs.Attr
	list := func(plus bool) (es []listed, s vfs.Status) {
		_, _, s = t.V.ReadDir(p.bob, d, &vfs.ReadDirArgs{Want: Plus(plus), Yield: func(e *vfs.DirEntry) bool {
			es = append(es, listedOf(e))
			return true
		}}, &a)
		require.Equal(t, vfs.TypeDir, a.Type, "attributes come also with a failure")
		return es, s
	}
	lookup := func(name string) vfs.Status {
		s := t.V.Lookup(p.bob, d, []byte(name), &vfs.Found{Entry: &e, Dir: &a})
		require.Equal(t, vfs.TypeDir, a.Type, "attributes come also with a failure")
		return s
	}

	t.set(d, mode(0o754)) // read only
	for _, name := range []string{"f", "absent"} {
		require.Equal(t, vfs.Access, lookup(name))
	}
	for _, plus := range []bool{false, true} {
		es, s := list(plus)
		require.Equal(t, vfs.OK, s)
		require.Len(t, es, 3)
		for _, e := range es {
			if e.name == "f" {
				require.False(t, e.has, "what cannot be looked up has no attributes")
			}
		}
	}

	t.set(d, mode(0o751)) // search only
	require.Equal(t, vfs.OK, lookup("f"))
	require.Equal(t, vfs.NoEnt, lookup("absent"))
	_, s := list(false)
	require.Equal(t, vfs.Access, s)

	t.set(d, mode(0o755))
	require.Equal(t, vfs.OK, lookup("f"))
	_, s = list(true)
	require.Equal(t, vfs.OK, s)
	_, s = t.walkAs(p.bob, "d/f")
	require.Equal(t, vfs.OK, s)
	t.set(d, mode(0o750))
	_, s = t.walkAs(p.bob, "d/f")
	require.Equal(t, vfs.Access, s)
}

func (t *T) walkAs(c *vfs.Cred, path string) (vfs.Handle, vfs.Status) {
	var e vfs.Entry
	s := t.V.Walk(c, path, &e)
	return e.Handle, s
}

func newOwner(t *T) {
	p := t.people()
	var e vfs.Entry
	var w vfs.WCC
	for i, c := range []*vfs.Cred{p.alice, p.bobInClub, t.cred(bobID, club)} {
		for what, s := range map[string]func(n []byte) vfs.Status{
			"file": func(n []byte) vfs.Status {
				return t.V.Create(c, t.Root, &vfs.CreateArgs{Name: n, How: vfs.Guarded, Set: mode(0o600)}, &vfs.Made{Entry: &e, Dir: &w})
			},
			"unique": func(n []byte) vfs.Status {
				return t.V.Create(c, t.Root, &vfs.CreateArgs{Name: n, How: vfs.Exclusive, Set: mode(0), Verf: 9}, &vfs.Made{Entry: &e, Dir: &w})
			},
			"dir": func(n []byte) vfs.Status {
				return t.V.Mkdir(c, t.Root, &vfs.MkdirArgs{Name: n, Set: mode(0o700)}, &vfs.Made{Entry: &e, Dir: &w})
			},
			"link": func(n []byte) vfs.Status {
				return t.V.Symlink(c, t.Root, &vfs.SymlinkArgs{Name: n, Target: n, Set: &vfs.SetAttr{}}, &vfs.Made{Entry: &e, Dir: &w})
			},
			"fifo": func(n []byte) vfs.Status {
				return t.V.Mknod(c, t.Root, &vfs.MknodArgs{Name: n, Type: vfs.TypeFifo, Set: mode(0o600)}, &vfs.Made{Entry: &e, Dir: &w})
			},
		} {
			require.Equal(t, vfs.OK, s(fmt.Appendf(nil, "%s%d", what, i)))
			a := t.attr(e.Handle)
			require.Equal(t, []uint32{c.UID, c.GID}, []uint32{a.UID, a.GID}, what)
		}
	}
}

func setGIDDirectory(t *T) {
	p := t.people()
	d := t.own(t.mkdir(t.Root, "d", 0), 0, club, 0o2777)
	f := t.createAs(p.alice, d, "f", 0o644)
	require.EqualValues(t, club, t.attr(f).GID)
	var e vfs.Entry
	var w vfs.WCC
	require.Equal(
		t,
		vfs.OK,
		t.V.Mkdir(
			p.aliceInClub,
			d,
			&vfs.MkdirArgs{Name: []byte("sub"), Set: mode(0o755)},
			&vfs.Made{Entry: &e, Dir: &w},
		),
	)
	a := t.attr(e.Handle)
	require.EqualValues(t, club, a.GID)
	require.EqualValues(t, 0o2755, a.Mode, "and its bit to directories")
}

func stickyDirectory(t *T) {
	p := t.people()
	d := t.mkdir(t.Root, "tmp", 0o1777)
	t.createAs(p.alice, d, "hers", 0o666)
	t.createAs(p.bob, d, "his", 0o666)
	var w, w2 vfs.WCC
	denied := []vfs.Status{vfs.Perm, vfs.Access}
	t.refused(t.V.Remove(p.bob, d, []byte("hers"), &w), "removing another's file", denied...)
	t.refused(
		t.V.Rename(
			p.bob,
			&vfs.RenameArgs{From: d, FromName: []byte("hers"), To: d, ToName: []byte("x")},
			&w,
			&w2,
		),
		"renaming another's file",
		denied...)
	t.refused(
		t.V.Rename(
			p.bob,
			&vfs.RenameArgs{From: d, FromName: []byte("his"), To: d, ToName: []byte("hers")},
			&w,
			&w2,
		),
		"replacing another's file",
		denied...)
	t.hasNames(d, "hers", "his")
	require.Equal(t, vfs.OK, t.V.Remove(p.alice, d, []byte("hers"), &w))
	require.Equal(t, vfs.OK, t.V.Remove(p.bob, d, []byte("his"), &w))
}
