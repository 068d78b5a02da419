package main

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"sort"
	"strings"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

// Each verb asks one question. The question's name is the procedure's name and what; if what is
// empty, it is the procedure's name and the name of the entry.

func orName(what, name string) string {
	if what == "" {
		return name
	}
	return what
}

func (w caller) getattr(what string, fh FH) nfs3.Fattr3 {
	var r nfs3.GETATTR3res
	if x, ok := w.ask(nfs3.NFSPROC3_GETATTR, what, &nfs3.GETATTR3args{Object: fh}, &r); ok {
		x.set("status", r.Status)
		if r.Status == nfs3.NFS3_OK {
			w.attr(x, "obj", fh, r.Resok.ObjAttributes)
		}
	}
	return r.Resok.ObjAttributes
}

func (w caller) setattr(what string, fh FH, s nfs3.Sattr3) nfs3.Nfsstat3 {
	return w.setattrIf(what, fh, s, nfs3.Sattrguard3{})
}

func (w caller) setattrIf(what string, fh FH, s nfs3.Sattr3, g nfs3.Sattrguard3) nfs3.Nfsstat3 {
	var r nfs3.SETATTR3res
	if x, ok := w.ask(nfs3.NFSPROC3_SETATTR, what, &nfs3.SETATTR3args{Object: fh, NewAttributes: s, Guard: g}, &r); ok {
		x.set("status", r.Status)
		if r.Status == nfs3.NFS3_OK {
			w.wcc(x, "obj", fh, r.Resok.ObjWcc)
		} else {
			w.wcc(x, "obj", fh, r.Resfail.ObjWcc)
		}
	}
	return r.Status
}

func (w caller) lookup(what string, dir FH, name string) FH {
	var r nfs3.LOOKUP3res
	x, ok := w.ask(
		nfs3.NFSPROC3_LOOKUP,
		orName(what, name),
		&nfs3.LOOKUP3args{What: client.At(dir, name)},
		&r,
	)
	if !ok {
		return FH{}
	}
	x.set("status", r.Status)
	if r.Status != nfs3.NFS3_OK {
		w.post(x, "dir", dir, r.Resfail.DirAttributes)
		return FH{}
	}
	fh := FH{Data: bytes.Clone(r.Resok.Object.Data)}
	w.post(x, "obj", fh, r.Resok.ObjAttributes)
	w.post(x, "dir", dir, r.Resok.DirAttributes)
	return fh
}

func (w caller) access(what string, fh FH, want uint32) {
	var r nfs3.ACCESS3res
	if x, ok := w.ask(nfs3.NFSPROC3_ACCESS, what, &nfs3.ACCESS3args{Object: fh, Access: want}, &r); ok {
		x.set("status", r.Status)
		if r.Status == nfs3.NFS3_OK {
			x.set("access", fmt.Sprintf("%#02x", r.Resok.Access))
			w.post(x, "obj", fh, r.Resok.ObjAttributes)
		} else {
			w.post(x, "obj", fh, r.Resfail.ObjAttributes)
		}
	}
}

func (w caller) readlink(what string, fh FH) {
	var r nfs3.READLINK3res
	if x, ok := w.ask(nfs3.NFSPROC3_READLINK, what, &nfs3.READLINK3args{Symlink: fh}, &r); ok {
		x.set("status", r.Status)
		if r.Status == nfs3.NFS3_OK {
			x.set("target", digest(r.Resok.Data))
			w.post(x, "obj", fh, r.Resok.SymlinkAttributes)
		} else {
			w.post(x, "obj", fh, r.Resfail.SymlinkAttributes)
		}
	}
}

// digest returns data in a form that can be compared and, if short, read.
func digest(b []byte) string {
	if len(b) <= 40 {
		return fmt.Sprintf("%q", b)
	}
	return fmt.Sprintf("%d bytes, %08x", len(b), crc32.ChecksumIEEE(b))
}

