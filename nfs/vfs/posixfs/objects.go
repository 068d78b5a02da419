package posixfs

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// GetAttr implements vfs.View.
func (v *View) GetAttr(h vfs.Handle, a *vfs.Attr) vfs.Status {
	e, s := v.acquire(&h, useMain)
	if s != vfs.OK {
		return s
	}
	defer v.done()
	if s := v.stat(e, &v.st); s != vfs.OK {
		return s
	}
	v.fs.fill(a, &v.st)
	return vfs.OK
}

// Access implements vfs.View.
func (v *View) Access(c *vfs.Cred, h vfs.Handle, want vfs.Permission, a *vfs.Attr) (vfs.Permission, vfs.Status) {
	e, s := v.acquire(&h, useMain)
	if s != vfs.OK {
		return 0, s
	}
	defer v.done()
	if s := v.stat(e, &v.st); s != vfs.OK {
		return 0, s
	}
	granted := vfs.Permission(0)
	if want &= kernelBits; want != 0 {
		var known bool
		if granted, known = v.recall(c, e, &v.st, want); !known {
			if granted, s = v.decide(c, e, &v.st, want); s != vfs.OK {
				return 0, s
			}
		}
	}
	v.fs.fill(a, &v.st)
	return granted, vfs.OK
}

// Statfs implements vfs.View. It waits: some file systems add up counters under
// locks that they hold for long.
func (v *View) Statfs(_ *vfs.Cred, h vfs.Handle, out *vfs.Statfs) vfs.Status {
	if v.lane {
		return vfs.Again
	}
	e, s := v.acquire(&h, useMain)
	if s != vfs.OK {
		return s
	}
	defer v.done()
	if s := v.stat(e, &v.st); s != vfs.OK {
		return s
	}
	if _, errno := call(unix.SYS_FSTATFS, uintptr(e.fd), uintptr(unsafe.Pointer(&v.sf)), 0, 0, 0, 0); errno != 0 {
		return status(errno)
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
