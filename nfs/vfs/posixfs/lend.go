package posixfs

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// NFS lets the owner read and write a file whatever its mode says (RFC 1813, section
// 4.4): a program opens a file, takes the right away and goes on writing, and the
// client may have to write again what was unstable when the server went down. Root
// opens such a file by its handle. A process without that right gives itself, as the
// owner may, the bits that it lacks for as long as it takes to open the file
// (docs/design/0020). No other user gets anything by that, and one that is the owner
// could do the same.

// lent are the locks under which modes are changed by processes that lend themselves
// bits, by hash of the object.
type lent [16]sync.Mutex

func (l *lent) of(e *entry) *sync.Mutex { return &l[e.Key.Hash()%uint64(len(l))] }

// lends reports whether files are opened that way.
func (fs *FS) lends() bool { return !fs.is.byHandle && !fs.is.switching }

// moved is what a View's last opening of that kind did to a file's ctime; all zero when
// there was none, or somebody else has changed the file in the meantime.
type moved struct{ from, to unix.StatxTimestamp }

// openOwn opens a regular file that the process's user owns and whose mode forbids
// it. What does not work out is EACCES, as it was before. The thread acts for the
// process.
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

// lend has open called while the mode of e has the bits in need as well.
//
// Set-id bits are never put back: whoever writes to the file meanwhile takes them away,
// and what he has written would have them again.
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
		return -1, unix.EACCES // it is not for the mode; or see above
	}
	if v.chmod(e.FD, mode|need) != 0 {
		return -1, unix.EACCES
	}
	seen := kernel.StatxWait(e.FD, &lent)
	fd, opened := open()
	errno := kernel.StatxWait(e.FD, &now)
	if errno == 0 && uint32(now.Mode&07777) != mode|need {
		return fd, opened // somebody has changed the mode meanwhile, and is to have the last word
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

// openPath opens what an O_PATH descriptor stands for.
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
