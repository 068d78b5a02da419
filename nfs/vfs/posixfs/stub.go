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

// A btrfs snapshot has an empty directory where the original has a subvolume. The kernel makes
// these stubs when somebody looks at them. All of them have the same inode number, and all stubs of
// one snapshot have the same handle, by which the kernel opens none of them. So this file makes a
// stub's handle of its directory's handle and its name, and its number of that handle.

const (
	stubIno = 2 // BTRFS_EMPTY_SUBVOL_DIR_OBJECTID; other inodes have 256 and more
	// stubKind marks a stub's handle. Other handles have the kernel's type there, a small
	// number.
	stubKind = 0x73747562
	stubSum  = 8 // bytes of the name's hash at the end of the handle
	// stubBit is set in a stub's number, and in no inode's.
	stubBit = 1 << 63
)

// isStub reports whether st are the attributes of a stub.
func (fs *FS) isStub(st *unix.Statx_t) bool {
	return st.Ino == stubIno && fs.magic == unix.BTRFS_SUPER_MAGIC
}

// stubHandle returns the handle of the stub called name in the directory dir, and BadHandle if the
// handle would be too long.
func stubHandle(dir *vfs.Handle, name string) (vfs.Handle, vfs.Status) {
	sum := sha256.Sum256([]byte(name))
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, vfs.HandleMax), stubKind)
	h, ok := vfs.MakeHandle(append(append(b, dir.Bytes()...), sum[:stubSum]...))
	if !ok {
		return h, vfs.BadHandle
	}
	return h, vfs.OK
}

// stubNumber returns the number of the stub with the handle h, and 0 if h is not a stub's handle.
func stubNumber(h *vfs.Handle) uint64 {
	b := h.Bytes()
	if len(b) < 2*kernel.KindBytes+stubSum || binary.LittleEndian.Uint32(b) != stubKind {
		return 0
	}
	return kernel.HashHandle(h) | stubBit
}

// stub is describe for a stub in de, whose attributes are in v.st2.
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

// openStub opens the stub with the handle h, with the process's own rights. It reads the directory
// until it finds the name, or to the end.
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
	if v.fs.sole != nil {
		var st unix.Statx_t
		if kernel.StatxWait(at, &st) == 0 {
			k := kernel.KeyOf(&st)
			defer v.fs.wasRead(&k)
		}
	}
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
				return -1, vfs.Stale // now the name of something else
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
