package posixfs

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kind"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/verdict"
)

// GetAttr implements vfs.View.
func (v *View) GetAttr(h vfs.Handle, a *vfs.Attr) vfs.Status {
	if v.fs.sole != nil && v.recallAttr(&h, a) != nil {
		return vfs.OK
	}
	e, s := v.reach(&h, useMain)
	if s != vfs.OK {
		return s
	}
	defer v.done()
	if s := v.stat(e, &v.st); s != vfs.OK {
		return s
	}
	v.fs.attributes(a, &v.st)
	return vfs.OK
}

// Access implements vfs.View.
func (v *View) Access(
	c *vfs.Cred,
	h vfs.Handle,
	want vfs.Permission,
	a *vfs.Attr,
) (vfs.Permission, vfs.Status) {
	if v.fs.sole != nil {
		if granted, known := v.recallAccess(c, &h, want, a); known {
			return granted, vfs.OK
		}
	}
	e, s := v.reach(&h, useMain)
	if s != vfs.OK {
		return 0, s
	}
	defer v.done()
	n := count(e)
	if s := v.stat(e, &v.st); s != vfs.OK {
		return 0, s
	}
	granted := vfs.Permission(0)
	if want &= verdict.Kernel; want != 0 && !e.Own.shut {
		var known bool
		if granted, known = v.judge.Recall(c, &e.Own.rights, &v.st, want); !known {
			if granted, s = v.judge.Decide(c, &e.Own.rights, &v.st, want); s != vfs.OK {
				return 0, s
			}
		}
	}
	if e.Own.kept != nil {
		v.keepVerdict(c, e, n, want, granted)
	}
	v.fs.attributes(a, &v.st)
	return granted, vfs.OK
}

// PathConf implements vfs.View. If directories may differ, it opens the directory and asks it, with
// the process's own rights. If the process cannot open the directory, the top directory's answer
// must do.
func (v *View) PathConf(h vfs.Handle, l *vfs.Limits) vfs.Status {
	if v.lane && !v.fs.limits.Homogeneous {
		return vfs.Again
	}
	e, s := v.reach(&h, useMain)
	if s != vfs.OK {
		return s
	}
	defer v.done()
	if s := v.stat(e, &v.st); s != vfs.OK {
		return s
	}
	*l = v.fs.limits
	if l.Homogeneous || e.Kind != unix.S_IFDIR || e.Own.shut {
		return vfs.OK
	}
	fd, s := v.openDir(nil, e)
	if s == vfs.Access || s == vfs.Perm {
		return vfs.OK
	}
	if s != vfs.OK {
		return s
	}
	defer kernel.CloseFD(fd)
	if folded, known := kind.IsFolded(fd); known {
		l.CaseInsensitive = folded
	}
	return vfs.OK
}

// Statfs implements vfs.View. It waits, because some file systems add up counters under locks that
// they hold for long.
func (v *View) Statfs(_ *vfs.Cred, h vfs.Handle, out *vfs.Statfs) vfs.Status {
	if v.lane {
		return vfs.Again
	}
	e, s := v.reach(&h, useMain)
	if s != vfs.OK {
		return s
	}
	defer v.done()
	if s := v.stat(e, &v.st); s != vfs.OK {
		return s
	}
	if _, errno := kernel.Call(unix.SYS_FSTATFS, uintptr(e.FD), uintptr(unsafe.Pointer(&v.sf)), 0, 0, 0, 0); errno != 0 {
		return v.fs.status(errno)
	}
	unit := uint64(v.sf.Frsize)
	if unit == 0 {
		unit = uint64(v.sf.Bsize)
	}
	*out = vfs.Statfs{
		TotalBytes: v.sf.Blocks * unit, FreeBytes: v.sf.Bfree * unit, AvailBytes: v.sf.Bavail * unit,
		TotalFiles: v.sf.Files, FreeFiles: v.sf.Ffree, AvailFiles: v.sf.Ffree,
	}
	return vfs.OK
}
