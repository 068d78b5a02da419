package faultfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

func (v *view) GetAttr(h vfs.Handle, a *vfs.Attr) vfs.Status {
	x := v.begin(GetAttr, nil, "")
	return v.run(&x, func() vfs.Status { return v.in.GetAttr(h, a) }, nil)
}

func (v *view) SetAttr(c *vfs.Cred, h vfs.Handle, set *vfs.SetAttr, guard *vfs.Time, w *vfs.WCC) vfs.Status {
	x := v.begin(SetAttr, c, "")
	return v.run(&x, func() vfs.Status { return v.in.SetAttr(c, h, set, guard, w) }, func() { v.wcc(h, w) })
}

func (v *view) Access(c *vfs.Cred, h vfs.Handle, want vfs.Permission, a *vfs.Attr) (got vfs.Permission, s vfs.Status) {
	x := v.begin(Access, c, "")
	s = v.run(&x, func() vfs.Status { got, s = v.in.Access(c, h, want, a); return s }, nil)
	return got, s
}

func (v *view) Statfs(c *vfs.Cred, h vfs.Handle, fs *vfs.Statfs) vfs.Status {
	x := v.begin(Statfs, c, "")
	return v.run(&x, func() vfs.Status { return v.in.Statfs(c, h, fs) }, nil)
}

func (v *view) PathConf(h vfs.Handle, l *vfs.Limits) vfs.Status {
	x := v.begin(PathConf, nil, "")
	return v.run(&x, func() vfs.Status { return v.in.PathConf(h, l) }, nil)
}

func (v *view) Read(c *vfs.Cred, h vfs.Handle, off uint64, dst []byte, a *vfs.Attr) (n int, eof bool, s vfs.Status) {
	x := v.begin(Read, c, "")
	if m := x.rule.Short; m > 0 && m < len(dst) {
		dst = dst[:m]
	}
	s = v.run(&x, func() vfs.Status { n, eof, s = v.in.Read(c, h, off, dst, a); return s }, func() { v.attr(h, a) })
	if s != vfs.OK {
		n, eof = 0, false
	}
	return n, eof, s
}

func (v *view) Write(c *vfs.Cred, h vfs.Handle, off uint64, src [][]byte, how vfs.Stability, w *vfs.WCC) (n int, got vfs.Stability, verf uint64, s vfs.Status) {
	lost := v.f.lost.Load() // the verifier is the one in force at the beginning
	x := v.begin(Write, c, "")
	if x.rule.Short > 0 {
		src = shorten(src, x.rule.Short)
	}
	got, verf = how, v.f.in.Verifier()
	s = v.run(&x, func() vfs.Status { n, got, verf, s = v.in.Write(c, h, off, src, how, w); return s }, func() { v.wcc(h, w) })
	if s != vfs.OK {
		n = 0
	}
	return n, got, verf ^ lost, s
}

// shorten returns the first n bytes of src.
func shorten(src [][]byte, n int) [][]byte {
	var out [][]byte
	for _, b := range src {
		if len(b) > n {
			b = b[:n]
		}
		out = append(out, b)
		n -= len(b)
	}
	return out
}

func (v *view) Commit(c *vfs.Cred, h vfs.Handle, off uint64, count uint32, w *vfs.WCC) (verf uint64, s vfs.Status) {
	lost := v.f.lost.Load()
	x := v.begin(Commit, c, "")
	verf = v.f.in.Verifier()
	s = v.run(&x, func() vfs.Status { verf, s = v.in.Commit(c, h, off, count, w); return s }, func() { v.wcc(h, w) })
	return verf ^ lost, s
}

func (v *view) ReadLink(c *vfs.Cred, h vfs.Handle, dst []byte, a *vfs.Attr) (n int, s vfs.Status) {
	x := v.begin(ReadLink, c, "")
	s = v.run(&x, func() vfs.Status { n, s = v.in.ReadLink(c, h, dst, a); return s }, func() { v.attr(h, a) })
	return n, s
}

func (v *view) Lookup(c *vfs.Cred, dir vfs.Handle, name []byte, e *vfs.Entry, d *vfs.Attr) vfs.Status {
	x := v.begin(Lookup, c, string(name))
	return v.run(&x, func() vfs.Status { return v.in.Lookup(c, dir, name, e, d) }, func() { v.attr(dir, d) })
}

