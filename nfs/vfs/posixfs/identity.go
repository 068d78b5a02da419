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

// A kernel handle names an object of whatever file system it is opened on: on every
// ext4 inode 2 of generation 0 is the root. So handles are sealed for one file system
// and one exported directory of it (vfs.FS.Identity), and what tells file systems apart
// must be sure. Device numbers and mount IDs are given out again, and XFS and f2fs make
// f_fsid of the device number. The file system's UUID is sure, but for copies.
//
// FUSE and others have none. Then the mount itself is the identity: what Linux numbers
// mounts with since 6.8 is never used again before a reboot, and the boot has a random
// ID. Handles are stale once such a file system has been mounted anew. Older kernels
// cannot tell one mount from the next, so there handles are good until the server ends.

// The ioctls that tell a UUID.
const (
	ext4GetUUID = 0x8008662c // EXT4_IOC_GETFSUUID, Linux 6.0: what is on disc, also after tune2fs -U
	btrfsFSInfo = 0x8400941f // BTRFS_IOC_FS_INFO
	getFSUUID   = 0x80111500 // FS_IOC_GETFSUUID, Linux 6.9
	zfsMagic    = 0x2fc12fc1
)

// statxMountUnique is STATX_MNT_ID_UNIQUE (Linux 6.8): Mnt_id is one that no other
// mount has had since the boot.
const statxMountUnique = 0x4000

type uuid [16]byte

// uuidOf asks the file system that fd, a directory open for reading, is on for its
// UUID.
func uuidOf(fd int, magic int64) (id uuid, ok bool) {
	var b [1024]byte // the largest of the structures: btrfs's
	ask := func(request uintptr, at int) bool {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&b)))
		id = uuid(b[at:])
		return errno == 0 && id != uuid{}
	}
	switch magic {
	case unix.FUSE_SUPER_MAGIC: // before Linux 6.9 a FUSE process would be asked, and could lie
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

// ownFSID reports whether f_fsid is the file system's own: made of its UUID, or what
// is as good. ext4 is here for ext2's driver.
func ownFSID(magic int64) bool {
	return magic == unix.EXT4_SUPER_MAGIC || magic == unix.TMPFS_MAGIC || magic == zfsMagic
}

// findIdentity finds out what the tree is sealed as, and its fsid. fs.point.Visible() and
// fs.rootH are set.
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

	// Copies of a file system that are mounted at the same time have one identity, but
	// different places. Clients must be able to tell their objects apart.
	dir, err := filepath.Abs(fs.dir)
	if err != nil {
		return fmt.Errorf("posixfs: %w", err)
	}
	place := sha256.Sum256(append(append([]byte("place "), fs.identity[:]...), dir...))
	fs.fsid = binary.LittleEndian.Uint64(place[:])
	return nil
}

// mountOf returns what no other mount than that of fd has, and what ends that.
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