func (w caller) read(what string, fh FH, off uint64, count uint32) {
	var r nfs3.READ3res
	if x, ok := w.ask(nfs3.NFSPROC3_READ, what, client.ReadArgs(fh, off, count), &r); ok {
		x.set("status", r.Status)
		if r.Status == nfs3.NFS3_OK {
			x.set("count", uint32(r.Resok.Count))
			x.set("eof", r.Resok.Eof)
			x.set("data", digest(r.Resok.Data))
			w.post(x, "obj", fh, r.Resok.FileAttributes)
		} else {
			w.post(x, "obj", fh, r.Resfail.FileAttributes)
		}
	}
}

func (w caller) write(what string, fh FH, off uint64, data string, how nfs3.StableHow) {
	w.writeArgs(what, client.WriteArgs(fh, off, []byte(data), how))
}

func (w caller) writeArgs(what string, args *nfs3.WRITE3args) {
	var r nfs3.WRITE3res
	if x, ok := w.ask(nfs3.NFSPROC3_WRITE, what, args, &r); ok {
		x.set("status", r.Status)
		if r.Status == nfs3.NFS3_OK {
			x.set("count", uint32(r.Resok.Count))
			x.set("stable enough", r.Resok.Committed >= args.Stable)
			w.verifier(x, r.Resok.Verf)
			w.wcc(x, "obj", args.File, r.Resok.FileWcc)
		} else {
			w.wcc(x, "obj", args.File, r.Resfail.FileWcc)
		}
	}
}

func (w caller) commit(what string, fh FH, off uint64, count uint32) {
	var r nfs3.COMMIT3res
	args := &nfs3.COMMIT3args{File: fh, Offset: nfs3.Offset3(off), Count: nfs3.Count3(count)}
	if x, ok := w.ask(nfs3.NFSPROC3_COMMIT, what, args, &r); ok {
		x.set("status", r.Status)
		if r.Status == nfs3.NFS3_OK {
			w.verifier(x, r.Resok.Verf)
			w.wcc(x, "obj", fh, r.Resok.FileWcc)
		} else {
			w.wcc(x, "obj", fh, r.Resfail.FileWcc)
		}
	}
}

// verifier notes whether a write verifier is the same as the server's earlier ones.
func (w caller) verifier(x *Answer, v nfs3.Writeverf3) {
	if w.verf == nil {
		w.verf = &v
	}
	x.set("verifier", map[bool]string{true: "as before", false: "another"}[*w.verf == v])
}

func (w caller) create(what string, dir FH, name string, how nfs3.Createmode3, s nfs3.Sattr3) FH {
	return w.createHow(orName(what, name), dir, name, nfs3.Createhow3{Mode: how, ObjAttributes: s})
}

func (w caller) createHow(what string, dir FH, name string, how nfs3.Createhow3) (fh FH) {
	var r nfs3.CREATE3res
	if x, ok := w.ask(nfs3.NFSPROC3_CREATE, what, &nfs3.CREATE3args{Where: client.At(dir, name), How: how}, &r); ok {
		x.set("status", r.Status)
		if r.Status == nfs3.NFS3_OK {
			fh = w.entry(x, r.Resok.Obj, r.Resok.ObjAttributes)
			w.wcc(x, "dir", dir, r.Resok.DirWcc)
			if how.Mode == nfs3.EXCLUSIVE { // the verifier may be kept in the times (RFC 1813, section 3.3.8)
				delete(x.Fields, "obj.atime")
				delete(x.Fields, "obj.mtime")
			}
		} else {
			w.wcc(x, "dir", dir, r.Resfail.DirWcc)
		}
	}
	return fh
}

// file makes a file of root's with this mode and content, and gives it to uid and gid.
func (w caller) file(dir FH, name string, mode uint32, uid, gid uint32, data string) FH {
	fh := w.create("", dir, name, nfs3.GUARDED, client.Mode(0o600))
	if data != "" {
		w.write("to prepare "+name, fh, 0, data, nfs3.FILE_SYNC)
	}
	w.setattr("owner to prepare "+name, fh, client.Owner(uid, gid))
	w.setattr("mode to prepare "+name, fh, client.Mode(mode))
	return fh
}

