package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Statuses of an operation that go to no client: what is to become of the compound.
const (
	stAgain nfs4.Nfsstat4 = 1<<31 + iota // the operation must run on a worker
	stGrow                               // and must have more memory for its result
	stOver                               // the results are an earlier run's: nothing more is to be written
)

// statuses maps those of back ends. NFSv4 has no NXIO for all of them, and no NOTSYNC.
var statuses = [vfs.NumStatus]nfs4.Nfsstat4{
	vfs.OK:          nfs4.NFS4_OK,
	vfs.Perm:        nfs4.NFS4ERR_PERM,
	vfs.NoEnt:       nfs4.NFS4ERR_NOENT,
	vfs.IO:          nfs4.NFS4ERR_IO,
	vfs.NXIO:        nfs4.NFS4ERR_NXIO,
	vfs.Access:      nfs4.NFS4ERR_ACCESS,
	vfs.Exist:       nfs4.NFS4ERR_EXIST,
	vfs.XDev:        nfs4.NFS4ERR_XDEV,
	vfs.NotDir:      nfs4.NFS4ERR_NOTDIR,
	vfs.IsDir:       nfs4.NFS4ERR_ISDIR,
	vfs.Inval:       nfs4.NFS4ERR_INVAL,
	vfs.FBig:        nfs4.NFS4ERR_FBIG,
	vfs.NoSpc:       nfs4.NFS4ERR_NOSPC,
	vfs.ROFS:        nfs4.NFS4ERR_ROFS,
	vfs.MLink:       nfs4.NFS4ERR_MLINK,
	vfs.NameTooLong: nfs4.NFS4ERR_NAMETOOLONG,
	vfs.NotEmpty:    nfs4.NFS4ERR_NOTEMPTY,
	vfs.DQuot:       nfs4.NFS4ERR_DQUOT,
	vfs.Stale:       nfs4.NFS4ERR_STALE,
	vfs.BadHandle:   nfs4.NFS4ERR_BADHANDLE,
	vfs.BadCookie:   nfs4.NFS4ERR_BAD_COOKIE,
	vfs.NotSupp:     nfs4.NFS4ERR_NOTSUPP,
	vfs.TooSmall:    nfs4.NFS4ERR_TOOSMALL,
	vfs.BadType:     nfs4.NFS4ERR_BADTYPE,
	vfs.NotSync:     nfs4.NFS4ERR_SERVERFAULT, // only NFSv3 has guards
	vfs.Delay:       nfs4.NFS4ERR_DELAY,
	vfs.Loop:        nfs4.NFS4ERR_SYMLINK,
	vfs.NoXattr:     nfs4.NFS4ERR_NOXATTR,
	vfs.XattrTooBig: nfs4.NFS4ERR_XATTR2BIG,
	vfs.ServerFault: nfs4.NFS4ERR_SERVERFAULT,
	vfs.Again:       stAgain,
}

// status is a back end's status as this place answers it: on a worker nothing has to wait for
// a worker.
func (k *compound) status(s vfs.Status) nfs4.Nfsstat4 {
	if s >= vfs.NumStatus || s == vfs.Again && k.c.Place.Thread.MayWait {
		return nfs4.NFS4ERR_SERVERFAULT
	}
	return statuses[s]
}
