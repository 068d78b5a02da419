package client

import (
	"errors"
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

// ErrShortReply says that a reply ends before its header or its results do.
var ErrShortReply = errors.New("a reply that is too short")

// Denied says that the server refused a call without looking at it (RFC 5531, section 9,
// rejected_reply).
type Denied struct {
	Stat     RejectStat
	Why      AuthStat // of AUTH_ERROR
	Versions Versions // of RPC_MISMATCH: the server's versions of RPC; 0 if not said
}

// Error gives RPC's name for the refusal.
func (e *Denied) Error() string {
	if e.Stat == AUTH_ERROR {
		return fmt.Sprintf("the server denied the call: %s", e.Why)
	}
	return fmt.Sprintf("the server denied the call: %s", e.Stat)
}

// Refused says that the server did not pass a call to a program, or that the program could not do
// the call (RFC 5531, section 9, accepted_reply).
type Refused struct {
	Stat     AcceptStat // other than SUCCESS
	Versions Versions   // of PROG_MISMATCH: the program's versions; 0 if not said
}

// Error gives RPC's name for the refusal.
func (e *Refused) Error() string {
	if e.Stat == PROG_MISMATCH {
		return fmt.Sprintf(
			"the server refused the call: %s, it has %d to %d",
			e.Stat,
			e.Versions.Low,
			e.Versions.High,
		)
	}
	return fmt.Sprintf("the server refused the call: %s", e.Stat)
}

// StatusError says that the server did a call of NFS version 3, with another status than NFS3_OK.
type StatusError struct {
	Proc   uint32 // the procedure
	Status nfs3.Nfsstat3
}

// Error gives the names of the procedure and of the status.
func (e *StatusError) Error() string { return Name(e.Proc) + ": " + e.Status.String() }

// MountError says that the server refused a MNT.
type MountError struct {
	Path   string
	Status mount3.Mountstat3 // other than MNT3_OK
}

// Error gives the path and the name of the status.
func (e *MountError) Error() string { return "mount " + e.Path + ": " + e.Status.String() }

// Name returns the name of a procedure of NFS version 3, such as LOOKUP.
func Name(proc uint32) string {
	if proc < uint32(len(nfs3.NFSV3Names)) {
		return nfs3.NFSV3Names[proc]
	}
	return fmt.Sprintf("procedure %d", proc)
}
