package posixfs

import (
	"math"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/uring/futex"
)

// The locks of a file are those of one open file description (F_OFD_SETLK). It is not one of the
// entry's, which come and go with the use of the file's data: it stays as long as somebody uses the
// locks, and one to two ticks longer, since who has unlocked a file often locks it again. While it
// is open nobody can execute the file, as with any file that is open for writing.

// lockedFiles are the files whose locks are open.
type lockedFiles struct {
	n  atomic.Int32 // len(files)
	mu futex.Mutex
	// guarded by mu
	files map[vfs.Handle]*lockedFile
	left  []int // descriptors for the janitor to close
}

// lockedFile is the locks of one file. It implements vfs.Locks.
type lockedFile struct {
	// Immutable.
	fs    *FS
	h     vfs.Handle
	fd    int
	write bool // fd can write

	// Guarded by FS.locked.mu.
	uses int
	idle uint8 // ticks without use

	// Of who calls the methods.
	some   bool          // something may be locked, and then
	extent vfs.LockRange // it lies in here
}

// OpenLocks implements vfs.Locker. The file is opened with the process's own rights.
func (v *View) OpenLocks(h vfs.Handle) (vfs.Locks, vfs.Status) {
	v.owner.check()
	if off := v.off.Load(); off != 0 {
		return nil, refusal(off)
	}
	if v.lane && v.fs.is.foreign {
		return nil, vfs.Again
	}
	if x := v.fs.useLocked(&h); x != nil {
		return x, vfs.OK
	}
	if v.lane {
		return nil, vfs.Again
	}
	defer v.done()
	e, s := v.acquire(&h, useMain)
	if s != vfs.OK {
		return nil, s
	}
	if e.Kind != unix.S_IFREG {
		return nil, vfs.Inval
	}
	fd, write, s := v.openToLock(e)
	if s != vfs.OK {
		return nil, s
	}
	return v.fs.addLocked(h, fd, write), vfs.OK
}

// openToLock opens e for reading and writing, or else for reading. The descriptor is counted.
func (v *View) openToLock(e *entry) (fd int, write bool, s vfs.Status) {
	if !v.as(nil) {
		return -1, false, vfs.ServerFault
	}
	if !v.fs.last() {
		v.fs.closeLocked(func(x *lockedFile) bool { return x.uses == 0 })
		if !v.fs.last() {
			return -1, false, vfs.Delay
		}
	}
	v.fs.room(1)
	common := unix.O_CLOEXEC | unix.O_NOCTTY | v.fs.quiet(e)
	if !v.fs.is.foreign { // as in openIO
		common |= unix.O_NONBLOCK
	}
	var errno unix.Errno
	for _, how := range [...]int{unix.O_RDWR, unix.O_RDONLY} {
		fd, errno = opened(how|common, func(flags int) (int, unix.Errno) {
			return v.fs.plenty(func() (int, unix.Errno) { return v.reopen(e, flags) })
		})
		switch errno {
		case 0:
			v.fs.tab.Opened()
			return fd, how == unix.O_RDWR, vfs.OK
		case unix.EROFS, unix.EACCES, unix.EPERM, unix.ETXTBSY:
			continue
		case unix.EAGAIN: // somebody has a lease
			s = vfs.Delay
		default:
			s = v.fs.status(errno)
		}
		v.fs.lasting.Add(-1)
		return -1, false, s
	}
	v.fs.lasting.Add(-1)
	return -1, false, vfs.NotSupp
}

// useLocked returns the locks of h if they are open.
func (fs *FS) useLocked(h *vfs.Handle) *lockedFile {
	l := &fs.locked
	if l.n.Load() == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.files[*h]
	if x != nil {
		x.uses++
		x.idle = 0
	}
	return x
}

// addLocked makes fd the locks of h, and returns them in use. If there are some already, it closes
// fd.
func (fs *FS) addLocked(h vfs.Handle, fd int, write bool) *lockedFile {
	l := &fs.locked
	l.mu.Lock()
	x := l.files[h]
	fresh := x == nil
	if fresh {
		x = &lockedFile{fs: fs, h: h, fd: fd, write: write}
		l.files[h] = x
		l.n.Add(1)
	}
	x.uses++
	x.idle = 0
	l.mu.Unlock()
	if !fresh {
		fs.closeLock(fd)
	}
	return x
}

// closeLock closes a descriptor of openToLock.
func (fs *FS) closeLock(fd int) {
	kernel.CloseFD(fd)
	fs.tab.Closed(1)
	fs.lasting.Add(-1)
}

// closeLocked closes the locks that pick picks. It is called with the files locked.
func (fs *FS) closeLocked(pick func(*lockedFile) bool) {
	l := &fs.locked
	l.mu.Lock()
	fds := l.left
	l.left = nil
	for h, x := range l.files {
		if pick(x) {
			delete(l.files, h)
			l.n.Add(-1)
			fds = append(fds, x.fd)
		}
	}
	l.mu.Unlock()
	for _, fd := range fds {
		fs.closeLock(fd)
	}
}

// lockRounds is after how many ticks without use locks are closed.
const lockRounds = 2

