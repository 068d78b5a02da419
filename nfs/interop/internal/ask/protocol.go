package main

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

const program = nfs3.NFS_PROGRAM

// askRPC asks questions that concern RPC alone.
func askRPC(a *asker, dir FH) {
	raw := func(what string, c line, prog, vers, proc uint32, args []byte) {
		a.note("call", what).reply(c, prog, vers, proc, client.Raw(args), nil)
	}
	// If the server believes one of these calls, the change to scratch does not matter later
	// on.
	fh := rpctest.Args(nil).Opaque(a.root.mkdir("", dir, "scratch", nfs3.Sattr3{}).Data)
	raw("NULL", a.nfs, program, 3, nfs3.NFSPROC3_NULL, nil)
	raw("NULL without a credential", a.nfs.anonymous(), program, 3, nfs3.NFSPROC3_NULL, nil)
	raw("NULL with arguments", a.nfs, program, 3, nfs3.NFSPROC3_NULL, fh)
	raw("procedure 22", a.nfs, program, 3, 22, nil)
	raw("procedure 2^32-1", a.nfs, program, 3, 1<<32-1, nil)
	raw("version 1", a.nfs, program, 1, 0, nil)
	raw("another program", a.nfs, 200000, 3, 0, nil)
	raw("GETATTR without arguments", a.nfs, program, 3, nfs3.NFSPROC3_GETATTR, nil)
	raw("GETATTR with a handle cut off", a.nfs, program, 3, nfs3.NFSPROC3_GETATTR, fh[:len(fh)-4])
	raw(
		"GETATTR with a handle of 68 bytes",
		a.nfs,
		program,
		3,
		nfs3.NFSPROC3_GETATTR,
		rpctest.Args(nil).Opaque(make([]byte, 68)),
	)
	raw(
		"GETATTR with bytes behind the arguments",
		a.nfs,
		program,
		3,
		nfs3.NFSPROC3_GETATTR,
		append(bytes.Clone(fh), 1, 2, 3, 4),
	)
	raw(
		"SETATTR with a truth value of 2",
		a.nfs,
		program,
		3,
		nfs3.NFSPROC3_SETATTR,
		rpctest.Args(fh).U32(2, 0, 0, 0, 0, 0, 0, 0),
	)
	raw(
		"SETATTR with a kind of time of 3",
		a.nfs,
		program,
		3,
		nfs3.NFSPROC3_SETATTR,
		rpctest.Args(fh).U32(0, 0, 0, 0, 3, 0, 0),
	)
	raw(
		"CREATE with a mode of 3",
		a.nfs,
		program,
		3,
		nfs3.NFSPROC3_CREATE,
		rpctest.Args(fh).String("new").U32(3, 0, 0, 0, 0, 0, 0),
	)
	raw(
		"MKNOD with a type of 0",
		a.nfs,
		program,
		3,
		nfs3.NFSPROC3_MKNOD,
		rpctest.Args(fh).String("new").U32(0, 0, 0, 0, 0, 0, 0),
	)
	raw(
		"MKNOD with a type of 8",
		a.nfs,
		program,
		3,
		nfs3.NFSPROC3_MKNOD,
		rpctest.Args(fh).String("new").U32(8, 0, 0, 0, 0, 0, 0),
	)
	raw(
		"WRITE with a stability of 3",
		a.nfs,
		program,
		3,
		nfs3.NFSPROC3_WRITE,
		rpctest.Args(fh).U64(0).U32(1, 3).String("x"),
	)
	raw(
		"WRITE with data cut off",
		a.nfs,
		program,
		3,
		nfs3.NFSPROC3_WRITE,
		rpctest.Args(fh).U64(0).U32(8, 0, 8, 0),
	)
	raw("LOOKUP with a name cut off", a.nfs, program, 3, nfs3.NFSPROC3_LOOKUP, rpctest.Args(fh).U32(100, 0))
	raw("an unknown flavor", a.nfs.with(rpctest.Opaque{Flavor: 77}), program, 3, nfs3.NFSPROC3_NULL, nil)
	raw("16 groups", a.carol.c, program, 3, nfs3.NFSPROC3_NULL, nil)
	raw("17 groups", a.nfs.as(0, 0, make([]uint32, 17)...), program, 3, nfs3.NFSPROC3_GETATTR, fh)
	long := rpctest.Sys(0, 0)
	long.Body = append(rpctest.Args(nil).U32(0).String(strings.Repeat("m", 256)), long.Body[16:]...)
	raw("a machine name of 256 characters", a.nfs.with(long), program, 3, nfs3.NFSPROC3_GETATTR, fh)
	short := rpctest.Sys(0, 0)
	short.Body = short.Body[:len(short.Body)-4]
	raw("a credential cut off", a.nfs.with(short), program, 3, nfs3.NFSPROC3_GETATTR, fh)
	a.root.readdirNames("nothing has been made", dir)
}

