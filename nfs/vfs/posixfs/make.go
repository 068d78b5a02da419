package posixfs

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// Mkdir implements vfs.View.
func (v *View) Mkdir(c *vfs.Cred, dir vfs.Handle, r *vfs.MkdirArgs, m *vfs.Made) vfs.Status {
	name, s := r.Name, r.Set
	e, w := m.Entry, m.Dir
	if v.lane {
		return vfs.Again
	}
	defer v.doneChanging()
	return v.change(c, &dir, name, w, func(de *entry) vfs.Status {
		later, mode := *s, uint32(0)
		if s.HasMode {
			mode = s.Mode & 07777
		}
		// The kernel ignores set-id bits here, and lets the directory inherit its parent's.
		// So the mode is set again only if it asks for more.
		later.HasMode = mode&(unix.S_ISUID|unix.S_ISGID) != 0
		if _, errno := kernel.Call(unix.SYS_MKDIRAT, uintptr(de.FD), uintptr(unsafe.Pointer(&v.name[0])), uintptr(mode), 0, 0, 0); errno != 0 {
			return v.named(errno)
		}
		return v.made(de, &later, e)
	})
}

// path returns room for a path with its NUL.
func (v *View) path() []byte {
	if v.target == nil {
		v.target = make([]byte, unix.PathMax)
	}
	return v.target
}

// Symlink implements vfs.View.
func (v *View) Symlink(c *vfs.Cred, dir vfs.Handle, r *vfs.SymlinkArgs, m *vfs.Made) vfs.Status {
	name, target, s := r.Name, r.Target, r.Set
	e, w := m.Entry, m.Dir
	if v.lane {
		return vfs.Again
	}
	defer v.doneChanging()
	return v.change(c, &dir, name, w, func(de *entry) vfs.Status {
		if !cstring(v.path(), target) {
			return vfs.NameTooLong
		}
		if _, errno := kernel.Call(unix.SYS_SYMLINKAT, uintptr(unsafe.Pointer(&v.target[0])), uintptr(de.FD), uintptr(unsafe.Pointer(&v.name[0])), 0, 0, 0); errno != 0 {
			return v.named(errno)
		}
		return v.made(de, s, e)
	})
}

// Mknod implements vfs.View.
func (v *View) Mknod(c *vfs.Cred, dir vfs.Handle, r *vfs.MknodArgs, m *vfs.Made) vfs.Status {
	name, t, major, minor, s := r.Name, r.Type, r.Major, r.Minor, r.Set
	e, w := m.Entry, m.Dir
	if v.lane {
		return vfs.Again
	}
	defer v.doneChanging()
	later := *s
	later.HasMode = takesSetID(s)
	return v.change(c, &dir, name, w, func(de *entry) vfs.Status {
		mode, dev, st := nodeOf(t, major, minor)
		if st != vfs.OK {
			return st
		}
		if s.HasMode {
			mode |= s.Mode & 07777
		}
		if _, errno := kernel.Call(unix.SYS_MKNODAT, uintptr(de.FD), uintptr(unsafe.Pointer(&v.name[0])), uintptr(mode), uintptr(dev), 0, 0); errno != 0 {
			return v.named(errno)
		}
		return v.made(de, &later, e)
	})
}

// nodeOf returns the arguments of mknod for a type.
func nodeOf(t vfs.FileType, major, minor uint32) (mode uint32, dev uint64, s vfs.Status) {
	switch t {
	case vfs.TypeFifo:
		return unix.S_IFIFO, 0, vfs.OK
	case vfs.TypeSock:
		return unix.S_IFSOCK, 0, vfs.OK
	case vfs.TypeBlk:
		mode = unix.S_IFBLK
	case vfs.TypeChr:
		mode = unix.S_IFCHR
	default:
		return 0, 0, vfs.BadType
	}
	if major >= 1<<12 || minor >= 1<<20 { // the kernel's dev_t
		return 0, 0, vfs.Inval
	}
	return mode, unix.Mkdev(major, minor), vfs.OK
}

// made finishes an object that was just made as v.name in de. It sets the remaining attributes, and
// sees to what syncing de does not put on stable storage.
func (v *View) made(de *entry, later *vfs.SetAttr, e *vfs.Entry) vfs.Status {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: v.fs.noXDev}
	v.how = how
	fd, errno := v.fs.plenty(func() (int, unix.Errno) { return v.fs.openName(de.FD, &v.name[0], &v.how) })
	if errno != 0 {
		// Somebody has already removed the object again. It was made, and the client can
		// look it up.
		e.Handle, e.Attr.Mask = vfs.Handle{}, 0
		return v.fs.status(errno)
	}
	if errno := kernel.StatxWait(fd, &v.st2); errno != 0 {
		kernel.CloseFD(fd)
		return v.fs.status(errno)
	}
	kind := v.st2.Mode & unix.S_IFMT
	if kind == unix.S_IFDIR && later.Mode&^uint32(v.st2.Mode) == 0 {
		// The directory has inherited the set-group-id bit that it should have. Setting the
		// mode again would clear the bit if the caller is not in that group.
		later.HasMode = false
	}
	v.beginNew()
	changed, st := v.apply(fd, kind, later)
	if st != vfs.OK {
		flags := uintptr(0)
		if kind == unix.S_IFDIR {
			flags = unix.AT_REMOVEDIR
		}
		v.undo(de, fd, flags)
		return st
	}
	if st = v.arrived(de, fd, false, e); st != vfs.OK {
		return st
	}
	if (changed || v.fs.is.selfSync && kind == unix.S_IFDIR) && !v.fs.is.memory {
		return v.also(v.use.At(useChild), 0)
	}
	return vfs.OK
}

var (
	dot    = [2]byte{'.', 0}
	dotdot = [3]byte{'.', '.', 0}
)
