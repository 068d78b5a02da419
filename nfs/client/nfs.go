package client

import (
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

// NFS makes the calls of NFS version 3. Each verb returns the results as they came, also beside a
// [*StatusError]. They are views of the reply, valid until the Caller's next call. The verbs have
// the names of the procedures of RFC 1813, section 3.3.
type NFS struct{ Caller }

// do makes a call. status points into res.
func (n NFS) do(proc uint32, args Encoder, res Decoder, status *nfs3.Nfsstat3) error {
	if err := n.Call(nfs3.NFS_PROGRAM, nfs3.NFS_V3, proc, args, res); err != nil {
		return fmt.Errorf("%s: %w", Name(proc), err)
	}
	if *status != nfs3.NFS3_OK {
		return &StatusError{Proc: proc, Status: *status}
	}
	return nil
}

// Null does nothing. It succeeds if the server is there.
func (n NFS) Null() error {
	if err := n.Call(nfs3.NFS_PROGRAM, nfs3.NFS_V3, nfs3.NFSPROC3_NULL, nil, nil); err != nil {
		return fmt.Errorf("%s: %w", Name(nfs3.NFSPROC3_NULL), err)
	}
	return nil
}

// Getattr gets the attributes of an object.
func (n NFS) Getattr(fh nfs3.NfsFh3) (res nfs3.GETATTR3res, err error) {
	err = n.do(nfs3.NFSPROC3_GETATTR, &nfs3.GETATTR3args{Object: fh}, &res, &res.Status)
	return res, err
}

// Setattr sets attributes; guard, which may be nil, is the ctime that the object must have.
func (n NFS) Setattr(
	fh nfs3.NfsFh3,
	set nfs3.Sattr3,
	guard *nfs3.Nfstime3,
) (res nfs3.SETATTR3res, err error) {
	args := &nfs3.SETATTR3args{Object: fh, NewAttributes: set}
	if guard != nil {
		args.Guard = nfs3.Sattrguard3{Check: true, ObjCtime: *guard}
	}
	err = n.do(nfs3.NFSPROC3_SETATTR, args, &res, &res.Status)
	return res, err
}

// Lookup finds a name in a directory.
func (n NFS) Lookup(dir nfs3.NfsFh3, name string) (res nfs3.LOOKUP3res, err error) {
	err = n.do(nfs3.NFSPROC3_LOOKUP, &nfs3.LOOKUP3args{What: At(dir, name)}, &res, &res.Status)
	return res, err
}

// Access asks which of the rights in want (ACCESS3_READ and the like) the caller has.
func (n NFS) Access(fh nfs3.NfsFh3, want uint32) (res nfs3.ACCESS3res, err error) {
	err = n.do(nfs3.NFSPROC3_ACCESS, &nfs3.ACCESS3args{Object: fh, Access: want}, &res, &res.Status)
	return res, err
}

// Readlink reads a symbolic link.
func (n NFS) Readlink(fh nfs3.NfsFh3) (res nfs3.READLINK3res, err error) {
	err = n.do(nfs3.NFSPROC3_READLINK, &nfs3.READLINK3args{Symlink: fh}, &res, &res.Status)
	return res, err
}

// Read reads at most count bytes.
func (n NFS) Read(fh nfs3.NfsFh3, off uint64, count uint32) (res nfs3.READ3res, err error) {
	err = n.do(nfs3.NFSPROC3_READ, ReadArgs(fh, off, count), &res, &res.Status)
	return res, err
}

// Write writes data, which is borrowed.
func (n NFS) Write(
	fh nfs3.NfsFh3,
	off uint64,
	data []byte,
	how nfs3.StableHow,
) (res nfs3.WRITE3res, err error) {
	err = n.do(nfs3.NFSPROC3_WRITE, WriteArgs(fh, off, data, how), &res, &res.Status)
	return res, err
}

// Create makes a file.
func (n NFS) Create(dir nfs3.NfsFh3, name string, how nfs3.Createhow3) (res nfs3.CREATE3res, err error) {
	err = n.do(nfs3.NFSPROC3_CREATE, &nfs3.CREATE3args{Where: At(dir, name), How: how}, &res, &res.Status)
	return res, err
}

// Mkdir makes a directory.
func (n NFS) Mkdir(dir nfs3.NfsFh3, name string, set nfs3.Sattr3) (res nfs3.MKDIR3res, err error) {
	err = n.do(
		nfs3.NFSPROC3_MKDIR,
		&nfs3.MKDIR3args{Where: At(dir, name), Attributes: set},
		&res,
		&res.Status,
	)
	return res, err
}

// Symlink makes a symbolic link.
func (n NFS) Symlink(
	dir nfs3.NfsFh3,
	name, target string,
	set nfs3.Sattr3,
) (res nfs3.SYMLINK3res, err error) {
	err = n.do(nfs3.NFSPROC3_SYMLINK, &nfs3.SYMLINK3args{
		Where: At(
			dir,
			name,
		), Symlink: nfs3.Symlinkdata3{SymlinkAttributes: set, SymlinkData: nfs3.Nfspath3(target)},
	}, &res, &res.Status)
	return res, err
}

// Mknod makes a device, a socket or a fifo.
func (n NFS) Mknod(dir nfs3.NfsFh3, name string, what nfs3.Mknoddata3) (res nfs3.MKNOD3res, err error) {
	err = n.do(nfs3.NFSPROC3_MKNOD, &nfs3.MKNOD3args{Where: At(dir, name), What: what}, &res, &res.Status)
	return res, err
}

// Remove removes an entry that is not a directory.
func (n NFS) Remove(dir nfs3.NfsFh3, name string) (res nfs3.REMOVE3res, err error) {
	err = n.do(nfs3.NFSPROC3_REMOVE, &nfs3.REMOVE3args{Object: At(dir, name)}, &res, &res.Status)
	return res, err
}

// Rmdir removes an empty directory.
func (n NFS) Rmdir(dir nfs3.NfsFh3, name string) (res nfs3.RMDIR3res, err error) {
	err = n.do(nfs3.NFSPROC3_RMDIR, &nfs3.RMDIR3args{Object: At(dir, name)}, &res, &res.Status)
	return res, err
}

// Rename moves an entry.
func (n NFS) Rename(
	from nfs3.NfsFh3,
	fromName string,
	to nfs3.NfsFh3,
	toName string,
) (res nfs3.RENAME3res, err error) {
	err = n.do(
		nfs3.NFSPROC3_RENAME,
		&nfs3.RENAME3args{From: At(from, fromName), To: At(to, toName)},
		&res,
		&res.Status,
	)
	return res, err
}

// Link gives an object another name.
func (n NFS) Link(fh, dir nfs3.NfsFh3, name string) (res nfs3.LINK3res, err error) {
	err = n.do(nfs3.NFSPROC3_LINK, &nfs3.LINK3args{File: fh, Link: At(dir, name)}, &res, &res.Status)
	return res, err
}

// Readdir reads entries of a directory that come after cookie, in at most count bytes of results.
func (n NFS) Readdir(
	dir nfs3.NfsFh3,
	cookie nfs3.Cookie3,
	verf nfs3.Cookieverf3,
	count uint32,
) (res nfs3.READDIR3res, err error) {
	err = n.do(
		nfs3.NFSPROC3_READDIR,
		&nfs3.READDIR3args{Dir: dir, Cookie: cookie, Cookieverf: verf, Count: nfs3.Count3(count)},
		&res,
		&res.Status,
	)
	return res, err
}

// Readdirplus reads entries with attributes and handles, in at most most bytes of results. Of
// these, at most names bytes are ids, names and cookies.
func (n NFS) Readdirplus(
	dir nfs3.NfsFh3,
	cookie nfs3.Cookie3,
	verf nfs3.Cookieverf3,
	names, most uint32,
) (res nfs3.READDIRPLUS3res, err error) {
	err = n.do(nfs3.NFSPROC3_READDIRPLUS, &nfs3.READDIRPLUS3args{
		Dir: dir, Cookie: cookie, Cookieverf: verf, Dircount: nfs3.Count3(names), Maxcount: nfs3.Count3(most),
	}, &res, &res.Status)
	return res, err
}

// Fsstat asks how much room the file system has.
func (n NFS) Fsstat(fh nfs3.NfsFh3) (res nfs3.FSSTAT3res, err error) {
	err = n.do(nfs3.NFSPROC3_FSSTAT, &nfs3.FSSTAT3args{Fsroot: fh}, &res, &res.Status)
	return res, err
}

// Fsinfo asks for the limits of the server.
func (n NFS) Fsinfo(fh nfs3.NfsFh3) (res nfs3.FSINFO3res, err error) {
	err = n.do(nfs3.NFSPROC3_FSINFO, &nfs3.FSINFO3args{Fsroot: fh}, &res, &res.Status)
	return res, err
}

// Pathconf asks for the limits of names and links.
func (n NFS) Pathconf(fh nfs3.NfsFh3) (res nfs3.PATHCONF3res, err error) {
	err = n.do(nfs3.NFSPROC3_PATHCONF, &nfs3.PATHCONF3args{Object: fh}, &res, &res.Status)
	return res, err
}

// Commit makes written data stable. A count of 0 means everything from off on.
func (n NFS) Commit(fh nfs3.NfsFh3, off uint64, count uint32) (res nfs3.COMMIT3res, err error) {
	err = n.do(
		nfs3.NFSPROC3_COMMIT,
		&nfs3.COMMIT3args{File: fh, Offset: nfs3.Offset3(off), Count: nfs3.Count3(count)},
		&res,
		&res.Status,
	)
	return res, err
}
