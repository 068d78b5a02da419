package main

import (
	"fmt"
	"strings"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

func askReaddir(a *asker, dir FH) {
	r := a.root
	var none nfs3.Cookieverf3
	file := r.file(dir, "file", 0o644, 0, 0, "x")
	empty := r.mkdir("", dir, "empty", client.Mode(0o755))
	many := r.mkdir("", dir, "many", client.Mode(0o755))
	const entries = 60
	for i := range entries {
		r.create(
			"",
			many,
			fmt.Sprintf("%02d-%s", i, strings.Repeat("n", i*3)),
			nfs3.GUARDED,
			client.Mode(0o644),
		)
	}
	for _, plus := range []bool{false, true} {
		r.page("an empty directory", empty, plus, 0, none, 4096, 4096)
		r.page("a file", file, plus, 0, none, 4096, 4096)
		r.page("the export", a.export, plus, 0, none, 32<<10, 32<<10)
		first := r.page("many", many, plus, 0, none, 32<<10, 32<<10)
		for _, most := range []uint32{0, 1, 64, 100, 127, 128, 160, 512, 1024, 1<<32 - 1} {
			x := r.page(fmt.Sprintf("an empty directory in %d bytes", most), empty, plus, 0, none, most, most)
			a.fits(fmt.Sprintf("%v %d", plus, most), x, plus, most)
		}
		for _, most := range []uint32{512, 1000, 4096, 32 << 10} {
			r.loop(fmt.Sprintf("many in pages of %d", most), many, plus, most, most)
		}
		r.page(
			"from a cookie never given, with no verifier",
			many,
			plus,
			0x7fff_ffff_1234_5678,
			none,
			4096,
			4096,
		)
		r.page("from a cookie never given", many, plus, 0x7fff_ffff_1234_5678, first.Verf, 4096, 4096)
		r.page("from cookie 2^64-1", many, plus, 1<<64-1, first.Verf, 4096, 4096)
		wrong := first.Verf
		wrong[0] ^= 0xff
		if len(first.Entries) > 3 {
			middle := first.Entries[2].Cookie
			last := first.Entries[len(first.Entries)-1].Cookie
			r.page("from the middle", many, plus, middle, first.Verf, 32<<10, 32<<10)
			r.page("from the middle with a wrong verifier", many, plus, middle, wrong, 32<<10, 32<<10)
			r.page("from the end", many, plus, last, first.Verf, 4096, 4096)
			r.slowly().create(
				"while it is read",
				many,
				fmt.Sprintf("new %v", plus),
				nfs3.GUARDED,
				nfs3.Sattr3{},
			)
			r.page("from the end, after a change", many, plus, last, first.Verf, 4096, 4096)
			// The file system decides whether the new name lies before or behind the others.
			delete(a.answers[len(a.answers)-1].Fields, "entries")
		}
		r.page("from the beginning with a wrong verifier", empty, plus, 0, wrong, 4096, 4096)
		a.bob.page("as another", many, plus, 0, none, 32<<10, 32<<10)
	}
	// What READDIRPLUS's two limits mean.
	for _, names := range []uint32{0, 1, 24, 100, 1000} {
		r.loop(fmt.Sprintf("many with names of %d", names), many, true, names, 8192)
	}
	r.loop("many with names of 8192 in all of 1024", many, true, 8192, 1024)
	// READDIR by a caller who may not search, or not read.
	for _, mode := range []uint32{0o700, 0o711, 0o744, 0o755} {
		d := r.dir(dir, fmt.Sprintf("mode %04o", mode), mode, aliceID, aliceID)
		r.file(d, "file", 0o644, 0, 0, "")
		for _, plus := range []bool{false, true} {
			a.bob.page(fmt.Sprintf("%04o by another", mode), d, plus, 0, none, 4096, 4096)
			r.page(fmt.Sprintf("%04o by root", mode), d, plus, 0, none, 4096, 4096)
		}
	}
}

// fits notes whether a page keeps to the size that was asked for.
func (a *asker) fits(what string, p client.Page, plus bool, most uint32) {
	if p.Status != nfs3.NFS3_OK {
		return
	}
	size := uint64(88 + 8 + 8)
	for _, e := range p.Entries {
		size += 24 + uint64(len(e.Name)+3)&^3
		if plus {
			size += 8
			if e.Attr.AttributesFollow {
				size += 84
			}
			if e.Handle.HandleFollows {
				size += 4 + uint64(len(e.Handle.Handle.Data)+3)&^3
			}
		}
	}
	a.note("size", what).set("fits", size <= uint64(most))
}

// loop reads a directory to its end.
func (w caller) loop(what string, dir FH, plus bool, names, most uint32) {
	var cookie nfs3.Cookie3
	var verf nfs3.Cookieverf3
	var all []client.DirEntry
	quiet := &asker{nfs: w.nfs, export: w.export, names: map[string]int{}, known: map[string]nfs3.Fattr3{}}
	reader := caller{asker: quiet, c: w.c}
	x := w.note(map[bool]string{false: "READDIR", true: "READDIRPLUS"}[plus], what)
	x.set("fits", true)
	for range 1000 {
		p := reader.page("", dir, plus, cookie, verf, names, most)
		x.set("status", p.Status)
		if p.Status != nfs3.NFS3_OK {
			return
		}
		all = append(all, p.Entries...)
		quiet.fits("", p, plus, most)
		if n := len(quiet.answers) - 1; quiet.answers[n].Fields["fits"] != "true" {
			x.set("fits", false)
		}
		if p.EOF {
			x.set("eof", true)
			break
		}
		if len(p.Entries) == 0 {
			x.set("stuck", true)
			break
		}
		cookie, verf = p.Entries[len(p.Entries)-1].Cookie, p.Verf
	}
	x.set("entries in all", len(all))
	cookies, namesSeen := map[nfs3.Cookie3]bool{}, map[string]bool{}
	for _, e := range all {
		cookies[e.Cookie], namesSeen[e.Name] = true, true
	}
	x.set("different names", len(namesSeen))
	x.set("different cookies", len(cookies))
	x.set("cookie 0", cookies[0])
}

// askServer asks what the server says about itself.
func askServer(a *asker, dir FH) {
	r := a.root
	file := r.file(dir, "file", 0o644, 0, 0, "x")
	objects := []struct {
		what string
		fh   FH
	}{{"the export", a.export}, {"a directory", dir}, {"a file", file}}
	for _, o := range objects {
		var f nfs3.FSINFO3res
		if x, ok := r.ask(nfs3.NFSPROC3_FSINFO, o.what, &nfs3.FSINFO3args{Fsroot: o.fh}, &f); ok {
			x.set("status", f.Status)
			i := f.Resok
			r.post(x, "obj", o.fh, i.ObjAttributes)
			x.set(
				"preferred fit",
				i.Rtpref <= i.Rtmax && i.Wtpref <= i.Wtmax && i.Rtpref >= 4096 && i.Wtpref >= 4096 &&
					i.Dtpref >= 512,
			)
			x.set("1 MiB", i.Rtmax >= 1<<20 && i.Wtmax >= 1<<20)
			x.set(
				"multiples",
				i.Rtmult > 0 && i.Rtpref%i.Rtmult == 0 && i.Wtmult > 0 && i.Wtpref%i.Wtmult == 0,
			)
			x.set("maxfilesize", uint64(i.Maxfilesize))
			x.set("time_delta", fmt.Sprintf("%d.%09d", i.TimeDelta.Seconds, i.TimeDelta.Nseconds))
			x.set("properties", fmt.Sprintf("%#x", i.Properties))
		}
		var s nfs3.FSSTAT3res
		if x, ok := r.ask(nfs3.NFSPROC3_FSSTAT, o.what, &nfs3.FSSTAT3args{Fsroot: o.fh}, &s); ok {
			x.set("status", s.Status)
			i := s.Resok
			r.post(x, "obj", o.fh, i.ObjAttributes)
			x.set("space in order", i.Tbytes >= i.Fbytes && i.Fbytes >= i.Abytes && i.Abytes > 1<<20)
			x.set("files in order", i.Tfiles >= i.Ffiles && i.Ffiles >= i.Afiles && i.Afiles > 100)
			x.set("invarsec", i.Invarsec)
		}
		var p nfs3.PATHCONF3res
		if x, ok := r.ask(nfs3.NFSPROC3_PATHCONF, o.what, &nfs3.PATHCONF3args{Object: o.fh}, &p); ok {
			x.set("status", p.Status)
			i := p.Resok
			r.post(x, "obj", o.fh, i.ObjAttributes)
			x.set("linkmax", i.Linkmax)
			x.set("name_max", i.NameMax)
			x.set("no_trunc", i.NoTrunc)
			x.set("chown_restricted", i.ChownRestricted)
			x.set("case_insensitive", i.CaseInsensitive)
			x.set("case_preserving", i.CasePreserving)
		}
	}
	for _, w := range []struct {
		name string
		who  caller
	}{{"as a user", a.nobody}, {"without a credential", a.nobodyAtAll()}} {
		var f nfs3.FSINFO3res
		if x, ok := w.who.ask(nfs3.NFSPROC3_FSINFO, w.name, &nfs3.FSINFO3args{Fsroot: a.export}, &f); ok {
			x.set("status", f.Status)
		}
		var s nfs3.FSSTAT3res
		if x, ok := w.who.ask(nfs3.NFSPROC3_FSSTAT, w.name, &nfs3.FSSTAT3args{Fsroot: a.export}, &s); ok {
			x.set("status", s.Status)
		}
		var p nfs3.PATHCONF3res
		if x, ok := w.who.ask(nfs3.NFSPROC3_PATHCONF, w.name, &nfs3.PATHCONF3args{Object: a.export}, &p); ok {
			x.set("status", p.Status)
		}
	}
}
