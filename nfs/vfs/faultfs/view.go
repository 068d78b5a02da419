package faultfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

func (v *view) GetAttr(h vfs.Handle, a *vfs.Attr) vfs.Status {
	x := v.begin(GetAttr, nil, "")
	return v.run(&x, func() vfs.Status { return v.in.GetAttr(h, a) }, nil)
}

func (v *view) SetAttr(c *vfs.Cred, h vfs.Handle, set *vfs.SetAttr, w *vfs.WCC) vfs.Status {
	x := v.begin(SetAttr, c, "")
	return v.run(&x, func() vfs.Status { return v.in.SetAttr(c, h, set, w) }, func() { v.wcc(h, w) })
}

func (v *view) Access(
	c *vfs.Cred,
	h vfs.Handle,
	want vfs.Permission,
	a *vfs.Attr,
) (got vfs.Permission, s vfs.Status) {
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

func (v *view) Read(c *vfs.Cred, h vfs.Handle, r *vfs.ReadArgs, a *vfs.Attr) (n int, eof bool, s vfs.Status) {
	x := v.begin(Read, c, "")
	if m := x.rule.Short; m > 0 && m < len(r.Dst) {
		r = &vfs.ReadArgs{Off: r.Off, Dst: r.Dst[:m]}
	}
	s = v.run(&x, func() vfs.Status { n, eof, s = v.in.Read(c, h, r, a); return s }, func() { v.attr(h, a) })
	if s != vfs.OK {
		n, eof = 0, false
	}
	return n, eof, s
}

func (v *view) Write(
	c *vfs.Cred,
	h vfs.Handle,
	r *vfs.WriteArgs,
	w *vfs.WCC,
) (n int, got vfs.Stability, verf uint64, s vfs.Status) {
	lost := v.f.lost.Load() // the verifier that is in force at the beginning
	x := v.begin(Write, c, "")
	if x.rule.Short > 0 {
		r = &vfs.WriteArgs{Off: r.Off, Src: shorten(r.Src, x.rule.Short), How: r.How}
	}
	got, verf = r.How, v.f.in.Verifier()
	s = v.run(&x, func() vfs.Status {
		n, got, verf, s = v.in.Write(c, h, r, w)
		return s
	}, func() { v.wcc(h, w) })
	if s != vfs.OK {
		n = 0
	} else if r.How != vfs.Unstable {
		_ = v.th.Debts.Owe(&v.payer)
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

func (v *view) Commit(c *vfs.Cred, h vfs.Handle, r *vfs.CommitArgs, w *vfs.WCC) (verf uint64, s vfs.Status) {
	lost := v.f.lost.Load()
	x := v.begin(Commit, c, "")
	verf = v.f.in.Verifier()
	s = v.run(&x, func() vfs.Status { verf, s = v.in.Commit(c, h, r, w); return s }, func() { v.wcc(h, w) })
	return verf ^ lost, s
}

func (v *view) ReadLink(c *vfs.Cred, h vfs.Handle, dst []byte, a *vfs.Attr) (n int, s vfs.Status) {
	x := v.begin(ReadLink, c, "")
	s = v.run(&x, func() vfs.Status { n, s = v.in.ReadLink(c, h, dst, a); return s }, func() { v.attr(h, a) })
	return n, s
}

func (v *view) Lookup(c *vfs.Cred, dir vfs.Handle, name []byte, f *vfs.Found) vfs.Status {
	x := v.begin(Lookup, c, string(name))
	return v.run(&x, func() vfs.Status { return v.in.Lookup(c, dir, name, f) }, func() { v.attr(dir, f.Dir) })
}

func (v *view) Create(c *vfs.Cred, dir vfs.Handle, r *vfs.CreateArgs, m *vfs.Made) vfs.Status {
	x := v.begin(Create, c, string(r.Name))
	return v.run(&x, func() vfs.Status { return v.in.Create(c, dir, r, m) }, func() { v.wcc(dir, m.Dir) })
}

func (v *view) Mkdir(c *vfs.Cred, dir vfs.Handle, r *vfs.MkdirArgs, m *vfs.Made) vfs.Status {
	x := v.begin(Mkdir, c, string(r.Name))
	return v.run(&x, func() vfs.Status { return v.in.Mkdir(c, dir, r, m) }, func() { v.wcc(dir, m.Dir) })
}

func (v *view) Symlink(c *vfs.Cred, dir vfs.Handle, r *vfs.SymlinkArgs, m *vfs.Made) vfs.Status {
	x := v.begin(Symlink, c, string(r.Name))
	return v.run(&x, func() vfs.Status { return v.in.Symlink(c, dir, r, m) }, func() { v.wcc(dir, m.Dir) })
}

func (v *view) Mknod(c *vfs.Cred, dir vfs.Handle, r *vfs.MknodArgs, m *vfs.Made) vfs.Status {
	x := v.begin(Mknod, c, string(r.Name))
	return v.run(&x, func() vfs.Status { return v.in.Mknod(c, dir, r, m) }, func() { v.wcc(dir, m.Dir) })
}

func (v *view) Remove(c *vfs.Cred, dir vfs.Handle, name []byte, w *vfs.WCC) vfs.Status {
	x := v.begin(Remove, c, string(name))
	return v.run(&x, func() vfs.Status { return v.in.Remove(c, dir, name, w) }, func() { v.wcc(dir, w) })
}

func (v *view) Rmdir(c *vfs.Cred, dir vfs.Handle, name []byte, w *vfs.WCC) vfs.Status {
	x := v.begin(Rmdir, c, string(name))
	return v.run(&x, func() vfs.Status { return v.in.Rmdir(c, dir, name, w) }, func() { v.wcc(dir, w) })
}

func (v *view) Rename(c *vfs.Cred, r *vfs.RenameArgs, wf, wt *vfs.WCC) vfs.Status {
	x := v.begin(Rename, c, string(r.FromName))
	return v.run(&x, func() vfs.Status {
		return v.in.Rename(c, r, wf, wt)
	}, func() {
		v.wcc(r.From, wf)
		v.wcc(r.To, wt)
	})
}

func (v *view) Link(c *vfs.Cred, r *vfs.LinkArgs, a *vfs.Attr, w *vfs.WCC) vfs.Status {
	x := v.begin(Link, c, string(r.Name))
	return v.run(&x, func() vfs.Status { return v.in.Link(c, r, a, w) }, func() {
		v.attr(r.Object, a)
		v.wcc(r.Dir, w)
	})
}

func (v *view) Walk(c *vfs.Cred, path string, e *vfs.Entry) vfs.Status {
	x := v.begin(Walk, c, path)
	return v.run(&x, func() vfs.Status { return v.in.Walk(c, path, e) }, nil)
}

func (v *view) ReadDir(
	c *vfs.Cred,
	dir vfs.Handle,
	r *vfs.ReadDirArgs,
	d *vfs.Attr,
) (newVerf uint64, eof bool, s vfs.Status) {
	x := v.begin(ReadDir, c, "")
	s = v.run(&x, func() vfs.Status {
		newVerf, eof, s = v.in.ReadDir(c, dir, r, d)
		return s
	}, func() { v.attr(dir, d) })
	return newVerf, eof, s
}
