package nfsacl

import (
	"github.com/ringnfs/ringnfs/nfs/acl"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Sizes in bytes on the wire.
const (
	entryLen  = 12                       // aclent
	fixedLen  = 4 + 4 + 84 + 4 + 2*(4+4) // of GETACL3res, with attributes
	maskKnown = NFS_ACL | NFS_ACLCNT | NFS_DFACL | NFS_DFACLCNT
)

// getacl is GETACL: it returns the access list and the default list, or their lengths.
func (s *server) getacl(c *rpc.Call) rpc.Outcome {
	var args GETACL3args
	args.Decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	var a vfs.Attr
	var o object.Object
	st := s.Open(c, args.Fh.Data, &o, nil)
	set := vfs.ACLSet{
		HasAccess:  args.Mask&(NFS_ACL|NFS_ACLCNT) != 0,
		HasDefault: args.Mask&(NFS_DFACL|NFS_DFACLCNT) != 0,
	}
	switch {
	case st != vfs.OK:
	case args.Mask&^maskKnown != 0:
		st = vfs.Inval
		o.Fill(c, &a)
	default:
		st = lists(c, &o, &set, &a)
	}
	if object.Waits(c, st) {
		return rpc.Wait
	}
	if st == vfs.OK && !a.Filled() {
		st = vfs.ServerFault // the lists on the wire have the owner and the group
	}
	res := GETACL3res{Status: translate.Status(st)}
	if st != vfs.OK {
		translate.PostOp(&res.Attr, &a)
		res.Encode(&c.Reply)
		return rpc.Done
	}
	if set.HasAccess && set.Access == nil {
		set.Access = acl.FromMode(a.Mode)
	}
	r := &res.Resok
	r.Acl.Mask = args.Mask
	translate.PostOp(&r.Attr, &a)
	r.Acl.Aclcnt, r.Acl.Aclents = wire(set.Access, &a, 0, args.Mask&NFS_ACL != 0)
	r.Acl.Dfaclcnt, r.Acl.Dfaclents = wire(set.Default, &a, NFS_ACL_DEFAULT, args.Mask&NFS_DFACL != 0)
	if !c.Room(fixedLen + entryLen*(len(r.Acl.Aclents)+len(r.Acl.Dfaclents))) {
		return rpc.Grow
	}
	res.Encode(&c.Reply)
	return rpc.Done
}

// lists reads the lists that set asks for.
func lists(c *rpc.Call, o *object.Object, set *vfs.ACLSet, a *vfs.Attr) vfs.Status {
	if able := o.View.Abilities().ACLs; able != nil {
		return able.GetACL(o.Cred(c), o.Handle, set, a)
	}
	return o.View.GetAttr(o.Handle, a)
}

// wire returns a list in the protocol's form: the number of its entries and, with all, the entries.
// That form always has a mask, and the ids of the owner and of the group.
func wire(l acl.List, a *vfs.Attr, kind uint32, all bool) (count uint32, entries []Aclent) {
	if len(l) == 0 {
		return 0, nil
	}
	bare := true // three entries, without a mask
	var group acl.Perm
	for _, e := range l {
		if bare = bare && e.Tag != acl.Mask; e.Tag == acl.GroupObj {
			group = e.Perm
		}
	}
	count = uint32(len(l))
	if bare {
		count++
	}
	if !all {
		return count, nil
	}
	for _, e := range l {
		if bare && e.Tag == acl.Other {
			entries = append(entries, Aclent{Type: uint32(acl.Mask) | kind, Perm: uint32(group)})
		}
		x := Aclent{Type: uint32(e.Tag) | kind, Perm: uint32(e.Perm)}
		switch e.Tag {
		case acl.UserObj:
			x.Id = a.UID
		case acl.GroupObj:
			x.Id = a.GID
		case acl.User, acl.Group:
			x.Id = e.ID
		case acl.Mask, acl.Other: // the id is 0, on which some clients rely
		}
		entries = append(entries, x)
	}
	return count, entries
}