func (v *view) Create(c *vfs.Cred, dir vfs.Handle, name []byte, how vfs.CreateHow, set *vfs.SetAttr, verf uint64, e *vfs.Entry, w *vfs.WCC) vfs.Status {
	x := v.begin(Create, c, string(name))
	return v.run(&x, func() vfs.Status { return v.in.Create(c, dir, name, how, set, verf, e, w) }, func() { v.wcc(dir, w) })
}

func (v *view) Mkdir(c *vfs.Cred, dir vfs.Handle, name []byte, set *vfs.SetAttr, e *vfs.Entry, w *vfs.WCC) vfs.Status {
	x := v.begin(Mkdir, c, string(name))
	return v.run(&x, func() vfs.Status { return v.in.Mkdir(c, dir, name, set, e, w) }, func() { v.wcc(dir, w) })
}

func (v *view) Symlink(c *vfs.Cred, dir vfs.Handle, name, target []byte, set *vfs.SetAttr, e *vfs.Entry, w *vfs.WCC) vfs.Status {
	x := v.begin(Symlink, c, string(name))
	return v.run(&x, func() vfs.Status { return v.in.Symlink(c, dir, name, target, set, e, w) }, func() { v.wcc(dir, w) })
}

func (v *view) Mknod(c *vfs.Cred, dir vfs.Handle, name []byte, typ vfs.FileType, major, minor uint32, set *vfs.SetAttr, e *vfs.Entry, w *vfs.WCC) vfs.Status {
	x := v.begin(Mknod, c, string(name))
	return v.run(&x, func() vfs.Status { return v.in.Mknod(c, dir, name, typ, major, minor, set, e, w) }, func() { v.wcc(dir, w) })
}

func (v *view) Remove(c *vfs.Cred, dir vfs.Handle, name []byte, w *vfs.WCC) vfs.Status {
	x := v.begin(Remove, c, string(name))
	return v.run(&x, func() vfs.Status { return v.in.Remove(c, dir, name, w) }, func() { v.wcc(dir, w) })
}

func (v *view) Rmdir(c *vfs.Cred, dir vfs.Handle, name []byte, w *vfs.WCC) vfs.Status {
	x := v.begin(Rmdir, c, string(name))
	return v.run(&x, func() vfs.Status { return v.in.Rmdir(c, dir, name, w) }, func() { v.wcc(dir, w) })
}

func (v *view) Rename(c *vfs.Cred, from vfs.Handle, fromName []byte, to vfs.Handle, toName []byte, wf, wt *vfs.WCC) vfs.Status {
	x := v.begin(Rename, c, string(fromName))
	return v.run(&x, func() vfs.Status { return v.in.Rename(c, from, fromName, to, toName, wf, wt) }, func() {
		v.wcc(from, wf)
		v.wcc(to, wt)
	})
}

func (v *view) Link(c *vfs.Cred, h vfs.Handle, dir vfs.Handle, name []byte, a *vfs.Attr, w *vfs.WCC) vfs.Status {
	x := v.begin(Link, c, string(name))
	return v.run(&x, func() vfs.Status { return v.in.Link(c, h, dir, name, a, w) }, func() {
		v.attr(h, a)
		v.wcc(dir, w)
	})
}

func (v *view) Walk(c *vfs.Cred, path string, e *vfs.Entry) vfs.Status {
	x := v.begin(Walk, c, path)
	return v.run(&x, func() vfs.Status { return v.in.Walk(c, path, e) }, nil)
}

func (v *view) ReadDir(c *vfs.Cred, dir vfs.Handle, cookie, verf uint64, plus bool, d *vfs.Attr, yield func(*vfs.DirEntry) bool) (newVerf uint64, eof bool, s vfs.Status) {
	x := v.begin(ReadDir, c, "")
	s = v.run(&x, func() vfs.Status { newVerf, eof, s = v.in.ReadDir(c, dir, cookie, verf, plus, d, yield); return s }, func() { v.attr(dir, d) })
	return newVerf, eof, s
}
