package main

import (
	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

func askRemove(a *asker, dir FH) {
	r, alice := a.root, a.alice
	file := r.file(dir, "file", 0o644, 0, 0, "x")
	r.link("", file, dir, "second")
	r.slowly().remove("one of two names", dir, "second")
	r.getattr("with one name left", file)
	full := r.mkdir("", dir, "full", nfs3.Sattr3{})
	r.mkdir("", full, "sub", nfs3.Sattr3{})
	r.mkdir("", dir, "empty", nfs3.Sattr3{})
	link := r.symlink("", dir, "link", "full", nfs3.Sattr3{})
	r.mknod("", dir, "fifo", nfs3.NF3FIFO, 0, 0, nfs3.Sattr3{})
	r.remove("missing", dir, "missing")
	r.remove("empty directory", dir, "empty")
	r.remove("full directory", dir, "full")
	r.remove("in a file", file, "x")
	r.remove("in a link", link, "sub")
	r.rmdir("missing", dir, "missing")
	r.rmdir("file", dir, "file")
	r.rmdir("link", dir, "link")
	r.rmdir("fifo", dir, "fifo")
	r.rmdir("full directory", dir, "full")
	r.rmdir("in a file", file, "x")
	r.remove("link", dir, "link")
	r.remove("fifo", dir, "fifo")
	r.slowly().rmdir("empty directory", dir, "empty")
	shut := r.dir(dir, "shut", 0o755, bobID, bobID)
	r.file(shut, "file", 0o666, aliceID, aliceID, "")
	r.dir(shut, "sub", 0o777, aliceID, aliceID)
	alice.remove("where one may not write", shut, "file")
	alice.remove("where one may not write, a directory", shut, "sub")
	alice.remove("where one may not write, what is missing", shut, "missing")
	alice.rmdir("where one may not write", shut, "sub")
	alice.rmdir("where one may not write, a file", shut, "file")
	a.bob.remove("another's file in one's own directory", shut, "file")
	a.bob.rmdir("another's directory in one's own", shut, "sub")
	r.readdirNames("in the end", dir)
}

// askRename asks for all pairs of types.
func askRename(a *asker, dir FH) {
	r := a.root
	kinds := []string{"missing", "file", "file again", "empty", "full", "link", "fifo"}
	fill := func(d FH, prefix string) {
		r.file(d, prefix+"file", 0o644, 0, 0, "x")
		r.link("", r.lookup("", d, prefix+"file"), d, prefix+"file again")
		r.mkdir("", d, prefix+"empty", nfs3.Sattr3{})
		full := r.mkdir("", d, prefix+"full", nfs3.Sattr3{})
		r.mkdir("", full, "sub", nfs3.Sattr3{})
		r.symlink("", d, prefix+"link", "file", nfs3.Sattr3{})
		r.mknod("", d, prefix+"fifo", nfs3.NF3FIFO, 0, 0, nfs3.Sattr3{})
	}
	// The objects that a pair destroys are made again before the next pair.
	for _, from := range kinds {
		for _, to := range kinds {
			pair := r.mkdir("", dir, "from "+from+" to "+to, nfs3.Sattr3{})
			fill(pair, "from ")
			fill(pair, "to ")
			r.slowly().rename("", pair, "from "+from, pair, "to "+to)
			r.readdirNames("after "+from+" to "+to, pair)
		}
	}
	two := r.mkdir("", dir, "two", nfs3.Sattr3{})
	one := r.mkdir("", dir, "one", nfs3.Sattr3{})
	fill(one, "")
	for _, name := range kinds {
		r.rename(name+" onto itself", one, name, one, name)
	}
	r.rename("onto another name of the same file", one, "file", one, "file again")
	r.readdirNames("after that", one)
	r.slowly().rename("to another directory", one, "file", two, "file")
	r.slowly().rename("directory to another directory", one, "full", two, "full")
	full := r.lookup("", two, "full")
	r.lookup("its .. afterwards", full, "..")
	sub := r.lookup("", full, "sub")
	r.rename("into itself", two, "full", full, "x")
	r.rename("into what lies in it", two, "full", sub, "x")
	r.rename("onto what it lies in", full, "sub", two, "full")
	r.rename("onto what it lies in, twice", full, "sub", dir, "two")
	file := r.lookup("", two, "file")
	r.rename("from a file", file, "x", two, "x")
	r.rename("to a file", two, "file", file, "x")
	r.rename("what is missing to a file", two, "missing", file, "x")
	r.getattr("one in the end", one)
	r.getattr("two in the end", two)

	alice, bob := a.alice, a.bob
	mine := r.dir(dir, "mine", 0o755, aliceID, aliceID)
	his := r.dir(dir, "his", 0o755, bobID, bobID)
	r.file(mine, "file", 0o600, aliceID, aliceID, "x")
	r.file(his, "file", 0o600, bobID, bobID, "x")
	r.dir(mine, "rooted", 0o755, 0, 0)
	r.dir(mine, "own", 0o755, aliceID, aliceID)
	open := r.dir(dir, "open", 0o777, bobID, bobID)
	alice.rename("to where one may not write", mine, "file", his, "new")
	alice.rename("from where one may not write", his, "file", mine, "new")
	alice.rename("where one may not write", his, "file", his, "new")
	alice.rename("where one may not write, onto itself", his, "file", his, "file")
	alice.rename("where one may not write, what is missing", his, "missing", his, "new")
	alice.rename("another's directory within one's own", mine, "rooted", mine, "renamed")
	alice.rename("another's directory to elsewhere", mine, "renamed", open, "moved")
	alice.rename("one's own directory to elsewhere", mine, "own", open, "own")
	alice.rename("one's own file to elsewhere", mine, "file", open, "file")
	bob.rename("another's file in one's own directory", open, "file", his, "file")
	r.readdirNames("mine", mine)
	r.readdirNames("open", open)
}

func askLink(a *asker, dir FH) {
	r, alice := a.root, a.alice
	file := r.file(dir, "file", 0o644, aliceID, aliceID, "x")
	sub := r.mkdir("", dir, "sub", nfs3.Sattr3{})
	link := r.symlink("", dir, "link", "file", nfs3.Sattr3{})
	fifo := r.mknod("", dir, "fifo", nfs3.NF3FIFO, 0, 0, nfs3.Sattr3{})
	char := r.mknod("", dir, "chr", nfs3.NF3CHR, 1, 3, nfs3.Sattr3{})
	r.slowly().link("a file", file, dir, "file 2")
	r.link("a file into another directory", file, sub, "file 3")
	r.link("a directory", sub, dir, "sub 2")
	r.link("a link", link, dir, "link 2")
	r.link("a fifo", fifo, dir, "fifo 2")
	r.link("a device", char, dir, "chr 2")
	r.link("over a file", file, dir, "fifo")
	r.link("over itself", file, dir, "file")
	r.link("over a directory", file, dir, "sub")
	r.link("in a file", file, fifo, "x")
	r.link("in a link", file, link, "x")
	r.link("a directory in a file", sub, file, "x")
	alice.link("one's own file", file, dir, "alice")
	other := r.file(dir, "other", 0o644, aliceID, aliceID, "x")
	char2 := r.mknod("", dir, "other chr", nfs3.NF3CHR, 1, 3, nfs3.Sattr3{})
	bobs := r.dir(dir, "bobs", 0o777, 0, 0)
	r.setattr("so that all may write", file, client.Mode(0o666))
	a.bob.link("another's file that one may write", file, dir, "bob 2")
	a.bob.link("another's file that one may read", other, bobs, "bob")
	secret := r.file(dir, "secret", 0o600, 0, 0, "x")
	a.bob.link("another's file that one may not read", secret, bobs, "bob 3")
	suid := r.file(dir, "suid", 0o4755, 0, 0, "x")
	a.bob.link("a set-user-id program", suid, bobs, "bob 4")
	a.bob.link("another's device", char2, bobs, "bob 5")
	shut := r.dir(dir, "shut", 0o755, 0, 0)
	alice.link("where one may not write", file, shut, "x")
	r.readdirNames("in the end", dir)
	r.getattr("in the end", file)
}

// askSticky asks about a directory with the sticky bit, and one without.
func askSticky(a *asker, dir FH) {
	r, alice, bob := a.root, a.alice, a.bob
	for _, mode := range []uint32{0o777, 0o1777} {
		name := map[uint32]string{0o777: "open", 0o1777: "sticky"}[mode]
		d := r.dir(dir, name, mode, bobID, bobID)
		for _, n := range []string{"a", "b", "c", "d"} {
			r.file(d, n, 0o666, aliceID, aliceID, "")
		}
		r.dir(d, "sub", 0o777, aliceID, aliceID)
		a.carol.remove(name+": another's", d, "a")
		a.carol.rename(name+": another's", d, "b", d, "b2")
		c := a.carol.create(name+": one's own", d, "carol", nfs3.GUARDED, client.Mode(0o600))
		a.carol.rename(name+": one's own over another's", d, "carol", d, "c")
		a.carol.rmdir(name+": another's", d, "sub")
		alice.remove(name+": one's own", d, "d")
		bob.remove(name+": in one's own directory", d, "c")
		bob.rmdir(name+": in one's own directory", d, "sub")
		r.getattr(name+": carol's", c)
		r.remove(name+": as root", d, "a")
		r.readdirNames(name+": in the end", d)
		a.carol.access(name, d, 0x3f)
		alice.setattr(name+": mode of the directory by another", d, client.Mode(0o777))
	}
}
