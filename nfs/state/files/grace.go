package files

// Recovery is what there is to know of grace when an operation is judged (RFC 8881 section 8.4.2;
// RFC 7530 section 9.6.2).
type Recovery struct {
	InGrace  bool // the server's grace period goes on
	Reclaim  bool // the operation reclaims: CLAIM_PREVIOUS, or reclaim in LOCK
	Complete bool // the client has said RECLAIM_COMPLETE; false for 4.0, which cannot
	Known    bool // the client's record says that it may have something to reclaim
}

// Op is a kind of operation to which grace makes a difference.
type Op uint8

// The operations.
const (
	OpOpen   Op = iota
	OpLock      // LOCK
	OpLockT     // LOCKT
	OpIO        // READ, WRITE, SETATTR of the size and the like with a special stateid
	OpUnlink    // REMOVE and RENAME, which could take away what another client is to reclaim
	OpOther     // CLOSE, LOCKU, OPEN_DOWNGRADE, and I/O with a stateid of this epoch
)

// Judge says whether an operation may run. Minor is the version of its client.
//
//   - A reclaim needs a client that was there before, and has not said that it is done.
//   - In grace nothing else that could take what another client is to reclaim.
//   - A client of 4.1 says first that it is done, even when it has nothing to reclaim (RFC 8881
//     section 18.51.3).
func (r Recovery) Judge(op Op, minor uint8) Status {
	if (op == OpOpen || op == OpLock) && r.Reclaim {
		switch {
		case r.Complete || !r.InGrace:
			return NoGrace
		case !r.Known:
			return ReclaimBad
		}
		return OK
	}
	switch op {
	case OpOpen, OpLock:
		if r.InGrace || minor > 0 && !r.Complete {
			return Grace
		}
	case OpLockT, OpIO, OpUnlink:
		if r.InGrace {
			return Grace
		}
	case OpOther:
	}
	return OK
}
