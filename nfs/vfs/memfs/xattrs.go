package memfs

import (
	"bytes"
	"maps"
	"slices"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

var _ vfs.Xattrs = (*view)(nil)

// hasXattrs says whether n can have extended attributes at all.
func (n *inode) hasXattrs() bool { return n.typ == vfs.TypeReg || n.typ == vfs.TypeDir }

// readXattrs finds the object h whose extended attributes c may read. t.mu is held.
func (t *tree) readXattrs(c *vfs.Cred, h *vfs.Handle) (*inode, vfs.Status) {
	n, s := t.get(h)
	if s == vfs.OK && n.hasXattrs() && !n.may(c, vfs.MayRead) {
		return nil, vfs.Access
	}
	return n, s
}

// GetXattr implements vfs.Xattrs.
func (v *view) GetXattr(c *vfs.Cred, h vfs.Handle, name, dst []byte) (int, vfs.Status) {
	v.t.mu.RLock()
	defer v.t.mu.RUnlock()
	n, s := v.t.readXattrs(c, &h)
	if s != vfs.OK {
		return 0, s
	}
	value, ok := n.xattrs[string(name)]
	switch {
	case !ok:
		return 0, vfs.NoXattr
	case len(value) > len(dst):
		return len(value), vfs.TooSmall
	}
	return copy(dst, value), vfs.OK
}

// ListXattrs implements vfs.Xattrs.
func (v *view) ListXattrs(c *vfs.Cred, h vfs.Handle, yield func(name []byte) bool) vfs.Status {
	names, s := v.xattrNames(c, &h)
	if s != vfs.OK {
		return s
	}
	for _, name := range names {
		if !yield([]byte(name)) {
			break
		}
	}
	return vfs.OK
}

func (v *view) xattrNames(c *vfs.Cred, h *vfs.Handle) ([]string, vfs.Status) {
	v.t.mu.RLock()
	defer v.t.mu.RUnlock()
	n, s := v.t.readXattrs(c, h)
	if s != vfs.OK {
		return nil, s
	}
	return slices.Sorted(maps.Keys(n.xattrs)), vfs.OK
}

// changeXattr finds the value of a name for act, which says what to do instead of keeping it.
func (v *view) changeXattr(
	c *vfs.Cred,
	h *vfs.Handle,
	name []byte,
	w *vfs.WCC,
	act func(n *inode, old []byte, has bool) vfs.Status,
) vfs.Status {
	t := v.t
	t.mu.Lock()
	defer t.mu.Unlock()
	*w = vfs.WCC{}
	n, s := t.get(h)
	if s != vfs.OK {
		return s
	}
	t.before(n, w)
	defer t.after(n, w)
	switch {
	case t.readOnly.Load():
		return vfs.ROFS
	case !n.hasXattrs():
		return vfs.Perm
	case !n.may(c, vfs.MayWrite):
		return vfs.Access
	}
	old, has := n.xattrs[string(name)]
	if s = act(n, old, has); s == vfs.OK {
		n.ctime = t.now()
	}
	return s
}

// SetXattr implements vfs.Xattrs.
func (v *view) SetXattr(c *vfs.Cred, h vfs.Handle, r *vfs.XattrArgs, w *vfs.WCC) vfs.Status {
	return v.changeXattr(c, &h, r.Name, w, func(n *inode, old []byte, has bool) vfs.Status {
		cost, paid := uint64(entryCost+len(r.Name)+len(r.Value)), uint64(0)
		if has {
			paid = uint64(entryCost + len(r.Name) + len(old))
		}
		switch {
		case len(r.Value) > vfs.XattrValueMax:
			return vfs.XattrTooBig
		case r.How == vfs.XattrCreate && has:
			return vfs.Exist
		case r.How == vfs.XattrReplace && !has:
			return vfs.NoXattr
		case cost > paid && !v.t.charge(cost-paid):
			return vfs.NoSpc
		case cost < paid:
			v.t.refund(paid - cost)
		}
		if n.xattrs == nil {
			n.xattrs = make(map[string][]byte)
		}
		n.xattrs[string(r.Name)] = bytes.Clone(r.Value)
		return vfs.OK
	})
}

// RemoveXattr implements vfs.Xattrs.
func (v *view) RemoveXattr(c *vfs.Cred, h vfs.Handle, name []byte, w *vfs.WCC) vfs.Status {
	return v.changeXattr(c, &h, name, w, func(n *inode, old []byte, has bool) vfs.Status {
		if !has {
			return vfs.NoXattr
		}
		v.t.refund(uint64(entryCost + len(name) + len(old)))
		delete(n.xattrs, string(name))
		return vfs.OK
	})
}
