package mount

import (
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// statuses maps the outcome of walking a path. MOUNT has no status for "try again", for a loop of
// links or for a way that leaves the export. "Try again" becomes a server fault, since the server
// cannot serve the call now. The other two become a refusal, since trying again would not help.
var statuses = [vfs.NumStatus]mount3.Mountstat3{
	vfs.OK:          mount3.MNT3_OK,
	vfs.Perm:        mount3.MNT3ERR_PERM,
	vfs.NoEnt:       mount3.MNT3ERR_NOENT,
	vfs.IO:          mount3.MNT3ERR_IO,
	vfs.NXIO:        mount3.MNT3ERR_IO,
	vfs.Access:      mount3.MNT3ERR_ACCES,
	vfs.Exist:       mount3.MNT3ERR_SERVERFAULT,
	vfs.XDev:        mount3.MNT3ERR_ACCES,
	vfs.NotDir:      mount3.MNT3ERR_NOTDIR,
	vfs.IsDir:       mount3.MNT3ERR_SERVERFAULT,
	vfs.Inval:       mount3.MNT3ERR_INVAL,
	vfs.FBig:        mount3.MNT3ERR_SERVERFAULT,
	vfs.NoSpc:       mount3.MNT3ERR_SERVERFAULT,
	vfs.ROFS:        mount3.MNT3ERR_SERVERFAULT,
	vfs.MLink:       mount3.MNT3ERR_SERVERFAULT,
	vfs.NameTooLong: mount3.MNT3ERR_NAMETOOLONG,
	vfs.NotEmpty:    mount3.MNT3ERR_SERVERFAULT,
	vfs.DQuot:       mount3.MNT3ERR_SERVERFAULT,
	vfs.Stale:       mount3.MNT3ERR_NOENT, // the export's own directory is gone
	vfs.BadHandle:   mount3.MNT3ERR_SERVERFAULT,
	vfs.BadCookie:   mount3.MNT3ERR_SERVERFAULT,
	vfs.NotSupp:     mount3.MNT3ERR_NOTSUPP,
	vfs.TooSmall:    mount3.MNT3ERR_SERVERFAULT,
	vfs.BadType:     mount3.MNT3ERR_NOTDIR,
	vfs.NotSync:     mount3.MNT3ERR_SERVERFAULT,
	vfs.Delay:       mount3.MNT3ERR_SERVERFAULT,
	vfs.Loop:        mount3.MNT3ERR_ACCES,
	vfs.NoXattr:     mount3.MNT3ERR_SERVERFAULT,
	vfs.XattrTooBig: mount3.MNT3ERR_SERVERFAULT,
	vfs.ServerFault: mount3.MNT3ERR_SERVERFAULT,
	vfs.Again:       mount3.MNT3ERR_SERVERFAULT, // never: mnt turned it into rpc.Wait
}

// statusOf is total: an unknown status is the server's fault.
func statusOf(s vfs.Status) mount3.Mountstat3 {
	if s < vfs.NumStatus {
		return statuses[s]
	}
	return mount3.MNT3ERR_SERVERFAULT
}
