package vfs

import "github.com/ringnfs/ringnfs/nfs/state/ranges"

// Locker is the ability to show byte-range locks to the programs of the server's machine, and to
// respect theirs.
type Locker interface {
	// OpenLocks opens the locks of the regular file h. It needs no permission: who may lock is the
	// front end's business. Who does it again gets the same locks, and each closes them. On a lane
	// the status is Again if the file must be opened first, or if the file system may sleep over
	// locks. It is Delay if there is no descriptor to spare, and NotSupp if the file's locks cannot
	// be shown at all. An object that is no regular file is Inval.
	OpenLocks(h Handle) (Locks, Status)
}

// Locks are the locks of one file that one owner, the front end, has of all that it serves. Unlike
// an ability they are no View's: any goroutine may call the methods, one at a time for each file.
type Locks interface {
	// Lock sets the front end's lock on all bytes of r to kind, Read or Write. If another program
	// is in the way, the status is Access, nothing has changed, and held is that program's lock.
	// Delay means that there was no memory. A lock that the file system cannot keep, as one for
	// writing where the server may only read, is OK and not shown.
	Lock(r ranges.Range, kind ranges.Kind, held *ranges.Lock) Status
	// Unlock unlocks all bytes of r.
	Unlock(r ranges.Range)
	// Conflict returns the lock of another program that is in the way of one of the front end's.
	Conflict(r ranges.Range, kind ranges.Kind) (ranges.Lock, bool)
	// Sleeps reports whether the methods may sleep. Then lanes do not call them.
	Sleeps() bool
	// Close ends the use of the locks. The last Close unlocks what is still locked. It does not
	// sleep.
	Close()
}
