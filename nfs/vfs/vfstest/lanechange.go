package vfstest

import "github.com/ringnfs/ringnfs/nfs/vfs"

// The operations that change something run once: on the lane, or, if the lane returns Again, on the
// worker. If the lane had done something in spite of Again, the worker's result would be wrong, as
// after a second MKDIR.

func (l *laneFirst) SetAttr(c *vfs.Cred, h vfs.Handle, set *vfs.SetAttr, w *vfs.WCC) (s vfs.Status) {
	lw := poisonWCC
	l.lane.run(c, func(c *vfs.Cred) { s = l.lane.v.SetAttr(c, h, set, &lw) })
	if s == vfs.Again {
		l.untouched("SetAttr", poisonWCC, lw)
		return l.worker.SetAttr(c, h, set, w)
	}
	*w = lw
	return s
}

func (l *laneFirst) Write(
	c *vfs.Cred,
	h vfs.Handle,
	r *vfs.WriteArgs,
	w *vfs.WCC,
) (n int, got vfs.Stability, verf uint64, s vfs.Status) {
	lw := poisonWCC
	l.lane.run(c, func(c *vfs.Cred) {
		n, got, verf, s = l.lane.v.Write(c, h, r, &lw)
	})
	if s == vfs.Again {
		l.untouched("Write", poisonWCC, lw)
		return l.worker.Write(c, h, r, w)
	}
	*w = lw
	return n, got, verf, s
}

func (l *laneFirst) Commit(
	c *vfs.Cred,
	h vfs.Handle,
	r *vfs.CommitArgs,
	w *vfs.WCC,
) (verf uint64, s vfs.Status) {
	lw := poisonWCC
	l.lane.run(c, func(c *vfs.Cred) { verf, s = l.lane.v.Commit(c, h, r, &lw) })
	if s == vfs.Again {
		l.untouched("Commit", poisonWCC, lw)
		return l.worker.Commit(c, h, r, w)
	}
	*w = lw
	return verf, s
}

// made runs an operation that makes an entry.
func (l *laneFirst) made(
	method string,
	c *vfs.Cred,
	e *vfs.Entry,
	w *vfs.WCC,
	do func(v vfs.View, c *vfs.Cred, e *vfs.Entry, w *vfs.WCC) vfs.Status,
) (s vfs.Status) {
	le, lw := poisonEntry, poisonWCC
	l.lane.run(c, func(c *vfs.Cred) { s = do(l.lane.v, c, &le, &lw) })
	if s == vfs.Again {
		l.untouched(method, poisonEntry, le, poisonWCC, lw)
		return do(l.worker, c, e, w)
	}
	*e, *w = le, lw
	return s
}

func (l *laneFirst) Create(c *vfs.Cred, dir vfs.Handle, r *vfs.CreateArgs, m *vfs.Made) vfs.Status {
	e, w := m.Entry, m.Dir
	return l.made("Create", c, e, w, func(v vfs.View, c *vfs.Cred, e *vfs.Entry, w *vfs.WCC) vfs.Status {
		return v.Create(c, dir, r, &vfs.Made{Entry: e, Dir: w})
	})
}

func (l *laneFirst) Mkdir(c *vfs.Cred, dir vfs.Handle, r *vfs.MkdirArgs, m *vfs.Made) vfs.Status {
	e, w := m.Entry, m.Dir
	return l.made("Mkdir", c, e, w, func(v vfs.View, c *vfs.Cred, e *vfs.Entry, w *vfs.WCC) vfs.Status {
		return v.Mkdir(c, dir, r, &vfs.Made{Entry: e, Dir: w})
	})
}

func (l *laneFirst) Symlink(c *vfs.Cred, dir vfs.Handle, r *vfs.SymlinkArgs, m *vfs.Made) vfs.Status {
	e, w := m.Entry, m.Dir
	return l.made("Symlink", c, e, w, func(v vfs.View, c *vfs.Cred, e *vfs.Entry, w *vfs.WCC) vfs.Status {
		return v.Symlink(c, dir, r, &vfs.Made{Entry: e, Dir: w})
	})
}

func (l *laneFirst) Mknod(c *vfs.Cred, dir vfs.Handle, r *vfs.MknodArgs, m *vfs.Made) vfs.Status {
	e, w := m.Entry, m.Dir
	return l.made("Mknod", c, e, w, func(v vfs.View, c *vfs.Cred, e *vfs.Entry, w *vfs.WCC) vfs.Status {
		return v.Mknod(c, dir, r, &vfs.Made{Entry: e, Dir: w})
	})
}

// removed runs an operation that removes an entry.
func (l *laneFirst) removed(
	method string,
	c *vfs.Cred,
	w *vfs.WCC,
	do func(v vfs.View, c *vfs.Cred, w *vfs.WCC) vfs.Status,
) (s vfs.Status) {
	lw := poisonWCC
	l.lane.run(c, func(c *vfs.Cred) { s = do(l.lane.v, c, &lw) })
	if s == vfs.Again {
		l.untouched(method, poisonWCC, lw)
		return do(l.worker, c, w)
	}
	*w = lw
	return s
}

func (l *laneFirst) Remove(c *vfs.Cred, dir vfs.Handle, name []byte, w *vfs.WCC) vfs.Status {
	return l.removed(
		"Remove",
		c,
		w,
		func(v vfs.View, c *vfs.Cred, w *vfs.WCC) vfs.Status { return v.Remove(c, dir, name, w) },
	)
}

func (l *laneFirst) Rmdir(c *vfs.Cred, dir vfs.Handle, name []byte, w *vfs.WCC) vfs.Status {
	return l.removed(
		"Rmdir",
		c,
		w,
		func(v vfs.View, c *vfs.Cred, w *vfs.WCC) vfs.Status { return v.Rmdir(c, dir, name, w) },
	)
}

func (l *laneFirst) Rename(c *vfs.Cred, r *vfs.RenameArgs, wf, wt *vfs.WCC) (s vfs.Status) {
	lwf, lwt := poisonWCC, poisonWCC
	l.lane.run(c, func(c *vfs.Cred) {
		s = l.lane.v.Rename(c, r, &lwf, &lwt)
	})
	if s == vfs.Again {
		l.untouched("Rename", poisonWCC, lwf, poisonWCC, lwt)
		return l.worker.Rename(c, r, wf, wt)
	}
	*wf, *wt = lwf, lwt
	return s
}

func (l *laneFirst) Link(c *vfs.Cred, r *vfs.LinkArgs, a *vfs.Attr, w *vfs.WCC) (s vfs.Status) {
	la, lw := poisonAttr, poisonWCC
	l.lane.run(c, func(c *vfs.Cred) { s = l.lane.v.Link(c, r, &la, &lw) })
	if s == vfs.Again {
		l.untouched("Link", poisonAttr, la, poisonWCC, lw)
		return l.worker.Link(c, r, a, w)
	}
	*a, *w = la, lw
	return s
}
