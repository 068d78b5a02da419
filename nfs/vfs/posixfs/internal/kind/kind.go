package kind

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// names are the names of file systems that somebody may try to export.
var names = map[int64]string{
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
	unix.EXFAT_SUPER_MAGIC:     "exFAT",
	unix.ISOFS_SUPER_MAGIC:     "ISO 9660",
	unix.SQUASHFS_MAGIC:        "squashfs",
	unix.F2FS_SUPER_MAGIC:      "F2FS",
	unix.ECRYPTFS_SUPER_MAGIC:  "eCryptfs",
	0x2fc12fc1:                 "ZFS",
}

// Name returns the name of the file system with this type (statfs(2)).
func Name(magic int64) string {
	if s := names[magic]; s != "" {
		return s
	}
	return fmt.Sprintf("a file system of type %#x", magic)
}

// foreign are the file systems whose attributes and content come from another process or machine.
// Even a stat may have to wait for the answer, without end if the other side hangs.
var foreign = map[int64]bool{
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

// Foreign reports whether the kernel has to ask another process or machine for attributes and
// content.
func Foreign(magic int64) bool { return foreign[magic] }

// FineTimes reports whether the file system stamps a change with a finer time than the timer tick
// if somebody has looked at the stamp before (FS_MGTIME, Linux 6.13).
func FineTimes(magic int64) bool {
	switch magic {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return true
	}
	return false
}

// LimitsOf returns the limits of a file system. The kernel has no call for most of them. The
// numbers are those of the file systems' own headers.
func LimitsOf(magic int64, sf *unix.Statfs_t) vfs.Limits {
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
	case unix.MSDOS_SUPER_MAGIC, unix.EXFAT_SUPER_MAGIC:
		l.LinkMax, l.HardLinks, l.SymbolicLinks = 1, false, false
		l.CaseInsensitive = true
		l.TimeDelta = vfs.Time{Sec: 2}
		l.CanSetTime = false // FAT keeps the day of an atime; neither has years before 1980
		if magic == unix.MSDOS_SUPER_MAGIC {
			l.FileSizeMax = 1<<32 - 1
			if sf.Namelen <= msdosName {
				l.CasePreserving, l.NoTrunc = false, false
			}
		}
	case unix.TMPFS_MAGIC, unix.RAMFS_MAGIC:
		l.LinkMax = math.MaxInt32 // only bounded by the type of st_nlink
	}
	return l
}

// msdosName is the longest name of FAT without long names. FAT cuts a name to 8 and 3 letters in
// capitals.
const msdosName = 12

// timeProbe is a time to set on a file without a name, to see how much of it the file system keeps.
// No digit of its nanoseconds is 0, and its seconds are odd.
var timeProbe = unix.Timespec{Sec: 1_600_000_001, Nsec: 123_456_789}

// ProbeTimes finds out the resolution of time stamps with a new file in the directory root, and
// whether every change has a ctime of its own. If it cannot make a file without a name, as on a
// read-only mount, it uses the stamps of the top directory, top, and the resolution least that is
// known of this kind of file system.
func ProbeTimes(root int, magic int64, least vfs.Time, top *unix.Statx_t) (unit vfs.Time, change bool) {
	fd, err := unix.Openat(root, ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return coarser(least, seenTimes(magic, top)), false
	}
	defer kernel.CloseFD(fd) // the kernel removes the file when it is closed
	change = stampsRemovals(magic) && ctimesDiffer(fd)
	times := [2]unix.Timespec{timeProbe, timeProbe}
	var st unix.Statx_t
	_, errno := kernel.Call(
		unix.SYS_UTIMENSAT,
		uintptr(fd),
		uintptr(unsafe.Pointer(&kernel.EmptyPath[0])),
		uintptr(unsafe.Pointer(&times[0])),
		unix.AT_EMPTY_PATH,
		0,
		0,
	)
	if errno != 0 || kernel.StatxWait(fd, &st) != 0 {
		return coarser(least, seenTimes(magic, top)), change
	}
	return coarser(resolution(st.Atime), resolution(st.Mtime)), change
}

// stampsRemovals reports whether a removal gives the directory a ctime that nobody has seen before.
// tmpfs and others that use simple_unlink of the kernel's libfs give the directory the removed
// object's stamp. The directory can have that stamp already.
func stampsRemovals(magic int64) bool {
	return magic == unix.EXT4_SUPER_MAGIC || magic == unix.XFS_SUPER_MAGIC || magic == unix.BTRFS_SUPER_MAGIC
}

