package posixfs

import (
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// Names are opened with openat2(2), which does not leave the export. A filter may refuse that call,
// as RestrictSUIDSGID= of systemd does, because a filter cannot look into the call's structure.
// Then openat(2) opens one name at a time, and follows no link. Within one directory the only other
// way out is a mount point, which the object's mount reveals. openat(2) cannot look up a name
// without waiting, so lanes then look up nothing.

// openName opens the entry name of the directory dir with how, whose Resolve is 0 or
// RESOLVE_NO_XDEV. name has one component and ends in NUL. EXDEV means that the entry is a mount
// point which must not be crossed. openName may wait.
func (fs *FS) openName(dir int, name *byte, how *unix.OpenHow) (int, unix.Errno) {
	if !fs.is.noOpenat2 {
		return kernel.Openat2(dir, name, how)
	}
	fd, errno := kernel.Openat(dir, name, int(how.Flags), 0)
	if errno != 0 || how.Resolve&unix.RESOLVE_NO_XDEV == 0 {
		return fd, errno
	}
	var st unix.Statx_t
	if errno = kernel.StatxWait(fd, &st); errno == 0 && st.Mnt_id != fs.mount {
		errno = unix.EXDEV
	}
	if errno != 0 {
		kernel.CloseFD(fd)
		return -1, errno
	}
	return fd, 0
}

// openNow is openName for lanes. It returns EAGAIN if it might have to wait.
func (fs *FS) openNow(dir int, name *byte, how *unix.OpenHow) (int, unix.Errno) {
	if fs.is.noOpenat2 {
		return -1, unix.EAGAIN
	}
	return kernel.Openat2Raw(dir, name, how)
}

// openSeen opens the entry name of dir, O_PATH, for a walk of the FS itself. It stays on the
// export's mount.
func (fs *FS) openSeen(dir int, name string) (int, unix.Errno) {
	var b [unix.NAME_MAX + 1]byte
	if !cstring(b[:], []byte(name)) {
		return -1, unix.ENAMETOOLONG
	}
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_XDEV}
	return fs.openName(dir, &b[0], &how)
}

// openPath opens path below the root, O_PATH. It returns EXDEV if path leaves the tree. It follows
// symbolic links only if links is set. It may wait.
func (fs *FS) openPath(path string, links bool) (int, unix.Errno) {
	if fs.is.noOpenat2 || fs.sole != nil { // reading a link moves its access time
		return fs.walkPath(path, links)
	}
	how := unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS | fs.noXDev,
	}
	if !links {
		how.Resolve |= unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV
	}
	for tries := 0; ; tries++ {
		fd, err := unix.Openat2(fs.root, path, &how)
		errno := errnoOf(err)
		// EAGAIN means that somebody renamed something while the kernel resolved "..".
		if errno != unix.EAGAIN && errno != unix.EINTR || tries == pathTries {
			return fd, errno
		}
	}
}

const (
	pathTries = 16
	linksMax  = 40 // as in the kernel (MAXSYMLINKS)
)

// walkPath is openPath without openat2(2).
func (fs *FS) walkPath(path string, links bool) (int, unix.Errno) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: fs.noXDev}
	if !links {
		how.Resolve = unix.RESOLVE_NO_XDEV
	}
	top, errno := kernel.Openat(fs.root, &dot[0], int(how.Flags), 0)
	if errno != 0 {
		return -1, errno
	}
	// The directories from the root down to the present one. The parent of each is the one
	// before it, so ".." cannot lead to another place.
	at := []int{top}
	defer func() {
		for _, fd := range at {
			kernel.CloseFD(fd)
		}
	}()
	rest := strings.Split(path, "/")
	for followed := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		switch {
		case name == "" || name == ".":
			continue
		case name == ".." && len(at) == 1:
			return -1, unix.EXDEV
		case name == "..":
			kernel.CloseFD(at[len(at)-1])
			at = at[:len(at)-1]
			continue
		}
		var b [unix.NAME_MAX + 1]byte
		if !cstring(b[:], []byte(name)) {
			return -1, unix.ENAMETOOLONG
		}
		fd, errno := fs.openName(at[len(at)-1], &b[0], &how)
		if errno != 0 {
			return -1, errno
		}
		at = append(at, fd)
		to, isLink, errno := fs.readLink(fd)
		if errno != 0 {
			return -1, errno
		}
		if !isLink {
			continue
		}
		if followed++; !links || followed > linksMax {
			return -1, unix.ELOOP
		}
		if strings.HasPrefix(to, "/") {
			return -1, unix.EXDEV
		}
		kernel.CloseFD(fd)
		at = at[:len(at)-1]
		rest = append(strings.Split(to, "/"), rest...)
	}
	last := at[len(at)-1]
	at = at[:len(at)-1]
	return last, 0
}

// readLink returns the target of the object fd, if it is a symbolic link.
func (fs *FS) readLink(fd int) (to string, isLink bool, errno unix.Errno) {
	var st unix.Statx_t
	if errno = kernel.StatxWait(fd, &st); errno != 0 || st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return "", false, errno
	}
	var b [unix.PathMax]byte
	n, errno := kernel.Call(
		unix.SYS_READLINKAT,
		uintptr(fd),
		uintptr(unsafe.Pointer(&kernel.EmptyPath[0])),
		uintptr(unsafe.Pointer(&b[0])),
		uintptr(len(b)),
		0,
		0,
	)
	k := kernel.KeyOf(&st)
	fs.wasRead(&k)
	return string(b[:n]), true, errno
}
