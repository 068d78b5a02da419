package syscalls

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Need says what a refusal of a call means.
type Need uint8

const (
	// Must: nothing can be served without the call.
	Must Need = iota
	// May: the server has another way, or does without.
	May
	// Asked: no harmless arguments exist to try the call with. The code that makes the call
	// looks at the answer at the start, and says what to do.
	Asked
	// Runtime: without the call a Go program does not get as far as to serve, or the call
	// cannot fail.
	Runtime
)

// Call is a system call that the server makes.
type Call struct {
	Name string
	Nr   uintptr
	Need Need
	// Purpose completes the sentence "it is needed to".
	Purpose string
	// Without completes "it is refused: " for a call with Need May; it is empty if nobody
	// notices.
	Without string
	// Since is the first Linux that has the call, empty if that is older than 5.0.
	Since string

	// args are the arguments with which the call is tried.
	args [6]uintptr
}

// Arguments with which calls are tried. The kernel may write to scratch. It answers before it looks
// at most of the others.
var (
	name    = [2]byte{'x', 0}
	nothing [1]byte
	scratch [512]byte // also a struct open_how of zeros, an iovec, a timespec
	zeros   [64]byte
)

const (
	noFD    = ^uintptr(0) // a descriptor that is never open
	nowhere = ^uintptr(0) // an address that is never mapped
)

var (
	nameAt    = uintptr(unsafe.Pointer(&name[0]))
	nothingAt = uintptr(unsafe.Pointer(&nothing[0]))
	scratchAt = uintptr(unsafe.Pointer(&scratch[0]))
	zerosAt   = uintptr(unsafe.Pointer(&zeros[0]))
)

const noACLs = "clients cannot read or change access control lists"

const noXattrs = "clients cannot use extended attributes"

// The number of cachestat is the same on all architectures that this is built for.
const sysCachestat = 451

