package posixfs

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/listing"
)

// The inode numbers of a listing are not always those that a stat of the entries gives. Clients
// take the two for the same (RFC 1813, section 3.3.16).
//
//   - btrfs lists a subvolume with the number of the subvolume, while its top directory has the
//     number that all top directories have. The ".." of a subvolume lies in another one.
//   - overlay lists the numbers of its layers, unless it can make numbers of its own (xino).
//   - FAT numbers objects when they come into memory.
//   - A FUSE process lists any numbers, or none. That the entries so far were right says nothing
//     about the next one.
//
// On these file systems the FS asks for the attributes of each such entry, once when it reads a
// page.

// subvolumeRoot is the inode number of the top directory of each btrfs subvolume
// (BTRFS_FIRST_FREE_OBJECTID).
const subvolumeRoot = 256

// FileIDs replaces the inode numbers in d by the file IDs that GETATTR gives. d are entries of the
// directory de, whose attributes are in v.st. A thread that acts for as may search de.
func (v listed) FileIDs(as *vfs.Cred, de *entry, d listing.Dents) {
	volume := v.fs.volume(&v.st)
	for ; len(d) > 0; d = d.Rest() {
		id := d.Number() ^ volume
		switch {
		case d.Dot():
			id = v.fs.fileID(&v.st)
		case v.doubtful(de, d):
			if v.as(as) && kernel.StatxAt(de.FD, d.Path(), &v.st2) == 0 && v.st2.Mnt_id == v.st.Mnt_id {
				if v.fs.isStub(&v.st2) {
					h, _ := stubHandle(&de.Handle, string(d.Name()))
					v.st2.Ino = stubNumber(&h)
				}
				v.learnVolumeAt(de.FD, d.Path())
				id = v.fs.fileID(&v.st2)
			}
		}
		d.SetNumber(id)
	}
}

// doubtful reports whether the first entry of d may have another number than the one listed. d are
// entries of the directory de, whose attributes are in v.st.
func (v listed) doubtful(de *entry, d listing.Dents) bool {
	switch v.fs.magic {
	case unix.BTRFS_SUPER_MAGIC:
		if d.DotDot() {
			return v.st.Ino == subvolumeRoot || de.Own.stub != 0
		}
		return d.Kind() == unix.DT_DIR || d.Kind() == unix.DT_UNKNOWN
	case unix.OVERLAYFS_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC, unix.MSDOS_SUPER_MAGIC, unix.EXFAT_SUPER_MAGIC:
		return true
	}
	// These values stand for no number. 1<<32-1 is FUSE_UNKNOWN_INO of the kernel's interface,
	// which file systems that are made of others pass on. Some programs use 1<<64-1 for it.
	ino := d.Number()
	return ino == 0 || ino == 1<<32-1 || ino == 1<<64-1
}
