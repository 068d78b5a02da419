package checkfs

import (
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// ranges is the ability to keep files with holes.
type ranges struct {
	view *view
	in   vfs.Ranges
}

func (x *ranges) Allocate(c *vfs.Cred, h vfs.Handle, r *vfs.RangeArgs, w *vfs.WCC) vfs.Status {
	return x.view.changed("Allocate", x.in.Allocate(c, h, r, w), w)
}

func (x *ranges) Deallocate(c *vfs.Cred, h vfs.Handle, r *vfs.RangeArgs, w *vfs.WCC) vfs.Status {
	return x.view.changed("Deallocate", x.in.Deallocate(c, h, r, w), w)
}

// changed judges what a method returned that changes an object.
func (v *view) changed(method string, s vfs.Status, w *vfs.WCC) vfs.Status {
	s = v.status(method, s)
	v.wcc(method, w, s)
	return s
}

func (x *ranges) Seek(c *vfs.Cred, h vfs.Handle, r *vfs.SeekArgs, a *vfs.Attr) (uint64, vfs.Status) {
	const method = "Seek"
	at, s := x.in.Seek(c, h, r, a)
	s = x.view.status(method, s)
	x.view.attr(method, a, s)
	if s == vfs.OK && at < r.Off {
		return 0, x.view.breach(method, fmt.Sprintf("found %d, before %d, where it was to begin", at, r.Off))
	}
	return at, s
}

func (x *ranges) WillNeed(c *vfs.Cred, h vfs.Handle, r *vfs.RangeArgs) vfs.Status {
	return x.view.status("WillNeed", x.in.WillNeed(c, h, r))
}

// copier is the ability to copy.
type copier struct {
	view *view
	in   vfs.Copier
}

func (x *copier) Clone(c *vfs.Cred, h vfs.Handle, r *vfs.CopyArgs, w *vfs.WCC) vfs.Status {
	return x.view.changed("Clone", x.in.Clone(c, h, r, w), w)
}

func (x *copier) Copy(c *vfs.Cred, h vfs.Handle, r *vfs.CopyArgs, w *vfs.WCC) (n, verf uint64, s vfs.Status) {
	const method = "Copy"
	n, verf, s = x.in.Copy(c, h, r, w)
	s = x.view.changed(method, s, w)
	if s == vfs.OK && r.Len != 0 && n > r.Len {
		return 0, verf, x.view.breach(
			method,
			fmt.Sprintf("copied %d bytes where %d were asked for", n, r.Len),
		)
	}
	return n, verf, s
}

func (x *copier) Lend(c *vfs.Cred, h vfs.Handle, use func(from any, size uint64) vfs.Status) vfs.Status {
	return x.view.status("Lend", x.in.Lend(c, h, use))
}
