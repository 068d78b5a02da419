package posixfs

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// statx is the one of the two that the View's thread may make.
func (v *View) statx(fd int, st *unix.Statx_t) unix.Errno {
	if v.lane {
		return kernel.StatxRaw(fd, st)
	}
	return kernel.StatxWait(fd, st)
}

// statxAt asks as statx does, for an entry by name.
func (v *View) statxAt(fd int, name *byte, st *unix.Statx_t) unix.Errno {
	if v.lane {
		return kernel.StatxAtRaw(fd, name, st)
	}
	return kernel.StatxAt(fd, name, st)
}

// status is the function of that name; on a lane, what may go well another time is
// for a worker to try.
func (v *View) status(e unix.Errno) vfs.Status {
	if v.lane && kernel.MayPass(e) {
		return vfs.Again
	}
	return v.fs.status(e)
}

// named is status for a call that makes, changes or looks up a name. EILSEQ is about the
// name then, which the file system cannot keep; about data it is a broken checksum.
func (v *View) named(e unix.Errno) vfs.Status {
	if e == unix.EILSEQ {
		return vfs.Inval
	}
	return v.status(e)
}

// status maps an errno to what the front ends understand. One that is not listed is
// IO, too: FUSE passes on whatever its process says.
func (fs *FS) status(e unix.Errno) vfs.Status {
	s, known := kernel.StatusOf(e)
	if !known {
		if _, seen := fs.reported.LoadOrStore(e, true); !seen {
			go fs.runReport(e) // who reads the log may be slow
		}
	}
	return s
}

// runReport is the goroutine that tells of an error once.
func (fs *FS) runReport(e unix.Errno) {
	fs.log.Warn(
		"posixfs: the kernel returned an error that no file system should",
		"errno",
		int(e),
		"text",
		e.Error(),
		"dir",
		fs.dir,
	)
}
