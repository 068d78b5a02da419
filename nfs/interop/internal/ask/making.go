package main

import (
	"strings"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

// sattr puts sets of attributes together.
func sattr(all ...nfs3.Sattr3) (s nfs3.Sattr3) {
	for _, t := range all {
		if t.Mode.SetIt {
			s.Mode = t.Mode
		}
		if t.Uid.SetIt {
			s.Uid = t.Uid
		}
		if t.Gid.SetIt {
			s.Gid = t.Gid
		}
		if t.Size.SetIt {
			s.Size = t.Size
		}
		if t.Atime.SetIt != nfs3.DONT_CHANGE {
			s.Atime = t.Atime
		}
		if t.Mtime.SetIt != nfs3.DONT_CHANGE {
			s.Mtime = t.Mtime
		}
	}
	return s
}

func uid(n uint32) (s nfs3.Sattr3) {
	s.Uid = nfs3.SetUid3{SetIt: true, Uid: nfs3.Uid3(n)}
	return s
}

func gid(n uint32) (s nfs3.Sattr3) {
	s.Gid = nfs3.SetGid3{SetIt: true, Gid: nfs3.Gid3(n)}
	return s
}

// past are times that every file system can keep.
var past = client.Times(
	nfs3.Nfstime3{Seconds: 1_000_000_000, Nseconds: 123_456_789},
	nfs3.Nfstime3{Seconds: 1_100_000_000, Nseconds: 987_654_321},
)

// askCreate asks CREATE, without EXCLUSIVE.
func askCreate(a *asker, dir FH) {
	r, alice, bob := a.root, a.alice, a.bob
	for _, how := range []nfs3.Createmode3{nfs3.UNCHECKED, nfs3.GUARDED} {
		h := how.String() + " "
		d := r.dir(dir, how.String(), 0o777, 0, 0)
		r.slowly().create(h+"new", d, "new", how, nfs3.Sattr3{})
		r.create(h+"with a mode", d, "mode", how, client.Mode(0o640))
		r.create(h+"with a mode of 7777", d, "all", how, client.Mode(0o7777))
		r.create(h+"with a mode of 107644", d, "type", how, client.Mode(0o107644))
		r.create(h+"with an owner", d, "owner", how, client.Owner(aliceID, teamID))
		r.create(h+"with a size", d, "size", how, client.Size(100))
		r.create(h+"with a size of 0", d, "empty", how, client.Size(0))
		r.create(h+"with a size of 2^63", d, "huge", how, client.Size(1<<63))
		r.create(h+"with a size of 2^63-1", d, "large", how, client.Size(1<<63-1))
		r.create(h+"with times", d, "times", how, past)
		r.create(h+"with the server's time", d, "server", how, client.TimesNow())
		r.create(
			h+"with everything",
			d,
			"everything",
			how,
			sattr(client.Mode(0o6755), client.Owner(aliceID, teamID), client.Size(5), past),
		)
		alice.create(h+"as a user", d, "alice", how, client.Mode(0o600))
		alice.create(h+"as a user with a mode of 7777", d, "alice all", how, client.Mode(0o7777))
		alice.create(
			h+"as a user with the user's own ids",
			d,
			"alice own",
			how,
			sattr(client.Mode(0o644), client.Owner(aliceID, aliceID)),
		)
		given := r.dir(d, "given", 0o777, 0, 0)
		alice.create(
			h+"as a user with a group of the user's",
			given,
			"alice team",
			how,
			sattr(client.Mode(0o2755), gid(teamID)),
		)
		alice.create(
			h+"as a user with another's group",
			given,
			"alice club",
			how,
			sattr(client.Mode(0o644), gid(clubID)),
		)
		alice.create(
			h+"as a user for somebody else",
			given,
			"alice for bob",
			how,
			sattr(client.Mode(0o644), uid(bobID)),
		)
		alice.create(
			h+"as a user without a right to write",
			d,
			"alice 0",
			how,
			sattr(client.Mode(0), client.Size(10)),
		)
		alice.create(h+"as a user with times", d, "alice times", how, sattr(client.Mode(0), past))
		r.create(h+"over a file", d, "mode", how, client.Mode(0o777))
		r.write("to be cut", r.lookup("", d, "mode"), 0, "123456789", nfs3.FILE_SYNC)
		r.create(h+"over a file, nothing said", d, "mode", how, nfs3.Sattr3{})
		r.create(
			h+"over a file, with an owner and times",
			d,
			"mode",
			how,
			sattr(client.Owner(bobID, clubID), past),
		)
		r.slowly().create(h+"over a file, with a size", d, "mode", how, client.Size(4))
		r.slowly().create(h+"over a file, with a size of 0", d, "mode", how, client.Size(0))
		r.slowly().create(h+"over a file, with the size it has", d, "mode", how, client.Size(0))
		alice.create(h+"over another's file", d, "mode", how, nfs3.Sattr3{})
		alice.create(h+"over another's file, with a size", d, "mode", how, client.Size(0))
		alice.create(h+"over one's own file without rights, with a size", d, "alice 0", how, client.Size(0))
		bob.create(h+"over a stranger's file without rights", d, "alice 0", how, nfs3.Sattr3{})
		bob.create(h+"over a stranger's file without rights, with a size", d, "alice 0", how, client.Size(0))
		r.mkdir("", d, "dir", nfs3.Sattr3{})
		r.symlink("", d, "link", "mode", nfs3.Sattr3{})
		r.symlink("", d, "broken", "nowhere", nfs3.Sattr3{})
		r.mknod("", d, "fifo", nfs3.NF3FIFO, 0, 0, nfs3.Sattr3{})
		r.create(h+"over a directory", d, "dir", how, nfs3.Sattr3{})
		r.create(h+"over a directory, with a size", d, "dir", how, client.Size(0))
		r.create(h+"over a link", d, "link", how, nfs3.Sattr3{})
		r.create(h+"over a broken link", d, "broken", how, client.Size(0))
		r.create(h+"over a fifo", d, "fifo", how, nfs3.Sattr3{})
		file := r.lookup("", d, "mode")
		r.create(h+"in a file", file, "x", how, nfs3.Sattr3{})
		r.create(h+"in a link", r.lookup("", d, "link"), "x", how, nfs3.Sattr3{})
		r.readdirNames(h+"in the end", d)
	}
	shut := r.dir(dir, "shut", 0o755, bobID, bobID)
	r.file(shut, "file", 0o666, bobID, bobID, "")
	alice.create("where one may not write", shut, "new", nfs3.UNCHECKED, nfs3.Sattr3{})
	alice.create("where one may not write, what is there", shut, "file", nfs3.UNCHECKED, nfs3.Sattr3{})
	alice.create(
		"where one may not write, what is there, with a size",
		shut,
		"file",
		nfs3.UNCHECKED,
		client.Size(0),
	)
	alice.create("where one may not write, guarded, what is there", shut, "file", nfs3.GUARDED, nfs3.Sattr3{})
	drop := r.dir(dir, "drop", 0o733, bobID, bobID)
	alice.create("where one may write but not read", drop, "new", nfs3.GUARDED, client.Mode(0o600))
	blind := r.dir(dir, "blind", 0o766, bobID, bobID)
	alice.create("where one may write but not search", blind, "new", nfs3.GUARDED, client.Mode(0o600))
}

// askExclusive asks CREATE with EXCLUSIVE.
func askExclusive(a *asker, dir FH) {
	r, alice := a.root, a.alice
	how := func(verf string) nfs3.Createhow3 {
		h := nfs3.Createhow3{Mode: nfs3.EXCLUSIVE}
		copy(h.Verf[:], verf)
		return h
	}
	const one, other, high = "verf-one", "verf-two", "\xff\xff\xff\xff\xff\xff\xff\xff"
	fh := r.createHow("new", dir, "new", how(one))
	r.createHow("again", dir, "new", how(one))
	r.createHow("again with another verifier", dir, "new", how(other))
	alice.createHow("again as somebody else", dir, "new", how(one))
	r.create("guarded", dir, "new", nfs3.GUARDED, nfs3.Sattr3{})
	r.setattr("the file after it", fh, sattr(client.Mode(0o644), client.TimesNow()))
	r.createHow("again when attributes were set", dir, "new", how(one))
	r.createHow("verifier of 0", dir, "zero", how(""))
	r.createHow("verifier of 0 again", dir, "zero", how(""))
	r.createHow("verifier of ones", dir, "ones", how(high))
	r.createHow("verifier of ones again", dir, "ones", how(high))
	r.createHow("verifier of ones, all but one bit", dir, "ones", how(high[:7]+"\xfe"))
	r.createHow("verifier of ones, all but another bit", dir, "ones", how("\x7f"+high[1:]))
	r.createHow("verifier of ones, all but a third bit", dir, "ones", how(high[:4]+"\x7f"+high[5:]))
	alice.createHow("as a user", dir, "alice", how(one))
	r.mkdir("", dir, "dir", nfs3.Sattr3{})
	r.symlink("", dir, "link", "nowhere", nfs3.Sattr3{})
	r.create("", dir, "file", nfs3.GUARDED, nfs3.Sattr3{})
	r.createHow("over a directory", dir, "dir", how(one))
	r.createHow("over a link", dir, "link", how(one))
	r.createHow("over a file", dir, "file", how(one))
	shut := r.dir(dir, "shut", 0o755, 0, 0)
	alice.createHow("where one may not write", shut, "new", how(one))
	r.file(shut, "old", 0o666, 0, 0, "")
	alice.createHow("where one may not write, what is there", shut, "old", how(one))
	r.readdirNames("in the end", dir)
}

func askMkdir(a *asker, dir FH) {
	r, alice := a.root, a.alice
	r.slowly().mkdir("new", dir, "new", nfs3.Sattr3{})
	r.mkdir("with a mode", dir, "mode", client.Mode(0o750))
	r.mkdir("with a mode of 7777", dir, "all", client.Mode(0o7777))
	r.mkdir("with an owner", dir, "owner", sattr(client.Mode(0o755), client.Owner(aliceID, teamID)))
	r.mkdir("with a size", dir, "size", sattr(client.Mode(0o755), client.Size(1000)))
	r.mkdir("with times", dir, "times", sattr(client.Mode(0o755), past))
	alice.mkdir("as a user", dir, "alice", client.Mode(0o7755))
	given := r.dir(dir, "given", 0o777, 0, 0)
	alice.mkdir("as a user for somebody else", given, "for bob", sattr(client.Mode(0o755), uid(bobID)))
	given = r.dir(dir, "given group", 0o777, 0, 0)
	alice.mkdir("as a user with another's group", given, "for club", sattr(client.Mode(0o755), gid(clubID)))
	given = r.dir(dir, "given own group", 0o777, 0, 0)
	alice.mkdir(
		"as a user with a group of the user's",
		given,
		"for team",
		sattr(client.Mode(0o2755), gid(teamID)),
	)
	r.mkdir("over a directory", dir, "new", nfs3.Sattr3{})
	file := r.file(dir, "file", 0o644, 0, 0, "")
	r.symlink("", dir, "link", "nowhere", nfs3.Sattr3{})
	r.mkdir("over a file", dir, "file", nfs3.Sattr3{})
	r.mkdir("over a link", dir, "link", nfs3.Sattr3{})
	r.mkdir("in a file", file, "x", nfs3.Sattr3{})
	shut := r.dir(dir, "shut", 0o755, bobID, bobID)
	alice.mkdir("where one may not write", shut, "x", nfs3.Sattr3{})
	r.mkdir("", shut, "old", nfs3.Sattr3{})
	alice.mkdir("where one may not write, what is there", shut, "old", nfs3.Sattr3{})
	r.slowly().rmdir("new", dir, "new")
	r.getattr("in the end", dir)
	r.readdirNames("in the end", dir)
}

func askSymlink(a *asker, dir FH) {
	r, alice := a.root, a.alice
	link := r.slowly().symlink("new", dir, "new", "a target", nfs3.Sattr3{})
	r.readlink("new", link)
	a.nobody.readlink("as a user", link)
	for _, t := range []struct{ what, target string }{
		{"empty", ""},
		{"dots", "../../.."},
		{"absolute", "/etc/passwd"},
		{"bytes that are no text", "\xff\xfe"},
		{"a NUL within", "a\x00b"},
		{"60 characters", strings.Repeat("x", 60)},
		{"255 characters", strings.Repeat("x", 255)},
		{"1023 characters", strings.Repeat("x", 1023)},
		{"1024 characters", strings.Repeat("x", 1024)},
		{"4094 characters", strings.Repeat("x", 4094)},
		{"4095 characters", strings.Repeat("x", 4095)},
		{"4096 characters", strings.Repeat("x", 4096)},
		{"5000 characters", strings.Repeat("x", 5000)},
	} {
		r.readlink("target "+t.what, r.symlink("target "+t.what, dir, t.what, t.target, nfs3.Sattr3{}))
	}
	r.symlink("over itself", dir, "new", "other", nfs3.Sattr3{})
	r.symlink("with a mode", dir, "mode", "x", client.Mode(0o600))
	r.symlink("with an owner", dir, "owner", "x", client.Owner(aliceID, teamID))
	r.symlink("with times", dir, "times", "x", past)
	r.symlink("with a size", dir, "size", "x", client.Size(10))
	al := alice.symlink("as a user", dir, "alice", "x", nfs3.Sattr3{})
	alice.symlink("as a user for somebody else", r.dir(dir, "given", 0o777, 0, 0), "for bob", "x", uid(bobID))
	file := r.file(dir, "file", 0o644, 0, 0, "")
	fifo := r.mknod("", dir, "fifo", nfs3.NF3FIFO, 0, 0, nfs3.Sattr3{})
	r.readlink("of a file", file)
	r.readlink("of a directory", dir)
	r.readlink("of a fifo", fifo)
	r.symlink("in a file", file, "x", "x", nfs3.Sattr3{})
	alice.symlink("where one may not write", r.dir(dir, "shut", 0o755, 0, 0), "x", "x", nfs3.Sattr3{})
	r.slowly().setattr("times of a link", link, past)
	r.setattr("owner of a link", link, client.Owner(bobID, clubID))
	r.setattr("mode of a link", link, client.Mode(0o600))
	r.setattr("size of a link", link, client.Size(0))
	alice.setattr("times of one's own link", al, past)
	alice.setattr("group of one's own link", al, gid(teamID))
	a.bob.setattr("times of another's link", al, past)
	r.getattr("link in the end", link)
	r.getattr("the user's link in the end", al)
	r.read("a link", link, 0, 10)
	r.write("a link", link, 0, "x", nfs3.FILE_SYNC)
	r.commit("a link", link, 0, 0)
	r.page("a link", link, false, 0, nfs3.Cookieverf3{}, 4096, 4096)
	r.create("in a link", link, "x", nfs3.GUARDED, nfs3.Sattr3{})
}

func askMknod(a *asker, dir FH) {
	r, alice := a.root, a.alice
	fifo := r.slowly().mknod("a fifo", dir, "fifo", nfs3.NF3FIFO, 0, 0, client.Mode(0o644))
	sock := r.mknod("a socket", dir, "sock", nfs3.NF3SOCK, 0, 0, client.Mode(0o755))
	char := r.mknod("a character device", dir, "chr", nfs3.NF3CHR, 1, 3, client.Mode(0o666))
	block := r.mknod("a block device", dir, "blk", nfs3.NF3BLK, 7, 200, client.Mode(0o660))
	r.mknod("a device 0,0", dir, "zero", nfs3.NF3CHR, 0, 0, nfs3.Sattr3{})
	r.mknod("a device 4095,1048575", dir, "most", nfs3.NF3CHR, 4095, 1<<20-1, nfs3.Sattr3{})
	r.mknod("a device 4096,0", dir, "major", nfs3.NF3CHR, 4096, 0, nfs3.Sattr3{})
	r.mknod("a device 0,1048576", dir, "minor", nfs3.NF3BLK, 0, 1<<20, nfs3.Sattr3{})
	r.mknod("a device 2^32-1,2^32-1", dir, "over", nfs3.NF3BLK, 1<<32-1, 1<<32-1, nfs3.Sattr3{})
	given := r.dir(dir, "given", 0o777, 0, 0)
	r.mknod(
		"with an owner",
		given,
		"owner",
		nfs3.NF3FIFO,
		0,
		0,
		sattr(client.Mode(0o7777), client.Owner(aliceID, teamID)),
	)
	r.mknod("with times", dir, "times", nfs3.NF3FIFO, 0, 0, sattr(client.Mode(0o600), past))
	r.mknod(
		"with a size and times",
		given,
		"size",
		nfs3.NF3FIFO,
		0,
		0,
		sattr(client.Mode(0o600), client.Size(10), past),
	)
	r.mknod("without a mode", dir, "none", nfs3.NF3SOCK, 0, 0, nfs3.Sattr3{})
	for _, t := range []nfs3.Ftype3{nfs3.NF3REG, nfs3.NF3DIR, nfs3.NF3LNK} {
		r.mknod("type "+t.String(), dir, t.String(), t, 0, 0, nfs3.Sattr3{})
	}
	alice.mknod("a fifo as a user", dir, "alice fifo", nfs3.NF3FIFO, 0, 0, client.Mode(0o600))
	alice.mknod("a socket as a user", dir, "alice sock", nfs3.NF3SOCK, 0, 0, client.Mode(0o600))
	alice.mknod("a character device as a user", dir, "alice chr", nfs3.NF3CHR, 1, 3, client.Mode(0o600))
	alice.mknod("a block device as a user", dir, "alice blk", nfs3.NF3BLK, 1, 3, client.Mode(0o600))
	alice.mknod(
		"a fifo as a user for somebody else",
		given,
		"for bob",
		nfs3.NF3FIFO,
		0,
		0,
		sattr(client.Mode(0o600), uid(bobID)),
	)
	r.mknod("over a fifo", dir, "fifo", nfs3.NF3FIFO, 0, 0, nfs3.Sattr3{})
	r.mknod("type NF3REG over a fifo", dir, "fifo", nfs3.NF3REG, 0, 0, nfs3.Sattr3{})
	r.mknod("in a file", r.file(dir, "file", 0o644, 0, 0, ""), "x", nfs3.NF3FIFO, 0, 0, nfs3.Sattr3{})
	alice.mknod(
		"where one may not write",
		r.dir(dir, "shut", 0o755, 0, 0),
		"x",
		nfs3.NF3FIFO,
		0,
		0,
		nfs3.Sattr3{},
	)
	for _, o := range []struct {
		what string
		fh   FH
	}{{"a fifo", fifo}, {"a socket", sock}, {"a character device", char}, {"a block device", block}} {
		r.getattr(o.what, o.fh)
		r.read(o.what, o.fh, 0, 10)
		r.write(o.what, o.fh, 0, "x", nfs3.FILE_SYNC)
		r.commit(o.what, o.fh, 0, 0)
		r.setattr("size of "+o.what, o.fh, client.Size(0))
		r.setattr("mode of "+o.what, o.fh, client.Mode(0o604))
		r.setattr("times of "+o.what, o.fh, past)
		a.bob.access(o.what, o.fh, 0x3f)
		r.lookup("in "+o.what, o.fh, "x")
		r.page(o.what, o.fh, false, 0, nfs3.Cookieverf3{}, 4096, 4096)
	}
	r.page("in the end", dir, true, 0, nfs3.Cookieverf3{}, 32<<10, 32<<10)
}
