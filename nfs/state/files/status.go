package files

import "github.com/ringnfs/ringnfs/nfs/nfs4"

// Status is what an operation answers.
type Status = nfs4.Nfsstat4

// The statuses that this package answers, by names without the prefix of all of them.
const (
	OK              = nfs4.NFS4_OK
	Inval           = nfs4.NFS4ERR_INVAL
	Delay           = nfs4.NFS4ERR_DELAY
	Denied          = nfs4.NFS4ERR_DENIED
	Expired         = nfs4.NFS4ERR_EXPIRED
	Locked          = nfs4.NFS4ERR_LOCKED
	Grace           = nfs4.NFS4ERR_GRACE
	ShareDenied     = nfs4.NFS4ERR_SHARE_DENIED
	Resource        = nfs4.NFS4ERR_RESOURCE
	StaleClientID   = nfs4.NFS4ERR_STALE_CLIENTID
	StaleStateid    = nfs4.NFS4ERR_STALE_STATEID
	OldStateid      = nfs4.NFS4ERR_OLD_STATEID
	BadStateid      = nfs4.NFS4ERR_BAD_STATEID
	BadSeqid        = nfs4.NFS4ERR_BAD_SEQID
	NoGrace         = nfs4.NFS4ERR_NO_GRACE
	ReclaimBad      = nfs4.NFS4ERR_RECLAIM_BAD
	ReclaimConflict = nfs4.NFS4ERR_RECLAIM_CONFLICT
	LocksHeld       = nfs4.NFS4ERR_LOCKS_HELD
	OpenMode        = nfs4.NFS4ERR_OPENMODE
	AdminRevoked    = nfs4.NFS4ERR_ADMIN_REVOKED
)

// crowded says that a bound for all clients is reached: there may be room when others have lost
// what they need not have. No client sees it.
const crowded Status = 1 << 30

// MustWait is what is answered to who is brief: see [Caller]. No client sees it.
const MustWait Status = 1<<30 + 1

// full is what an operation is told that would exceed a bound: version 4.1 has no RESOURCE.
func full(legacy bool) Status {
	if legacy {
		return Resource
	}
	return Delay
}
