package checkfs

import (
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/acl"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// acls is the ability to keep access control lists.
type acls struct {
	view *view
	in   vfs.ACLs
}

func (x *acls) GetACL(c *vfs.Cred, h vfs.Handle, set *vfs.ACLSet, a *vfs.Attr) vfs.Status {
	const method = "GetACL"
	set.Access, set.Default = nil, nil // an unfilled list must not be the last call's
	s := x.view.status(method, x.in.GetACL(c, h, set, a))
	x.view.attr(method, a, s)
	if s != vfs.OK {
		return s
	}
	for _, l := range []acl.List{set.Access, set.Default} {
		switch {
		case len(l) > vfs.ACLMax:
			return x.view.breach(
				method,
				fmt.Sprintf("returned a list of %d entries: there can be %d", len(l), vfs.ACLMax),
			)
		case l != nil && !l.Valid():
			return x.view.breach(method, "returned a list that cannot be one")
		}
	}
	return s
}

func (x *acls) SetACL(c *vfs.Cred, h vfs.Handle, set *vfs.ACLSet, a *vfs.Attr) vfs.Status {
	const method = "SetACL"
	s := x.view.status(method, x.in.SetACL(c, h, set, a))
	x.view.attr(method, a, s)
	return s
}
