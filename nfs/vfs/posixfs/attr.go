package posixfs

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// fileType maps the kernel's type bits, shifted down by 12, to vfs types.
var fileType = [16]vfs.FileType{
	unix.S_IFREG >> 12:  vfs.TypeReg,
	unix.S_IFDIR >> 12:  vfs.TypeDir,
	unix.S_IFBLK >> 12:  vfs.TypeBlk,
	unix.S_IFCHR >> 12:  vfs.TypeChr,
	unix.S_IFLNK >> 12:  vfs.TypeLnk,
	unix.S_IFSOCK >> 12: vfs.TypeSock,
	unix.S_IFIFO >> 12:  vfs.TypeFifo,
}

func (fs *FS) fill(a *vfs.Attr, st *unix.Statx_t) {
	a.Type = fileType[st.Mode>>12]
	a.Mode = uint32(st.Mode) & 07777
	a.Nlink = st.Nlink
	a.UID, a.GID = st.Uid, st.Gid
	a.Size = st.Size
	a.Used = st.Blocks * 512
	a.Major, a.Minor = 0, 0
	if a.Type == vfs.TypeBlk || a.Type == vfs.TypeChr {
		a.Major, a.Minor = st.Rdev_major, st.Rdev_minor
	}
	a.FSID = fs.fsid
	a.FileID = st.Ino ^ fs.volume(st)
	a.Atime = vfs.Time{Sec: st.Atime.Sec, Nsec: st.Atime.Nsec}
	a.Mtime = vfs.Time{Sec: st.Mtime.Sec, Nsec: st.Mtime.Nsec}
	a.Ctime = vfs.Time{Sec: st.Ctime.Sec, Nsec: st.Ctime.Nsec}
}

// volume returns what tells the inode numbers of one btrfs subvolume from those
// of another: 0 in the volume of the root. Subvolumes are on one mount, but each
// counts its inodes from 256. The subvolume's number outlives a reboot; kernels
// before 6.10 do not tell it and the device number has to do.
func (fs *FS) volume(st *unix.Statx_t) uint64 {
	if st.Dev_major == fs.rootKey.major && st.Dev_minor == fs.rootKey.minor {
		return 0
	}
	if st.Mask&statxSubvol != 0 {
		return mix(st.Subvol)
	}
	return mix(uint64(st.Dev_major)<<32 | uint64(st.Dev_minor))
}

// objectKey tells one living object of a file system from all others. The birth
// time guards against file systems whose inode numbers wrap around.
type objectKey struct {
	ino          uint64
	major, minor uint32
	bornSec      int64
	bornNsec     uint32
}

func keyOf(st *unix.Statx_t) objectKey {
	return objectKey{ino: st.Ino, major: st.Dev_major, minor: st.Dev_minor, bornSec: st.Btime.Sec, bornNsec: st.Btime.Nsec}
}

func (k *objectKey) hash() uint64 { return mix(k.ino ^ uint64(k.minor)<<40) }

// mix spreads the bits of x: the finaliser of MurmurHash3.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return x
}
