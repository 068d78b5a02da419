package memfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

// blockLen is the size of a block. Blocks that were never written are holes.
const blockLen = 4096

type block [blockLen]byte

// readAt copies from n's content at off, which must lie before the end, and returns how many bytes
// it copied.
func (n *inode) readAt(dst []byte, off uint64) int {
	if left := n.size - off; uint64(len(dst)) > left {
		dst = dst[:left]
	}
	for done := 0; done < len(dst); {
		at := off + uint64(done)
		part := dst[done:min(len(dst), done+int(blockLen-at%blockLen))]
		if b := n.blocks[at/blockLen]; b != nil {
			copy(part, b[at%blockLen:])
		} else {
			clear(part)
		}
		done += len(part)
	}
	return len(dst)
}

// writeAt copies src into n's content at off, as far as the budget has room, and returns how many
// bytes it copied. off + len(src) must be at most fileSizeMax. t.mu is held.
func (t *tree) writeAt(n *inode, src []byte, off uint64) int {
	done := 0
	for done < len(src) {
		at := off + uint64(done)
		b := n.blocks[at/blockLen]
		if b == nil {
			if !t.charge(blockLen) {
				break
			}
			b = new(block)
			if n.blocks == nil {
				n.blocks = make(map[uint64]*block)
			}
			n.blocks[at/blockLen] = b
		}
		done += copy(b[at%blockLen:], src[done:])
	}
	if done > 0 {
		n.size = max(n.size, off+uint64(done))
	}
	return done
}

// cut makes n's content size bytes long and refunds the memory that this frees. t.mu is held.
func (t *tree) cut(n *inode, size uint64) {
	if size < n.size {
		for i := range n.blocks {
			if i*blockLen >= size {
				delete(n.blocks, i)
				t.refund(blockLen)
			}
		}
		if b := n.blocks[size/blockLen]; b != nil {
			clear(b[size%blockLen:])
		}
	}
	n.size = size
}

// fileError is the status of an operation on file content for an object that is not a regular file.
func (n *inode) fileError() vfs.Status {
	switch n.typ {
	case vfs.TypeReg:
		return vfs.OK
	case vfs.TypeDir:
		return vfs.IsDir
	default:
		return vfs.Inval
	}
}

// mayWriteData says whether c may change n's content. The owner always may.
func (t *tree) mayWriteData(c *vfs.Cred, n *inode) vfs.Status {
	switch s := n.fileError(); {
	case s != vfs.OK:
		return s
	case t.readOnly.Load():
		return vfs.ROFS
	case !n.owns(c) && !n.may(c, vfs.MayWrite):
		return vfs.Access
	}
	return vfs.OK
}

// Read implements vfs.View.
func (v *view) Read(c *vfs.Cred, h vfs.Handle, r *vfs.ReadArgs, a *vfs.Attr) (int, bool, vfs.Status) {
	off, dst := r.Off, r.Dst
	t := v.t
	t.mu.RLock()
	defer t.mu.RUnlock()
	a.Mask = 0
	n, s := t.get(&h)
	if s != vfs.OK {
		return 0, false, s
	}
	t.attr(n, a)
	if s := n.fileError(); s != vfs.OK {
		return 0, false, s
	}
	if !n.owns(c) && n.rights(c)&(vfs.MayRead|vfs.MayExec) == 0 {
		return 0, false, vfs.Access
	}
	if off >= n.size {
		return 0, true, vfs.OK
	}
	done := n.readAt(dst, off)
	return done, off+uint64(done) == n.size, vfs.OK
}

// Write implements vfs.View.
func (v *view) Write(
	c *vfs.Cred,
	h vfs.Handle,
	r *vfs.WriteArgs,
	w *vfs.WCC,
) (int, vfs.Stability, uint64, vfs.Status) {
	off, src, how := r.Off, r.Src, r.How
	t := v.t
	t.mu.Lock()
	defer t.mu.Unlock()
	verf := v.f.verf
	*w = vfs.WCC{}
	n, s := t.get(&h)
	if s != vfs.OK {
		return 0, how, verf, s
	}
	t.before(n, w)
	defer t.after(n, w)
	if s := t.mayWriteData(c, n); s != vfs.OK {
		return 0, how, verf, s
	}
	done := 0
	for _, part := range src {
		if len(part) == 0 {
			continue
		}
		at := off + uint64(done)
		if off >= fileSizeMax || at >= fileSizeMax {
			s = vfs.FBig
			break
		}
		full := uint64(len(part)) > fileSizeMax-at
		if full {
			part = part[:fileSizeMax-at]
		}
		m := t.writeAt(n, part, at)
		done += m
		if m < len(part) {
			s = vfs.NoSpc
			break
		}
		if full {
			break
		}
	}
	if done == 0 {
		return 0, how, verf, s
	}
	n.mtime = t.now()
	n.ctime = n.mtime
	if c.UID != 0 {
		n.dropSetID()
	}
	return done, how, verf, vfs.OK
}

// Commit implements vfs.View. In memory there is nothing to commit.
func (v *view) Commit(c *vfs.Cred, h vfs.Handle, r *vfs.CommitArgs, w *vfs.WCC) (uint64, vfs.Status) {
	t := v.t
	t.mu.RLock()
	defer t.mu.RUnlock()
	*w = vfs.WCC{}
	n, s := t.get(&h)
	if s != vfs.OK {
		return v.f.verf, s
	}
	t.before(n, w)
	t.after(n, w)
	return v.f.verf, t.mayWriteData(c, n)
}

// ReadLink implements vfs.View.
func (v *view) ReadLink(_ *vfs.Cred, h vfs.Handle, dst []byte, a *vfs.Attr) (int, vfs.Status) {
	t := v.t
	t.mu.RLock()
	defer t.mu.RUnlock()
	a.Mask = 0
	n, s := t.get(&h)
	if s != vfs.OK {
		return 0, s
	}
	t.attr(n, a)
	if n.typ != vfs.TypeLnk {
		return 0, vfs.Inval
	}
	return copy(dst, n.target), vfs.OK
}
