package nfsacl

import (
	"math"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// statuses maps the outcomes of file systems to those of NFS version 3.
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
	vfs.BadCookie:   NFS3ERR_SERVERFAULT,
	vfs.NotSupp:     NFS3ERR_NOTSUPP,
	vfs.TooSmall:    NFS3ERR_SERVERFAULT,
	vfs.BadType:     NFS3ERR_INVAL,
	vfs.NotSync:     NFS3ERR_SERVERFAULT,
	vfs.Delay:       NFS3ERR_JUKEBOX,
	vfs.Loop:        NFS3ERR_INVAL,
	vfs.ServerFault: NFS3ERR_SERVERFAULT,
	vfs.Again:       NFS3ERR_SERVERFAULT, // never: it became rpc.Wait
}

// statusOf is total: what is not known is the server's fault.
func statusOf(s vfs.Status) Nfsstat3 {
	if s < vfs.NumStatus {
		return statuses[s]
	}
	return NFS3ERR_SERVERFAULT
}

// postOp returns attributes as they are on the wire, none when a has not been filled.
func postOp(a *vfs.Attr) (p PostOpAttr) {
	if !a.Filled() {
		return p
	}
	p.AttributesFollow = true
	p.Attributes = Fattr3{
		Type: Ftype3(a.Type), Mode: a.Mode, Nlink: a.Nlink, Uid: a.UID, Gid: a.GID, Size: a.Size, Used: a.Used,
		Rdev: Specdata3{Specdata1: a.Major, Specdata2: a.Minor}, Fsid: a.FSID, Fileid: a.FileID,
		Atime: wireTime(a.Atime), Mtime: wireTime(a.Mtime), Ctime: wireTime(a.Ctime),
	}
	return p
}

// wireTime fits a time into 32 unsigned bits of seconds: what lies before 1970 or after
// 2106 becomes the end of the range that it is nearest to.
func wireTime(t vfs.Time) Nfstime3 {
	switch {
	case t.Sec < 0:
		return Nfstime3{}
	case t.Sec > math.MaxUint32:
		return Nfstime3{Seconds: math.MaxUint32, Nseconds: 999_999_999}
	}
	return Nfstime3{Seconds: uint32(t.Sec), Nseconds: t.Nsec}
}
