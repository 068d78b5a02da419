package checkfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

// Each method below first clears the handle that it fills in, so that a handle left over from
// another call does not go out as this call's.

func (v *view) Lookup(c *vfs.Cred, dir vfs.Handle, name []byte, f *vfs.Found) vfs.Status {
	const method = "Lookup"
	f.Entry.Handle = vfs.Handle{}
	s := v.status(method, v.View.Lookup(c, dir, name, f))
	v.attr(method, f.Dir, s)
	return v.entry(method, f.Entry, s)
}

// made judges what Create, Mkdir, Symlink or Mknod has made.
func (v *view) made(method string, s vfs.Status, m *vfs.Made) vfs.Status {
	s = v.status(method, s)
	v.wcc(method, m.Dir, s)
	return v.entry(method, m.Entry, s)
}

func (v *view) Create(c *vfs.Cred, dir vfs.Handle, r *vfs.CreateArgs, m *vfs.Made) vfs.Status {
	m.Entry.Handle = vfs.Handle{}
	return v.made("Create", v.View.Create(c, dir, r, m), m)
}

func (v *view) Mkdir(c *vfs.Cred, dir vfs.Handle, r *vfs.MkdirArgs, m *vfs.Made) vfs.Status {
	m.Entry.Handle = vfs.Handle{}
	return v.made("Mkdir", v.View.Mkdir(c, dir, r, m), m)
}

func (v *view) Symlink(c *vfs.Cred, dir vfs.Handle, r *vfs.SymlinkArgs, m *vfs.Made) vfs.Status {
	m.Entry.Handle = vfs.Handle{}
	return v.made("Symlink", v.View.Symlink(c, dir, r, m), m)
}

func (v *view) Mknod(c *vfs.Cred, dir vfs.Handle, r *vfs.MknodArgs, m *vfs.Made) vfs.Status {
	m.Entry.Handle = vfs.Handle{}
	return v.made("Mknod", v.View.Mknod(c, dir, r, m), m)
}

func (v *view) Remove(c *vfs.Cred, dir vfs.Handle, name []byte, w *vfs.WCC) vfs.Status {
	const method = "Remove"
	s := v.status(method, v.View.Remove(c, dir, name, w))
	v.wcc(method, w, s)
	return s
}

func (v *view) Rmdir(c *vfs.Cred, dir vfs.Handle, name []byte, w *vfs.WCC) vfs.Status {
	const method = "Rmdir"
	s := v.status(method, v.View.Rmdir(c, dir, name, w))
	v.wcc(method, w, s)
	return s
}

func (v *view) Rename(c *vfs.Cred, r *vfs.RenameArgs, wf, wt *vfs.WCC) vfs.Status {
	const method = "Rename"
	s := v.status(method, v.View.Rename(c, r, wf, wt))
	v.wcc(method, wf, s)
	v.wcc(method, wt, s)
	return s
}

func (v *view) Link(c *vfs.Cred, r *vfs.LinkArgs, a *vfs.Attr, w *vfs.WCC) vfs.Status {
	const method = "Link"
	s := v.status(method, v.View.Link(c, r, a, w))
	v.attr(method, a, s)
	v.wcc(method, w, s)
	return s
}

// Walk may always wait, whatever the thread.
func (v *view) Walk(c *vfs.Cred, path string, e *vfs.Entry) vfs.Status {
	const method = "Walk"
	e.Handle = vfs.Handle{}
	s := v.status(method, v.View.Walk(c, path, e))
	if s == vfs.Again {
		return v.breach(method, "returned Again, although it always may wait")
	}
	return v.entry(method, e, s)
}
