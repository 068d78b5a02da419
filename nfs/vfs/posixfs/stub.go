package posixfs

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// A btrfs snapshot has an empty directory where the original has a subvolume. The kernel
// makes these stubs as they are looked at, all with the same inode number, and in one
// snapshot with the same handle, by which it does not open any of them. So a stub's
// handle is made here, of its directory's and its name, and its number of that.

const (
	stubIno = 2 // BTRFS_EMPTY_SUBVOL_DIR_OBJECTID; other inodes' are 256 and more
	// stubKind marks a stub's handle, where others have what the kernel calls their type:
	// a small number.
	stubKind = 0x73747562
	stubSum  = 8 // bytes of the name's hash, at the end
	// stubBit is set in a stub's number, and in no inode's.
	stubBit = 1 << 63
)

// isStub reports whether st is a stub's.
func (fs *FS) isStub(st *unix.Statx_t) bool {
	return st.Ino == stubIno && fs.magic == unix.BTRFS_SUPER_MAGIC
}

// stubHandle returns the handle of a stub in the directory dir, BadHandle when it would
// be too long.
func stubHandle(dir *vfs.Handle, name string) (vfs.Handle, vfs.Status) {
	sum := sha256.Sum256([]byte(name))
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, vfs.HandleMax), stubKind)
	h, ok := vfs.MakeHandle(append(append(b, dir.Bytes()...), sum[:stubSum]...))
	if !ok {
		return h, vfs.BadHandle
	}
	return h, vfs.OK
}

// stubNumber returns the number of the stub that h is the handle of, and 0 when it is
// not a stub's.
func stubNumber(h *vfs.Handle) uint64 {
	b := h.Bytes()
	if len(b) < 2*kernel.KindBytes+stubSum || binary.LittleEndian.Uint32(b) != stubKind {
		return 0
	}
	return kernel.HashHandle(h) | stubBit
}

// stub is describe for a stub in de, with v.st2 its attributes.
func (v *View) stub(de *entry, name *byte, fd int, e *vfs.Entry, key uint64) vfs.Status {
	h, s := stubHandle(&de.Handle, unix.BytePtrToString(name))
	if s != vfs.OK {
		v.drop(fd)
		return s
	}
	v.st2.Ino = stubNumber(&h)
	switch {
	case v.fs.tab.Find(&h, &v.use, useChild) != nil, key == passing, v.lane && v.fs.tab.Full():
		v.drop(fd)
	default:
		if !v.lane && v.fs.tab.Full() {
			v.fs.room(1)
		}
		v.adopt(h, &v.st2, fd, useChild, unnamed)
	}
	e.Handle = h
	return v.seen(e)
}

// openStub opens the stub that h is the handle of, with the process's own rights. It
// reads the directory to its end or until it has found the name.
func (v *View) openStub(h *vfs.Handle) (fd int, s vfs.Status) {
	b := h.Bytes()
	dir, _ := vfs.MakeHandle(b[kernel.KindBytes : len(b)-stubSum]) // shorter than h
	if !v.kh.Set(&dir) {
		return -1, vfs.BadHandle
	}
	at, errno := v.openHandle(&dir)
	if errno == unix.EINVAL || errno == unix.ENOENT {
		return -1, vfs.Stale
	}
	if errno != 0 {
		return -1, v.fs.status(errno)
	}
	defer kernel.CloseFD(at)
	read, errno := kernel.Openat(at, &dot[0], unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errno != 0 {
		return -1, v.fs.status(errno)
	}
	list := os.NewFile(uintptr(read), "")
	defer list.Close()
	for {
		names, err := list.Readdirnames(1024)
		for _, name := range names {
			if got, _ := stubHandle(&dir, name); got != *h {
				continue
			}
			fd, err := unix.Openat(at, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
			if err != nil {
				return -1, vfs.Stale
			}
			if errno := v.statx(fd, &v.st); errno != 0 || !v.fs.isStub(&v.st) {
				kernel.CloseFD(fd)
				return -1, vfs.Stale // a subvolume or another directory has the name
			}
			return fd, vfs.OK
		}
		if err == io.EOF {
			return -1, vfs.Stale
		}
		if err != nil {
			return -1, vfs.IO
		}
	}
}
