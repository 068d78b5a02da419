package memfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

// GetAttr implements vfs.View.
func (v *view) GetAttr(h vfs.Handle, a *vfs.Attr) vfs.Status {
	t := v.t
	t.mu.RLock()
	defer t.mu.RUnlock()
	n, s := t.get(&h)
	if s == vfs.OK {
		t.attr(n, a)
	}
	return s
}

// Access implements vfs.View.
func (v *view) Access(
	c *vfs.Cred,
	h vfs.Handle,
	want vfs.Permission,
	a *vfs.Attr,
) (vfs.Permission, vfs.Status) {
	t := v.t
	t.mu.RLock()
	defer t.mu.RUnlock()
	n, s := t.get(&h)
	if s != vfs.OK {
		return 0, s
	}
	t.attr(n, a)
	got := n.rights(c) & want
	if t.readOnly.Load() && (n.typ == vfs.TypeReg || n.typ == vfs.TypeDir) {
		got &^= vfs.MayWrite
	}
	return got, vfs.OK
}

// PathConf implements vfs.View.
func (v *view) PathConf(h vfs.Handle, l *vfs.Limits) vfs.Status {
	v.t.mu.RLock()
	defer v.t.mu.RUnlock()
	if _, s := v.t.get(&h); s != vfs.OK {
		return s
	}
	*l = v.f.Limits()
	return vfs.OK
}

// Statfs implements vfs.View.
func (v *view) Statfs(_ *vfs.Cred, h vfs.Handle, fs *vfs.Statfs) vfs.Status {
	t := v.t
	t.mu.RLock()
	defer t.mu.RUnlock()
	if _, s := t.get(&h); s != vfs.OK {
		return s
	}
	free := t.c.BytesMax - t.used
	files := t.c.FilesMax - uint64(len(t.nodes))
	*fs = vfs.Statfs{
		TotalBytes: t.c.BytesMax, FreeBytes: free, AvailBytes: free,
		TotalFiles: t.c.FilesMax, FreeFiles: files, AvailFiles: files,
	}
	return vfs.OK
}

// SetAttr implements vfs.View. It makes all changes, or none.
func (v *view) SetAttr(c *vfs.Cred, h vfs.Handle, set *vfs.SetAttr, w *vfs.WCC) vfs.Status {
	guard := set.Guard
	t := v.t
	t.mu.Lock()
	defer t.mu.Unlock()
	*w = vfs.WCC{}
	n, s := t.get(&h)
	if s != vfs.OK {
		return s
	}
	t.before(n, w)
	defer t.after(n, w)
	if guard != nil && *guard != n.ctime {
		return vfs.NotSync
	}
	if t.readOnly.Load() {
		return vfs.ROFS
	}
	if s := t.maySet(c, n, set); s != vfs.OK {
		return s
	}
	t.apply(c, n, set)
	return vfs.OK
}

// maySet says whether c may change all of set on n. t.mu is held.
func (t *tree) maySet(c *vfs.Cred, n *inode, set *vfs.SetAttr) vfs.Status {
	const invalidID = 1<<32 - 1
	if set.HasSize {
		if s := n.fileError(); s != vfs.OK {
			return s
		}
		if set.Size > fileSizeMax {
			return vfs.FBig
		}
		if s := t.mayWriteData(c, n); s != vfs.OK {
			return s
		}
	}
	if set.HasMode && !n.owns(c) {
		return vfs.Perm
	}
	if set.HasUID {
		if set.UID == invalidID {
			return vfs.Inval
		}
		if c.UID != 0 && (c.UID != n.uid || set.UID != n.uid) {
			return vfs.Perm
		}
	}
	if set.HasGID {
		if set.GID == invalidID {
			return vfs.Inval
		}
		if c.UID != 0 && (c.UID != n.uid || set.GID != n.gid && !inGroup(c, set.GID)) {
			return vfs.Perm
		}
	}
	return maySetTimes(c, n, set)
}

// maySetTimes is the part of maySet for time stamps. Every user who may write may set them to the
// present; only the owner may set other times.
func maySetTimes(c *vfs.Cred, n *inode, set *vfs.SetAttr) vfs.Status {
	client := set.AtimeHow == vfs.TimeClient || set.MtimeHow == vfs.TimeClient
	server := set.AtimeHow == vfs.TimeServer || set.MtimeHow == vfs.TimeServer
	if set.AtimeHow == vfs.TimeClient && set.Atime.Nsec >= 1e9 ||
		set.MtimeHow == vfs.TimeClient && set.Mtime.Nsec >= 1e9 {
		return vfs.Inval
	}
	switch {
	case n.owns(c) || !client && !server:
		return vfs.OK
	case client:
		return vfs.Perm
	case !n.may(c, vfs.MayWrite):
		return vfs.Access
	}
	return vfs.OK
}

// apply makes the changes of set, which maySet has allowed. t.mu is held.
func (t *tree) apply(c *vfs.Cred, n *inode, set *vfs.SetAttr) {
	now := t.now()
	changed := false
	if set.HasSize {
		changed = true
		t.cut(n, set.Size)
		n.mtime = now
		if c.UID != 0 {
			n.dropSetID()
		}
	}
	if set.HasUID || set.HasGID {
		changed = true
		if set.HasUID {
			n.uid = set.UID
		}
		if set.HasGID {
			n.gid = set.GID
		}
		n.dropSetID()
	}
	// The mode of a symbolic link cannot be changed, as in Linux.
	if set.HasMode && n.typ != vfs.TypeLnk {
		changed = true
		n.mode = set.Mode & modeBits
		if c.UID != 0 && !inGroup(c, n.gid) {
			n.mode &^= setGID
		}
	}
	for _, s := range []struct {
		how vfs.TimeHow
		to  *vfs.Time
		at  vfs.Time
	}{{set.AtimeHow, &n.atime, set.Atime}, {set.MtimeHow, &n.mtime, set.Mtime}} {
		switch s.how {
		case vfs.TimeServer:
			changed, *s.to = true, now
		case vfs.TimeClient:
			changed, *s.to = true, s.at
		case vfs.TimeKeep:
		}
	}
	if changed {
		n.ctime = now
	}
}
