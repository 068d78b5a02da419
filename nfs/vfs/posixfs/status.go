package posixfs

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// statx makes the statx call that the View's thread may make: a lane must not wait.
func (v *View) statx(fd int, st *unix.Statx_t) unix.Errno {
	if v.lane {
		return kernel.StatxRaw(fd, st)
	}
	return kernel.StatxWait(fd, st)
}

// statxAt is statx for an entry by name.
func (v *View) statxAt(fd int, name *byte, st *unix.Statx_t) unix.Errno {
	if v.lane {
		return kernel.StatxAtRaw(fd, name, st)
	}
	return kernel.StatxAt(fd, name, st)
}

// status is FS.status. On a lane it returns Again for an error that may not happen at the next try.
func (v *View) status(e unix.Errno) vfs.Status {
	if v.lane && kernel.MayPass(e) {
		return vfs.Again
	}
	return v.fs.status(e)
}

// named is status for a call that makes, changes or looks up a name. For such a call EILSEQ means
// that the file system cannot keep the name. For data it means a broken checksum.
func (v *View) named(e unix.Errno) vfs.Status {
	if e == unix.EILSEQ {
		return vfs.Inval
	}
	return v.status(e)
}

// status maps an errno to a status for the front ends. An errno that is not in the table is IO,
// too: FUSE passes on whatever its process returns.
func (fs *FS) status(e unix.Errno) vfs.Status {
	s, known := kernel.StatusOf(e)
	if !known {
		if _, seen := fs.reported.LoadOrStore(e, true); !seen {
			go fs.runReport(e) // a log may be slow
		}
	}
	return s
}

// runReport reports an unknown errno to the log, once.
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
