package posixfs

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// listed is a View as a listing.Source. Its method FileIDs is in fileid.go.
type listed struct{ *View }

// Open implements listing.Source.
func (v listed) Open(as *vfs.Cred, dir *entry) (int, vfs.Status) { return v.openDir(as, dir) }

// Status implements listing.Source.
func (v listed) Status(errno unix.Errno) vfs.Status { return v.fs.status(errno) }

// Tick implements listing.Source.
func (v listed) Tick() int64 { return v.fs.tick.Load() }

// TooLarge implements listing.Source.
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
