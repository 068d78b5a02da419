package load

import (
	"errors"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/client4"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

// callsMax is more than the number of any call: of a procedure of version 3, or of the operation
// that gives a compound of version 4 its name.
const callsMax = int(nfs4.OP_REMOVEXATTR) + 1

// callName returns the name of a call.
func (v Version) callName(n uint32) string {
	if v.Major == 4 && n != nfs4.NFSPROC4_NULL {
		return client4.Name(nfs4.NfsOpnum4(n))
	}
	return client.Name(n)
}

// StatusError says that the server did not do a call.
type StatusError struct {
	client.StatusError
}

func (e *StatusError) Error() string {
	remedy := statusRemedies[e.Status]
	if e.Proc == nfs3.NFSPROC3_MKDIR && (e.Status == nfs3.NFS3ERR_ACCES || e.Status == nfs3.NFS3ERR_PERM) {
		remedy = mkdirRemedy
	}
	return e.StatusError.Error() + remedy
}

const mkdirRemedy = ": the caller may not write there, and root is nobody unless root squash is off: give " +
	"the directory to who calls, or use --squash none (no_root_squash of the kernel's)"

// statusRemedies say what to do about some statuses.
var statusRemedies = map[nfs3.Nfsstat3]string{
	nfs3.NFS3ERR_NOSPC: ": the export is full; ask for less (--file-size, --entries), or make room",
	nfs3.NFS3ERR_DQUOT: ": the user's quota is used up; ask for less (--file-size, --entries), or " +
		"--uid of another user",
	nfs3.NFS3ERR_ROFS: ": the export is read-only; measure one that can be written to",
}

// Status4Error says that the server did not do an operation of version 4.
type Status4Error struct{ client4.StatusError }

func (e *Status4Error) Error() string {
	remedy := status4Remedies[e.Status]
	if e.Op == nfs4.OP_CREATE && (e.Status == nfs4.NFS4ERR_ACCESS || e.Status == nfs4.NFS4ERR_PERM) {
		remedy = mkdirRemedy
	}
	return e.StatusError.Error() + remedy
}

// Unwrap returns the error of package client4.
func (e *Status4Error) Unwrap() error { return &e.StatusError }

// status4Remedies say what to do about some statuses of version 4.
var status4Remedies = map[nfs4.Nfsstat4]string{
	nfs4.NFS4ERR_NOSPC: statusRemedies[nfs3.NFS3ERR_NOSPC],
	nfs4.NFS4ERR_DQUOT: statusRemedies[nfs3.NFS3ERR_DQUOT],
	nfs4.NFS4ERR_ROFS:  statusRemedies[nfs3.NFS3ERR_ROFS],
	nfs4.NFS4ERR_MINOR_VERS_MISMATCH: ": the server does not have that minor version: say --nfs with another, " +
		"or switch it on there",
	nfs4.NFS4ERR_WRONGSEC: ": the server wants another flavor than AUTH_SYS, which bench cannot measure: " +
		"have the export take sec=sys",
}

func statusError(proc, status uint32) error {
	return &StatusError{client.StatusError{Proc: proc, Status: nfs3.Nfsstat3(status)}}
}

// advise adds to errors of package client what to do about them. It returns errors that say so
// already unchanged.
func advise(err error) error {
	var (
		said   *advice
		status *client.StatusError
		op     *client4.StatusError
		known  *Status4Error
		no     *client.Refused
		never  *client.Denied
	)
	switch {
	case errors.As(err, &said), errors.As(err, &known):
	case errors.As(err, &op):
		return &Status4Error{*op}
	case errors.As(err, &status):
		return &StatusError{*status}
	case errors.As(err, &no):
		return refused(no)
	case errors.As(err, &never):
		return denied(never)
	}
	return err
}
