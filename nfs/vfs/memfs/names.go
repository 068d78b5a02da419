package memfs

import (
	"bytes"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Lookup implements vfs.View.
func (v *view) Lookup(c *vfs.Cred, dir vfs.Handle, name []byte, f *vfs.Found) vfs.Status {
	e, d := f.Entry, f.Dir
	t := v.t
	t.mu.RLock()
	defer t.mu.RUnlock()
	d.Mask = 0
	n, s := t.get(&dir)
	if s != vfs.OK {
		return s
	}
	t.attr(n, d)
	child, s := n.lookup(c, name)
	if s == vfs.OK {
		t.entry(child, e)
	}
	return s
}

// lookup finds a name, also "." and "..", in n. tree.mu is held.
func (n *inode) lookup(c *vfs.Cred, name []byte) (*inode, vfs.Status) {
	switch {
	case n.typ != vfs.TypeDir:
		return nil, vfs.NotDir
	case !n.may(c, vfs.MayExec):
		return nil, vfs.Access
	case string(name) == ".":
		return n, vfs.OK
	case string(name) == "..":
		return n.parent, vfs.OK
	case len(name) > nameMax:
		return nil, vfs.NameTooLong
	}
	if child := n.dir.find(name); child != nil {
		return child, vfs.OK
	}
	return nil, vfs.NoEnt
}

// change is the frame of every operation on one entry of one directory. It takes the lock, finds
// the directory, fills in w and makes the checks that all such operations need. It calls do only if
// the directory can be searched and changed at all.
func (v *view) change(
	c *vfs.Cred,
	dir *vfs.Handle,
	name []byte,
	w *vfs.WCC,
	do func(n, child *inode) vfs.Status,
) vfs.Status {
	t := v.t
	t.mu.Lock()
	defer t.mu.Unlock()
	*w = vfs.WCC{}
	n, s := t.get(dir)
	if s != vfs.OK {
		return s
	}
	t.before(n, w)
	defer t.after(n, w)
	switch {
	case n.typ != vfs.TypeDir:
		return vfs.NotDir
	case t.readOnly.Load():
		return vfs.ROFS
	}
	if s := checkName(name); s != vfs.OK {
		return s
	}
	child, s := n.lookup(c, name)
	if s != vfs.OK && s != vfs.NoEnt {
		return s
	}
	return do(n, child)
}

// checkName refuses a name that no directory entry can have. Callers have checked names, but a bad
// one would break the tree.
func checkName(name []byte) vfs.Status {
	switch {
	case len(name) > nameMax:
		return vfs.NameTooLong
	case len(name) == 0 || string(name) == "." || string(name) == ".." || bytes.ContainsAny(name, "/\x00"):
		return vfs.Inval
	}
	return vfs.OK
}

// enter gives child a name in n. The caller has charged for the entry. t.mu is held.
func (t *tree) enter(n *inode, name []byte, child *inode) {
	n.dir.put(string(name), child)
	if child.typ == vfs.TypeDir {
		child.nlink, child.parent = 2, n
		n.nlink++
	} else {
		child.nlink++
	}
	n.mtime = t.now()
	n.ctime = n.mtime
}

// leave takes a name out of n, and does nothing to the object. t.mu is held.
func (t *tree) leave(n *inode, name []byte, child *inode) {
	n.dir.drop(string(name))
	t.refund(entryLen(name))
	if child.typ == vfs.TypeDir {
		n.nlink--
	}
	n.mtime = t.now()
	n.ctime = n.mtime
}

// entryLen is how many bytes of the budget an entry costs.
func entryLen(name []byte) uint64 { return entryCost + uint64(len(name)) }

// create makes an object under a name that is free in n. t.mu is held.
func (t *tree) create(
	c *vfs.Cred,
	n *inode,
	name []byte,
	typ vfs.FileType,
	set *vfs.SetAttr,
	extra uint64,
) (*inode, vfs.Status) {
	if s := n.mayChange(c); s != vfs.OK {
		return nil, s
	}
	if typ == vfs.TypeDir && n.nlink >= t.c.LinkMax {
		return nil, vfs.MLink
	}
	cost := entryLen(name) + extra
	if !t.charge(cost) {
		return nil, vfs.NoSpc
	}
	child, s := t.newInode(typ, c, 0, n)
	if s != vfs.OK {
		t.refund(cost)
		return nil, s
	}
	if set != nil {
		if typ != vfs.TypeReg && set.HasSize {
			// Only a file's size can be chosen.
			only := *set
			only.HasSize = false
			set = &only
		}
		inherited := child.mode & setGID
		if s := t.maySet(c, child, set); s != vfs.OK {
			delete(t.nodes, child.ino)
			t.refund(cost + nodeCost)
			return nil, s
		}
		t.apply(c, child, set)
		child.mode |= inherited
	}
	t.enter(n, name, child)
	return child, vfs.OK
}

// Create implements vfs.View.
func (v *view) Create(c *vfs.Cred, dir vfs.Handle, r *vfs.CreateArgs, m *vfs.Made) vfs.Status {
	name, how, set, verf := r.Name, r.How, r.Set, r.Verf
	e, w := m.Entry, m.Dir
	t := v.t
	return v.change(c, &dir, name, w, func(n, child *inode) vfs.Status {
		switch {
		case child == nil:
			if how == vfs.Exclusive {
				set = &vfs.SetAttr{HasMode: true, Mode: r.Mode & 0o777}
			}
			var s vfs.Status
			if child, s = t.create(c, n, name, vfs.TypeReg, set, 0); s != vfs.OK {
				return s
			}
			child.madeBy, child.madeExc = verf, how == vfs.Exclusive
		case child.typ != vfs.TypeReg || how == vfs.Guarded:
			return vfs.Exist
		case how == vfs.Exclusive:
			if !child.madeExc || child.madeBy != verf {
				return vfs.Exist
			}
		case set.HasSize:
			size := vfs.SetAttr{HasSize: true, Size: set.Size}
			if s := t.maySet(c, child, &size); s != vfs.OK {
				return s
			}
			t.apply(c, child, &size)
		}
		t.entry(child, e)
		return vfs.OK
	})
}

// make is the common part of all operations that make an object under a free name. prepare sets
// what is special about the object; extra is the cost of that.
func (v *view) make(
	c *vfs.Cred,
	dir *vfs.Handle,
	name []byte,
	typ vfs.FileType,
	set *vfs.SetAttr,
	extra int,
	prepare func(*inode),
	e *vfs.Entry,
	w *vfs.WCC,
) vfs.Status {
	return v.change(c, dir, name, w, func(n, child *inode) vfs.Status {
		if child != nil {
			return vfs.Exist
		}
		child, s := v.t.create(c, n, name, typ, set, uint64(extra))
		if s != vfs.OK {
			return s
		}
		if prepare != nil {
			prepare(child)
		}
		v.t.entry(child, e)
		return vfs.OK
	})
}

// Mkdir implements vfs.View.
func (v *view) Mkdir(c *vfs.Cred, dir vfs.Handle, r *vfs.MkdirArgs, m *vfs.Made) vfs.Status {
	name, set := r.Name, r.Set
	e, w := m.Entry, m.Dir
	return v.make(c, &dir, name, vfs.TypeDir, set, 0, nil, e, w)
}

// Symlink implements vfs.View.
func (v *view) Symlink(c *vfs.Cred, dir vfs.Handle, r *vfs.SymlinkArgs, m *vfs.Made) vfs.Status {
	name, target, set := r.Name, r.Target, r.Set
	e, w := m.Entry, m.Dir
	target = bytes.Clone(target)
	return v.make(c, &dir, name, vfs.TypeLnk, set, len(target), func(n *inode) {
		n.target, n.mode = target, 0o777
	}, e, w)
}

// Mknod implements vfs.View.
func (v *view) Mknod(c *vfs.Cred, dir vfs.Handle, r *vfs.MknodArgs, m *vfs.Made) vfs.Status {
	name, typ, major, minor, set := r.Name, r.Type, r.Major, r.Minor, r.Set
	e, w := m.Entry, m.Dir
	device := typ == vfs.TypeBlk || typ == vfs.TypeChr
	refuse := vfs.OK
	switch {
	case !device && typ != vfs.TypeSock && typ != vfs.TypeFifo:
		refuse = vfs.BadType
	case device && c.UID != 0:
		refuse = vfs.Perm
	}
	if refuse != vfs.OK {
		return v.change(c, &dir, name, w, func(_, child *inode) vfs.Status {
			if child != nil {
				return vfs.Exist
			}
			return refuse
		})
	}
	return v.make(c, &dir, name, typ, set, 0, func(n *inode) {
		if device {
			n.major, n.minor = major, minor
		}
	}, e, w)
}

// Remove implements vfs.View.
func (v *view) Remove(c *vfs.Cred, dir vfs.Handle, name []byte, w *vfs.WCC) vfs.Status {
	defer v.kept()
	return v.change(c, &dir, name, w, func(n, child *inode) vfs.Status {
		if child == nil {
			return vfs.NoEnt
		}
		if s := n.mayDelete(c, child); s != vfs.OK {
			return s
		}
		if child.typ == vfs.TypeDir {
			return vfs.IsDir
		}
		v.keep(child)
		v.t.leave(n, name, child)
		v.t.unlink(child)
		return vfs.OK
	})
}

// Rmdir implements vfs.View.
func (v *view) Rmdir(c *vfs.Cred, dir vfs.Handle, name []byte, w *vfs.WCC) vfs.Status {
	return v.change(c, &dir, name, w, func(n, child *inode) vfs.Status {
		if child == nil {
			return vfs.NoEnt
		}
		if s := n.mayDelete(c, child); s != vfs.OK {
			return s
		}
		switch {
		case child.typ != vfs.TypeDir:
			return vfs.NotDir
		case len(child.dir.byName) != 0:
			return vfs.NotEmpty
		}
		v.t.leave(n, name, child)
		v.t.unlink(child)
		return vfs.OK
	})
}
