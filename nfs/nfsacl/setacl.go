package nfsacl

import (
	"github.com/ringnfs/ringnfs/nfs/acl"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// setacl is SETACL: it gives an object the lists that the mask names. A list without entries is
// removed.
func (s *server) setacl(c *rpc.Call) rpc.Outcome {
	var args SETACL3args
	args.Decode(&c.Args)
	in := &args.Acl
	if c.Args.Err() != nil || in.Mask&^maskKnown != 0 {
		return rpc.GarbageArgs
	}
	set := vfs.ACLSet{HasAccess: in.Mask&NFS_ACL != 0, HasDefault: in.Mask&NFS_DFACL != 0}
	whole := true
	if set.HasAccess {
		set.Access, whole = list(in.Aclents, in.Aclcnt)
	}
	if set.HasDefault && whole {
		set.Default, whole = list(in.Dfaclents, in.Dfaclcnt)
	}
	if !whole {
		return rpc.GarbageArgs
	}
	var a vfs.Attr
	var o object.Object
	st := s.OpenChange(c, args.Fh.Data, &o, nil)
	if st == vfs.OK && o.View.Abilities().ACLs == nil {
		st = vfs.NotSupp
	}
	if st == vfs.OK {
		st = o.View.Abilities().ACLs.SetACL(o.Cred(c), o.Handle, &set, &a)
	} else {
		o.Fill(c, &a)
	}
	if object.Waits(c, st) {
		return rpc.Wait
	}
	res := SETACL3res{Status: translate.Status(st)}
	translate.PostOp(&res.Attr, &a)
	res.Encode(&c.Reply)
	return rpc.Done
}

// unpaid ends a SETACL whose change could not be put on stable storage (see [rpc.Procedure]).
func unpaid(c *rpc.Call, st vfs.Status) {
	if st != vfs.OK {
		translate.Unpaid(c, translate.Status(st), 1)
	}
}

// list reads the entries of one list, and puts them into the kernel's order. If the mask only
// repeats the group's rights, the protocol added it, and list drops it. list reports false if an
// entry cannot be one, or if there are not as many entries as count says.
func list(entries []Aclent, count uint32) (acl.List, bool) {
	if uint32(len(entries)) != count {
		return nil, false
	}
	var l acl.List
	var group, mask acl.Perm
	masked := -1
	for _, x := range entries {
		e := acl.Entry{Tag: acl.Tag(x.Type &^ NFS_ACL_DEFAULT), ID: x.Id}
		switch {
		case x.Type&^NFS_ACL_DEFAULT > uint32(acl.Other):
			return nil, false
		case e.Tag == acl.Mask: // clients set other bits, too
		case x.Perm > uint32(acl.PermAll):
			return nil, false
		}
		e.Perm = acl.Perm(x.Perm) & acl.PermAll
		switch e.Tag {
		case acl.GroupObj:
			group, e.ID = e.Perm, 0
		case acl.Mask:
			masked, mask, e.ID = len(l), e.Perm, 0
		case acl.UserObj, acl.Other:
			e.ID = 0
		case acl.User, acl.Group:
		default:
			return nil, false
		}
		l = append(l, e)
	}
	if len(l) == 4 && masked >= 0 && mask == group {
		l = append(l[:masked], l[masked+1:]...)
	}
	l.Sort()
	return l, true
}
