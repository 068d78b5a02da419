package nfs3

import "github.com/ringnfs/ringnfs/nfs/vfs"

// statuses maps the outcomes of file systems to RFC 1813, section 2.6.
var statuses = [vfs.NumStatus]Nfsstat3{
	vfs.OK:          NFS3_OK,
	vfs.Perm:        NFS3ERR_PERM,
	vfs.NoEnt:       NFS3ERR_NOENT,
	vfs.IO:          NFS3ERR_IO,
	vfs.NXIO:        NFS3ERR_NXIO,
	vfs.Access:      NFS3ERR_ACCES,
	vfs.Exist:       NFS3ERR_EXIST,
	vfs.XDev:        NFS3ERR_XDEV,
	vfs.NotDir:      NFS3ERR_NOTDIR,
	vfs.IsDir:       NFS3ERR_ISDIR,
	vfs.Inval:       NFS3ERR_INVAL,
	vfs.FBig:        NFS3ERR_FBIG,
	vfs.NoSpc:       NFS3ERR_NOSPC,
	vfs.ROFS:        NFS3ERR_ROFS,
	vfs.MLink:       NFS3ERR_MLINK,
	vfs.NameTooLong: NFS3ERR_NAMETOOLONG,
	vfs.NotEmpty:    NFS3ERR_NOTEMPTY,
	vfs.DQuot:       NFS3ERR_DQUOT,
	vfs.Stale:       NFS3ERR_STALE,
	vfs.BadHandle:   NFS3ERR_BADHANDLE,
	vfs.BadCookie:   NFS3ERR_BAD_COOKIE,
	vfs.NotSupp:     NFS3ERR_NOTSUPP,
	vfs.TooSmall:    NFS3ERR_TOOSMALL,
	vfs.BadType:     NFS3ERR_BADTYPE,
	vfs.NotSync:     NFS3ERR_NOT_SYNC,
	vfs.Delay:       NFS3ERR_JUKEBOX,
	vfs.Loop:        NFS3ERR_INVAL, // the protocol never follows a link, and has no word for one too many
	vfs.ServerFault: NFS3ERR_SERVERFAULT,
	vfs.Again:       NFS3ERR_SERVERFAULT, // only from a back end that breaks its word on a worker
}

// wire returns the status with which procedure proc answers st. It is the common
// one but where RFC 1813 does not list that for the procedure: what needs a
// regular file and gets another object says INVAL (sections 3.3.2, 3.3.6, 3.3.7
// and 3.3.21).
func wire(proc int, st vfs.Status) uint32 {
	if st >= vfs.NumStatus {
		st = vfs.ServerFault
	}
	if st == vfs.IsDir {
		switch proc {
		case procSetattr, procRead, procWrite, procCommit:
			st = vfs.Inval
		}
	}
	return uint32(statuses[st])
}
