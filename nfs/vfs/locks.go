package vfs

import "math"

// LockRange is the bytes from Start to End of a file, both included. Start is not greater than End.
type LockRange struct{ Start, End uint64 }

// AllBytes is the range of all bytes.
var AllBytes = LockRange{0, math.MaxUint64}

// LockKind says how bytes are locked. Greater kinds exclude more.
type LockKind uint8

// The kinds.
const (
	NoLock    LockKind = iota
	ReadLock           // shared
	WriteLock          // exclusive
)

// FileLock is a lock on bytes of a file.
type FileLock struct {
	LockRange
	Kind LockKind
}

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
	Lock(r LockRange, kind LockKind, held *FileLock) Status
	// Unlock unlocks all bytes of r.
	Unlock(r LockRange)
	// Conflict returns the lock of another program that is in the way of one of the front end's.
	Conflict(r LockRange, kind LockKind) (FileLock, bool)
	// Sleeps reports whether the methods may sleep. Then lanes do not call them.
	Sleeps() bool
	// Close ends the use of the locks. The last Close unlocks what is still locked. It does not
	// sleep.
	Close()
}
