package checkfs

import (
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// xattrs is the ability to keep extended attributes.
type xattrs struct {
	view *view
	in   vfs.Xattrs
}

func (x *xattrs) GetXattr(c *vfs.Cred, h vfs.Handle, name, dst []byte) (int, vfs.Status) {
	const method = "GetXattr"
	n, s := x.in.GetXattr(c, h, name, dst[:len(dst):len(dst)])
	s = x.view.status(method, s)
	switch {
	case s == vfs.OK && (n < 0 || n > len(dst)):
		return 0, x.view.breach(method, beyond(n, len(dst)))
	case s == vfs.TooSmall && (n <= len(dst) || n > vfs.XattrValueMax):
		return 0, x.view.breach(
			method,
			fmt.Sprintf("said that %d bytes are too few for a value of %d", len(dst), n),
		)
	}
	return n, s
}

func (x *xattrs) SetXattr(c *vfs.Cred, h vfs.Handle, r *vfs.XattrArgs, w *vfs.WCC) vfs.Status {
	return x.view.changed("SetXattr", x.in.SetXattr(c, h, r, w), w)
}

func (x *xattrs) ListXattrs(c *vfs.Cred, h vfs.Handle, yield func(name []byte) bool) vfs.Status {
	const method = "ListXattrs"
	last, bad := "", vfs.OK
	s := x.in.ListXattrs(c, h, func(name []byte) bool {
		if len(name) == 0 || len(name) > vfs.XattrNameMax || string(name) <= last {
			bad = x.view.breach(method, fmt.Sprintf("yielded the name %.300q after %.300q", name, last))
			return false
		}
		last = string(name)
		return yield(name)
	})
	if bad != vfs.OK {
		return bad
	}
	return x.view.status(method, s)
}

func (x *xattrs) RemoveXattr(c *vfs.Cred, h vfs.Handle, name []byte, w *vfs.WCC) vfs.Status {
	return x.view.changed("RemoveXattr", x.in.RemoveXattr(c, h, name, w), w)
}
