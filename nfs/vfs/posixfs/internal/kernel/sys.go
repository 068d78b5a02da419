package kernel

import (
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls below have the form that the hot path wants: no strings, no errors in
// interfaces, results in structures of the caller. Functions whose names end in Raw do not tell
// Go's scheduler, so they are for calls that do not sleep. The others may be used where waiting is
// allowed.

// EmptyPath is the path "" for AT_EMPTY_PATH.
var EmptyPath [1]byte

// noPath is the path of a statx(2) that is about the descriptor itself. It is NULL, so that the
// kernel need not look at a string, or "" before Linux 6.11.
var noPath = func() *byte {
	var st unix.Statx_t
	cwd := unix.AT_FDCWD // a variable: the constant is negative
	_, _, e := unix.RawSyscall6(
		unix.SYS_STATX,
		uintptr(cwd),
		0,
		unix.AT_EMPTY_PATH,
		StatxMask,
		uintptr(unsafe.Pointer(&st)),
		0,
	)
	if e != 0 {
		return &EmptyPath[0]
	}
	return nil
}()

// StatxMask asks for the fields that vfs.Attr needs. It also asks for the fields that tell one
// object from another that had the same number before (birth time, btrfs subvolume), and one mount
// from another (Linux 5.8).
const StatxMask = unix.STATX_BASIC_STATS | unix.STATX_BTIME | unix.STATX_MNT_ID | StatxSubvol

const StatxSubvol = 0x8000 // STATX_SUBVOL, Linux 6.10; older kernels ignore it

// ResolveCached is RESOLVE_CACHED (Linux 5.12): openat2(2) finds only what it can find without
// waiting, and otherwise fails with EAGAIN.
const ResolveCached = 0x20

// StatxRaw reads the attributes of the object that fd stands for.
func StatxRaw(fd int, st *unix.Statx_t) (e unix.Errno) {
	for range 1 + AtOnceMax {
		_, _, e = unix.RawSyscall6(unix.SYS_STATX, uintptr(fd), uintptr(unsafe.Pointer(noPath)),
			unix.AT_EMPTY_PATH, StatxMask, uintptr(unsafe.Pointer(st)), 0)
		if e != unix.EINTR {
			break
		}
	}
	return e
}

// StatxWait is StatxRaw where waiting is allowed. A file system that another process serves may not
// answer, and Go's collector waits for every thread that is in a raw call.
func StatxWait(fd int, st *unix.Statx_t) unix.Errno {
	for p := (Patience{}); ; {
		_, _, e := unix.Syscall6(unix.SYS_STATX, uintptr(fd), uintptr(unsafe.Pointer(noPath)),
			unix.AT_EMPTY_PATH, StatxMask, uintptr(unsafe.Pointer(st)), 0)
		if e == 0 || !p.Again(e) {
			return e
		}
	}
}

// StatxAt reads the attributes of an entry by name, which ends in NUL.
func StatxAt(fd int, name *byte, st *unix.Statx_t) unix.Errno {
	for p := (Patience{}); ; {
		_, _, e := unix.Syscall6(unix.SYS_STATX, uintptr(fd), uintptr(unsafe.Pointer(name)),
			unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, StatxMask, uintptr(unsafe.Pointer(st)), 0)
		if e == 0 || !p.Again(e) {
			return e
		}
	}
}

// StatxAtRaw is StatxAt for lanes and for calls that do not sleep.
func StatxAtRaw(fd int, name *byte, st *unix.Statx_t) (e unix.Errno) {
	for range 1 + AtOnceMax {
		_, _, e = unix.RawSyscall6(unix.SYS_STATX, uintptr(fd), uintptr(unsafe.Pointer(name)),
			unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, StatxMask, uintptr(unsafe.Pointer(st)), 0)
		if e != unix.EINTR {
			break
		}
	}
	return e
}

// Openat2 opens name, which ends in NUL, from the directory fd.
func Openat2(fd int, name *byte, how *unix.OpenHow) (int, unix.Errno) {
	for p := (Patience{}); ; {
		r, _, e := unix.Syscall6(unix.SYS_OPENAT2, uintptr(fd), uintptr(unsafe.Pointer(name)),
			uintptr(unsafe.Pointer(how)), unsafe.Sizeof(*how), 0, 0)
		if e == 0 || !p.Again(e) {
			return int(r), e
		}
	}
}

// Openat2Raw is Openat2 for lanes and for calls that do not sleep.
func Openat2Raw(fd int, name *byte, how *unix.OpenHow) (r int, e unix.Errno) {
	for range 1 + AtOnceMax {
		var got uintptr
		got, _, e = unix.RawSyscall6(unix.SYS_OPENAT2, uintptr(fd), uintptr(unsafe.Pointer(name)),
			uintptr(unsafe.Pointer(how)), unsafe.Sizeof(*how), 0, 0)
		if r = int(got); e != unix.EINTR {
			break
		}
	}
	return r, e
}

// Openat opens name, which ends in NUL, from the directory fd, with flags and mode of open(2).
func Openat(fd int, name *byte, flags int, mode uint32) (int, unix.Errno) {
	for p := (Patience{}); ; {
		r, _, e := unix.Syscall6(
			unix.SYS_OPENAT,
			uintptr(fd),
			uintptr(unsafe.Pointer(name)),
			uintptr(flags),
			uintptr(mode),
			0,
			0,
		)
		if e == 0 || !p.Again(e) {
			return int(r), e
		}
	}
}

// CloseRaw closes a descriptor whose close does not sleep.
func CloseRaw(fd int) { _, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// CloseFD closes a descriptor. It may block.
func CloseFD(fd int) { _, _, _ = unix.Syscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// CloseWritten is CloseFD for a descriptor whose close may report an error.
func CloseWritten(fd int) unix.Errno {
	_, _, e := unix.Syscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
	return e
}

// Faccess asks whether the calling thread may use the object that fd stands for. The bits of mode
// are access(2)'s.
func Faccess(fd int, mode uint32) unix.Errno {
	for p := (Patience{}); ; {
		_, _, e := unix.Syscall6(
			unix.SYS_FACCESSAT2,
			uintptr(fd),
			uintptr(unsafe.Pointer(&EmptyPath[0])),
			uintptr(mode),
			unix.AT_EMPTY_PATH|unix.AT_EACCESS,
			0,
			0,
		)
		if e == 0 || !p.Again(e) {
			return e
		}
	}
}

// FaccessRaw is Faccess for lanes and for calls that do not sleep.
func FaccessRaw(fd int, mode uint32) (e unix.Errno) {
	for range 1 + AtOnceMax {
		_, _, e = unix.RawSyscall6(
			unix.SYS_FACCESSAT2,
			uintptr(fd),
			uintptr(unsafe.Pointer(&EmptyPath[0])),
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

// FileHandle is struct file_handle with room for the largest handle that the kernel makes
// (MAX_HANDLE_SZ).
type FileHandle struct {
	bytes uint32
	kind  int32
	data  [128]byte
}

// nameToHandleRaw fills k for the object that fd stands for.
func nameToHandleRaw(fd int, k *FileHandle, mount *int32) unix.Errno {
	k.bytes = uint32(len(k.data))
	_, _, e := unix.RawSyscall6(
		unix.SYS_NAME_TO_HANDLE_AT,
		uintptr(fd),
		uintptr(unsafe.Pointer(&EmptyPath[0])),
		uintptr(unsafe.Pointer(k)),
		uintptr(unsafe.Pointer(mount)),
		unix.AT_EMPTY_PATH,
		0,
	)
	return e
}

// nameToHandleAt is nameToHandleRaw for an entry by name, which ends in NUL.
func nameToHandleAt(fd int, name *byte, k *FileHandle, mount *int32) unix.Errno {
	k.bytes = uint32(len(k.data))
	_, _, e := unix.Syscall6(unix.SYS_NAME_TO_HANDLE_AT, uintptr(fd), uintptr(unsafe.Pointer(name)),
		uintptr(unsafe.Pointer(k)), uintptr(unsafe.Pointer(mount)), 0, 0)
	return e
}

// OpenByHandle opens an object by its handle. With O_NONBLOCK it returns EAGAIN if somebody holds a
// lease on the file. It leaves ENOMEM to the caller.
func OpenByHandle(mount int, k *FileHandle, flags int) (int, unix.Errno) {
	for p := (Patience{}); ; {
		r, _, e := unix.Syscall(
			unix.SYS_OPEN_BY_HANDLE_AT,
			uintptr(mount),
			uintptr(unsafe.Pointer(k)),
			uintptr(flags),
		)
		if e == 0 || e == unix.ENOMEM || e == unix.EAGAIN && flags&unix.O_NONBLOCK != 0 || !p.Again(e) {
			return int(r), e
		}
	}
}

// Fsync makes the call once, because every error may be a failure of write-back, which the kernel
// does not report again.
func Fsync(fd int) unix.Errno {
	_, _, e := unix.Syscall(unix.SYS_FSYNC, uintptr(fd), 0, 0)
	return e
}

// Syncfs makes the call once, for the reason that Fsync has.
func Syncfs(fd int) unix.Errno {
	_, _, e := unix.Syscall(unix.SYS_SYNCFS, uintptr(fd), 0, 0)
	return e
}

// WaitRange waits until the write-back of n bytes at off that is under way has ended. If the kernel
// has not reported a failure to fd yet, it does so now, and does not report that failure to fd
// again.
func WaitRange(fd int, off, n uint64) unix.Errno {
	_, _, e := unix.Syscall6(
		unix.SYS_SYNC_FILE_RANGE,
		uintptr(fd),
		uintptr(off),
		uintptr(n),
		unix.SYNC_FILE_RANGE_WAIT_BEFORE,
		0,
		0,
	)
	return e
}

// ProcPath returns a path of an open descriptor, for calls that take no descriptor.
func ProcPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// Lock sets or asks for a lock of an open file description (cmd is F_OFD_SETLK or F_OFD_GETLK). It
// does not wait for other owners of locks, but some file systems ask a server.
func Lock(fd, cmd int, l *unix.Flock_t) unix.Errno {
	for tries := 0; ; tries++ {
		_, _, e := unix.Syscall(unix.SYS_FCNTL, uintptr(fd), uintptr(cmd), uintptr(unsafe.Pointer(l)))
		if e != unix.EINTR || tries == AtOnceMax {
			return e
		}
	}
}

// Call makes a system call that may sleep, and repeats it as long as [Patience.Again] says so.
func Call(nr, a, b, c, d, e, f uintptr) (uintptr, unix.Errno) {
	for p := (Patience{}); ; {
		r, _, errno := unix.Syscall6(nr, a, b, c, d, e, f)
		if errno == 0 || !p.Again(errno) {
			return r, errno
		}
	}
}

// CacheRange is a range of a file in bytes (struct cachestat_range).
type CacheRange struct{ Off, Len uint64 }

// CachePages counts the pages of a range that are in the page cache, and those that are dirty,
// under writeback, or evicted (struct cachestat).
type CachePages struct{ Cached, Dirty, Writeback, Evicted, RecentlyEvicted uint64 }

// Cachestat counts the pages of a range of fd (cachestat(2), Linux 6.5; a microsecond). It does not
// sleep. The kernel does not tell about other users' files over which the process has no rights.
func Cachestat(fd int, r *CacheRange, got *CachePages) unix.Errno {
	const sysCachestat = 451 // on all architectures that this is built for
	_, _, e := unix.RawSyscall6(
		sysCachestat,
		uintptr(fd),
		uintptr(unsafe.Pointer(r)),
		uintptr(unsafe.Pointer(got)),
		0,
		0,
		0,
	)
	return e
}
