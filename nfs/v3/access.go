package v3

import (
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// accessChanges are the rights that a read-only export never grants.
const accessChanges = nfs3.ACCESS3_MODIFY | nfs3.ACCESS3_EXTEND | nfs3.ACCESS3_DELETE

// access is ACCESS (RFC 1813, section 3.3.4).
func (s *server) access(c *rpc.Call) rpc.Outcome {
	var a nfs3.ACCESS3args
	a.Decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var o object.Object
	var has vfs.Permission
	st := s.open(c, a.Object.Data, &o, w)
	if st == vfs.OK {
		if o.Export.ReadOnly {
			a.Access &^= accessChanges
		}
		has, st = o.View.Access(o.Cred(c), o.Handle, permissions(a.Access), &w.attr)
		if st != vfs.OK {
			w.attr.Mask = 0 // unspecified
		}
	}
	if st != vfs.OK {
		return failAttr(c, nfs3.NFSPROC3_ACCESS, st, &o, &w.attr)
	}
	var res nfs3.ACCESS3res
	res.Resok.Access = a.Access & rights(w.attr.Type, has)
	translate.PostOp(&res.Resok.ObjAttributes, &w.attr)
	res.Encode(&c.Reply)
	return rpc.Done
}

// permissions returns the permissions that decide about the wanted rights, whatever type the object
// has.
func permissions(rights uint32) (p vfs.Permission) {
	if rights&nfs3.ACCESS3_READ != 0 {
		p |= vfs.MayRead
	}
	if rights&(nfs3.ACCESS3_LOOKUP|nfs3.ACCESS3_EXECUTE) != 0 {
		p |= vfs.MayExec
	}
	if rights&accessChanges != 0 {
		// A caller who changes a directory must also be able to search it.
		p |= vfs.MayWrite | vfs.MayExec
	}
	return p
}

// rights returns the rights that the permissions p give on an object of type t. It never grants
// LOOKUP and DELETE on an object that is not a directory, nor EXECUTE on a directory, where they
// mean nothing.
func rights(t vfs.FileType, p vfs.Permission) (r uint32) {
	if p&vfs.MayRead != 0 {
		r |= nfs3.ACCESS3_READ
	}
	if t == vfs.TypeDir {
		if p&vfs.MayExec != 0 {
			r |= nfs3.ACCESS3_LOOKUP
			if p&vfs.MayWrite != 0 {
				r |= accessChanges
			}
		}
		return r
	}
	if p&vfs.MayExec != 0 {
		r |= nfs3.ACCESS3_EXECUTE
	}
	if p&vfs.MayWrite != 0 {
		r |= nfs3.ACCESS3_MODIFY | nfs3.ACCESS3_EXTEND
	}
	return r
}
