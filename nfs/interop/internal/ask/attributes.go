package main

import (
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

func askMode(a *asker, dir FH) {
	r, alice, bob := a.root, a.alice, a.bob
	file := r.file(dir, "file", 0o644, aliceID, aliceID, "x")
	team := r.file(dir, "team", 0o644, aliceID, teamID, "x")
	club := r.file(dir, "club", 0o644, aliceID, clubID, "x")
	sub := r.dir(dir, "sub", 0o755, aliceID, clubID)
	r.slowly().setattr("by root", file, client.Mode(0o4755))
	alice.slowly().setattr("by the owner", file, client.Mode(0o600))
	alice.setattr("by the owner, all bits", file, client.Mode(0o7777))
	alice.setattr("by the owner, in another group of the owner's", team, client.Mode(0o2755))
	alice.setattr("by the owner, not in the group", club, client.Mode(0o2755))
	alice.setattr("by the owner, not in the group, set-user-id too", club, client.Mode(0o6755))
	alice.setattr("by the owner, not in the group, no execution", club, client.Mode(0o2644))
	alice.setattr("of a directory by the owner, not in the group", sub, client.Mode(0o3755))
	bob.setattr("by another", file, client.Mode(0o777))
	bob.setattr("by one of the group", club, client.Mode(0o777))
	r.setattr("with bits that are none", file, client.Mode(0o177644))
	r.setattr("of 2^32-1", file, client.Mode(1<<32-1))
	r.setattr("of a directory", sub, client.Mode(0o1777))
	r.setattr("nothing", file, nfs3.Sattr3{})
	r.slowly().setattr("nothing, later", file, nfs3.Sattr3{})
	bob.setattr("nothing, by another", file, nfs3.Sattr3{})
	r.slowly().setattr("that it has already", sub, client.Mode(0o1777))
}

func askOwner(a *asker, dir FH) {
	r, alice, bob := a.root, a.alice, a.bob
	file := r.file(dir, "file", 0o644, aliceID, aliceID, "x")
	alice.setattr("given away", file, uid(bobID))
	alice.setattr("given to oneself", file, uid(aliceID))
	alice.setattr("group of one's own", file, gid(teamID))
	alice.setattr("group of another", file, gid(clubID))
	alice.setattr("both as they are", file, client.Owner(aliceID, teamID))
	bob.setattr("taken", file, uid(bobID))
	bob.setattr("group taken", file, gid(clubID))
	r.slowly().setattr("by root", file, client.Owner(bobID, clubID))
	r.setattr("of 2^32-1", file, uid(1<<32-1))
	r.setattr("group of 2^32-1", file, gid(1<<32-1))
	r.setattr("of 2^32-2", file, client.Owner(1<<32-2, 1<<32-2))
	r.setattr("of 0", file, client.Owner(0, 0))
	for _, mode := range []uint32{0o6755, 0o2644, 0o6711, 0o4644} {
		what := fmt.Sprintf("of %04o ", mode)
		f := r.file(dir, what, mode, aliceID, aliceID, "x")
		alice.setattr(what+"group by the owner", f, gid(teamID))
		r.setattr("", f, client.Mode(mode))
		r.setattr(what+"by root", f, client.Owner(bobID, clubID))
		r.setattr("", f, client.Mode(mode))
		r.setattr(what+"by root, as it is", f, client.Owner(bobID, clubID))
		r.setattr(what+"and mode by root", f, sattr(client.Owner(aliceID, aliceID), client.Mode(mode)))
		alice.setattr(what+"group and mode by the owner", f, sattr(gid(teamID), client.Mode(mode)))
	}
	sub := r.dir(dir, "sub", 0o6755, aliceID, aliceID)
	alice.setattr("group of a directory", sub, gid(teamID))
	r.setattr("of a directory by root", sub, client.Owner(bobID, clubID))
	f := r.file(dir, "mixed", 0o644, aliceID, aliceID, "x")
	alice.setattr("mode and a forbidden owner", f, sattr(client.Mode(0o600), uid(bobID)))
	r.getattr("after mode and a forbidden owner", f)
	alice.setattr("size and a forbidden owner", f, sattr(client.Size(100), uid(bobID)))
	r.getattr("after size and a forbidden owner", f)
	r.setattr("everything", f, sattr(client.Mode(0o6711), client.Owner(bobID, clubID), client.Size(7), past))
	r.getattr("after everything", f)
}

func askSize(a *asker, dir FH) {
	r, alice, bob := a.root, a.alice, a.bob
	file := r.file(dir, "file", 0o644, 0, 0, "0123456789")
	r.slowly().setattr("shorter", file, client.Size(5))
	r.slowly().setattr("as it is", file, client.Size(5))
	r.slowly().setattr("longer", file, client.Size(10))
	r.read("after longer", file, 0, 100)
	r.setattr("of 0", file, client.Size(0))
	for _, n := range []struct {
		what string
		size uint64
	}{
		{"2^31", 1 << 31}, {"2^32", 1 << 32}, {"16 TiB - 4096", 1<<44 - 4096}, {"16 TiB - 1", 1<<44 - 1}, {"16 TiB", 1 << 44},
		{"2^63-4096", 1<<63 - 4096}, {"2^63-1", 1<<63 - 1}, {"2^63", 1 << 63}, {"2^64-4096", 1<<64 - 4096}, {"2^64-1", 1<<64 - 1},
	} {
		r.setattr("of "+n.what, file, client.Size(n.size))
	}
	r.setattr("of 0 again", file, client.Size(0))
	r.setattr("of a directory", dir, client.Size(0))
	r.setattr("of a directory with a mode", dir, sattr(client.Size(0), client.Mode(0o777)))
	own := r.file(dir, "own", 0o444, aliceID, aliceID, "0123456789")
	none := r.file(dir, "none", 0, aliceID, aliceID, "0123456789")
	alice.setattr("by the owner without a right", own, client.Size(5))
	alice.setattr("by the owner without any right", none, client.Size(5))
	bob.setattr("by another without a right", own, client.Size(4))
	r.setattr("by root where nobody may", none, client.Size(3))
	writable := r.file(dir, "writable", 0o602, aliceID, aliceID, "0123456789")
	bob.slowly().setattr("by another with a right", writable, client.Size(4))
	bob.setattr("by another with a right, and mode", writable, sattr(client.Size(3), client.Mode(0o777)))
	r.getattr("after a size and a forbidden mode", writable)
	for _, mode := range []uint32{0o6777, 0o2666} {
		what := fmt.Sprintf("of %04o ", mode)
		f := r.file(dir, what, mode, aliceID, aliceID, "0123456789")
		bob.setattr(what+"by another", f, client.Size(4))
		r.setattr("", f, client.Mode(mode))
		alice.setattr(what+"by the owner", f, client.Size(3))
		r.setattr("", f, client.Mode(mode))
		r.setattr(what+"by root", f, client.Size(2))
		r.setattr("", f, client.Mode(mode))
		bob.setattr(what+"by another, as it is", f, client.Size(2))
		r.setattr(what+"with a mode", f, sattr(client.Size(2), client.Mode(mode)))
		alice.setattr(what+"with a mode by the owner", f, sattr(client.Size(1), client.Mode(mode)))
	}
	times := r.file(dir, "times", 0o644, aliceID, aliceID, "0123456789")
	r.setattr("with times", times, sattr(client.Size(3), past))
	r.setattr("with the server's times", times, sattr(client.Size(2), client.TimesNow()))
}

func askTimes(a *asker, dir FH) {
	r, alice, bob := a.root, a.alice, a.bob
	at := func(sec, nsec uint32) nfs3.Nfstime3 { return nfs3.Nfstime3{Seconds: sec, Nseconds: nsec} }
	file := r.file(dir, "file", 0o602, aliceID, aliceID, "x")
	r.slowly().setattr("past", file, past)
	for _, t := range []struct {
		what string
		t    nfs3.Nfstime3
	}{
		{"0", at(0, 0)}, {"1 ns", at(0, 1)}, {"999999999 ns", at(1, 999_999_999)}, {"10^9 ns", at(1, 1_000_000_000)}, {"2^30-1 ns", at(1, 1<<30-1)},
		{"2^30-2 ns", at(1, 1<<30-2)}, {"2^32-1 ns", at(1, 1<<32-1)}, {"2^31-1 s", at(1<<31-1, 0)}, {"2^31 s", at(1<<31, 0)}, {"2^32-1 s", at(1<<32-1, 0)},
	} {
		r.setattr(t.what, file, client.Times(t.t, t.t))
	}
	r.setattr("past again", file, past)
	only := past
	only.Atime = nfs3.SetAtime{}
	only.Mtime.Mtime.Seconds++
	r.setattr("mtime alone", file, only)
	only = past
	only.Mtime = nfs3.SetMtime{}
	only.Atime.Atime.Seconds++
	r.setattr("atime alone", file, only)
	only.Atime = nfs3.SetAtime{SetIt: nfs3.SET_TO_SERVER_TIME}
	r.setattr("atime alone, the server's", file, only)
	only = nfs3.Sattr3{Mtime: nfs3.SetMtime{SetIt: nfs3.SET_TO_SERVER_TIME}}
	r.setattr("mtime alone, the server's", file, only)
	only.Atime = past.Atime
	bob.setattr("mtime the server's, atime the client's, by another who may write", file, only)
	r.setattr("mtime the server's, atime the client's", file, only)
	alice.slowly().setattr("the server's by the owner", file, client.TimesNow())
	alice.slowly().setattr("past by the owner", file, past)
	bob.slowly().setattr("the server's by another who may write", file, client.TimesNow())
	bob.setattr("past by another who may write", file, past)
	bob.setattr(
		"mtime alone, the server's, by another who may write",
		file,
		nfs3.Sattr3{Mtime: nfs3.SetMtime{SetIt: nfs3.SET_TO_SERVER_TIME}},
	)
	touch := nfs3.Sattr3{Mtime: nfs3.SetMtime{SetIt: nfs3.SET_TO_SERVER_TIME}}
	bob.setattr(
		"mtime alone, the server's, with a size, by another who may write",
		file,
		sattr(touch, client.Size(0)),
	)
	r.setattr("", file, client.Mode(0o600))
	bob.setattr("mtime alone, the server's, by another who may not write", file, touch)
	bob.setattr("the server's by another who may not write", file, client.TimesNow())
	bob.setattr("past by another who may not write", file, past)
	r.setattr("", file, client.Mode(0))
	alice.setattr("the server's by the owner without a right", file, client.TimesNow())
	alice.setattr("past by the owner without a right", file, past)
	r.getattr("in the end", file)
	sub := r.dir(dir, "sub", 0o755, 0, 0)
	r.setattr("of a directory", sub, past)
	r.slowly().create("in it", sub, "new", nfs3.GUARDED, nfs3.Sattr3{})
	// The times that reading and writing leave.
	f := r.file(dir, "used", 0o644, 0, 0, "0123456789")
	r.setattr("past of what is used", f, past)
	r.slowly().read("what is used", f, 0, 5)
	r.setattr("past of what is used", f, past)
	r.slowly().write("what is used", f, 0, "x", nfs3.FILE_SYNC)
	r.setattr("past of what is used", f, past)
	r.slowly().write("nothing to what is used", f, 0, "", nfs3.FILE_SYNC)
	r.slowly().access("what is used", f, 0x3f)
	r.slowly().link("what is used", f, dir, "used 2")
	r.slowly().rename("", dir, "used 2", dir, "used 3")
	r.slowly().getattr("what was renamed", f)
	r.slowly().remove("", dir, "used 3")
	r.slowly().getattr("what was removed", f)
	r.slowly().page("", dir, false, 0, nfs3.Cookieverf3{}, 8192, 8192)
	r.slowly().lookup("what is used", dir, "used")
}

func askGuard(a *asker, dir FH) {
	r := a.root
	file := r.file(dir, "file", 0o644, aliceID, aliceID, "x")
	now := r.getattr("before", file)
	guard := func(t nfs3.Nfstime3) nfs3.Sattrguard3 { return nfs3.Sattrguard3{Check: true, ObjCtime: t} }
	r.slowly().setattrIf("right", file, client.Mode(0o600), guard(now.Ctime))
	r.setattrIf("late", file, client.Mode(0o600), guard(now.Ctime))
	now = r.getattr("after", file)
	other := now.Ctime
	other.Nseconds ^= 1
	r.setattrIf("a nanosecond off", file, client.Mode(0o600), guard(other))
	now = r.getattr("after that", file)
	other = now.Ctime
	other.Seconds++
	r.setattrIf("a second off", file, client.Mode(0o644), guard(other))
	r.setattrIf("of 0", file, client.Size(0), guard(nfs3.Nfstime3{}))
	a.bob.setattrIf("wrong, of one without a right", file, client.Mode(0o777), guard(nfs3.Nfstime3{}))
	a.bob.setattrIf("right, of one without a right", file, client.Mode(0o777), guard(now.Ctime))
	r.setattrIf("right, nothing to change", file, nfs3.Sattr3{}, guard(now.Ctime))
	r.setattrIf("wrong, nothing to change", file, nfs3.Sattr3{}, guard(nfs3.Nfstime3{}))
	now = r.getattr("before a size", file)
	r.setattrIf("right, with a size", file, client.Size(7), guard(now.Ctime))
	now = r.getattr("of the directory", dir)
	r.setattrIf("right, of a directory", dir, client.Mode(0o777), guard(now.Ctime))
	r.getattr("in the end", file)
}

func askAccess(a *asker, dir FH) {
	callers := []struct {
		name string
		who  caller
	}{
		{"root", a.root}, {"the owner", a.alice}, {"one of the group", a.as(10005, teamID)},
		{"one with the group as the last of 16", a.carol}, {"another", a.bob},
	}
	for _, mode := range []uint32{0, 0o400, 0o200, 0o100, 0o040, 0o020, 0o010, 0o004, 0o002, 0o001, 0o644, 0o755, 0o777, 0o6777} {
		file := a.root.file(dir, fmt.Sprintf("file %04o", mode), mode, aliceID, teamID, "x")
		sub := a.root.dir(dir, fmt.Sprintf("dir %04o", mode), mode, aliceID, teamID)
		for _, c := range callers {
			c.who.access(fmt.Sprintf("a file of %04o by %s", mode, c.name), file, 0x3f)
			c.who.access(fmt.Sprintf("a directory of %04o by %s", mode, c.name), sub, 0x3f)
		}
	}
	file := a.root.file(dir, "file", 0o777, 0, 0, "x")
	sub := a.root.dir(dir, "sub", 0o777, 0, 0)
	for bit := uint32(0); bit < 8; bit++ {
		a.bob.access(fmt.Sprintf("bit %d of a file", bit), file, 1<<bit)
		a.bob.access(fmt.Sprintf("bit %d of a directory", bit), sub, 1<<bit)
	}
	a.bob.access("nothing", file, 0)
	a.bob.access("everything", file, 1<<32-1)
	a.bob.access("everything of a directory", sub, 1<<32-1)
	link := a.root.symlink("", dir, "link", "x", nfs3.Sattr3{})
	a.bob.access("a link", link, 0x3f)
	a.nobodyAtAll().access("without a credential", sub, 0x3f)
}

func askSetgid(a *asker, dir FH) {
	r, alice, bob := a.root, a.alice, a.bob
	sub := r.dir(dir, "sub", 0o2777, 0, clubID)
	for _, w := range []struct {
		name string
		who  caller
	}{{"root", r}, {"alice", alice}, {"bob", bob}} {
		w.who.create(w.name+"'s file", sub, w.name+" file", nfs3.GUARDED, client.Mode(0o644))
		w.who.create(w.name+"'s file of 2755", sub, w.name+" file 2755", nfs3.GUARDED, client.Mode(0o2755))
		w.who.create(w.name+"'s file of 2644", sub, w.name+" file 2644", nfs3.GUARDED, client.Mode(0o2644))
		w.who.create(w.name+"'s file without a mode", sub, w.name+" file plain", nfs3.GUARDED, nfs3.Sattr3{})
		w.who.createHow(
			w.name+"'s exclusive file",
			sub,
			w.name+" exclusive",
			nfs3.Createhow3{Mode: nfs3.EXCLUSIVE},
		)
		w.who.mkdir(w.name+"'s directory", sub, w.name+" dir", client.Mode(0o755))
		w.who.mkdir(w.name+"'s directory of 2755", sub, w.name+" dir 2755", client.Mode(0o2755))
		w.who.mkdir(w.name+"'s directory without a mode", sub, w.name+" dir plain", nfs3.Sattr3{})
		w.who.symlink(w.name+"'s link", sub, w.name+" link", "x", nfs3.Sattr3{})
		w.who.mknod(w.name+"'s fifo", sub, w.name+" fifo", nfs3.NF3FIFO, 0, 0, client.Mode(0o2755))
	}
	alice.create(
		"with a group of one's own",
		sub,
		"own group",
		nfs3.GUARDED,
		sattr(client.Mode(0o2755), gid(teamID)),
	)
}

func askGroups(a *asker, dir FH) {
	r := a.root
	sub := r.dir(dir, "team", 0o770, 0, teamID)
	file := r.file(sub, "file", 0o640, 0, teamID, "secret")
	for _, w := range []struct {
		name string
		who  caller
	}{
		{"the group", a.as(10005, teamID)}, {"a further group", a.alice}, {"the last of 16 groups", a.carol},
		{"no group", a.bob}, {"group 0 only", a.as(10006, 0)}, {"user 0 and no group", a.as(0, 10007)},
		{"nobody", a.as(65534, 65534)}, {"user 2^32-1", a.as(1<<32-1, teamID)}, {"user 2^31", a.as(1<<31, 1<<31, teamID)},
	} {
		w.who.lookup("by "+w.name, sub, "file")
		w.who.read("by "+w.name, file, 0, 100)
		w.who.write("by "+w.name, file, 0, "S", nfs3.FILE_SYNC)
		w.who.access("by "+w.name, file, 0x3f)
		w.who.create("by "+w.name, sub, "by "+w.name, nfs3.GUARDED, client.Mode(0o660))
	}
	// A right of the owner or of the group is what the owner or the group has,
	// also if others have more.
	odd := r.file(dir, "odd", 0o026, aliceID, teamID, "data")
	a.alice.access("odd by the owner", odd, 0x3f)
	a.carol.access("odd by the group", odd, 0x3f)
	a.bob.access("odd by others", odd, 0x3f)
	a.carol.read("odd by the group", odd, 0, 4)
	a.bob.read("odd by others", odd, 0, 4)
}
