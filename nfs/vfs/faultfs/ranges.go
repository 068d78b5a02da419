package faultfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

// ranges is the ability to keep files with holes, with faults.
type ranges struct {
	view *view
	in   vfs.Ranges
}

func (x *ranges) Allocate(c *vfs.Cred, h vfs.Handle, r *vfs.RangeArgs, w *vfs.WCC) vfs.Status {
	v := x.view
	call := v.begin(Allocate, c, "")
	return v.run(&call, func() vfs.Status { return x.in.Allocate(c, h, r, w) }, func() { v.wcc(h, w) })
}

func (x *ranges) Deallocate(c *vfs.Cred, h vfs.Handle, r *vfs.RangeArgs, w *vfs.WCC) vfs.Status {
	v := x.view
	call := v.begin(Deallocate, c, "")
	return v.run(&call, func() vfs.Status { return x.in.Deallocate(c, h, r, w) }, func() { v.wcc(h, w) })
}

func (x *ranges) Seek(c *vfs.Cred, h vfs.Handle, r *vfs.SeekArgs, a *vfs.Attr) (at uint64, s vfs.Status) {
	v := x.view
	call := v.begin(Seek, c, "")
	s = v.run(&call, func() vfs.Status { at, s = x.in.Seek(c, h, r, a); return s }, func() { v.attr(h, a) })
	return at, s
}

func (x *ranges) WillNeed(c *vfs.Cred, h vfs.Handle, r *vfs.RangeArgs) vfs.Status {
	v := x.view
	call := v.begin(WillNeed, c, "")
	return v.run(&call, func() vfs.Status { return x.in.WillNeed(c, h, r) }, nil)
}