// askMount asks the MOUNT protocol.
func askMount(a *asker, dir FH) {
	a.root.mkdir("", dir, "sub", client.Mode(0o700))
	a.root.file(dir, "file", 0o644, 0, 0, "")
	a.root.symlink("", dir, "within", "sub", nfs3.Sattr3{})
	a.root.symlink("", dir, "beyond", "/etc", nfs3.Sattr3{})
	a.root.mknod("", dir, "fifo", nfs3.NF3FIFO, 0, 0, nfs3.Sattr3{})
	here := path.Join(a.path, "mount")
	ask := func(what string, c line, p string) {
		x := a.note("MNT", what)
		var r mount3.Mountres3
		if x.reply(c, mount3.MOUNT_PROGRAM, 3, mount3.MOUNTPROC3_MNT, client.Text(p), &r) {
			x.set("status", r.FhsStatus)
			if r.FhsStatus == mount3.MNT3_OK {
				x.set("AUTH_SYS", fmt.Sprint(contains(r.Mountinfo.AuthFlavors, 1)))
				a.root.getattr("of "+what, FH{Data: bytes.Clone(r.Mountinfo.Fhandle)})
			}
		}
	}
	ask("the export", a.mnt, a.path)
	ask("the export without a credential", a.mnt.anonymous(), a.path)
	ask("the export as a user", a.mnt.as(aliceID, aliceID), a.path)
	ask("a directory", a.mnt, here)
	ask("a directory and a slash", a.mnt, here+"/")
	ask("a directory with two slashes", a.mnt, strings.Replace(here, "/mount", "//mount", 1))
	ask("a locked directory as a user", a.mnt.as(aliceID, aliceID), here+"/sub")
	ask("a file", a.mnt, here+"/file")
	ask("a fifo", a.mnt, here+"/fifo")
	ask("a link within", a.mnt, here+"/within")
	ask("a link beyond", a.mnt, here+"/beyond")
	ask("what is missing", a.mnt, here+"/missing")
	ask("what is missing below a file", a.mnt, here+"/file/missing")
	ask("a path that is not exported", a.mnt, "/no/such/export")
	ask("a relative path", a.mnt, "mount")
	ask("an empty path", a.mnt, "")
	ask("a name of 256 characters", a.mnt, here+"/"+strings.Repeat("n", 256))
	ask("a path of 1025 characters", a.mnt, (here + strings.Repeat("/n", 600))[:1025])
	raw := func(what string, vers, proc uint32, args []byte) {
		x := a.note("call", what)
		x.reply(a.mnt, mount3.MOUNT_PROGRAM, vers, proc, client.Raw(args), nil)
	}
	raw("NULL", 3, 0, nil)
	raw("UMNT", 3, mount3.MOUNTPROC3_UMNT, rpctest.Args(nil).String(here))
	raw("UMNT of what was not mounted", 3, mount3.MOUNTPROC3_UMNT, rpctest.Args(nil).String("/never"))
	raw("UMNTALL", 3, mount3.MOUNTPROC3_UMNTALL, nil)
	raw("procedure 6", 3, 6, nil)
	raw("version 4", 4, 0, nil)
	raw("MNT without arguments", 3, mount3.MOUNTPROC3_MNT, nil)
	x := a.note("EXPORT", "")
	var list mount3.Exports
	if x.reply(a.mnt, mount3.MOUNT_PROGRAM, 3, mount3.MOUNTPROC3_EXPORT, nil, &list) {
		x.set("exports", len(list))
	}
	x = a.note("DUMP", "")
	var mounts mount3.Mountlist
	x.reply(a.mnt, mount3.MOUNT_PROGRAM, 3, mount3.MOUNTPROC3_DUMP, nil, &mounts)
}

