package posixfs

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/uring/futex"
)

// NFS lets the owner read and write a file whatever its mode says (RFC 1813, section 4.4). A
// program may open a file, take the right away and go on writing. And the client may have to write
// unstable data again when the server has gone down. Root opens such a file by its handle. A
// process that cannot do so, but is the file's owner, adds the missing bits to the mode while it
// opens the file (docs/design/0020). This gives nothing to any other user, and another process of
// the owner could do the same.

// lent are the locks under which such processes change modes, by hash of the object.
type lent [16]futex.Mutex

func (l *lent) of(e *entry) *futex.Mutex { return &l[e.Key.Hash()%uint64(len(l))] }

// lends reports whether this process opens files in that way.
func (fs *FS) lends() bool { return !fs.is.byHandle && !fs.is.switching }

// moved is how a View's last such opening changed a file's ctime. It is all zero if there was no
// such opening, or if somebody else has changed the file meanwhile.
type moved struct{ from, to unix.StatxTimestamp }

// openOwn opens a regular file that the process's user owns, but whose mode forbids opening it. If
// it cannot, it returns EACCES, as the opening before it did. The thread acts for the process.
func (v *View) openOwn(e *entry, flags int) (int, unix.Errno) {
	need := uint32(0)
	if how := flags & unix.O_ACCMODE; how != unix.O_WRONLY {
		need |= unix.S_IRUSR
	}
	if how := flags & unix.O_ACCMODE; how != unix.O_RDONLY {
		need |= unix.S_IWUSR
	}
	return v.lend(e, need, func() (int, unix.Errno) { return openPath(e.FD, flags) })
}

// lend calls open while the mode of e also has the bits in need.
//
// lend does not touch a file with set-id bits. A process that writes to the file meanwhile clears
// them. If lend then put them back, they would apply to what that process has written.
func (v *View) lend(e *entry, need uint32, open func() (int, unix.Errno)) (int, unix.Errno) {
	l := v.fs.lent.of(e)
	l.Lock()
	defer l.Unlock()
	var was, lent, now unix.Statx_t
	if kernel.StatxWait(e.FD, &was) != 0 || was.Uid != v.fs.own.UID {
		return -1, unix.EACCES
	}
	mode := uint32(was.Mode & 07777)
	if mode&need == need || mode&(unix.S_ISUID|unix.S_ISGID) != 0 {
		return -1, unix.EACCES // the mode is not the reason; or see above
	}
	if v.chmod(e.FD, mode|need) != 0 {
		return -1, unix.EACCES
	}
	seen := kernel.StatxWait(e.FD, &lent)
	fd, opened := open()
	errno := kernel.StatxWait(e.FD, &now)
	if errno == 0 && uint32(now.Mode&07777) != mode|need {
		return fd, opened // somebody else has changed the mode meanwhile: theirs stays
	}
	alone := seen == 0 && errno == 0 && now.Ctime == lent.Ctime
	if errno = v.chmod(e.FD, mode); errno != 0 {
		v.fs.log.Warn(
			"posixfs: a file was opened that its mode forbids its owner, and has kept the bits that were added for that",
			"dir",
			v.fs.dir,
			"inode",
			was.Ino,
			"mode",
			mode,
			"added",
			need,
			"error",
			errno.Error(),
		)
	} else if alone && kernel.StatxWait(e.FD, &now) == 0 {
		v.moved = moved{from: was.Ctime, to: now.Ctime}
	}
	return fd, opened
}

// openPath opens the object that an O_PATH descriptor stands for.
func openPath(fd, flags int) (int, unix.Errno) {
	path := kernel.ProcPath(fd)
	for p := (kernel.Patience{}); ; {
		fd, err := unix.Open(path, flags, 0)
		errno := errnoOf(err)
		if errno == 0 || errno == unix.EAGAIN && flags&unix.O_NONBLOCK != 0 || !p.Again(errno) {
			return fd, errno
		}
	}
}
