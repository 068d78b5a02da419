package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// CloneRange shares a range of another file with fd (FICLONERANGE). It may wait for the disc.
func CloneRange(fd int, r *unix.FileCloneRange) unix.Errno {
	_, errno := Call(unix.SYS_IOCTL, uintptr(fd), unix.FICLONERANGE, uintptr(unsafe.Pointer(r)), 0, 0, 0)
	return errno
}

// CopyRange copies up to n bytes from one file to another (copy_file_range) and returns how many.
// 0 is the end of the file that is read. Both offsets are at most 2^63-1. It may wait for the disc.
func CopyRange(from, to int, fromOff, off, n uint64) (int, unix.Errno) {
	r, errno := Call(
		unix.SYS_COPY_FILE_RANGE,
		uintptr(from),
		uintptr(unsafe.Pointer(&fromOff)),
		uintptr(to),
		uintptr(unsafe.Pointer(&off)),
		uintptr(n),
		0,
	)
	return int(r), errno
}
