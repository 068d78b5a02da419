package faultfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

// acls is the ability to keep access control lists, with faults.
type acls struct {
	view *view
	in   vfs.ACLs
}

func (x *acls) GetACL(c *vfs.Cred, h vfs.Handle, set *vfs.ACLSet, a *vfs.Attr) vfs.Status {
	v := x.view
	call := v.begin(GetACL, c, "")
	return v.run(&call, func() vfs.Status { return x.in.GetACL(c, h, set, a) }, func() { v.attr(h, a) })
}

func (x *acls) SetACL(c *vfs.Cred, h vfs.Handle, set *vfs.ACLSet, a *vfs.Attr) vfs.Status {
	v := x.view
	call := v.begin(SetACL, c, "")
	return v.run(&call, func() vfs.Status { return x.in.SetACL(c, h, set, a) }, func() { v.attr(h, a) })
}
