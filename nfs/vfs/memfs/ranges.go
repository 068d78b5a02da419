package memfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

var _ vfs.Ranges = (*view)(nil)

// Allocate implements vfs.Ranges.
func (v *view) Allocate(c *vfs.Cred, h vfs.Handle, r *vfs.RangeArgs, w *vfs.WCC) vfs.Status {
	return v.alter(c, &h, w, func(n *inode) vfs.Status {
		t := v.t
		switch {
		case r.Len == 0:
			return vfs.Inval
		case r.Off > fileSizeMax || r.Len > fileSizeMax-r.Off:
			return vfs.FBig
		case r.Len/blockLen > t.c.BytesMax/blockLen: // before they are counted one by one
			return vfs.NoSpc
		}
		first, last := r.Off/blockLen, (r.Off+r.Len-1)/blockLen
		missing := uint64(0)
		for i := first; i <= last; i++ {
			if n.blocks[i] == nil {
				missing++
			}
		}
		if !t.charge(missing * blockLen) {
			return vfs.NoSpc
		}
		if n.blocks == nil {
			n.blocks = make(map[uint64]*block)
		}
		for i := first; i <= last; i++ {
			if n.blocks[i] == nil {
				n.blocks[i] = new(block)
			}
		}
		n.size = max(n.size, r.Off+r.Len)
		return vfs.OK
	})
}

// Deallocate implements vfs.Ranges.
func (v *view) Deallocate(c *vfs.Cred, h vfs.Handle, r *vfs.RangeArgs, w *vfs.WCC) vfs.Status {
	return v.alter(c, &h, w, func(n *inode) vfs.Status {
		switch {
		case r.Len == 0:
			return vfs.Inval
		case r.Off > fileSizeMax:
			return vfs.FBig
		}
		end := r.Off + min(r.Len, fileSizeMax-r.Off)
		for i, b := range n.blocks {
			from, to := max(i*blockLen, r.Off), min((i+1)*blockLen, end)
			switch {
			case from >= to:
			case to-from == blockLen:
				delete(n.blocks, i)
				v.t.refund(blockLen)
			default:
				clear(b[from-i*blockLen : to-i*blockLen])
			}
		}
		return vfs.OK
	})
}

// alter has act change the content of a regular file with w around it, if c may write to it. The
// tree is locked.
func (v *view) alter(c *vfs.Cred, h *vfs.Handle, w *vfs.WCC, act func(n *inode) vfs.Status) vfs.Status {
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
	if s = t.mayWriteData(c, n); s != vfs.OK {
		return s
	}
	if s = act(n); s != vfs.OK {
		return s
	}
	n.mtime = t.now()
	n.ctime = n.mtime
	if c.UID != 0 {
		n.dropSetID()
	}
	return vfs.OK
}

// mayReadData says whether c may read n's content.
func (n *inode) mayReadData(c *vfs.Cred) vfs.Status {
	if s := n.fileError(); s != vfs.OK {
		return s
	}
	if !n.owns(c) && n.rights(c)&(vfs.MayRead|vfs.MayExec) == 0 {
		return vfs.Access
	}
	return vfs.OK
}

// Seek implements vfs.Ranges.
func (v *view) Seek(c *vfs.Cred, h vfs.Handle, r *vfs.SeekArgs, a *vfs.Attr) (uint64, vfs.Status) {
	t := v.t
	t.mu.RLock()
	defer t.mu.RUnlock()
	a.Mask = 0
	n, s := t.get(&h)
	if s != vfs.OK {
		return 0, s
	}
	t.attr(n, a)
	switch s = n.mayReadData(c); {
	case s != vfs.OK:
		return 0, s
	case r.Off >= n.size:
		return 0, vfs.NXIO
	}
	at, found := n.size, r.Hole
	if r.Hole {
		for at = r.Off; at < n.size && n.blocks[at/blockLen] != nil; {
			at = (at/blockLen + 1) * blockLen
		}
		at = min(at, n.size)
	} else {
		for i := range n.blocks {
			if x := max(i*blockLen, r.Off); (i+1)*blockLen > r.Off && x < at {
				at, found = x, true
			}
		}
	}
	if !found {
		return 0, vfs.NXIO
	}
	return at, vfs.OK
}

// WillNeed implements vfs.Ranges. All is in memory.
func (v *view) WillNeed(c *vfs.Cred, h vfs.Handle, _ *vfs.RangeArgs) vfs.Status {
	v.t.mu.RLock()
	defer v.t.mu.RUnlock()
	n, s := v.t.get(&h)
	if s != vfs.OK {
		return s
	}
	return n.mayReadData(c)
}
