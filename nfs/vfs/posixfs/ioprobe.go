package posixfs

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopath"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopolicy"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kind"
)

// chooseIO finds out whether the file system can do what mode asks for.
func (fs *FS) chooseIO(mode IOMode, o options) error {
	least := cmp.Or(o.ioLeast, bigRequest)
	fs.data.Policy = iopolicy.NewPolicy(IOBuffered, least, 0)
	switch mode {
	case IOBuffered:
		return nil
	case IODontCache, IODirect, IOAuto:
	default:
		return fmt.Errorf("posixfs: there is no I/O mode %d", mode)
	}
	memory := o.memory
	if memory == 0 {
		memory = iopath.MemoryLimit("/sys/fs/cgroup", "/proc/self/cgroup")
	}
	why := fs.cannot(mode, o)
	if why == "" {
		fs.data.Policy = iopolicy.NewPolicy(mode, least, memory)
	}
	if mode == IOAuto {
		if why != "" {
			fs.ioWhy = "I/O mode auto is buffered for " + fs.dir + ": " + why
		}
		return nil
	}
	if why != "" {
		return fmt.Errorf(
			"posixfs: I/O mode %v is not to be had for %s: %s; use auto or buffered, or export a directory on ext4 or XFS",
			mode,
			fs.dir,
			why,
		)
	}
	return nil
}

// cannot returns the reason why mode is not possible. It returns "" if mode is possible, or if
// there is no file to find out with. In that case files are asked one by one when they are opened.
func (fs *FS) cannot(mode IOMode, o options) (why string) {
	if o.noDontCache && mode != IODirect {
		return kind.Name(fs.magic) + " has no RWF_DONTCACHE"
	}
	if mode != IODirect && (fs.data.NoPwritev2 || fs.data.PlainRead) {
		return "the system call preadv2 or pwritev2 is refused"
	}
	fd := fs.anyFile()
	if fd < 0 {
		return ""
	}
	defer kernel.CloseFD(fd)
	if mode == IODirect {
		if fs.is.memory || !iopath.HasDirect(fd) {
			return kind.Name(
				fs.magic,
			) + " gives no alignment for direct I/O (STATX_DIOALIGN; Linux 6.1 does on ext4 and XFS)"
		}
		return ""
	}
	var b [1]byte
	v := unix.Iovec{Base: &b[0], Len: 1}
	if _, errno := kernel.Call(unix.SYS_PREADV2, uintptr(fd), uintptr(unsafe.Pointer(&v)), 1, 0, 0, unix.RWF_DONTCACHE); errno != 0 {
		return fmt.Sprintf(
			"%s has no RWF_DONTCACHE (%v; Linux 6.14 has it on ext4 and XFS)",
			kind.Name(fs.magic),
			errno,
		)
	}
	return ""
}

// anyFile opens a file of the tree: one without a name if it can make one. It returns -1 if it
// finds no file nearby.
func (fs *FS) anyFile() int {
	if fd, err := unix.Openat(fs.root, ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600); err == nil {
		return fd
	}
	const looksMax = 4096
	dirs, looks := []string{"."}, 0
	for i := 0; i < len(dirs) && looks < looksMax; i++ {
		dir, err := fs.openBelow(dirs[i], unix.O_DIRECTORY)
		if err != nil {
			continue
		}
		f := os.NewFile(uintptr(dir), dirs[i])
		list, _ := f.ReadDir(looksMax - looks) // the entries that can be read are enough
		_ = f.Close()
		for _, x := range list {
			looks++
			name := filepath.Join(dirs[i], x.Name())
			switch {
			case x.IsDir():
				dirs = append(dirs, name)
			case x.Type().IsRegular():
				if fd, err := fs.openBelow(name, unix.O_NONBLOCK); err == nil {
					return fd
				}
			}
		}
	}
	return -1
}

func (fs *FS) openBelow(path string, flags int) (int, error) {
	fd, errno := fs.openPath(path, false)
	if errno != 0 {
		return -1, errno
	}
	defer kernel.CloseFD(fd)
	return unix.Open(kernel.ProcPath(fd), unix.O_RDONLY|unix.O_CLOEXEC|flags, 0)
}
