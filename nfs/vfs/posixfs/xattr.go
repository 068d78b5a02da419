package posixfs

import (
	"bytes"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/syscalls"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

var _ vfs.Xattrs = (*View)(nil)

// xattrPrefix is the kernel's namespace of those that users set. Those of other namespaces are
// the system's, and clients do not see them.
const xattrPrefix = "user."

// keepsXattrs reports whether the calls that extended attributes are kept with are allowed.
func keepsXattrs() bool { return keepsACLs() && !syscalls.Refused(unix.SYS_LISTXATTR) }

// probeXattrs reports whether the directory that fd stands for could have extended attributes.
func probeXattrs(fd int) bool {
	if !keepsXattrs() {
		return false
	}
	errno := retried(func() error { _, err := unix.Getxattr(kernel.ProcPath(fd), xattrPrefix+"ringnfs", nil); return err })
	return errno != unix.EOPNOTSUPP
}

// xattrStatus is FS.status for what the calls for extended attributes say. ENODATA is about a
// broken disc everywhere else.
func (fs *FS) xattrStatus(errno unix.Errno) vfs.Status {
	switch errno {
	case unix.ENODATA:
		return vfs.NoXattr
	case unix.E2BIG, unix.ERANGE:
		return vfs.XattrTooBig
	}
	return fs.status(errno)
}

// GetXattr implements vfs.Xattrs.
func (v *View) GetXattr(c *vfs.Cred, h vfs.Handle, name, dst []byte) (n int, s vfs.Status) {
	e, s := v.acquireXattrs(c, &h)
	if s != vfs.OK {
		return 0, s
	}
	defer v.done()
	path, full := kernel.ProcPath(e.FD), xattrPrefix+string(name)
	get := func(to []byte) unix.Errno {
		return retried(func() (err error) { n, err = unix.Getxattr(path, full, to); return err })
	}
	for range 8 { // the value may change in between
		errno := get(dst)
		switch {
		case errno == unix.ERANGE:
			if errno = get(nil); errno != 0 {
				return 0, v.fs.xattrStatus(errno)
			}
		case errno != 0:
			return 0, v.fs.xattrStatus(errno)
		case n <= len(dst): // to an empty one the kernel only tells how long it is
			return n, vfs.OK
		}
		if n > len(dst) {
			return n, vfs.TooSmall
		}
	}
	return 0, vfs.Delay
}

// acquireXattrs is acquire for a call that reads extended attributes on a worker: the thread
// acts for c, and v.st holds the attributes.
func (v *View) acquireXattrs(c *vfs.Cred, h *vfs.Handle) (*entry, vfs.Status) {
	if v.lane {
		return nil, vfs.Again // they may have to be read from the disc
	}
	e, s := v.acquire(h, useMain)
	if s != vfs.OK {
		return nil, s
	}
	if s = v.stat(e, &v.st); s == vfs.OK && !v.as(c) {
		s = vfs.ServerFault
	}
	if s != vfs.OK {
		v.done()
		return nil, s
	}
	return e, vfs.OK
}

// ListXattrs implements vfs.Xattrs. The kernel lets everybody list names; NFS asks for the right
// to read (RFC 8276, section 8.5).
func (v *View) ListXattrs(c *vfs.Cred, h vfs.Handle, yield func(name []byte) bool) vfs.Status {
	e, s := v.acquireXattrs(c, &h)
	if s != vfs.OK {
		return s
	}
	defer v.done()
	granted, s := v.judge.May(c, &e.Own.rights, &v.st, vfs.MayRead)
	switch {
	case s != vfs.OK:
		return s
	case granted == 0:
		return vfs.Access
	case !v.as(c):
		return vfs.ServerFault
	}
	path := kernel.ProcPath(e.FD)
	buf := make([]byte, vfs.XattrValueMax) // XATTR_LIST_MAX, which is as much
	n := 0
	if errno := retried(func() (err error) { n, err = unix.Listxattr(path, buf); return err }); errno != 0 {
		return v.fs.xattrStatus(errno)
	}
	var names [][]byte
	for name := range bytes.SplitSeq(buf[:n], []byte{0}) {
		if rest, ours := bytes.CutPrefix(name, []byte(xattrPrefix)); ours && len(rest) > 0 {
			names = append(names, rest)
		}
	}
	slices.SortFunc(names, bytes.Compare)
	for _, name := range names {
		if !yield(name) {
			break
		}
	}
	return vfs.OK
}

// SetXattr implements vfs.Xattrs.
func (v *View) SetXattr(c *vfs.Cred, h vfs.Handle, r *vfs.XattrArgs, w *vfs.WCC) vfs.Status {
	flags := 0
	switch r.How {
	case vfs.XattrCreate:
		flags = unix.XATTR_CREATE
	case vfs.XattrReplace:
		flags = unix.XATTR_REPLACE
	case vfs.XattrEither:
	}
	name := xattrPrefix + string(r.Name)
	return v.changeXattr(c, &h, w, func(path string) error { return unix.Setxattr(path, name, r.Value, flags) })
}

// RemoveXattr implements vfs.Xattrs.
func (v *View) RemoveXattr(c *vfs.Cred, h vfs.Handle, name []byte, w *vfs.WCC) vfs.Status {
	full := xattrPrefix + string(name)
	return v.changeXattr(c, &h, w, func(path string) error { return unix.Removexattr(path, full) })
}

// changeXattr has act change an extended attribute of what path names with c's rights, with w
// around it, and puts the change on stable storage.
func (v *View) changeXattr(c *vfs.Cred, h *vfs.Handle, w *vfs.WCC, act func(path string) error) vfs.Status {
	if v.lane {
		return vfs.Again
	}
	*w = vfs.WCC{}
	e, s := v.acquire(h, useMain)
	if s != vfs.OK {
		return s
	}
	defer v.doneChanging()
	e.Own.data.Locking.Add(1)
	defer e.Own.data.Locking.Add(-1)
	fd, s := v.stabilizer(e)
	if s != vfs.OK {
		v.after(e, w)
		return s
	}
	mark := v.fs.mark(e, fd)
	s = v.locked(c, e, w, func(e *entry) vfs.Status {
		path := kernel.ProcPath(e.FD)
		return v.fs.xattrStatus(retried(func() error { return act(path) }))
	})
	if s != vfs.OK {
		return s
	}
	return v.stabilize(e, fd, mark)
}
