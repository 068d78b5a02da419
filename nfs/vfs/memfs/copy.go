package memfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

var _ vfs.Copier = (*view)(nil)

// copyMax is how many bytes one Copy copies at most.
const copyMax = 4 << 20

// source is a file that is lent to be copied from. Nothing is locked meanwhile.
type source struct {
	v *view
	h vfs.Handle
}

// Lend implements vfs.Copier.
func (v *view) Lend(c *vfs.Cred, h vfs.Handle, use func(from any, size uint64) vfs.Status) vfs.Status {
	size, s := v.lends(c, &h)
	if s != vfs.OK {
		return s
	}
	return use(source{v, h}, size)
}

// lends says whether c may read a file, and how long that is.
func (v *view) lends(c *vfs.Cred, h *vfs.Handle) (size uint64, s vfs.Status) {
	v.t.mu.RLock()
	defer v.t.mu.RUnlock()
	n, s := v.t.get(h)
	if s != vfs.OK {
		return 0, s
	}
	return n.size, n.mayReadData(c)
}

// between has act change the file h and see the file that r reads from, which is of the same tree.
func (v *view) between(
	c *vfs.Cred,
	h *vfs.Handle,
	r *vfs.CopyArgs,
	w *vfs.WCC,
	act func(to, from *inode) vfs.Status,
) vfs.Status {
	*w = vfs.WCC{}
	if r.From == nil {
		return vfs.XDev
	}
	return r.From.Lend(r.FromCred, r.FromHandle, func(x any, _ uint64) vfs.Status {
		src, ours := x.(source)
		if !ours || src.v.t != v.t {
			return vfs.XDev
		}
		return v.alter(c, h, w, func(to *inode) vfs.Status {
			from, s := v.t.get(&src.h)
			if s != vfs.OK {
				return s
			}
			return act(to, from)
		})
	})
}

// overlap reports whether n bytes at a and at b of one file have bytes in common.
func overlap(to, from *inode, a, b, n uint64) bool { return to == from && a < b+n && b < a+n }

// Clone implements vfs.Copier. Blocks are not shared, so it copies them.
func (v *view) Clone(c *vfs.Cred, h vfs.Handle, r *vfs.CopyArgs, w *vfs.WCC) vfs.Status {
	return v.between(c, &h, r, w, func(to, from *inode) vfs.Status {
		n := r.Len
		switch {
		case r.FromOff > from.size || n > from.size-r.FromOff, r.FromOff%blockLen != 0, r.Off%blockLen != 0:
			return vfs.Inval
		case n == 0:
			n = from.size - r.FromOff
		}
		switch {
		case r.Off > fileSizeMax || n > fileSizeMax-r.Off:
			return vfs.FBig
		case n%blockLen != 0 && (r.FromOff+n != from.size || r.Off+n < to.size):
			return vfs.Inval
		case overlap(to, from, r.Off, r.FromOff, n):
			return vfs.Inval
		}
		return v.t.cloneBlocks(to, from, r.Off, r.FromOff, n)
	})
}

// cloneBlocks makes whole blocks of one file those of another, holes included. t.mu is held.
func (t *tree) cloneBlocks(to, from *inode, off, fromOff, n uint64) vfs.Status {
	first, source, count := off/blockLen, fromOff/blockLen, (n+blockLen-1)/blockLen
	fresh := make(map[uint64]*block)
	for i, b := range from.blocks {
		if i >= source && i-source < count {
			fresh[first+i-source] = b
		}
	}
	old := uint64(0)
	for i := range to.blocks {
		if i >= first && i-first < count {
			old++
		}
	}
	if uint64(len(fresh)) > old && !t.charge((uint64(len(fresh))-old)*blockLen) {
		return vfs.NoSpc
	}
	if uint64(len(fresh)) < old {
		t.refund((old - uint64(len(fresh))) * blockLen)
	}
	for i := range to.blocks {
		if i >= first && i-first < count {
			delete(to.blocks, i)
		}
	}
	if to.blocks == nil {
		to.blocks = make(map[uint64]*block)
	}
	for i, b := range fresh {
		copied := *b
		to.blocks[i] = &copied
	}
	to.size = max(to.size, off+n)
	return vfs.OK
}

// Copy implements vfs.Copier.
func (v *view) Copy(
	c *vfs.Cred,
	h vfs.Handle,
	r *vfs.CopyArgs,
	w *vfs.WCC,
) (done, verf uint64, s vfs.Status) {
	s = v.between(c, &h, r, w, func(to, from *inode) vfs.Status {
		left := from.size - min(r.FromOff, from.size)
		if r.Len != 0 {
			left = min(left, r.Len)
		}
		switch {
		case r.Off > fileSizeMax || max(left, r.Len) > fileSizeMax-r.Off:
			return vfs.FBig
		case overlap(to, from, r.Off, r.FromOff, left):
			return vfs.Inval
		case left == 0:
			return vfs.OK
		}
		b := make([]byte, min(left, copyMax))
		done = uint64(v.t.writeAt(to, b[:from.readAt(b, r.FromOff)], r.Off))
		if done == 0 {
			return vfs.NoSpc
		}
		return vfs.OK
	})
	return done, v.f.verf, s
}
