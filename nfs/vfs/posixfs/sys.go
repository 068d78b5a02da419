package posixfs

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// System calls in the form that the hot path wants: no strings, no errors in
// interfaces, results in structures of the View. The functions whose names end in
// Raw do not tell the scheduler, so they are for calls that do not sleep; the
// others may be used where waiting is allowed.

// emptyPath is "" for AT_EMPTY_PATH.
var emptyPath [1]byte

// noPath is the path of a statx(2) that is for the descriptor itself: NULL, which
// spares the kernel the look at a string, or "" before Linux 6.11.
var noPath = func() *byte {
	var st unix.Statx_t
	cwd := unix.AT_FDCWD // a variable: the constant is negative
	_, _, e := unix.RawSyscall6(unix.SYS_STATX, uintptr(cwd), 0, unix.AT_EMPTY_PATH, statxMask, uintptr(unsafe.Pointer(&st)), 0)
	if e != 0 {
		return &emptyPath[0]
	}
	return nil
}()

// statxMask asks for what vfs.Attr needs, and for what tells one object from
// another that had the same number before (birth time, btrfs subvolume) and one
// mount from another (Linux 5.8).
const statxMask = unix.STATX_BASIC_STATS | unix.STATX_BTIME | unix.STATX_MNT_ID | statxSubvol

const statxSubvol = 0x8000 // STATX_SUBVOL, Linux 6.10; older kernels ignore it

// resolveCached is RESOLVE_CACHED (Linux 5.12): only what can be found without
// waiting, else EAGAIN.
const resolveCached = 0x20

func statxRaw(fd int, st *unix.Statx_t) (e unix.Errno) {
	for range 1 + atOnceMax {
		_, _, e = unix.RawSyscall6(unix.SYS_STATX, uintptr(fd), uintptr(unsafe.Pointer(noPath)),
			unix.AT_EMPTY_PATH, statxMask, uintptr(unsafe.Pointer(st)), 0)
		if e != unix.EINTR {
			break
		}
	}
	return e
}

// statxWait is statxRaw where waiting is allowed: a file system that another process
// serves may not answer, and the collector waits for whoever is in a raw call.
func statxWait(fd int, st *unix.Statx_t) unix.Errno {
	for p := (patience{}); ; {
		_, _, e := unix.Syscall6(unix.SYS_STATX, uintptr(fd), uintptr(unsafe.Pointer(noPath)),
			unix.AT_EMPTY_PATH, statxMask, uintptr(unsafe.Pointer(st)), 0)
		if e == 0 || !p.again(e) {
			return e
		}
	}
}

// statx is the one of the two that the View's thread may make.
func (v *View) statx(fd int, st *unix.Statx_t) unix.Errno {
	if v.lane {
		return statxRaw(fd, st)
	}
	return statxWait(fd, st)
}

// statxAt asks as statx does, for an entry by name.
func (v *View) statxAt(fd int, name *byte, st *unix.Statx_t) unix.Errno {
	if v.lane {
		return statxAtRaw(fd, name, st)
	}
	return statxAt(fd, name, st)
}

// statxAt asks for an entry by name; name ends in NUL.
func statxAt(fd int, name *byte, st *unix.Statx_t) unix.Errno {
	for p := (patience{}); ; {
		_, _, e := unix.Syscall6(unix.SYS_STATX, uintptr(fd), uintptr(unsafe.Pointer(name)),
			unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, statxMask, uintptr(unsafe.Pointer(st)), 0)
		if e == 0 || !p.again(e) {
			return e
		}
	}
}

func statxAtRaw(fd int, name *byte, st *unix.Statx_t) (e unix.Errno) {
	for range 1 + atOnceMax {
		_, _, e = unix.RawSyscall6(unix.SYS_STATX, uintptr(fd), uintptr(unsafe.Pointer(name)),
			unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, statxMask, uintptr(unsafe.Pointer(st)), 0)
		if e != unix.EINTR {
			break
		}
	}
	return e
}

func openat2(fd int, name *byte, how *unix.OpenHow) (int, unix.Errno) {
	for p := (patience{}); ; {
		r, _, e := unix.Syscall6(unix.SYS_OPENAT2, uintptr(fd), uintptr(unsafe.Pointer(name)),
			uintptr(unsafe.Pointer(how)), unsafe.Sizeof(*how), 0, 0)
		if e == 0 || !p.again(e) {
			return int(r), e
		}
	}
}

func openat2Raw(fd int, name *byte, how *unix.OpenHow) (r int, e unix.Errno) {
	for range 1 + atOnceMax {
		var got uintptr
		got, _, e = unix.RawSyscall6(unix.SYS_OPENAT2, uintptr(fd), uintptr(unsafe.Pointer(name)),
			uintptr(unsafe.Pointer(how)), unsafe.Sizeof(*how), 0, 0)
		if r = int(got); e != unix.EINTR {
			break
		}
	}
	return r, e
}