// dir makes a directory of root's and gives it to uid and gid.
func (w caller) dir(in FH, name string, mode uint32, uid, gid uint32) FH {
	fh := w.mkdir("", in, name, client.Mode(0o700))
	w.setattr("owner to prepare "+name, fh, client.Owner(uid, gid))
	w.setattr("mode to prepare "+name, fh, client.Mode(mode))
	return fh
}

func (w caller) mkdir(what string, dir FH, name string, s nfs3.Sattr3) (fh FH) {
	var r nfs3.MKDIR3res
	if x, ok := w.ask(nfs3.NFSPROC3_MKDIR, orName(what, name), &nfs3.MKDIR3args{Where: client.At(dir, name), Attributes: s}, &r); ok {
		x.set("status", r.Status)
		if r.Status == nfs3.NFS3_OK {
			fh = w.entry(x, r.Resok.Obj, r.Resok.ObjAttributes)
			w.wcc(x, "dir", dir, r.Resok.DirWcc)
		} else {
			w.wcc(x, "dir", dir, r.Resfail.DirWcc)
		}
	}
	return fh
}

func (w caller) symlink(what string, dir FH, name, target string, s nfs3.Sattr3) (fh FH) {
	var r nfs3.SYMLINK3res
	args := &nfs3.SYMLINK3args{
		Where:   client.At(dir, name),
		Symlink: nfs3.Symlinkdata3{SymlinkAttributes: s, SymlinkData: nfs3.Nfspath3(target)},
	}
	if x, ok := w.ask(nfs3.NFSPROC3_SYMLINK, orName(what, name), args, &r); ok {
		x.set("status", r.Status)
		if r.Status == nfs3.NFS3_OK {
			fh = w.entry(x, r.Resok.Obj, r.Resok.ObjAttributes)
			w.wcc(x, "dir", dir, r.Resok.DirWcc)
		} else {
			w.wcc(x, "dir", dir, r.Resfail.DirWcc)
		}
	}
	return fh
}

func (w caller) mknod(
	what string,
	dir FH,
	name string,
	t nfs3.Ftype3,
	major, minor uint32,
	s nfs3.Sattr3,
) (fh FH) {
	var r nfs3.MKNOD3res
	data := nfs3.Mknoddata3{Type: t, PipeAttributes: s}
	data.Device = nfs3.Devicedata3{DevAttributes: s, Spec: nfs3.Specdata3{Specdata1: major, Specdata2: minor}}
	if x, ok := w.ask(nfs3.NFSPROC3_MKNOD, orName(what, name), &nfs3.MKNOD3args{Where: client.At(dir, name), What: data}, &r); ok {
		x.set("status", r.Status)
		if r.Status == nfs3.NFS3_OK {
			fh = w.entry(x, r.Resok.Obj, r.Resok.ObjAttributes)
			w.wcc(x, "dir", dir, r.Resok.DirWcc)
		} else {
			w.wcc(x, "dir", dir, r.Resfail.DirWcc)
		}
	}
	return fh
}

func (w caller) remove(what string, dir FH, name string) {
	var r nfs3.REMOVE3res
	if x, ok := w.ask(nfs3.NFSPROC3_REMOVE, orName(what, name), &nfs3.REMOVE3args{Object: client.At(dir, name)}, &r); ok {
		x.set("status", r.Status)
		if r.Status == nfs3.NFS3_OK {
			w.wcc(x, "dir", dir, r.Resok.DirWcc)
		} else {
			w.wcc(x, "dir", dir, r.Resfail.DirWcc)
		}
	}
}

