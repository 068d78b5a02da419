package main

import (
	"strings"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

// readdirNames lists a directory that fits into one page.
func (w caller) readdirNames(what string, dir FH) {
	w.page(what, dir, false, 0, nfs3.Cookieverf3{}, 32<<10, 32<<10)
}

// askNames asks for names that are not allowed, and for odd ones.
func askNames(a *asker, dir FH) {
	r := a.root
	for _, n := range []struct{ what, name string }{
		{"an empty name", ""},
		{"dot", "."},
		{"dot dot", ".."},
		{"a slash", "/"},
		{"a slash within", "a/b"},
		{"a NUL within", "a\x00b"},
		{"255 characters", strings.Repeat("n", 255)},
		{"256 characters", strings.Repeat("n", 256)},
		{"5000 characters", strings.Repeat("n", 5000)},
		{"bytes that are no text", "\xff\xfe\x01"},
		{"a space", " "},
		{"three dots", "..."},
		{"a backslash and a star", `\*`},
	} {
		d := r.mkdir("for "+n.what, dir, "d", client.Mode(0o755))
		r.file(d, "old", 0o644, 0, 0, "x")
		old := r.lookup("", d, "old")
		r.lookup("missing "+n.what, d, n.name)
		r.create("guarded "+n.what, d, n.name, nfs3.GUARDED, client.Mode(0o644))
		r.lookup("made "+n.what, d, n.name)
		r.create("unchecked "+n.what, d, n.name, nfs3.UNCHECKED, nfs3.Sattr3{})
		r.createHow("exclusive "+n.what, d, n.name, nfs3.Createhow3{Mode: nfs3.EXCLUSIVE})
		r.mkdir("over "+n.what, d, n.name, nfs3.Sattr3{})
		r.rmdir("on a file "+n.what, d, n.name)
		r.remove(n.what, d, n.name)
		r.mkdir(n.what, d, n.name, client.Mode(0o755))
		r.remove("on a directory "+n.what, d, n.name)
		r.rmdir(n.what, d, n.name)
		r.symlink(n.what, d, n.name, "target", nfs3.Sattr3{})
		r.remove("link "+n.what, d, n.name)
		r.mknod(n.what, d, n.name, nfs3.NF3FIFO, 0, 0, nfs3.Sattr3{})
		r.remove("fifo "+n.what, d, n.name)
		r.link(n.what, old, d, n.name)
		r.remove("second "+n.what, d, n.name)
		r.rename("to "+n.what, d, "old", d, n.name)
		r.readdirNames("with "+n.what, d)
		r.rename("from "+n.what, d, n.name, d, "old")
		r.remove("old, that was "+n.what, d, "old")
		r.rmdir("after "+n.what, dir, "d")
	}
}

// askLookup asks for existing names.
func askLookup(a *asker, dir FH) {
	r := a.root
	sub := r.dir(dir, "sub", 0o755, 0, 0)
	deep := r.dir(sub, "deep", 0o711, aliceID, aliceID)
	shut := r.dir(sub, "shut", 0o700, aliceID, aliceID)
	open := r.dir(sub, "open", 0o744, aliceID, aliceID)
	file := r.file(dir, "file", 0o644, 0, 0, "data")
	r.file(deep, "secret", 0o600, aliceID, aliceID, "")
	r.file(shut, "secret", 0o644, aliceID, aliceID, "")
	r.file(open, "secret", 0o644, aliceID, aliceID, "")
	link := r.symlink("", dir, "link", "sub", nfs3.Sattr3{})
	fifo := r.mknod("", dir, "fifo", nfs3.NF3FIFO, 0, 0, client.Mode(0o644))
	r.lookup("file", dir, "file")
	r.lookup("missing", dir, "missing")
	r.lookup("link, not followed", dir, "link")
	r.lookup("of a directory .", sub, ".")
	r.lookup("of a directory ..", sub, "..")
	r.lookup("of the export .", a.export, ".")
	r.lookup("of the export ..", a.export, "..")
	r.lookup("in a file", file, "name")
	r.lookup("in a file .", file, ".")
	r.lookup("in a link", link, "deep")
	r.lookup("in a fifo", fifo, "name")
	for _, w := range []struct {
		name string
		who  caller
	}{{"alice", a.alice}, {"bob", a.bob}, {"root", r}} {
		w.who.lookup("as "+w.name+" where one may search", deep, "secret")
		w.who.lookup("as "+w.name+" where one may not", shut, "secret")
		w.who.lookup("as "+w.name+" where one may not, what is missing", shut, "missing")
		w.who.lookup("as "+w.name+" where one may only read", open, "secret")
		w.who.lookup("as "+w.name+" where one may not, .", shut, ".")
		w.who.lookup("as "+w.name+" where one may not, ..", shut, "..")
		w.who.page("as "+w.name+" where one may only search", deep, false, 0, nfs3.Cookieverf3{}, 8192, 8192)
		w.who.page("as "+w.name+" where one may only read", open, false, 0, nfs3.Cookieverf3{}, 8192, 8192)
		w.who.page("as "+w.name+" where one may only read", open, true, 0, nfs3.Cookieverf3{}, 8192, 8192)
		w.who.page("as "+w.name+" where one may not", shut, true, 0, nfs3.Cookieverf3{}, 8192, 8192)
	}
	a.as(0, 0).getattr("of a locked directory", shut)
	a.bob.getattr("of a locked directory", shut)
	anonymous := a.nobodyAtAll()
	anonymous.getattr("without a credential", dir)
	anonymous.lookup("without a credential", dir, "file")
}
