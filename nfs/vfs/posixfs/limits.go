package posixfs

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// fsNames are the file systems that somebody may try to export.
var fsNames = map[int64]string{
	unix.EXT4_SUPER_MAGIC:      "ext4",
	unix.XFS_SUPER_MAGIC:       "XFS",
	unix.BTRFS_SUPER_MAGIC:     "btrfs",
	unix.TMPFS_MAGIC:           "tmpfs",
	unix.RAMFS_MAGIC:           "ramfs",
	unix.OVERLAYFS_SUPER_MAGIC: "overlayfs",
	unix.FUSE_SUPER_MAGIC:      "FUSE",
	unix.NFS_SUPER_MAGIC:       "NFS",
	unix.PROC_SUPER_MAGIC:      "proc",
	unix.SYSFS_MAGIC:           "sysfs",
	unix.CGROUP2_SUPER_MAGIC:   "cgroup2",
	unix.DEVPTS_SUPER_MAGIC:    "devpts",
	unix.MSDOS_SUPER_MAGIC:     "FAT",
	unix.ISOFS_SUPER_MAGIC:     "ISO 9660",
	unix.SQUASHFS_MAGIC:        "squashfs",
	unix.F2FS_SUPER_MAGIC:      "F2FS",
	unix.ECRYPTFS_SUPER_MAGIC:  "eCryptfs",
	0x2fc12fc1:                 "ZFS",
}

func fsName(magic int64) string {
	if s := fsNames[magic]; s != "" {
		return s
	}
	return fmt.Sprintf("a file system of type %#x", magic)
}

// foreignFS are the file systems whose attributes and content are another
// process's or machine's to give: even a stat may have to wait for an answer, and
// for ever when that one hangs.
var foreignFS = map[int64]bool{
	unix.FUSE_SUPER_MAGIC:  true,
	unix.NFS_SUPER_MAGIC:   true,
	unix.SMB_SUPER_MAGIC:   true,
	unix.SMB2_SUPER_MAGIC:  true,
	unix.CIFS_SUPER_MAGIC:  true,
	unix.V9FS_MAGIC:        true,
	unix.AFS_SUPER_MAGIC:   true,
	unix.AFS_FS_MAGIC:      true,
	unix.CODA_SUPER_MAGIC:  true,
	unix.CEPH_SUPER_MAGIC:  true,
	unix.OCFS2_SUPER_MAGIC: true,
	0x01161970:             true, // GFS2
	0x0bd00bd0:             true, // Lustre
	0x20030528:             true, // OrangeFS
}

// fineTimeFS reports whether the file system stamps changes finer than the timer
// tick once somebody has looked at the last stamp (FS_MGTIME, Linux 6.13).
func fineTimeFS(magic int64) bool {
	switch magic {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return true
	}
	return false
}

// limitsOf tells the limits of a file system. The kernel has no call for most of
// them; the numbers are those of the file systems' own headers.
func limitsOf(magic int64, sf *unix.Statfs_t) vfs.Limits {
	l := vfs.Limits{
		NameMax:         uint32(sf.Namelen),
		LinkMax:         127, // _POSIX_LINK_MAX is 8; FAT-like ones have no links at all
		FileSizeMax:     math.MaxInt64,
		TimeDelta:       vfs.Time{Nsec: 1},
		HardLinks:       true,
		SymbolicLinks:   true,
		CasePreserving:  true,
		ChownRestricted: true,
		NoTrunc:         true,
		Homogeneous:     true,
		CanSetTime:      true,
	}
	switch magic {
	case unix.EXT4_SUPER_MAGIC:
		l.LinkMax = 65000                                         // EXT4_LINK_MAX
		l.FileSizeMax = (1<<32 - 1) * uint64(max(sf.Bsize, 1024)) // 32-bit logical block numbers
	case unix.XFS_SUPER_MAGIC:
		l.LinkMax = math.MaxInt32 // XFS_MAXLINK
	case unix.BTRFS_SUPER_MAGIC:
		l.LinkMax = 65535 // BTRFS_LINK_MAX
	case unix.TMPFS_MAGIC, unix.RAMFS_MAGIC:
		l.LinkMax = math.MaxInt32 // only bounded by the type of st_nlink
	}
	return l
}
