package load

import (
	"fmt"

	nfs3 "github.com/ringnfs/ringnfs/nfs/v3"
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
	return fmt.Sprintf("%s: %s", e.Proc, e.Status)
}

func statusError(proc, status uint32) error {
	return &StatusError{Proc: procName(proc), Status: nfs3.Nfsstat3(status)}
}
