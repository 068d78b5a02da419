package known

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// KeepsBirth reports whether a file system of the type magic (statfs(2)) keeps birth times as fine
// as the kernel gives them. ext4 with small inodes has no birth times, and says so for each object.
func KeepsBirth(magic int64) bool {
	switch magic {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return true
	}
	return false
}

// The kinds of handles that begin with the inode's number (enum fid_type of the kernel).
const (
	fidIno32       = 0x1
	fidIno32Parent = 0x2
	fidIno64       = 0x81 // XFS
	fidIno64Parent = 0x82
)

// Numbered reports whether an inode's number stands for one object at a time in a file system of
// the type magic, and whether handles contain it. btrfs does not count, because each of its
// subvolumes has numbers of its own; nor does tmpfs, whose numbers may come round again.
func Numbered(magic int64) bool {
	return magic == unix.EXT4_SUPER_MAGIC || magic == unix.XFS_SUPER_MAGIC
}

// NumberIn returns the inode's number that the handle contains. It is for file systems for which
// Numbered is true.
func NumberIn(h *vfs.Handle) (ino uint64, ok bool) {
	b := h.Bytes()
	if len(b) < kernel.KindBytes+8 {
		return 0, false
	}
	kind, b := binary.LittleEndian.Uint32(b), b[kernel.KindBytes:]
	switch kind {
	case fidIno32, fidIno32Parent:
		return uint64(binary.NativeEndian.Uint32(b)), true
	case fidIno64, fidIno64Parent:
		return binary.NativeEndian.Uint64(b), true
	}
	return 0, false
}
