package posixfs

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kind"
)

// A kernel handle names an object of the file system on which it is opened: on every ext4, inode 2
// of generation 0 is the root. So handles are sealed for one file system and one exported directory
// of it (vfs.FS.Identity). What tells file systems apart must therefore be certain. The kernel
// gives device numbers and mount IDs out again, and XFS and f2fs make f_fsid of the device number.
// The file system's UUID is certain, except for copies.
//
// FUSE and others have no UUID. There the mount itself is the identity. Since Linux 6.8 a mount has
// a number that is never used again before a reboot, and the boot has a random ID. Once such a file
// system has been mounted anew, its handles are stale. Older kernels cannot tell one mount from the
// next, so there handles are good until the server ends.

// ioctls that return a UUID.
const (
	ext4GetUUID = 0x8008662c // EXT4_IOC_GETFSUUID, Linux 6.0: that on disc, after tune2fs -U too
	btrfsFSInfo = 0x8400941f // BTRFS_IOC_FS_INFO
	getFSUUID   = 0x80111500 // FS_IOC_GETFSUUID, Linux 6.9
	zfsMagic    = 0x2fc12fc1
)

// statxMountUnique is STATX_MNT_ID_UNIQUE (Linux 6.8). With it Mnt_id is a number that no other
// mount has had since the boot.
const statxMountUnique = 0x4000

type uuid [16]byte

// uuidOf returns the UUID of the file system on which fd lies. fd is a directory open for reading.
func uuidOf(fd int, magic int64) (id uuid, ok bool) {
	var b [1024]byte // as large as the largest of the structures: that of btrfs
	ask := func(request uintptr, at int) bool {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&b)))
		id = uuid(b[at:])
		return errno == 0 && id != uuid{}
	}
	switch magic {
	case unix.FUSE_SUPER_MAGIC: // before Linux 6.9 the FUSE process answers, and may lie
		return uuid{}, false
	case unix.EXT4_SUPER_MAGIC:
		binary.NativeEndian.PutUint32(b[:], uint32(len(id)))
		ok = ask(ext4GetUUID, 8)
	case unix.XFS_SUPER_MAGIC:
		ok = ask(kind.XFSGeometry, 64)
	case unix.BTRFS_SUPER_MAGIC:
		ok = ask(btrfsFSInfo, 16)
	}
	if ok {
		return id, true
	}
	b = [1024]byte{}
	return id, ask(getFSUUID, 1) && b[0] == byte(len(id))
}

// ownFSID reports whether f_fsid belongs to the file system itself: it is made of the UUID, or is
// as good. ext4 is in the list for ext2's driver.
func ownFSID(magic int64) bool {
	return magic == unix.EXT4_SUPER_MAGIC || magic == unix.TMPFS_MAGIC || magic == zfsMagic
}

// findIdentity finds out the identity for which the tree's handles are sealed, and the fsid. The
// caller has set fs.point and fs.rootH.
func (fs *FS) findIdentity(sf *unix.Statfs_t, o options) error {
	sum := sha256.New()
	id, ok := uuidOf(fs.point.Visible(), fs.magic)
	switch {
	case o.noUUID:
		ok = false
	case ok:
		_, _ = fmt.Fprintf(sum, "uuid %x ", id)
	case ownFSID(fs.magic) && sf.Fsid != unix.Fsid{}:
		ok = true
		_, _ = fmt.Fprintf(sum, "fsid %x %x ", fs.magic, sf.Fsid.Val)
	}
	if !ok {
		mount, until, err := mountOf(fs.point.Visible(), o)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(sum, "mount %s ", mount)
		fs.idWhy = fmt.Sprintf(
			"%s (%s) has no UUID: file handles are good until %s",
			fs.dir,
			kind.Name(fs.magic),
			until,
		)
	}
	sum.Write(fs.rootH.Bytes())
	fs.identity = vfs.Identity(sum.Sum(nil))

	// Copies of a file system that are mounted at the same time have the same identity, but
	// different places. Clients must be able to tell their objects apart.
	dir, err := filepath.Abs(fs.dir)
	if err != nil {
		return fmt.Errorf("posixfs: %w", err)
	}
	place := sha256.Sum256(append(append([]byte("place "), fs.identity[:]...), dir...))
	fs.fsid = binary.LittleEndian.Uint64(place[:])
	return nil
}

// mountOf returns a name for the mount of fd that no other mount has, and the event after which the
// name is no longer valid.
func mountOf(fd int, o options) (name, until string, err error) {
	var st unix.Statx_t
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err == nil && !o.noMountID && unix.Statx(fd, "", unix.AT_EMPTY_PATH, statxMountUnique, &st) == nil &&
		st.Mask&statxMountUnique != 0 {
		return fmt.Sprintf("%s %x", boot, st.Mnt_id), "it is unmounted", nil
	}
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", "", fmt.Errorf("posixfs: random identity: %w", err)
	}
	return fmt.Sprintf("%x", b), "the server ends (Linux 6.8 would know the mount again)", nil
}

// Identity implements vfs.FS.
func (fs *FS) Identity() vfs.Identity { return fs.identity }
