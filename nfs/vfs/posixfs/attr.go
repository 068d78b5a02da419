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

// attributes fills a with the attributes in st.
func (fs *FS) attributes(a *vfs.Attr, st *unix.Statx_t) {
	a.Mask = 0
	if a.Type = fileType[st.Mode>>12]; a.Type != 0 {
		a.Mask = fs.tells
	}
	a.Mode = uint32(st.Mode) & 07777
	if a.Nlink = st.Nlink; a.Nlink == 0 && fs.odd.uncounted.Load() {
		a.Nlink = 1 // clients take 0 for a removed object
	}
	a.UID, a.GID = st.Uid, st.Gid
	a.Size = st.Size
	a.Used = st.Blocks * 512
	a.Major, a.Minor = 0, 0
	if a.Type == vfs.TypeBlk || a.Type == vfs.TypeChr {
		a.Major, a.Minor = st.Rdev_major, st.Rdev_minor
	}
	a.FSID = fs.fsid
	if a.FileID = st.Ino; !fs.inRootVolume(st) {
		a.FileID = fs.fileID(st)
	}
	a.Atime = vfs.Time{Sec: st.Atime.Sec, Nsec: st.Atime.Nsec}
	a.Mtime = vfs.Time{Sec: st.Mtime.Sec, Nsec: st.Mtime.Nsec}
	a.Ctime = vfs.Time{Sec: st.Ctime.Sec, Nsec: st.Ctime.Nsec}
	if a.Change = a.Ctime.Change(); st.Ctime.Nsec == 0 {
		a.Mask &^= vfs.AttrChange // perhaps a ctime of whole seconds: ext4 has such inodes
	}
	if st.Mask&unix.STATX_BTIME != 0 && a.Mask != 0 {
		a.Mask |= vfs.AttrBirth
		a.Birth = vfs.Time{Sec: st.Btime.Sec, Nsec: st.Btime.Nsec}
	}
}
