package vfstest

import (
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// setAs tries a SETATTR, and checks that a refused one changes nothing.
func (t *T) setAs(c *vfs.Cred, h vfs.Handle, s *vfs.SetAttr) vfs.Status {
	t.Helper()
	check := t.watch(h)
	before := t.attr(h)
	var w vfs.WCC
	got := t.V.SetAttr(c, h, s, &w)
	check(&w)
	if got != vfs.OK {
		require.Equal(t, stable(before), stable(t.attr(h)), "refused, but it changed something")
	}
	return got
}

func chmodRights(t *T) {
	p := t.people()
	h := t.own(t.create(t.Root, "f", 0), aliceID, club, 0o666)
	require.Equal(t, vfs.OK, t.setAs(p.alice, h, mode(0o600)))
	require.Equal(t, vfs.Perm, t.setAs(p.bob, h, mode(0o777)))
	require.Equal(t, vfs.Perm, t.setAs(p.bobInClub, h, mode(0o777)))
	require.Equal(t, vfs.OK, t.setAs(t.C, h, mode(0o644)))
	// Only members of the group may set the set-group-ID bit.
	require.Equal(t, vfs.OK, t.setAs(p.alice, h, mode(0o2755)))
	require.EqualValues(t, 0o755, t.attr(h).Mode)
	require.Equal(t, vfs.OK, t.setAs(p.aliceInClub, h, mode(0o2755)))
	require.EqualValues(t, 0o2755, t.attr(h).Mode)
}

func chownRights(t *T) {
	p := t.people()
	h := t.own(t.create(t.Root, "f", 0), aliceID, aliceID, 0o666)
	uid := func(id uint32) *vfs.SetAttr { return &vfs.SetAttr{HasUID: true, UID: id} }
	gid := func(id uint32) *vfs.SetAttr { return &vfs.SetAttr{HasGID: true, GID: id} }
	require.Equal(t, vfs.Perm, t.setAs(p.alice, h, uid(bobID)), "giving a file away")
	require.Equal(t, vfs.Perm, t.setAs(p.bob, h, uid(bobID)), "taking a file")
	require.Equal(t, vfs.Perm, t.setAs(p.alice, h, gid(club)), "to a group that she is not in")
	require.Equal(t, vfs.Perm, t.setAs(p.bobInClub, h, gid(club)), "another's file")
	require.Equal(t, vfs.OK, t.setAs(p.aliceInClub, h, gid(club)), "to a group that she is in")
	require.EqualValues(t, club, t.attr(h).GID)
	require.Equal(t, vfs.OK, t.setAs(t.C, h, &vfs.SetAttr{HasUID: true, UID: bobID, HasGID: true, GID: 12}))
	a := t.attr(h)
	require.Equal(t, []uint32{bobID, 12}, []uint32{a.UID, a.GID})
	// (uid_t)-1 means "leave it" to chown(2); it is no identity.
	for _, s := range []*vfs.SetAttr{uid(1<<32 - 1), gid(1<<32 - 1)} {
		require.Equal(t, vfs.Inval, t.setAs(t.C, h, s))
	}
}

func timeRights(t *T) {
	p := t.people()
	h := t.own(t.create(t.Root, "f", 0), aliceID, club, 0o664)
	now := &vfs.SetAttr{AtimeHow: vfs.TimeServer, MtimeHow: vfs.TimeServer}
	past := &vfs.SetAttr{AtimeHow: vfs.TimeClient, MtimeHow: vfs.TimeClient, Mtime: vfs.Time{Sec: 5}}
	require.Equal(t, vfs.OK, t.setAs(p.alice, h, past))
	require.Equal(t, vfs.OK, t.setAs(p.alice, h, now))
	require.Equal(t, vfs.OK, t.setAs(p.bobInClub, h, now), "who may write may say that it is now")
	require.Equal(t, vfs.Perm, t.setAs(p.bobInClub, h, past), "but nothing else")
	t.refused(t.setAs(p.bob, h, now), "the present by who may not write", vfs.Access, vfs.Perm)
	require.Equal(t, vfs.Perm, t.setAs(p.bob, h, past))
	t.set(h, mode(0))
	require.Equal(t, vfs.OK, t.setAs(p.alice, h, now), "the owner may without write permission")
}

func setIDBits(t *T) {
	p := t.people()
	h := t.create(t.Root, "f", 0)
	for what, do := range map[string]func(){
		"a write by somebody else": func() { require.Equal(t, vfs.OK, t.writeAs(p.bob, h)) },
		"a truncation by somebody else": func() {
			require.Equal(t, vfs.OK, t.setAs(p.bob, h, &vfs.SetAttr{HasSize: true, Size: 3}))
		},
		"a change of owner": func() { t.set(h, &vfs.SetAttr{HasUID: true, UID: bobID}) },
		"a change of group": func() { t.set(h, &vfs.SetAttr{HasGID: true, GID: club}) },
	} {
		t.own(h, 0, 0, 0o6777)
		t.write(h, 0, []byte("longer"))
		t.set(h, mode(0o6777))
		do()
		require.Zero(t, t.attr(h).Mode&0o6000, what)
	}
}

func moveDirectoryRights(t *T) {
	p := t.people()
	a, b := t.mkdir(t.Root, "a", 0o777), t.mkdir(t.Root, "b", 0o777)
	t.mkdir(a, "sub", 0o755) // belongs to the superuser
	var w, w2 vfs.WCC
	t.refused(
		t.V.Rename(
			p.alice,
			&vfs.RenameArgs{From: a, FromName: []byte("sub"), To: b, ToName: []byte("sub")},
			&w,
			&w2,
		),
		"its dot-dot would change",
		vfs.Access,
		vfs.Perm,
	)
	require.Equal(
		t,
		vfs.OK,
		t.V.Rename(
			p.alice,
			&vfs.RenameArgs{From: a, FromName: []byte("sub"), To: a, ToName: []byte("renamed")},
			&w,
			&w2,
		),
	)
	t.hasNames(a, "renamed")
	t.hasNames(b)
}

func deviceRights(t *T) {
	p := t.people()
	for _, typ := range []vfs.FileType{vfs.TypeBlk, vfs.TypeChr} {
		var e vfs.Entry
		var w vfs.WCC
		s := t.V.Mknod(
			p.alice,
			t.Root,
			&vfs.MknodArgs{Name: []byte("dev"), Type: typ, Major: 1, Minor: 3, Set: mode(0o666)},
			&vfs.Made{Entry: &e, Dir: &w},
		)
		t.refused(s, "MKNOD of a device", vfs.Perm, vfs.Access)
		t.absent(t.Root, "dev")
	}
}