// restLocked closes the locks that nobody uses any more.
func (fs *FS) restLocked() {
	fs.closeLocked(func(x *lockedFile) bool {
		if x.uses > 0 {
			return false
		}
		x.idle++
		return x.idle >= lockRounds
	})
}

// forgetLocked closes the locks of a file that has lost its last name, unless somebody uses them:
// its space is to be free. With later the janitor closes them.
func (fs *FS) forgetLocked(h *vfs.Handle, later bool) {
	l := &fs.locked
	if l.n.Load() == 0 {
		return
	}
	l.mu.Lock()
	x := l.files[*h]
	gone := x != nil && x.uses == 0
	if gone {
		delete(l.files, *h)
		l.n.Add(-1)
		if later {
			l.left = append(l.left, x.fd)
		}
	}
	l.mu.Unlock()
	if gone && !later {
		fs.closeLock(x.fd)
	}
}

// flock describes a lock to the kernel, which can lock the bytes up to 2^63-1. It reports false if
// that is none of the range.
func flock(r vfs.LockRange, kind vfs.LockKind) (l unix.Flock_t, ok bool) {
	if r.Start > math.MaxInt64 {
		return l, false
	}
	l.Type = [...]int16{vfs.NoLock: unix.F_UNLCK, vfs.ReadLock: unix.F_RDLCK, vfs.WriteLock: unix.F_WRLCK}[kind]
	if l.Start = int64(r.Start); r.End < math.MaxInt64 { // else the length is 0: to the end
		l.Len = int64(r.End - r.Start + 1)
	}
	return l, true
}

// lockRange returns the range of a lock that the kernel has described.
func lockRange(l *unix.Flock_t) vfs.LockRange {
	r := vfs.LockRange{Start: uint64(l.Start), End: math.MaxUint64}
	if l.Len != 0 {
		r.End = r.Start + uint64(l.Len) - 1
	}
	return r
}

// lockTries is how often a lock is tried that is refused, though nobody is in the way any more.
const lockTries = 4

// Lock implements vfs.Locks.
func (x *lockedFile) Lock(r vfs.LockRange, kind vfs.LockKind, held *vfs.FileLock) vfs.Status {
	if kind == vfs.WriteLock && !x.write {
		return vfs.OK
	}
	for range lockTries {
		l, ok := flock(r, kind)
		if !ok {
			return vfs.OK
		}
		switch errno := kernel.Lock(x.fd, unix.F_OFD_SETLK, &l); errno {
		case 0:
			x.extend(r)
			return vfs.OK
		case unix.EAGAIN, unix.EACCES:
			if other, denied := x.Conflict(r, kind); denied {
				*held = other
				return vfs.Access
			}
		case unix.ENOLCK:
			if x.fs.is.foreign { // it may have none at all
				return vfs.OK
			}
			return vfs.Delay
		case unix.ENOSYS, unix.EOPNOTSUPP, unix.EINVAL, unix.EBADF:
			return vfs.OK
		default:
			return vfs.Delay
		}
	}
	return vfs.Delay
}

// extend notes that r is locked.
func (x *lockedFile) extend(r vfs.LockRange) {
	if x.some {
		r = vfs.LockRange{Start: min(r.Start, x.extent.Start), End: max(r.End, x.extent.End)}
	}
	x.extent, x.some = r, true
}

// Unlock implements vfs.Locks.
func (x *lockedFile) Unlock(r vfs.LockRange) {
	l, ok := flock(r, vfs.NoLock)
	if !ok || kernel.Lock(x.fd, unix.F_OFD_SETLK, &l) != 0 {
		return
	}
	if r.Start <= x.extent.Start && r.End >= x.extent.End {
		x.some = false
	}
}

// Conflict implements vfs.Locks.
func (x *lockedFile) Conflict(r vfs.LockRange, kind vfs.LockKind) (vfs.FileLock, bool) {
	l, ok := flock(r, kind)
	if !ok || kernel.Lock(x.fd, unix.F_OFD_GETLK, &l) != 0 {
		return vfs.FileLock{}, false
	}
	other := vfs.FileLock{LockRange: lockRange(&l)}
	switch l.Type {
	case unix.F_RDLCK:
		other.Kind = vfs.ReadLock
	case unix.F_WRLCK:
		other.Kind = vfs.WriteLock
	default:
		return vfs.FileLock{}, false
	}
	return other, true
}

// Sleeps implements vfs.Locks.
func (x *lockedFile) Sleeps() bool { return x.fs.is.foreign }

// Close implements vfs.Locks. Where unlocking may sleep, the janitor closes the file instead.
func (x *lockedFile) Close() {
	fs, l := x.fs, &x.fs.locked
	l.mu.Lock()
	x.uses--
	if x.uses == 0 && x.some && !fs.is.foreign {
		x.Unlock(vfs.AllBytes) // which does not sleep
	}
	left := x.uses == 0 && x.some
	if left { // who comes next must not find what is locked
		delete(l.files, x.h)
		l.n.Add(-1)
		l.left = append(l.left, x.fd)
	}
	l.mu.Unlock()
	if left {
		fs.wake()
	}
}
