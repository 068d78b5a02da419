package client4

import "github.com/ringnfs/ringnfs/nfs/nfs4"

// StatusError says that an operation of a compound failed. Those before it were done.
type StatusError struct {
	Op     nfs4.NfsOpnum4
	Status nfs4.Nfsstat4 // other than NFS4_OK
}

// Error gives the names of the operation and of the status.
func (e *StatusError) Error() string { return Name(e.Op) + ": " + e.Status.String() }

// Name returns the name of an operation, such as LOOKUP.
func Name(op nfs4.NfsOpnum4) string {
	s := op.String()
	if len(s) > 3 && s[:3] == "OP_" {
		return s[3:]
	}
	return s
}

// Later reports whether a status asks for the same call again after a while.
func Later(st nfs4.Nfsstat4) bool { return st == nfs4.NFS4ERR_DELAY || st == nfs4.NFS4ERR_GRACE }

// Forgotten reports whether a status says that the server no longer knows the client or its
// session.
// [Client.Establish] makes them anew; what the client held is lost.
func Forgotten(st nfs4.Nfsstat4) bool {
	switch st {
	case nfs4.NFS4ERR_BADSESSION, nfs4.NFS4ERR_DEADSESSION, nfs4.NFS4ERR_STALE_CLIENTID, nfs4.NFS4ERR_EXPIRED:
		return true
	default:
		return false
	}
}
