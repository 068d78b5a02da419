package checkfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

// Each method below clears the handle that it is to fill: one left over from
// another call must not go out as this one's.

func (v *view) Lookup(c *vfs.Cred, dir vfs.Handle, name []byte, e *vfs.Entry, d *vfs.Attr) vfs.Status {
	const method = "Lookup"
	e.Handle = vfs.Handle{}
	s := v.status(method, v.View.Lookup(c, dir, name, e, d))
	v.attr(method, d, s)
	return v.entry(method, e, s)
}

// made judges what Create, Mkdir, Symlink or Mknod has made.
func (v *view) made(method string, s vfs.Status, e *vfs.Entry, w *vfs.WCC) vfs.Status {
	s = v.status(method, s)
	v.wcc(method, w, s)
	return v.entry(method, e, s)
}

func (v *view) Create(c *vfs.Cred, dir vfs.Handle, name []byte, how vfs.CreateHow, set *vfs.SetAttr, verf uint64, e *vfs.Entry, w *vfs.WCC) vfs.Status {
	e.Handle = vfs.Handle{}
	return v.made("Create", v.View.Create(c, dir, name, how, set, verf, e, w), e, w)
}

func (v *view) Mkdir(c *vfs.Cred, dir vfs.Handle, name []byte, set *vfs.SetAttr, e *vfs.Entry, w *vfs.WCC) vfs.Status {
	e.Handle = vfs.Handle{}
	return v.made("Mkdir", v.View.Mkdir(c, dir, name, set, e, w), e, w)
}

func (v *view) Symlink(c *vfs.Cred, dir vfs.Handle, name, target []byte, set *vfs.SetAttr, e *vfs.Entry, w *vfs.WCC) vfs.Status {
	e.Handle = vfs.Handle{}
	return v.made("Symlink", v.View.Symlink(c, dir, name, target, set, e, w), e, w)
}

func (v *view) Mknod(c *vfs.Cred, dir vfs.Handle, name []byte, t vfs.FileType, major, minor uint32, set *vfs.SetAttr, e *vfs.Entry, w *vfs.WCC) vfs.Status {
	e.Handle = vfs.Handle{}
	return v.made("Mknod", v.View.Mknod(c, dir, name, t, major, minor, set, e, w), e, w)
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

func (v *view) Rename(c *vfs.Cred, from vfs.Handle, fromName []byte, to vfs.Handle, toName []byte, wf, wt *vfs.WCC) vfs.Status {
	const method = "Rename"
	s := v.status(method, v.View.Rename(c, from, fromName, to, toName, wf, wt))
	v.wcc(method, wf, s)
	v.wcc(method, wt, s)
	return s
}

func (v *view) Link(c *vfs.Cred, h, dir vfs.Handle, name []byte, a *vfs.Attr, w *vfs.WCC) vfs.Status {
	const method = "Link"
	s := v.status(method, v.View.Link(c, h, dir, name, a, w))
	v.attr(method, a, s)
	v.wcc(method, w, s)
	return s
}

// Walk always may wait, whatever the thread.
func (v *view) Walk(c *vfs.Cred, path string, e *vfs.Entry) vfs.Status {
	const method = "Walk"
	e.Handle = vfs.Handle{}
	s := v.status(method, v.View.Walk(c, path, e))
	if s == vfs.Again {
		return v.breach(method, "returned Again, although it always may wait")
	}
	return v.entry(method, e, s)
}