// ctimesDiffer reports whether each of a few changes of the file fd, made as fast as possible, gets
// a ctime of its own if somebody has looked at the ctime before it (FS_MGTIME, Linux 6.13).
// Otherwise all changes within a tick of the kernel's clock may have the same ctime.
func ctimesDiffer(fd int) bool {
	var st unix.Statx_t
	before := unix.StatxTimestamp{}
	for range 8 {
		if n, err := unix.Pwrite(fd, []byte{0}, 0); n != 1 || err != nil {
			return false
		}
		if kernel.StatxWait(fd, &st) != 0 || st.Ctime == before {
			return false
		}
		before = st.Ctime
	}
	return true
}

// seenTimes returns the coarsest resolution that fits the stamps of top, unless the file system is
// known to keep nanoseconds. Too coarse is the better mistake: a client that is told 1 ns takes two
// stamps of the same change for different ones.
func seenTimes(magic int64, top *unix.Statx_t) vfs.Time {
	switch magic {
	case unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return vfs.Time{Nsec: 1}
	case unix.EXT4_SUPER_MAGIC: // inodes with room for a birth time have room for nanoseconds
		if top.Mask&unix.STATX_BTIME != 0 {
			return vfs.Time{Nsec: 1}
		}
	}
	unit, odd := uint32(1e9), int64(0)
	for _, at := range []unix.StatxTimestamp{top.Atime, top.Mtime, top.Ctime} {
		for at.Nsec%unit != 0 {
			unit /= 10
		}
		odd |= at.Sec & 1
	}
	switch {
	case unit < 1e9:
		return vfs.Time{Nsec: unit}
	case odd != 0:
		return vfs.Time{Sec: 1}
	}
	return vfs.Time{Sec: 2} // the resolution of FAT
}

// resolution returns the resolution of a file system that has kept got of timeProbe.
func resolution(got unix.StatxTimestamp) vfs.Time {
	switch {
	case got.Sec != timeProbe.Sec:
		return vfs.Time{Sec: 2}
	case got.Nsec == 0:
		return vfs.Time{Sec: 1}
	}
	unit := uint32(1)
	for got.Nsec%(10*unit) == 0 {
		unit *= 10
	}
	return vfs.Time{Nsec: unit}
}

func coarser(a, b vfs.Time) vfs.Time {
	if a.Sec > b.Sec || a.Sec == b.Sec && a.Nsec > b.Nsec {
		return a
	}
	return b
}

// IsFolded reports whether names in the directory fd are compared without case (chattr +F of ext4,
// F2FS, tmpfs and others). known is false if the file system has no such flag.
func IsFolded(fd int) (folded, known bool) {
	const getFlags, casefold = 0x80086601, 0x40000000 // FS_IOC_GETFLAGS, FS_CASEFOLD_FL of linux/fs.h
	var flags uint64
	_, errno := kernel.Call(unix.SYS_IOCTL, uintptr(fd), getFlags, uintptr(unsafe.Pointer(&flags)), 0, 0, 0)
	return uint32(flags)&casefold != 0, errno == 0
}

// XFSGeometry is the number of the ioctl XFS_IOC_FSGEOMETRY_V4.
const XFSGeometry = 0x8070587c

// xfsFolds reports whether the XFS on which fd lies compares ASCII names without case, in all
// directories (mkfs.xfs -n version=ci).
func xfsFolds(fd int) bool {
	const flagsAt, ci = 92, 1 << 12 // in struct xfs_fsop_geom_v4; XFS_FSOP_GEOM_FLAGS_DIRV2CI
	var g [112]byte
	_, errno := kernel.Call(unix.SYS_IOCTL, uintptr(fd), XFSGeometry, uintptr(unsafe.Pointer(&g)), 0, 0, 0)
	return errno == 0 && binary.NativeEndian.Uint32(g[flagsAt:])&ci != 0
}

// ProbeCase finds out how the file system of the directory root compares names, and stores that in
// l. If directories can be asked, it assumes that each may have its own way, because ext4 does not
// tell whether it was made with case folding. It does not assume that of XFS and btrfs, whose
// directories cannot differ.
func ProbeCase(root int, magic int64, l *vfs.Limits) {
	switch magic {
	case unix.XFS_SUPER_MAGIC:
		l.CaseInsensitive = xfsFolds(root)
	case unix.BTRFS_SUPER_MAGIC:
	default:
		if folded, known := IsFolded(root); known {
			l.CaseInsensitive = l.CaseInsensitive || folded
			l.Homogeneous = false
		}
	}
}
