package main

import (
	"fmt"
	"strings"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

func askRead(a *asker, dir FH) {
	r, alice, bob := a.root, a.alice, a.bob
	data := strings.Repeat("0123456789abcde\n", 1000)
	file := r.file(dir, "file", 0o644, aliceID, aliceID, data)
	empty := r.file(dir, "empty", 0o644, 0, 0, "")
	const n = 16000
	for _, t := range []struct {
		what  string
		off   uint64
		count uint32
	}{
		{"all", 0, n}, {"all and more", 0, n + 1}, {"much more", 0, 1 << 20}, {"more than is served", 0, 1<<32 - 1},
		{"all but one byte", 0, n - 1}, {"one byte", 0, 1}, {"the last byte", n - 1, 1}, {"the last bytes and more", n - 3, 10},
		{"at the end", n, 1}, {"behind the end", n + 1, 100}, {"far behind the end", 1 << 40, 100},
		{"nothing", 0, 0}, {"nothing at the end", n, 0}, {"nothing behind the end", n + 5, 0},
		{"from 3 on, 5 bytes", 3, 5}, {"at 2^63-1", 1<<63 - 1, 1}, {"at 2^63-2", 1<<63 - 2, 1}, {"at 2^63-1, nothing", 1<<63 - 1, 0},
		{"over 2^63", 1<<63 - 10, 100}, {"at 2^63", 1 << 63, 1}, {"at 2^63, nothing", 1 << 63, 0}, {"at 2^64-1", 1<<64 - 1, 1}, {"over 2^64", 1<<64 - 10, 100},
	} {
		r.read(t.what, file, t.off, t.count)
	}
	r.read("an empty file", empty, 0, 10)
	r.read("nothing of an empty file", empty, 0, 0)
	r.read("a directory", dir, 0, 10)
	r.read("nothing of a directory", dir, 0, 0)
	hole := r.file(dir, "hole", 0o644, 0, 0, "")
	r.write("behind a hole", hole, 100, "x", nfs3.FILE_SYNC)
	r.read("a hole", hole, 50, 100)
	for _, mode := range []uint32{0, 0o200, 0o111, 0o311, 0o444, 0o004, 0o001, 0o010} {
		f := r.file(dir, fmt.Sprintf("mode %04o", mode), mode, aliceID, teamID, "data")
		alice.read(fmt.Sprintf("%04o by the owner", mode), f, 0, 10)
		a.carol.read(fmt.Sprintf("%04o by the group", mode), f, 0, 10)
		bob.read(fmt.Sprintf("%04o by another", mode), f, 0, 10)
		r.read(fmt.Sprintf("%04o by root", mode), f, 0, 10)
	}
	bob.read("nothing where one may not", r.lookup("", dir, "mode 0000"), 0, 0)
	bob.read("behind the end where one may not", r.lookup("", dir, "mode 0000"), 1<<40, 10)
	shut := r.dir(dir, "shut", 0o700, aliceID, aliceID)
	inside := r.file(shut, "file", 0o644, aliceID, aliceID, "data")
	bob.read("within a locked directory, by handle", inside, 0, 10)
}

func askWrite(a *asker, dir FH) {
	r, alice, bob := a.root, a.alice, a.bob
	file := r.file(dir, "file", 0o644, aliceID, aliceID, "")
	for _, how := range []nfs3.StableHow{nfs3.UNSTABLE, nfs3.DATA_SYNC, nfs3.FILE_SYNC} {
		r.slowly().write(how.String(), file, 0, "data", how)
		r.slowly().write(how.String()+" further on", file, 10*uint64(how+1), "data", how)
	}
	r.read("what was written", file, 0, 100)
	r.slowly().write("the same once more", file, 0, "data", nfs3.FILE_SYNC)
	r.write("nothing", file, 0, "", nfs3.FILE_SYNC)
	r.write("nothing behind the end", file, 1000, "", nfs3.UNSTABLE)
	args := client.WriteArgs(file, 0, []byte("12345678"), nfs3.FILE_SYNC)
	args.Count = 4
	r.writeArgs("8 bytes where the count is 4", args)
	args.Count = 12
	r.writeArgs("8 bytes where the count is 12", args)
	args.Count = 0
	r.writeArgs("8 bytes where the count is 0", args)
	r.read("after counts that are wrong", file, 0, 8)
	for _, t := range []struct {
		what string
		off  uint64
	}{
		{"16 TiB - 4097", 1<<44 - 4097}, {"16 TiB - 4096", 1<<44 - 4096}, {"16 TiB", 1 << 44}, {"2^63-2", 1<<63 - 2},
		{"2^63-1", 1<<63 - 1}, {"2^63", 1 << 63}, {"2^64-2", 1<<64 - 2}, {"2^64-1", 1<<64 - 1},
	} {
		r.write("at "+t.what, file, t.off, "x", nfs3.FILE_SYNC)
		r.write("over "+t.what, file, t.off-2, "1234", nfs3.UNSTABLE)
		r.write("nothing at "+t.what, file, t.off, "", nfs3.FILE_SYNC)
	}
	r.setattr("", file, client.Size(0))
	big := strings.Repeat("x", 1<<20)
	r.write("1 MiB", file, 0, big, nfs3.UNSTABLE)
	r.write("1 MiB at an odd offset", file, 4097, big, nfs3.FILE_SYNC)
	r.write("a directory", dir, 0, "x", nfs3.FILE_SYNC)
	r.write("nothing to a directory", dir, 0, "", nfs3.FILE_SYNC)
	for _, mode := range []uint32{0, 0o400, 0o111, 0o222, 0o020, 0o002} {
		f := r.file(dir, fmt.Sprintf("mode %04o", mode), mode, aliceID, teamID, "data")
		alice.write(fmt.Sprintf("%04o by the owner", mode), f, 0, "A", nfs3.FILE_SYNC)
		a.carol.write(fmt.Sprintf("%04o by the group", mode), f, 0, "C", nfs3.FILE_SYNC)
		bob.write(fmt.Sprintf("%04o by another", mode), f, 0, "B", nfs3.FILE_SYNC)
		r.write(fmt.Sprintf("%04o by root", mode), f, 0, "R", nfs3.FILE_SYNC)
	}
	bob.write("nothing where one may not", r.lookup("", dir, "mode 0000"), 0, "", nfs3.FILE_SYNC)
	bob.write("too far where one may not", r.lookup("", dir, "mode 0000"), 1<<63, "x", nfs3.FILE_SYNC)
	for _, mode := range []uint32{0o6777, 0o4766, 0o2766, 0o2676} {
		what := fmt.Sprintf("set-id %04o", mode)
		for _, w := range []struct {
			name string
			who  caller
		}{{"another", bob}, {"the owner", alice}, {"root", r}} {
			f := r.file(dir, what+" "+w.name, mode, aliceID, aliceID, "data")
			w.who.write(what+" by "+w.name+", nothing", f, 0, "", nfs3.FILE_SYNC)
			w.who.write(what+" by "+w.name, f, 0, "x", nfs3.UNSTABLE)
			r.getattr(what+" after "+w.name, f)
		}
	}
}

func askCommit(a *asker, dir FH) {
	r := a.root
	file := r.file(dir, "file", 0o600, aliceID, aliceID, "0123456789")
	for _, t := range []struct {
		what  string
		off   uint64
		count uint32
	}{
		{"all", 0, 0}, {"a range", 2, 5}, {"from within", 5, 0}, {"beyond the end", 100, 100}, {"at the end", 10, 0},
		{"at 2^63-1", 1<<63 - 1, 1}, {"at 2^63", 1 << 63, 0}, {"over 2^63", 1<<63 - 10, 100}, {"at 2^64-1", 1<<64 - 1, 1<<32 - 1},
	} {
		r.write("before "+t.what, file, 3, "x", nfs3.UNSTABLE)
		r.slowly().commit(t.what, file, t.off, t.count)
	}
	r.commit("a directory", dir, 0, 0)
	a.alice.commit("by the owner", file, 0, 0)
	a.bob.commit("by another", file, 0, 0)
	r.setattr("", file, client.Mode(0))
	a.alice.commit("by the owner without a right", file, 0, 0)
	r.setattr("", file, client.Mode(0o444))
	a.bob.commit("by another who may read", file, 0, 0)
	a.nobodyAtAll().commit("without a credential", file, 0, 0)
}
