package mount

import "github.com/ringnfs/ringnfs/nfs/vfs"

// statuses maps the outcome of walking a path. MOUNT has no status for "try
// again", for a loop of links or for a way that leaves the export: the first is
// the server's failure to serve now, the others are doors that stay shut.
var statuses = [vfs.NumStatus]Mountstat3{
	vfs.OK:          MNT3_OK,
	vfs.Perm:        MNT3ERR_PERM,
	vfs.NoEnt:       MNT3ERR_NOENT,
	vfs.IO:          MNT3ERR_IO,
	vfs.NXIO:        MNT3ERR_IO,
	vfs.Access:      MNT3ERR_ACCES,
	vfs.Exist:       MNT3ERR_SERVERFAULT,
	vfs.XDev:        MNT3ERR_ACCES,
	vfs.NotDir:      MNT3ERR_NOTDIR,
	vfs.IsDir:       MNT3ERR_SERVERFAULT,
	vfs.Inval:       MNT3ERR_INVAL,
	vfs.FBig:        MNT3ERR_SERVERFAULT,
	vfs.NoSpc:       MNT3ERR_SERVERFAULT,
	vfs.ROFS:        MNT3ERR_SERVERFAULT,
	vfs.MLink:       MNT3ERR_SERVERFAULT,
	vfs.NameTooLong: MNT3ERR_NAMETOOLONG,
	vfs.NotEmpty:    MNT3ERR_SERVERFAULT,
	vfs.DQuot:       MNT3ERR_SERVERFAULT,
	vfs.Stale:       MNT3ERR_NOENT, // the export's own directory is gone
	vfs.BadHandle:   MNT3ERR_SERVERFAULT,
	vfs.BadCookie:   MNT3ERR_SERVERFAULT,
	vfs.NotSupp:     MNT3ERR_NOTSUPP,
	vfs.TooSmall:    MNT3ERR_SERVERFAULT,
	vfs.BadType:     MNT3ERR_NOTDIR,
	vfs.NotSync:     MNT3ERR_SERVERFAULT,
	vfs.Delay:       MNT3ERR_SERVERFAULT,
	vfs.Loop:        MNT3ERR_ACCES,
	vfs.ServerFault: MNT3ERR_SERVERFAULT,
	vfs.Again:       MNT3ERR_SERVERFAULT, // never: it became rpc.Wait
}

// statusOf is total: what is not known is the server's fault.
func statusOf(s vfs.Status) Mountstat3 {
	if s < vfs.NumStatus {
		return statuses[s]
	}
	return MNT3ERR_SERVERFAULT
}