func (w caller) rmdir(what string, dir FH, name string) {
	var r nfs3.RMDIR3res
	if x, ok := w.ask(nfs3.NFSPROC3_RMDIR, orName(what, name), &nfs3.RMDIR3args{Object: client.At(dir, name)}, &r); ok {
		x.set("status", r.Status)
		if r.Status == nfs3.NFS3_OK {
			w.wcc(x, "dir", dir, r.Resok.DirWcc)
		} else {
			w.wcc(x, "dir", dir, r.Resfail.DirWcc)
		}
	}
}

func (w caller) rename(what string, from FH, fromName string, to FH, toName string) {
	var r nfs3.RENAME3res
	args := &nfs3.RENAME3args{From: client.At(from, fromName), To: client.At(to, toName)}
	if x, ok := w.ask(nfs3.NFSPROC3_RENAME, orName(what, fromName+" to "+toName), args, &r); ok {
		x.set("status", r.Status)
		if r.Status == nfs3.NFS3_OK {
			w.wccs(x, from, r.Resok.FromdirWcc, to, r.Resok.TodirWcc)
		} else {
			w.wccs(x, from, r.Resfail.FromdirWcc, to, r.Resfail.TodirWcc)
		}
	}
}

func (w caller) link(what string, fh, dir FH, name string) {
	var r nfs3.LINK3res
	if x, ok := w.ask(nfs3.NFSPROC3_LINK, orName(what, name), &nfs3.LINK3args{File: fh, Link: client.At(dir, name)}, &r); ok {
		x.set("status", r.Status)
		if r.Status == nfs3.NFS3_OK {
			w.post(x, "obj", fh, r.Resok.FileAttributes)
			w.wcc(x, "dir", dir, r.Resok.LinkdirWcc)
		} else {
			w.post(x, "obj", fh, r.Resfail.FileAttributes)
			w.wcc(x, "dir", dir, r.Resfail.LinkdirWcc)
		}
	}
}

// page reads one page of a directory. The server decides how many entries fit into it, so only a
// page that holds all entries shows them.
func (w caller) page(
	what string,
	dir FH,
	plus bool,
	cookie nfs3.Cookie3,
	verf nfs3.Cookieverf3,
	names, most uint32,
) (p client.Page) {
	var x *Answer
	var ok bool
	if plus {
		var r nfs3.READDIRPLUS3res
		x, ok = w.ask(nfs3.NFSPROC3_READDIRPLUS, what, &nfs3.READDIRPLUS3args{
			Dir: dir, Cookie: cookie, Cookieverf: verf, Dircount: nfs3.Count3(names), Maxcount: nfs3.Count3(most)}, &r)
		p = client.PagePlusOf(&r)
	} else {
		var r nfs3.READDIR3res
		x, ok = w.ask(nfs3.NFSPROC3_READDIR, what, &nfs3.READDIR3args{Dir: dir, Cookie: cookie, Cookieverf: verf, Count: nfs3.Count3(most)}, &r)
		p = client.PageOf(&r)
	}
	if !ok {
		return p
	}
	x.set("status", p.Status)
	w.post(x, "dir", dir, p.Dir)
	if p.Status != nfs3.NFS3_OK {
		return p
	}
	x.set("eof", p.EOF)
	if p.EOF && cookie == 0 {
		w.list(x, p.Entries)
	} else if p.EOF { // the order of the file system decides which
		x.set("entries", len(p.Entries))
	}
	return p
}

// list notes entries in the order of their names.
func (w caller) list(x *Answer, entries []client.DirEntry) {
	var lines []string
	for _, e := range entries {
		line := e.Name
		if e.Attr.AttributesFollow {
			a := e.Attr.Attributes
			line += fmt.Sprintf(" %v %04o %d %d:%d", a.Type, uint32(a.Mode), a.Nlink, a.Uid, a.Gid)
			if uint64(a.Fileid) != e.ID {
				line += " another fileid"
			}
		}
		if e.Handle.HandleFollows {
			line += " handle"
		}
		lines = append(lines, line)
	}
	sort.Strings(lines)
	x.set("entries", strings.Join(lines, "; "))
}
