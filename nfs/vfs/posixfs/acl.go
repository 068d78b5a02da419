package posixfs

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/acl"
	"github.com/ringnfs/ringnfs/nfs/syscalls"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

var _ vfs.ACLs = (*View)(nil)

// keepsACLs reports whether the process may make the system calls that keep lists.
func keepsACLs() bool {
	return !syscalls.Refused(unix.SYS_GETXATTR) && !syscalls.Refused(unix.SYS_SETXATTR) &&
		!syscalls.Refused(unix.SYS_REMOVEXATTR)
}

// GetACL implements vfs.ACLs.
func (v *View) GetACL(c *vfs.Cred, h vfs.Handle, set *vfs.ACLSet, a *vfs.Attr) vfs.Status {
	if v.lane {
		return vfs.Again // the kernel may have to read the list from disc
	}
	a.Mask = 0
	e, s := v.acquire(&h, useMain)
	if s != vfs.OK {
		return s
	}
	defer v.done()
	if s = v.stat(e, &v.st); s != vfs.OK {
		return s
	}
	v.fs.attributes(a, &v.st)
	if !v.as(c) {
		return vfs.ServerFault
	}
	path := kernel.ProcPath(e.FD)
	set.Access, set.Default = nil, nil
	if set.HasAccess {
		if set.Access, s = v.getList(path, acl.XattrAccess); s != vfs.OK {
			return s
		}
	}
	if set.HasDefault && e.Kind == unix.S_IFDIR {
		set.Default, s = v.getList(path, acl.XattrDefault)
	}
	return s
}

// getList reads one list of the object that path names, nil if it has none.
func (v *View) getList(path, name string) (acl.List, vfs.Status) {
	buf := make([]byte, acl.XattrLen(vfs.ACLMax))
	var n int
	switch errno := retried(func() (err error) { n, err = unix.Getxattr(path, name, buf); return err }); errno {
	case 0:
	case unix.ENODATA, unix.EOPNOTSUPP:
		return nil, vfs.OK
	default:
		return nil, v.fs.status(errno)
	}
	l, err := acl.ParseXattr(buf[:n])
	if err != nil {
		return nil, vfs.IO
	}
	v.fs.showOverflow(l)
	return l, vfs.OK
}

// showOverflow replaces IDs that the process's user namespace does not map, as the kernel does in
// attributes. In lists the kernel returns -1 for them. That is nobody's ID, and Linux's client
// takes a list with it for a broken one.
func (fs *FS) showOverflow(l acl.List) {
	const nobodys = 1<<32 - 1
	for i := range l {
		if (l[i].Tag == acl.User || l[i].Tag == acl.Group) && l[i].ID == nobodys {
			l[i].ID = fs.ns.Overflow
		}
	}
}

// retried makes a call of package unix, and repeats it as long as [kernel.Patience] says so.
func retried(f func() error) unix.Errno {
	for p := (kernel.Patience{}); ; {
		err := f()
		if err == nil {
			return 0
		}
		errno, ok := err.(unix.Errno)
		switch {
		case !ok:
			return unix.EINVAL // a name with a NUL, which no caller passes
		case !p.Again(errno):
			return errno
		}
	}
}

// SetACL implements vfs.ACLs.
func (v *View) SetACL(c *vfs.Cred, h vfs.Handle, set *vfs.ACLSet, a *vfs.Attr) vfs.Status {
	if v.lane {
		return vfs.Again
	}
	a.Mask = 0
	e, s := v.acquire(&h, useMain)
	if s != vfs.OK {
		return s
	}
	defer v.doneChanging()
	e.Own.data.Locking.Add(1)
	defer e.Own.data.Locking.Add(-1)
	fd, s := v.stabilizer(e)
	if s != vfs.OK {
		return v.failed(e, a, s)
	}
	mark := v.fs.mark(e, fd)
	changed, s := v.setACL(c, e, set, a)
	if changed {
		if t := v.stabilize(e, fd, mark); s == vfs.OK {
			s = t
		}
	}
	return s
}

// setACL changes e's lists under its lock.
func (v *View) setACL(c *vfs.Cred, e *entry, set *vfs.ACLSet, a *vfs.Attr) (changed bool, s vfs.Status) {
	l := v.fs.lock(e)
	l.Lock()
	defer l.Unlock()
	v.begin(&e.Key, false, siteACL)
	defer func() {
		unstable := unsettled(e)
		if v.stat(e, &v.st) == vfs.OK {
			v.fs.attributes(a, &v.st)
			v.changed(e, unstable)
		}
	}()
	if set.HasAccess && set.Access != nil && !set.Access.Valid() ||
		set.HasDefault && set.Default != nil && !set.Default.Valid() {
		return false, vfs.Inval
	}
	if set.HasDefault && set.Default != nil && e.Kind != unix.S_IFDIR {
		return false, vfs.Access
	}
	if !v.as(c) {
		return false, vfs.ServerFault
	}
	if v.fs.lends() { // the list changes the mode, which lend may be changing, too
		l := v.fs.lent.of(e)
		l.Lock()
		defer l.Unlock()
	}
	path := kernel.ProcPath(e.FD)
	if set.HasAccess {
		if s = v.setList(path, acl.XattrAccess, set.Access); s != vfs.OK {
			return false, s
		}
		changed = true
	}
	if set.HasDefault && e.Kind == unix.S_IFDIR {
		if s = v.setList(path, acl.XattrDefault, set.Default); s != vfs.OK {
			return changed, s
		}
		changed = true
	}
	return changed, vfs.OK
}

// setList stores a list of the object that path names, or removes it if l is nil.
func (v *View) setList(path, name string, l acl.List) vfs.Status {
	if l == nil {
		errno := retried(func() error { return unix.Removexattr(path, name) })
		if errno == unix.ENODATA || errno == unix.EOPNOTSUPP {
			return vfs.OK
		}
		return v.fs.status(errno)
	}
	l.Sort()
	value := acl.AppendXattr(make([]byte, 0, acl.XattrLen(len(l))), l)
	return v.fs.status(retried(func() error { return unix.Setxattr(path, name, value, 0) }))
}
