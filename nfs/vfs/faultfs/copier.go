package faultfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

// copier is the ability to copy, with faults. What is copied from is lent with faults as well.
type copier struct {
	view *view
	in   vfs.Copier
}

func (x *copier) Clone(c *vfs.Cred, h vfs.Handle, r *vfs.CopyArgs, w *vfs.WCC) vfs.Status {
	v := x.view
	call := v.begin(Clone, c, "")
	return v.run(&call, func() vfs.Status { return x.in.Clone(c, h, r, w) }, func() { v.wcc(h, w) })
}

func (x *copier) Copy(c *vfs.Cred, h vfs.Handle, r *vfs.CopyArgs, w *vfs.WCC) (n, verf uint64, s vfs.Status) {
	v := x.view
	lost := v.f.lost.Load()
	call := v.begin(Copy, c, "")
	if m := uint64(call.rule.Short); m > 0 && (r.Len == 0 || m < r.Len) {
		short := *r
		short.Len = m
		r = &short
	}
	verf = v.f.in.Verifier()
	s = v.run(
		&call,
		func() vfs.Status { n, verf, s = x.in.Copy(c, h, r, w); return s },
		func() { v.wcc(h, w) },
	)
	if s != vfs.OK {
		n = 0
	}
	return n, verf ^ lost, s
}

func (x *copier) Lend(c *vfs.Cred, h vfs.Handle, use func(from any, size uint64) vfs.Status) vfs.Status {
	v := x.view
	call := v.begin(Lend, c, "")
	return v.run(&call, func() vfs.Status { return x.in.Lend(c, h, use) }, nil)
}
