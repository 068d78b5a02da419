package load

import (
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

// The procedures that are called (RFC 1813, section 3).
const (
	procNull        = 0
	procGetattr     = 1
	procLookup      = 3
	procAccess      = 4
	procRead        = 6
	procWrite       = 7
	procCreate      = 8
	procMkdir       = 9
	procRemove      = 12
	procRmdir       = 13
	procReaddirplus = 17
	procFsstat      = 18
	procFsinfo      = 19
	procCommit      = 21

	procedures = 22
)

var procNames = [procedures]string{
	"NULL", "GETATTR", "SETATTR", "LOOKUP", "ACCESS", "READLINK", "READ", "WRITE", "CREATE", "MKDIR", "SYMLINK",
	"MKNOD", "REMOVE", "RMDIR", "RENAME", "LINK", "READDIR", "READDIRPLUS", "FSSTAT", "FSINFO", "PATHCONF", "COMMIT",
}

func procName(proc uint32) string { return procNames[proc] }

// StatusError is a call that the server did not do.
type StatusError struct {
	Proc   string
	Status nfs3.Nfsstat3
}

func (e *StatusError) Error() string {
	remedy := statusRemedies[e.Status]
	if e.Proc == procName(procMkdir) && (e.Status == nfs3.NFS3ERR_ACCES || e.Status == nfs3.NFS3ERR_PERM) {
		remedy = ": the caller may not write there, and root is nobody unless root squash is off: give " +
			"the directory to who calls, or use --squash none (no_root_squash of the kernel's)"
	}
	return fmt.Sprintf("%s: %s%s", e.Proc, e.Status, remedy)
}

// statusRemedies say what to do about some statuses.
var statusRemedies = map[nfs3.Nfsstat3]string{
	nfs3.NFS3ERR_NOSPC: ": the export is full; ask for less (--file-size, --entries), or make room",
	nfs3.NFS3ERR_DQUOT: ": the user's quota is used up; ask for less (--file-size, --entries), or " +
		"--uid of another user",
	nfs3.NFS3ERR_ROFS: ": the export is read-only; measure one that can be written to",
}

func statusError(proc, status uint32) error {
	return &StatusError{Proc: procName(proc), Status: nfs3.Nfsstat3(status)}
}
