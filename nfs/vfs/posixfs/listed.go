package posixfs

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// listed is the View as package listing sees it when a directory has to be read. See also
// FileIDs.
type listed struct{ *View }

func (v listed) Open(as *vfs.Cred, dir *entry) (int, vfs.Status) { return v.openDir(as, dir) }

func (v listed) Status(errno unix.Errno) vfs.Status { return v.fs.status(errno) }

func (v listed) Tick() int64 { return v.fs.tick.Load() }

func (v listed) TooLarge(dir *entry, limit int) {
	v.fs.log.Error(
		"posixfs: a directory is too large to be listed on a FUSE file system whose places do not last; "+
			"divide it into several, or export the directory that the FUSE file system is made from",
		"dir",
		v.fs.dir,
		"inode",
		dir.Key.Ino,
		"limit",
		limit,
	)
}
