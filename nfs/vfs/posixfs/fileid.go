package posixfs

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/listing"
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

// FileIDs replaces the inode numbers in d by the file IDs that GETATTR gives. d are entries of
// the directory de with the attributes v.st, which the thread may search as as.
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

// doubtful reports whether the first of d, entries of the directory de with the attributes
// v.st, may have another number than is listed.
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
	// What is left out: the second is FUSE_UNKNOWN_INO of the kernel's interface, which
	// file systems that are made of others pass on, the third what some take for it.
	ino := d.Number()
	return ino == 0 || ino == 1<<32-1 || ino == 1<<64-1
}
