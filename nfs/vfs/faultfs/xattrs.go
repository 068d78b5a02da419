package faultfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

// xattrs is the ability to keep extended attributes, with faults.
type xattrs struct {
	view *view
	in   vfs.Xattrs
}

func (x *xattrs) GetXattr(c *vfs.Cred, h vfs.Handle, name, dst []byte) (n int, s vfs.Status) {
	v := x.view
	call := v.begin(GetXattr, c, string(name))
	s = v.run(&call, func() vfs.Status { n, s = x.in.GetXattr(c, h, name, dst); return s }, nil)
	return n, s
}

func (x *xattrs) SetXattr(c *vfs.Cred, h vfs.Handle, r *vfs.XattrArgs, w *vfs.WCC) vfs.Status {
	v := x.view
	call := v.begin(SetXattr, c, string(r.Name))
	return v.run(&call, func() vfs.Status { return x.in.SetXattr(c, h, r, w) }, func() { v.wcc(h, w) })
}

func (x *xattrs) ListXattrs(c *vfs.Cred, h vfs.Handle, yield func(name []byte) bool) vfs.Status {
	v := x.view
	call := v.begin(ListXattrs, c, "")
	return v.run(&call, func() vfs.Status { return x.in.ListXattrs(c, h, yield) }, nil)
}

func (x *xattrs) RemoveXattr(c *vfs.Cred, h vfs.Handle, name []byte, w *vfs.WCC) vfs.Status {
	v := x.view
	call := v.begin(RemoveXattr, c, string(name))
	return v.run(&call, func() vfs.Status { return x.in.RemoveXattr(c, h, name, w) }, func() { v.wcc(h, w) })
}