// Calls is every system call that the server itself makes. The calls that Go's runtime makes for
// its own purposes are not in it.
var Calls = []Call{
	// Files.
	{Name: "openat", Nr: unix.SYS_OPENAT, Purpose: "open files", args: [6]uintptr{noFD, nameAt}},
	{
		Name: "openat2", Nr: unix.SYS_OPENAT2, Need: May, Since: "5.6",
		Purpose: "open names without leaving the export",
		Without: "names are opened with openat, one at a time and by workers only",
		args:    [6]uintptr{noFD, nameAt, zerosAt, 24},
	},
	{Name: "close", Nr: unix.SYS_CLOSE, Need: Runtime, Purpose: "close files"},
	{Name: "read", Nr: unix.SYS_READ, Need: Runtime, Purpose: "read the state directory"},
	{
		Name: "write", Nr: unix.SYS_WRITE, Need: Runtime,
		Purpose: "write the state directory, and wake lanes",
	},
	{
		Name: "statx", Nr: unix.SYS_STATX, Purpose: "read attributes",
		args: [6]uintptr{noFD, nameAt, 0, unix.STATX_BASIC_STATS, scratchAt},
	},
	{
		Name: "newfstatat", Nr: unix.SYS_NEWFSTATAT, Purpose: "look at directories at the start",
		args: [6]uintptr{noFD, nameAt, scratchAt},
	},
	{
		Name: "fstat", Nr: unix.SYS_FSTAT, Purpose: "look at the state directory",
		args: [6]uintptr{noFD, scratchAt},
	},
	{
		Name: "statfs", Nr: unix.SYS_STATFS, Need: May,
		Purpose: "see where the state directory is", args: [6]uintptr{nothingAt, scratchAt},
	},
	{
		Name: "flock", Nr: unix.SYS_FLOCK, Need: May,
		Purpose: "make one key only where there are no hard links", args: [6]uintptr{noFD, unix.LOCK_UN},
	},
	{
		Name: "fstatfs", Nr: unix.SYS_FSTATFS,
		Purpose: "tell file systems apart and how full they are",
		args:    [6]uintptr{noFD, scratchAt},
	},
	{
		Name: "faccessat", Nr: unix.SYS_FACCESSAT, Purpose: "look for /proc at the start",
		args: [6]uintptr{noFD, nameAt},
	},
	{
		Name: "faccessat2", Nr: unix.SYS_FACCESSAT2, Since: "5.8",
		Purpose: "have the kernel decide what a caller may do", args: [6]uintptr{noFD, nameAt},
	},
	{
		Name: "name_to_handle_at", Nr: unix.SYS_NAME_TO_HANDLE_AT, Purpose: "make file handles",
		args: [6]uintptr{noFD, nameAt, zerosAt, scratchAt},
	},
	{
		Name: "open_by_handle_at", Nr: unix.SYS_OPEN_BY_HANDLE_AT, Need: Asked,
		Purpose: "find files by their handles",
	},
	{
		Name: "mkdirat", Nr: unix.SYS_MKDIRAT, Purpose: "make directories",
		args: [6]uintptr{noFD, nameAt},
	},
	{
		Name: "mknodat", Nr: unix.SYS_MKNODAT, Purpose: "make devices, sockets and pipes",
		args: [6]uintptr{noFD, nameAt, unix.S_IFIFO},
	},
	{
		Name: "symlinkat", Nr: unix.SYS_SYMLINKAT, Purpose: "make symbolic links",
		args: [6]uintptr{nameAt, noFD, nameAt},
	},
	{
		Name: "linkat", Nr: unix.SYS_LINKAT, Purpose: "make hard links",
		args: [6]uintptr{noFD, nameAt, noFD, nameAt},
	},
	{
		Name: "unlinkat", Nr: unix.SYS_UNLINKAT, Purpose: "remove names",
		args: [6]uintptr{noFD, nameAt},
	},
	{
		Name: "renameat2", Nr: unix.SYS_RENAMEAT2, Purpose: "rename",
		args: [6]uintptr{noFD, nameAt, noFD, nameAt},
	},
	{
		Name: "readlinkat", Nr: unix.SYS_READLINKAT, Purpose: "read symbolic links",
		args: [6]uintptr{noFD, nameAt, scratchAt, 1},
	},
	{
		Name: "fchownat", Nr: unix.SYS_FCHOWNAT, Purpose: "change owners",
		args: [6]uintptr{noFD, nameAt, ^uintptr(0), ^uintptr(0)},
	},
	{
		Name: "fchmodat", Nr: unix.SYS_FCHMODAT, Purpose: "change modes",
		args: [6]uintptr{noFD, nameAt},
	},
	{
		Name: "fchmodat2", Nr: unix.SYS_FCHMODAT2, Need: May, Since: "6.6",
		Purpose: "change modes", args: [6]uintptr{noFD, nameAt},
	},
	{
		Name: "utimensat", Nr: unix.SYS_UTIMENSAT, Purpose: "change times",
		args: [6]uintptr{noFD, nameAt},
	},
	{
		Name: "getxattr", Nr: unix.SYS_GETXATTR, Need: May, Purpose: "read access control lists",
		Without: noACLs, args: [6]uintptr{nothingAt, nameAt, scratchAt, 1},
	},
	{
		Name: "setxattr", Nr: unix.SYS_SETXATTR, Need: May, Purpose: "change access control lists",
		Without: noACLs, args: [6]uintptr{nothingAt, nameAt, scratchAt, 1},
	},
	{
		Name: "removexattr", Nr: unix.SYS_REMOVEXATTR, Need: May,
		Purpose: "take access control lists away", Without: noACLs, args: [6]uintptr{nothingAt, nameAt},
	},
	{
		Name: "listxattr", Nr: unix.SYS_LISTXATTR, Need: May, Purpose: "list extended attributes",
		Without: noXattrs, args: [6]uintptr{nothingAt},
	},
	{
		Name: "fallocate", Nr: unix.SYS_FALLOCATE, Need: May, Purpose: "keep space free and punch holes",
		Without: "clients cannot keep space free, punch holes or look for them", args: [6]uintptr{noFD},
	},
	{
		Name: "copy_file_range", Nr: unix.SYS_COPY_FILE_RANGE, Need: May, Purpose: "copy files",
		Without: "copies within the server pass through its memory", args: [6]uintptr{noFD, 0, noFD},
	},
	{Name: "ftruncate", Nr: unix.SYS_FTRUNCATE, Purpose: "change sizes", args: [6]uintptr{noFD}},
	{
		Name: "getdents64", Nr: unix.SYS_GETDENTS64, Purpose: "list directories",
		args: [6]uintptr{noFD, scratchAt, 64},
	},
	{Name: "lseek", Nr: unix.SYS_LSEEK, Purpose: "go on with a listing, find holes", args: [6]uintptr{noFD}},
	{
		Name: "pread64", Nr: unix.SYS_PREAD64, Purpose: "read files",
		args: [6]uintptr{noFD, scratchAt, 1},
	},
	{
		Name: "preadv2", Nr: unix.SYS_PREADV2, Need: May,
		Purpose: "read from memory without waiting", Without: "workers do all reading",
		args: [6]uintptr{noFD, zerosAt},
	},
	{
		Name: "pwrite64", Nr: unix.SYS_PWRITE64, Purpose: "write files",
		args: [6]uintptr{noFD, scratchAt},
	},
	{
		Name: "pwritev", Nr: unix.SYS_PWRITEV, Need: May,
		Purpose: "write files where pwritev2 is refused", args: [6]uintptr{noFD, zerosAt},
	},
	{
		Name: "pwritev2", Nr: unix.SYS_PWRITEV2, Need: May, Purpose: "write files",
		args: [6]uintptr{noFD, zerosAt},
	},
	{
		Name: "fsync", Nr: unix.SYS_FSYNC, Purpose: "put files on stable storage",
		args: [6]uintptr{noFD},
	},
	{
		Name: "syncfs", Nr: unix.SYS_SYNCFS,
		Purpose: "put what cannot be opened on stable storage", args: [6]uintptr{noFD},
	},
	{
		Name:    "sync_file_range",
		Nr:      unix.SYS_SYNC_FILE_RANGE,
		Need:    May,
		Purpose: "follow the writing of streams",
		Without: "with --io dontcache or auto a fast client may fill the memory with what the disc has not taken yet",
		args:    [6]uintptr{noFD},
	},
	{
		Name: "fadvise64", Nr: unix.SYS_FADVISE64, Need: May,
		Purpose: "drop what has been streamed",
		Without: "with --io dontcache or auto some of what is written stays in the page cache",
		args:    [6]uintptr{noFD},
	},
	{
		Name: "cachestat", Nr: sysCachestat, Need: May, Since: "6.5",
		Purpose: "see what is in memory", args: [6]uintptr{noFD, zerosAt, scratchAt},
	},
	{
		Name: "fcntl", Nr: unix.SYS_FCNTL, Purpose: "set flags of descriptors, and lock bytes of files",
		args: [6]uintptr{noFD, unix.F_GETFL},
	},
	{
		Name:    "ioctl",
		Nr:      unix.SYS_IOCTL,
		Need:    May,
		Purpose: "see how full a pipe is, clone files",
		Without: "data is not spliced, and files are not cloned",
		args:    [6]uintptr{noFD, unix.TIOCINQ, scratchAt},
	},
	{
		Name: "open_tree", Nr: unix.SYS_OPEN_TREE, Need: Asked, Since: "5.2",
		Purpose: "give the export a mount of its own",
	},
	{
		Name: "fspick", Nr: unix.SYS_FSPICK, Need: Asked, Since: "5.2",
		Purpose: "see whether a FUSE file system keeps what its handles stand for",
	},
	{
		Name: "fsconfig", Nr: unix.SYS_FSCONFIG, Need: Asked, Since: "5.2",
		Purpose: "see whether a FUSE file system keeps what its handles stand for",
	},
	{
		Name: "mount_setattr", Nr: unix.SYS_MOUNT_SETATTR, Need: Asked, Since: "5.12",
		Purpose: "give the export a mount of its own",
	},

	// The users for whom threads act.
	{Name: "setgroups", Nr: unix.SYS_SETGROUPS, Need: Asked, Purpose: "act for callers"},
	{Name: "setfsuid", Nr: unix.SYS_SETFSUID, Need: Asked, Purpose: "act for callers"},
	{Name: "setfsgid", Nr: unix.SYS_SETFSGID, Need: Asked, Purpose: "act for callers"},
	{
		Name: "capget", Nr: unix.SYS_CAPGET, Need: Asked,
		Purpose: "see what acting for a caller takes away",
	},
	{
		Name: "capset", Nr: unix.SYS_CAPSET, Need: Asked,
		Purpose: "take away what no caller shall enjoy",
	},
	{
		Name: "unshare", Nr: unix.SYS_UNSHARE, Need: Asked,
		Purpose: "give threads an umask of their own",
	},
	{
		Name: "umask", Nr: unix.SYS_UMASK, Need: Asked,
		Purpose: "give files the modes that clients ask for",
	},
	{
		Name: "getgroups", Nr: unix.SYS_GETGROUPS, Need: Asked,
		Purpose: "know the process's own groups",
	},
	{Name: "geteuid", Nr: unix.SYS_GETEUID, Need: Runtime, Purpose: "know the process's own user"},
	{
		Name: "getegid", Nr: unix.SYS_GETEGID, Need: Runtime,
		Purpose: "know the process's own group",
	},

	{Name: "prctl", Nr: unix.SYS_PRCTL, Need: Asked, Purpose: "give up rights for good"},

	// The network.
	{Name: "socket", Nr: unix.SYS_SOCKET, Purpose: "listen", args: [6]uintptr{nowhere}},
	{Name: "bind", Nr: unix.SYS_BIND, Purpose: "listen", args: [6]uintptr{noFD, zerosAt, 16}},
	{Name: "listen", Nr: unix.SYS_LISTEN, Purpose: "listen", args: [6]uintptr{noFD}},
	{
		Name: "getsockname", Nr: unix.SYS_GETSOCKNAME, Purpose: "know its own addresses",
		args: [6]uintptr{noFD, scratchAt, zerosAt},
	},
	{
		Name: "getpeername", Nr: unix.SYS_GETPEERNAME, Purpose: "know who calls",
		args: [6]uintptr{noFD, scratchAt, zerosAt},
	},
	{
		Name: "setsockopt", Nr: unix.SYS_SETSOCKOPT, Purpose: "set up sockets",
		args: [6]uintptr{noFD, unix.SOL_SOCKET, unix.SO_REUSEADDR, zerosAt, 4},
	},
	{
		Name: "getsockopt", Nr: unix.SYS_GETSOCKOPT, Purpose: "know how far peers are",
		args: [6]uintptr{noFD, unix.SOL_SOCKET, unix.SO_REUSEADDR, scratchAt, zerosAt},
	},
	{
		Name: "sendmsg", Nr: unix.SYS_SENDMSG, Purpose: "send replies",
		args: [6]uintptr{noFD, zerosAt},
	},
	{
		Name: "sendto", Nr: unix.SYS_SENDTO, Purpose: "list the machine's addresses",
		args: [6]uintptr{noFD, scratchAt, 1},
	},
	{
		Name: "recvfrom", Nr: unix.SYS_RECVFROM, Purpose: "list the machine's addresses",
		args: [6]uintptr{noFD, scratchAt, 1},
	},
	{
		Name: "recvmsg", Nr: unix.SYS_RECVMSG, Purpose: "answer by UDP",
		args: [6]uintptr{noFD, zerosAt},
	},
	{
		Name: "socketpair", Nr: unix.SYS_SOCKETPAIR, Need: May,
		Purpose: "try rings where there is no loopback", args: [6]uintptr{nowhere},
	},
	{
		Name: "connect", Nr: unix.SYS_CONNECT, Need: May,
		Purpose: "try rings by TCP", args: [6]uintptr{noFD, zerosAt, 16},
	},
	{
		Name: "accept4", Nr: unix.SYS_ACCEPT4, Need: May,
		Purpose: "try rings by TCP", args: [6]uintptr{noFD},
	},
	{
		Name: "ppoll", Nr: unix.SYS_PPOLL, Need: May,
		Purpose: "hear of mounts, and try rings by TCP", args: [6]uintptr{nowhere, 1, zerosAt},
		Without: "mounts are looked for once a second",
	},
	{Name: "shutdown", Nr: unix.SYS_SHUTDOWN, Purpose: "end connections", args: [6]uintptr{noFD}},
	{
		Name: "pipe2", Nr: unix.SYS_PIPE2, Need: May, Purpose: "splice",
		Without: "data is not spliced, and files are not cloned", args: [6]uintptr{nowhere},
	},
	{
		Name: "splice", Nr: unix.SYS_SPLICE, Need: May, Purpose: "splice",
		Without: "data is not spliced, and files are not cloned", args: [6]uintptr{noFD, 0, noFD, 0, 1},
	},
	{Name: "eventfd2", Nr: unix.SYS_EVENTFD2, Need: Runtime, Purpose: "wake lanes"},
	{
		Name: "io_uring_setup", Nr: unix.SYS_IO_URING_SETUP, Need: Asked, Since: "5.1",
		Purpose: "make rings",
	},
	{
		Name: "io_uring_enter", Nr: unix.SYS_IO_URING_ENTER, Need: Asked, Since: "5.1",
		Purpose: "use rings",
	},
	{
		Name: "io_uring_register", Nr: unix.SYS_IO_URING_REGISTER, Need: Asked, Since: "5.1",
		Purpose: "use rings",
	},

	// The process and its threads.
	{
		Name: "sched_getattr", Nr: unix.SYS_SCHED_GETATTR, Need: May,
		Purpose: "see how lanes are scheduled",
	},
	{
		Name: "sched_setattr", Nr: unix.SYS_SCHED_SETATTR, Need: May,
		Purpose: "have lanes preempt nobody",
	},
	{
		Name: "getrusage", Nr: unix.SYS_GETRUSAGE, Need: May, Purpose: "see what holds lanes up",
		args: [6]uintptr{unix.RUSAGE_THREAD, scratchAt},
	},
	{
		Name: "sysinfo", Nr: unix.SYS_SYSINFO, Need: May,
		Purpose: "see how much memory there is", args: [6]uintptr{scratchAt},
	},
	{
		Name: "uname", Nr: unix.SYS_UNAME, Need: May, Purpose: "know the kernel's release",
		args: [6]uintptr{scratchAt},
	},
	{
		Name: "prlimit64", Nr: unix.SYS_PRLIMIT64, Need: May, Purpose: "know the limits",
		Without: "the limit of open files is taken for 1024",
		args:    [6]uintptr{0, unix.RLIMIT_NOFILE, 0, scratchAt},
	},
	{Name: "mincore", Nr: unix.SYS_MINCORE, Need: Runtime, Purpose: "find the page size"},
	{Name: "mmap", Nr: unix.SYS_MMAP, Need: Runtime, Purpose: "get memory"},
	{Name: "munmap", Nr: unix.SYS_MUNMAP, Need: Runtime, Purpose: "give memory back"},
	{Name: "madvise", Nr: unix.SYS_MADVISE, Need: Runtime, Purpose: "give memory back"},
	{Name: "futex", Nr: unix.SYS_FUTEX, Need: Runtime, Purpose: "wait"},
	{Name: "nanosleep", Nr: unix.SYS_NANOSLEEP, Need: Runtime, Purpose: "wait"},
	{Name: "sched_yield", Nr: unix.SYS_SCHED_YIELD, Need: Runtime, Purpose: "let others run"},
	{Name: "gettid", Nr: unix.SYS_GETTID, Need: Runtime, Purpose: "check who owns a ring"},
}
