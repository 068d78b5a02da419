package nfsacl

import (
	"math"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// statuses maps the outcomes of file systems to those of NFS version 3.
var statuses = [vfs.NumStatus]nfs3.Nfsstat3{
	vfs.OK:          nfs3.NFS3_OK,
	vfs.Perm:        nfs3.NFS3ERR_PERM,
	vfs.NoEnt:       nfs3.NFS3ERR_NOENT,
	vfs.IO:          nfs3.NFS3ERR_IO,
	vfs.NXIO:        nfs3.NFS3ERR_NXIO,
	vfs.Access:      nfs3.NFS3ERR_ACCES,
	vfs.Exist:       nfs3.NFS3ERR_EXIST,
	vfs.XDev:        nfs3.NFS3ERR_XDEV,
	vfs.NotDir:      nfs3.NFS3ERR_NOTDIR,
	vfs.IsDir:       nfs3.NFS3ERR_ISDIR,
	vfs.Inval:       nfs3.NFS3ERR_INVAL,
	vfs.FBig:        nfs3.NFS3ERR_FBIG,
	vfs.NoSpc:       nfs3.NFS3ERR_NOSPC,
	vfs.ROFS:        nfs3.NFS3ERR_ROFS,
	vfs.MLink:       nfs3.NFS3ERR_MLINK,
	vfs.NameTooLong: nfs3.NFS3ERR_NAMETOOLONG,
	vfs.NotEmpty:    nfs3.NFS3ERR_NOTEMPTY,
	vfs.DQuot:       nfs3.NFS3ERR_DQUOT,
	vfs.Stale:       nfs3.NFS3ERR_STALE,
	vfs.BadHandle:   nfs3.NFS3ERR_BADHANDLE,
	vfs.BadCookie:   nfs3.NFS3ERR_SERVERFAULT,
	vfs.NotSupp:     nfs3.NFS3ERR_NOTSUPP,
	vfs.TooSmall:    nfs3.NFS3ERR_SERVERFAULT,
	vfs.BadType:     nfs3.NFS3ERR_INVAL,
	vfs.NotSync:     nfs3.NFS3ERR_SERVERFAULT,
	vfs.Delay:       nfs3.NFS3ERR_JUKEBOX,
	vfs.Loop:        nfs3.NFS3ERR_INVAL,
	vfs.ServerFault: nfs3.NFS3ERR_SERVERFAULT,
	vfs.Again:       nfs3.NFS3ERR_SERVERFAULT, // never: it became rpc.Wait
}

// statusOf is total: what is not known is the server's fault.
func statusOf(s vfs.Status) nfs3.Nfsstat3 {
	if s < vfs.NumStatus {
		return statuses[s]
	}
	return nfs3.NFS3ERR_SERVERFAULT
}

// postOp returns attributes as they are on the wire, none when a has not been filled.
func postOp(a *vfs.Attr) (p nfs3.PostOpAttr) {
	if !a.Filled() {
		return p
	}
	p.AttributesFollow = true
	p.Attributes = nfs3.Fattr3{
		Type: nfs3.Ftype3(a.Type), Mode: nfs3.Mode3(a.Mode), Nlink: a.Nlink, Uid: nfs3.Uid3(a.UID), Gid: nfs3.Gid3(a.GID),
		Size: nfs3.Size3(a.Size), Used: nfs3.Size3(a.Used), Rdev: nfs3.Specdata3{Specdata1: a.Major, Specdata2: a.Minor},
		Fsid: a.FSID, Fileid: nfs3.Fileid3(a.FileID),
		Atime: wireTime(a.Atime), Mtime: wireTime(a.Mtime), Ctime: wireTime(a.Ctime),
	}
	return p
}

// wireTime fits a time into 32 unsigned bits of seconds: what lies before 1970 or after
// 2106 becomes the end of the range that it is nearest to.
func wireTime(t vfs.Time) nfs3.Nfstime3 {
	switch {
	case t.Sec < 0:
		return nfs3.Nfstime3{}
	case t.Sec > math.MaxUint32:
		return nfs3.Nfstime3{Seconds: math.MaxUint32, Nseconds: 999_999_999}
	}
	return nfs3.Nfstime3{Seconds: uint32(t.Sec), Nseconds: t.Nsec}
}
