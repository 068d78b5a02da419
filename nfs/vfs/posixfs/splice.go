package posixfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

var _ vfs.Splicer = (*View)(nil)

// Splice implements vfs.Splicer.
func (v *View) Splice(
	c *vfs.Cred,
	h vfs.Handle,
	r *vfs.SpliceArgs,
	a *vfs.Attr,
) (moved int, eof bool, s vfs.Status) {
	defer v.done()
	e, fd, s := v.beginRead(&h, a)
	if s != vfs.OK {
		return 0, false, s
	}
	if !v.data.MaySplice(&e.Own.data, r.Off, r.N) {
		return 0, false, vfs.NotSupp
	}
	// checkRead fills v.st, and asks for the verdict or recalls it.
	if s = v.checkRead(c, e, a); s != vfs.OK {
		return 0, false, s
	}
	// accessed comes now, while the pipe is empty, because it may need a worker.
	if s = v.accessed(e); s != vfs.OK {
		return 0, false, s
	}
	size := v.st.Size
	moved, s = v.data.Splice(&e.Own.data, fd, r.Off, r.N, r.To, size)
	v.touched(e)
	switch {
	case s == vfs.NotSupp || s == vfs.Again:
		return 0, false, s
	case s != vfs.OK:
		return 0, false, v.failed(e, a, s)
	case r.Off < size && uint64(moved) < min(uint64(r.N), size-r.Off):
		return v.spliceEnd(e, r.Off, moved, a)
	}
	v.fs.attributes(a, &v.st)
	return moved, r.Off >= size || uint64(moved) >= size-r.Off, vfs.OK
}

// spliceEnd decides whether the bytes that were moved are all that the file has, if they are fewer
// than expected.
func (v *View) spliceEnd(e *entry, off uint64, moved int, a *vfs.Attr) (int, bool, vfs.Status) {
	if errno := v.statx(e.FD, &v.st); errno != 0 && moved == 0 {
		a.Mask = 0
		return 0, false, v.status(errno)
	}
	eof := off+uint64(moved) >= v.st.Size
	if moved == 0 && !eof {
		// The file has grown again. A client takes no bytes without eof for an error.
		return 0, false, vfs.NotSupp
	}
	v.fs.attributes(a, &v.st)
	return moved, eof, vfs.OK
}
