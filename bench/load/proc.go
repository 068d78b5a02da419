package load

import (
	"errors"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

const procedures = len(nfs3.NFSV3Names)

// StatusError says that the server did not do a call.
type StatusError struct {
	client.StatusError
}

func (e *StatusError) Error() string {
	remedy := statusRemedies[e.Status]
	if e.Proc == nfs3.NFSPROC3_MKDIR && (e.Status == nfs3.NFS3ERR_ACCES || e.Status == nfs3.NFS3ERR_PERM) {
		remedy = ": the caller may not write there, and root is nobody unless root squash is off: give " +
			"the directory to who calls, or use --squash none (no_root_squash of the kernel's)"
	}
	return e.StatusError.Error() + remedy
}

// statusRemedies say what to do about some statuses.
var statusRemedies = map[nfs3.Nfsstat3]string{
	nfs3.NFS3ERR_NOSPC: ": the export is full; ask for less (--file-size, --entries), or make room",
	nfs3.NFS3ERR_DQUOT: ": the user's quota is used up; ask for less (--file-size, --entries), or " +
		"--uid of another user",
	nfs3.NFS3ERR_ROFS: ": the export is read-only; measure one that can be written to",
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
		no     *client.Refused
		never  *client.Denied
	)
	switch {
	case errors.As(err, &said):
	case errors.As(err, &status):
		return &StatusError{*status}
	case errors.As(err, &no):
		return refused(no)
	case errors.As(err, &never):
		return denied(never)
	}
	return err
}
