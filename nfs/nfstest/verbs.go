package nfstest

import (
	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

// FH is a file handle.
type FH = nfs3.NfsFh3

// The procedures of NFS version 3 (RFC 1813, section 3).
const (
	Null uint32 = iota
	Getattr
	Setattr
	Lookup
	Access
	Readlink
	Read
	Write
	Create
	Mkdir
	Symlink
	Mknod
	Remove
	Rmdir
	Rename
	Link
	Readdir
	Readdirplus
	Fsstat
	Fsinfo
	Pathconf
	Commit
	Procedures // how many there are
)

// ProcedureNames are their names.
var ProcedureNames = [Procedures]string{
	"NULL", "GETATTR", "SETATTR", "LOOKUP", "ACCESS", "READLINK", "READ", "WRITE", "CREATE", "MKDIR", "SYMLINK",
	"MKNOD", "REMOVE", "RMDIR", "RENAME", "LINK", "READDIR", "READDIRPLUS", "FSSTAT", "FSINFO", "PATHCONF", "COMMIT",
}

// At is an entry of a directory.
func At(dir FH, name string) nfs3.Diropargs3 {
	return nfs3.Diropargs3{Dir: dir, Name: nfs3.Filename3(name)}
}

// do makes a call and decodes its results.
func do(c *Client, proc uint32, args Encoder, res Decoder) {
	c.t.Helper()
	c.Start(proc, args).Into(res)
}

// Null calls NULL.
func (c *Client) Null() {
	c.t.Helper()
	do(c, Null, nil, nil)
}

// Getattr calls GETATTR.
func (c *Client) Getattr(fh FH) (res nfs3.GETATTR3res) {
	c.t.Helper()
	do(c, Getattr, &nfs3.GETATTR3args{Object: fh}, &res)
	return res
}

// Setattr calls SETATTR; guard may be nil.
func (c *Client) Setattr(fh FH, s nfs3.Sattr3, guard *nfs3.Nfstime3) (res nfs3.SETATTR3res) {
	c.t.Helper()
	args := &nfs3.SETATTR3args{Object: fh, NewAttributes: s}
	if guard != nil {
		args.Guard = nfs3.Sattrguard3{Check: true, ObjCtime: *guard}
	}
	do(c, Setattr, args, &res)
	return res
}

// Lookup calls LOOKUP.
func (c *Client) Lookup(dir FH, name string) (res nfs3.LOOKUP3res) {
	c.t.Helper()
	do(c, Lookup, &nfs3.LOOKUP3args{What: At(dir, name)}, &res)
	return res
}

// Access calls ACCESS.
func (c *Client) Access(fh FH, want uint32) (res nfs3.ACCESS3res) {
	c.t.Helper()
	do(c, Access, &nfs3.ACCESS3args{Object: fh, Access: want}, &res)
	return res
}

// Readlink calls READLINK.
func (c *Client) Readlink(fh FH) (res nfs3.READLINK3res) {
	c.t.Helper()
	do(c, Readlink, &nfs3.READLINK3args{Symlink: fh}, &res)
	return res
}

// ReadArgs are the arguments of READ.
func ReadArgs(fh FH, off uint64, count uint32) *nfs3.READ3args {
	return &nfs3.READ3args{File: fh, Offset: nfs3.Offset3(off), Count: nfs3.Count3(count)}
}

// Read calls READ.
func (c *Client) Read(fh FH, off uint64, count uint32) (res nfs3.READ3res) {
	c.t.Helper()
	do(c, Read, ReadArgs(fh, off, count), &res)
	return res
}

// WriteArgs are the arguments of WRITE.
func WriteArgs(fh FH, off uint64, data []byte, how nfs3.StableHow) *nfs3.WRITE3args {
	return &nfs3.WRITE3args{File: fh, Offset: nfs3.Offset3(off), Count: nfs3.Count3(len(data)), Stable: how, Data: data}
}

// Write calls WRITE.
func (c *Client) Write(fh FH, off uint64, data []byte, how nfs3.StableHow) (res nfs3.WRITE3res) {
	c.t.Helper()
	do(c, Write, WriteArgs(fh, off, data, how), &res)
	return res
}

// Create calls CREATE with UNCHECKED or GUARDED.
func (c *Client) Create(dir FH, name string, mode nfs3.Createmode3, s nfs3.Sattr3) (res nfs3.CREATE3res) {
	c.t.Helper()
	do(c, Create, &nfs3.CREATE3args{Where: At(dir, name), How: nfs3.Createhow3{Mode: mode, ObjAttributes: s}}, &res)
	return res
}

// CreateExclusive calls CREATE with EXCLUSIVE.
func (c *Client) CreateExclusive(dir FH, name string, verf nfs3.Createverf3) (res nfs3.CREATE3res) {
	c.t.Helper()
	do(c, Create, &nfs3.CREATE3args{Where: At(dir, name), How: nfs3.Createhow3{Mode: nfs3.EXCLUSIVE, Verf: verf}}, &res)
	return res
}

// Mkdir calls MKDIR.
func (c *Client) Mkdir(dir FH, name string, s nfs3.Sattr3) (res nfs3.MKDIR3res) {
	c.t.Helper()
	do(c, Mkdir, &nfs3.MKDIR3args{Where: At(dir, name), Attributes: s}, &res)
	return res
}

// Symlink calls SYMLINK.
func (c *Client) Symlink(dir FH, name, target string) (res nfs3.SYMLINK3res) {
	c.t.Helper()
	do(c, Symlink, &nfs3.SYMLINK3args{
		Where: At(dir, name), Symlink: nfs3.Symlinkdata3{SymlinkData: nfs3.Nfspath3(target)},
	}, &res)
	return res
}

// Mknod calls MKNOD. major and minor are for devices.
func (c *Client) Mknod(dir FH, name string, t nfs3.Ftype3, major, minor uint32, s nfs3.Sattr3) (res nfs3.MKNOD3res) {
	c.t.Helper()
	what := nfs3.Mknoddata3{Type: t}
	if t == nfs3.NF3BLK || t == nfs3.NF3CHR {
		what.Device = nfs3.Devicedata3{DevAttributes: s, Spec: nfs3.Specdata3{Specdata1: major, Specdata2: minor}}
	} else {
		what.PipeAttributes = s
	}
	do(c, Mknod, &nfs3.MKNOD3args{Where: At(dir, name), What: what}, &res)
	return res
}

// Remove calls REMOVE.
func (c *Client) Remove(dir FH, name string) (res nfs3.REMOVE3res) {
	c.t.Helper()
	do(c, Remove, &nfs3.REMOVE3args{Object: At(dir, name)}, &res)
	return res
}

// Rmdir calls RMDIR.
func (c *Client) Rmdir(dir FH, name string) (res nfs3.RMDIR3res) {
	c.t.Helper()
	do(c, Rmdir, &nfs3.RMDIR3args{Object: At(dir, name)}, &res)
	return res
}

// Rename calls RENAME.
func (c *Client) Rename(from FH, fromName string, to FH, toName string) (res nfs3.RENAME3res) {
	c.t.Helper()
	do(c, Rename, &nfs3.RENAME3args{From: At(from, fromName), To: At(to, toName)}, &res)
	return res
}

// Link calls LINK.
func (c *Client) Link(fh, dir FH, name string) (res nfs3.LINK3res) {
	c.t.Helper()
	do(c, Link, &nfs3.LINK3args{File: fh, Link: At(dir, name)}, &res)
	return res
}

// Readdir calls READDIR.
func (c *Client) Readdir(dir FH, cookie nfs3.Cookie3, verf nfs3.Cookieverf3, count uint32) (res nfs3.READDIR3res) {
	c.t.Helper()
	do(c, Readdir, &nfs3.READDIR3args{Dir: dir, Cookie: cookie, Cookieverf: verf, Count: nfs3.Count3(count)}, &res)
	return res
}

// Readdirplus calls READDIRPLUS.
func (c *Client) Readdirplus(dir FH, cookie nfs3.Cookie3, verf nfs3.Cookieverf3, names, most uint32) (res nfs3.READDIRPLUS3res) {
	c.t.Helper()
	do(c, Readdirplus, &nfs3.READDIRPLUS3args{
		Dir: dir, Cookie: cookie, Cookieverf: verf, Dircount: nfs3.Count3(names), Maxcount: nfs3.Count3(most),
	}, &res)
	return res
}

// Fsstat calls FSSTAT.
func (c *Client) Fsstat(fh FH) (res nfs3.FSSTAT3res) {
	c.t.Helper()
	do(c, Fsstat, &nfs3.FSSTAT3args{Fsroot: fh}, &res)
	return res
}

// Fsinfo calls FSINFO.
func (c *Client) Fsinfo(fh FH) (res nfs3.FSINFO3res) {
	c.t.Helper()
	do(c, Fsinfo, &nfs3.FSINFO3args{Fsroot: fh}, &res)
	return res
}

// Pathconf calls PATHCONF.
func (c *Client) Pathconf(fh FH) (res nfs3.PATHCONF3res) {
	c.t.Helper()
	do(c, Pathconf, &nfs3.PATHCONF3args{Object: fh}, &res)
	return res
}

// Commit calls COMMIT.
func (c *Client) Commit(fh FH, off uint64, count uint32) (res nfs3.COMMIT3res) {
	c.t.Helper()
	do(c, Commit, &nfs3.COMMIT3args{File: fh, Offset: nfs3.Offset3(off), Count: nfs3.Count3(count)}, &res)
	return res
}
