package posixfs

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// A listing's inode numbers are not always those that a stat of the entry gives, and
// clients take them for the same (RFC 1813, section 3.3.16):
//
//   - btrfs gives a subvolume the number of the subvolume, while its directory has the
//     number that all of them have, and ".." of one is in another;
//   - overlay gives what the layers say, unless it can make the numbers its own (xino);
//   - FAT numbers objects as they come into memory;
//   - a FUSE process says what it likes, or nothing, and that the entries before were
//     right says nothing about the next.
//
// There the entry is asked, once when a page is read.

// subvolumeRoot is the inode number of the top directory of each btrfs subvolume
// (BTRFS_FIRST_FREE_OBJECTID).
const subvolumeRoot = 256

// fileIDs replaces the inode numbers in dents by the file IDs that GETATTR gives. dents
// are of the directory with the attributes v.st, which the thread may search.
func (v *View) fileIDs(l *listing, dents []byte) {
	volume := v.fs.volume(&v.st)
	for b := dents; len(b) > 0; b = b[binary.NativeEndian.Uint16(b[direntReclen:]):] {
		ino := binary.NativeEndian.Uint64(b)
		id := ino ^ volume
		switch name := b[direntName:]; {
		case name[0] == '.' && name[1] == 0:
			id = v.fs.fileID(&v.st)
		case v.doubtful(l.de, ino, b[direntType], name[0] == '.' && name[1] == '.' && name[2] == 0):
			if v.as(l.as) && kernel.StatxAt(l.de.FD, &name[0], &v.st2) == 0 && v.st2.Mnt_id == v.st.Mnt_id {
				if v.fs.isStub(&v.st2) {
					h, _ := stubHandle(&l.de.Handle, string(cut(name)))
					v.st2.Ino = stubNumber(&h)
				}
				v.learnVolumeAt(l.de.FD, &name[0])
				id = v.fs.fileID(&v.st2)
			}
		}
		binary.NativeEndian.PutUint64(b, id)
	}
}

// doubtful reports whether an entry of the directory de, whose attributes are in v.st,
// listed with this number and type, may have another one.
func (v *View) doubtful(de *entry, ino uint64, kind byte, dotdot bool) bool {
	switch v.fs.magic {
	case unix.BTRFS_SUPER_MAGIC:
		if dotdot {
			return v.st.Ino == subvolumeRoot || de.Own.stub != 0
		}
		return kind == unix.DT_DIR || kind == unix.DT_UNKNOWN
	case unix.OVERLAYFS_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC, unix.MSDOS_SUPER_MAGIC, unix.EXFAT_SUPER_MAGIC:
		return true
	}
	// What is left out: the second is FUSE_UNKNOWN_INO of the kernel's interface, which
	// file systems that are made of others pass on, the third what some take for it.
	return ino == 0 || ino == 1<<32-1 || ino == 1<<64-1
}