func openat(fd int, name *byte, flags int, mode uint32) (int, unix.Errno) {
	for p := (patience{}); ; {
		r, _, e := unix.Syscall6(unix.SYS_OPENAT, uintptr(fd), uintptr(unsafe.Pointer(name)), uintptr(flags), uintptr(mode), 0, 0)
		if e == 0 || !p.again(e) {
			return int(r), e
		}
	}
}

func closeRaw(fd int) { _, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

func closeFD(fd int) { _, _, _ = unix.Syscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// closeWritten is closeFD for who wants to know how it went.
func closeWritten(fd int) unix.Errno {
	_, _, e := unix.Syscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
	return e
}

func faccess(fd int, mode uint32) unix.Errno {
	for p := (patience{}); ; {
		_, _, e := unix.Syscall6(unix.SYS_FACCESSAT2, uintptr(fd), uintptr(unsafe.Pointer(&emptyPath[0])), uintptr(mode), unix.AT_EMPTY_PATH|unix.AT_EACCESS, 0, 0)
		if e == 0 || !p.again(e) {
			return e
		}
	}
}

func faccessRaw(fd int, mode uint32) (e unix.Errno) {
	for range 1 + atOnceMax {
		_, _, e = unix.RawSyscall6(
			unix.SYS_FACCESSAT2,
			uintptr(fd),
			uintptr(unsafe.Pointer(&emptyPath[0])),
			uintptr(mode),
			unix.AT_EMPTY_PATH|unix.AT_EACCESS,
			0,
			0,
		)
		if e != unix.EINTR {
			break
		}
	}
	return e
}

// kernelHandle is struct file_handle with room for the largest handle that the
// kernel makes (MAX_HANDLE_SZ).
type kernelHandle struct {
	bytes uint32
	kind  int32
	data  [128]byte
}

// nameToHandleRaw fills k for the object that fd stands for.
func nameToHandleRaw(fd int, k *kernelHandle, mount *int32) unix.Errno {
	k.bytes = uint32(len(k.data))
	_, _, e := unix.RawSyscall6(unix.SYS_NAME_TO_HANDLE_AT, uintptr(fd), uintptr(unsafe.Pointer(&emptyPath[0])),
		uintptr(unsafe.Pointer(k)), uintptr(unsafe.Pointer(mount)), unix.AT_EMPTY_PATH, 0)
	return e
}

// nameToHandleAt is nameToHandleRaw for an entry by name, which ends in NUL.
func nameToHandleAt(fd int, name *byte, k *kernelHandle, mount *int32) unix.Errno {
	k.bytes = uint32(len(k.data))
	_, _, e := unix.Syscall6(unix.SYS_NAME_TO_HANDLE_AT, uintptr(fd), uintptr(unsafe.Pointer(name)),
		uintptr(unsafe.Pointer(k)), uintptr(unsafe.Pointer(mount)), 0, 0)
	return e
}

// openByHandle opens by handle. With O_NONBLOCK EAGAIN says that somebody holds a lease
// on the file, and ENOMEM is left to who calls.
func openByHandle(mount int, k *kernelHandle, flags int) (int, unix.Errno) {
	for p := (patience{}); ; {
		r, _, e := unix.Syscall(unix.SYS_OPEN_BY_HANDLE_AT, uintptr(mount), uintptr(unsafe.Pointer(k)), uintptr(flags))
		if e == 0 || e == unix.ENOMEM || e == unix.EAGAIN && flags&unix.O_NONBLOCK != 0 || !p.again(e) {
			return int(r), e
		}
	}
}

// fsync is made once: whatever it returns may be a failure of write-back, which it will
// not tell again.
func fsync(fd int) unix.Errno {
	_, _, e := unix.Syscall(unix.SYS_FSYNC, uintptr(fd), 0, 0)
	return e
}

// syncfs is made once, as fsync is.
func syncfs(fd int) unix.Errno {
	_, _, e := unix.Syscall(unix.SYS_SYNCFS, uintptr(fd), 0, 0)
	return e
}

// waitRange waits for the write-back of n bytes at off that is under way. A failure
// that fd has not been told of is told, and used up.
func waitRange(fd int, off, n uint64) unix.Errno {
	_, _, e := unix.Syscall6(unix.SYS_SYNC_FILE_RANGE, uintptr(fd), uintptr(off), uintptr(n), unix.SYNC_FILE_RANGE_WAIT_BEFORE, 0, 0)
	return e
}

// call makes a system call that may sleep, again as long as patience has it.
func call(nr, a, b, c, d, e, f uintptr) (uintptr, unix.Errno) {
	for p := (patience{}); ; {
		r, _, errno := unix.Syscall6(nr, a, b, c, d, e, f)
		if errno == 0 || !p.again(errno) {
			return r, errno
		}
	}
}