func contains(list []int32, want int32) bool {
	for _, n := range list {
		if n == want {
			return true
		}
	}
	return false
}

// askHandles asks with handles that are not valid, and with those of objects that no longer exist.
func askHandles(a *asker, dir FH) {
	good := a.root.file(dir, "good", 0o644, 0, 0, "data")
	cut := FH{Data: good.Data[:len(good.Data)-4]}
	spoilt := FH{Data: bytes.Clone(good.Data)}
	spoilt.Data[len(spoilt.Data)-1] ^= 0x40
	more := FH{Data: append(bytes.Clone(good.Data), 0, 0, 0, 0)}
	for _, h := range []struct {
		what string
		fh   FH
	}{
		{"an empty handle", FH{}},
		{"4 bytes of nothing", FH{Data: make([]byte, 4)}},
		{"32 bytes of nothing", FH{Data: make([]byte, 32)}},
		{"64 bytes of 0xff", FH{Data: bytes.Repeat([]byte{0xff}, 64)}},
		{"a handle cut off", cut},
		{"a spoilt handle", spoilt},
		{"a handle with more", more},
	} {
		a.root.getattr(h.what, h.fh)
		a.root.lookup("in "+h.what, h.fh, "name")
		a.root.read(h.what, h.fh, 0, 10)
	}
	file := a.root.file(dir, "file", 0o644, 0, 0, "data")
	sub := a.root.mkdir("", dir, "sub", nfs3.Sattr3{})
	link := a.root.symlink("", dir, "link", "target", nfs3.Sattr3{})
	a.root.remove("", dir, "file")
	a.root.remove("", dir, "link")
	a.root.rmdir("", dir, "sub")
	r := a.root
	r.getattr("a removed file", file)
	r.getattr("a removed directory", sub)
	r.getattr("a removed link", link)
	r.setattr("a removed file", file, client.Mode(0o600))
	r.lookup("in a removed directory", sub, "name")
	r.lookup("in a removed directory .", sub, ".")
	r.lookup("in a removed directory ..", sub, "..")
	r.access("a removed file", file, 0x3f)
	r.readlink("a removed link", link)
	r.read("a removed file", file, 0, 10)
	r.write("a removed file", file, 0, "x", nfs3.FILE_SYNC)
	r.create("in a removed directory", sub, "new", nfs3.UNCHECKED, nfs3.Sattr3{})
	r.mkdir("in a removed directory", sub, "new", nfs3.Sattr3{})
	r.symlink("in a removed directory", sub, "new", "x", nfs3.Sattr3{})
	r.mknod("in a removed directory", sub, "new", nfs3.NF3FIFO, 0, 0, nfs3.Sattr3{})
	r.remove("in a removed directory", sub, "name")
	r.rmdir("in a removed directory", sub, "name")
	r.rename("from a removed directory", sub, "name", dir, "name")
	r.rename("to a removed directory", dir, "good", sub, "good")
	r.link("of a removed file", file, dir, "again")
	r.link("in a removed directory", good, sub, "again")
	r.page("a removed directory", sub, false, 0, nfs3.Cookieverf3{}, 4096, 4096)
	r.page("a removed directory", sub, true, 0, nfs3.Cookieverf3{}, 4096, 4096)
	r.commit("a removed file", file, 0, 0)
	r.getattr("what is left", good)
	r.remove("", dir, "good")
}
