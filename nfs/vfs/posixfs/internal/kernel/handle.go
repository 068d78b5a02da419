package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// KindBytes is how many bytes at the beginning of a vfs.Handle hold the type of the kernel's
// handle, little-endian. The bytes of the kernel's handle follow.
const KindBytes = 4

// Handle makes the vfs handle of the object that fd stands for. k is scratch.
func Handle(fd int, k *FileHandle, mount *int32) (vfs.Handle, unix.Errno) {
	if e := nameToHandleRaw(fd, k, mount); e != 0 {
		return vfs.Handle{}, e
	}
	return k.handle()
}

// HandleAt is Handle for an entry of the directory fd by its name, which ends in NUL. It may block.
func HandleAt(fd int, name *byte, k *FileHandle, mount *int32) (vfs.Handle, unix.Errno) {
	if e := nameToHandleAt(fd, name, k, mount); e != 0 {
		return vfs.Handle{}, e
	}
	return k.handle()
}

func (k *FileHandle) handle() (vfs.Handle, unix.Errno) {
	var b [vfs.HandleMax]byte
	n := int(k.bytes)
	if n > len(b)-KindBytes {
		return vfs.Handle{}, unix.EOVERFLOW
	}
	binary.LittleEndian.PutUint32(b[:], uint32(k.kind))
	copy(b[KindBytes:], k.data[:n])
	h, _ := vfs.MakeHandle(b[:KindBytes+n])
	return h, 0
}

// Set sets k from h. It reports false if h cannot be a handle that Handle has made.
func (k *FileHandle) Set(h *vfs.Handle) bool {
	b := h.Bytes()
	if len(b) <= KindBytes {
		return false
	}
	k.kind = int32(binary.LittleEndian.Uint32(b))
	k.bytes = uint32(copy(k.data[:], b[KindBytes:]))
	return true
}

// HashHandle hashes h for tables in memory. Handles come sealed, so nobody outside can choose
// handles that collide.
func HashHandle(h *vfs.Handle) uint64 {
	b := h.Bytes()
	x := uint64(len(b))
	for len(b) >= 8 {
		x = (x ^ binary.LittleEndian.Uint64(b)) * 0x9e3779b97f4a7c15
		x ^= x >> 29
		b = b[8:]
	}
	for i, c := range b {
		x ^= uint64(c) << (8 * i)
	}
	return Mix(x)
}
