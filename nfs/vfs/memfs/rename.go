package memfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

// Link implements vfs.View.
func (v *view) Link(c *vfs.Cred, r *vfs.LinkArgs, a *vfs.Attr, w *vfs.WCC) vfs.Status {
	h, dir, name := r.Object, r.Dir, r.Name
	t := v.t
	a.Mask = 0
	var n *inode
	s := v.change(c, &dir, name, w, func(d, child *inode) vfs.Status {
		var s vfs.Status
		if n, s = t.get(&h); s != vfs.OK {
			return s
		}
		switch {
		case child != nil:
			return vfs.Exist
		case n.typ == vfs.TypeDir:
			return vfs.Perm
		case n.nlink == 0: // it is held, and stays without a name
			return vfs.NoEnt
		case n.nlink >= t.c.LinkMax:
			return vfs.MLink
		}
		if s := d.mayChange(c); s != vfs.OK {
			return s
		}
		if !t.charge(entryLen(name)) {
			return vfs.NoSpc
		}
		t.enter(d, name, n)
		n.ctime = t.now()
		return vfs.OK
	})
	t.mu.RLock()
	defer t.mu.RUnlock()
	if n, found := t.get(&h); found == vfs.OK {
		t.attr(n, a)
	}
	return s
}

// Rename implements vfs.View.
func (v *view) Rename(c *vfs.Cred, r *vfs.RenameArgs, wf, wt *vfs.WCC) vfs.Status {
	from, fromName, to, toName := r.From, r.FromName, r.To, r.ToName
	t := v.t
	defer v.kept()
	t.mu.Lock()
	defer t.mu.Unlock()
	*wf, *wt = vfs.WCC{}, vfs.WCC{}
	df, sf := t.getDir(&from)
	if df != nil {
		t.before(df, wf)
		defer t.after(df, wf)
	}
	dt, st := t.getDir(&to)
	if dt != nil {
		t.before(dt, wt)
		defer t.after(dt, wt)
	}
	for _, s := range []vfs.Status{sf, st, checkName(fromName), checkName(toName)} {
		if s != vfs.OK {
			return s
		}
	}
	if t.readOnly.Load() {
		return vfs.ROFS
	}
	return v.rename(c, df, fromName, dt, toName)
}

// rename moves an entry from the directory df to dt. t.mu is held.
func (v *view) rename(c *vfs.Cred, df *inode, fromName []byte, dt *inode, toName []byte) vfs.Status {
	t := v.t
	n, s := df.lookup(c, fromName)
	if s != vfs.OK {
		return s
	}
	old, s := dt.lookup(c, toName)
	if s != vfs.OK && s != vfs.NoEnt {
		return s
	}
	if n.typ == vfs.TypeDir && t.isWithin(dt, n) {
		return vfs.Inval
	}
	if old == n {
		return vfs.OK // both names are of one object: POSIX wants nothing to happen
	}
	if s := df.mayDelete(c, n); s != vfs.OK {
		return s
	}
	if old == nil {
		s = dt.mayChange(c)
	} else {
		s = dt.mayDelete(c, old)
	}
	if s != vfs.OK {
		return s
	}
	if s := mayReplace(n, old); s != vfs.OK {
		return s
	}
	if n.typ == vfs.TypeDir && df != dt {
		// The rename changes its "..".
		if !n.may(c, vfs.MayWrite) {
			return vfs.Access
		}
		if old == nil && dt.nlink >= t.c.LinkMax {
			return vfs.MLink
		}
	}

	// The refund for the old name pays for the new one, as far as it reaches.
	if old == nil && entryLen(toName) > entryLen(fromName) &&
		t.c.BytesMax-t.used < entryLen(toName)-entryLen(fromName) {
		return vfs.NoSpc
	}
	t.leave(df, fromName, n)
	if old != nil {
		if old.typ == vfs.TypeDir {
			dt.nlink--
		}
		v.keep(old)
		t.unlink(old)
	} else {
		t.charge(entryLen(toName))
	}
	links := n.nlink
	t.enter(dt, toName, n)
	n.nlink = links
	n.ctime = t.now()
	return vfs.OK
}

// mayReplace says whether n may take the place of old, which can be nil.
func mayReplace(n, old *inode) vfs.Status {
	switch {
	case old == nil:
	case n.typ == vfs.TypeDir && old.typ != vfs.TypeDir:
		return vfs.NotDir
	case n.typ != vfs.TypeDir && old.typ == vfs.TypeDir:
		return vfs.IsDir
	case old.typ == vfs.TypeDir && len(old.dir.byName) != 0:
		return vfs.NotEmpty
	}
	return vfs.OK
}

// isWithin reports whether the directory n is dir or lies below it.
func (t *tree) isWithin(n, dir *inode) bool {
	for ; n != t.root; n = n.parent {
		if n == dir {
			return true
		}
	}
	return dir == t.root
}
