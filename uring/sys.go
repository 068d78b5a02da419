package uring

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

// sysSetup makes a ring descriptor; the kernel fills in p.
func sysSetup(entries uint32, p *abi.Params) (int, unix.Errno) {
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(entries),
		uintptr(unsafe.Pointer(p)), 0)
	return int(fd), errno
}

// sysRegister is io_uring_register. It goes through the scheduler, since some
// registrations wait for operations to finish.
func sysRegister(fd int, op uint32, arg unsafe.Pointer, n uint32) (int, unix.Errno) {
	r, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(fd), uintptr(op),
		uintptr(arg), uintptr(n), 0, 0)
	return int(r), errno
}

// enterNow is io_uring_enter for calls that do not wait. It bypasses Go's scheduler: the lane keeps
// its processor, and the call costs what it costs in C.
func enterNow(fd int, submit, flags uint32) (int, unix.Errno) {
	r, _, errno := unix.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), uintptr(submit),
		0, uintptr(flags), 0, 0)
	return int(r), errno
}

// enterWait is io_uring_enter for calls that may wait. Go's scheduler gives the processor to other
// goroutines meanwhile. arg must be off-heap.
func enterWait(fd int, submit, min, flags uint32, arg uintptr, size uintptr) (int, unix.Errno) {
	r, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), uintptr(submit),
		uintptr(min), uintptr(flags), arg, size)
	return int(r), errno
}
