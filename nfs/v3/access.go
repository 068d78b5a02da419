package nfs3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// accessChanges are the rights that a read-only export never grants.
const accessChanges = ACCESS3_MODIFY | ACCESS3_EXTEND | ACCESS3_DELETE

// accessArgs is ACCESS3args.
type accessArgs struct {
	fh     []byte
	rights uint32
}

func (a *accessArgs) decode(d *xdr.Decoder) {
	a.fh = decodeHandle(d)
	a.rights = d.Uint32()
}

// access is ACCESS (RFC 1813, section 3.3.4).
func (s *server) access(c *rpc.Call) rpc.Outcome {
	var a accessArgs
	a.decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var o object
	var has vfs.Permission
	st := s.open(c, a.fh, &o, w)
	if st == vfs.OK {
		if o.x.ReadOnly {
			a.rights &^= accessChanges
		}
		has, st = o.v.Access(o.cred(c), o.h, permissions(a.rights), &w.attr)
		if st != vfs.OK {
			w.attr.Mask = 0 // unspecified
		}
	}
	if st != vfs.OK {
		return failAttr(c, procAccess, st, &o, &w.attr)
	}
	c.Reply.Uint32(uint32(NFS3_OK))
	encodePostOpAttr(&c.Reply, &w.attr)
	c.Reply.Uint32(a.rights & rights(w.attr.Type, has))
	return rpc.Done
}

// permissions returns what must be known to judge the wanted rights, whatever
// type the object has.
func permissions(rights uint32) (p vfs.Permission) {
	if rights&ACCESS3_READ != 0 {
		p |= vfs.MayRead
	}
	if rights&(ACCESS3_LOOKUP|ACCESS3_EXECUTE) != 0 {
		p |= vfs.MayExec
	}
	if rights&accessChanges != 0 {
		// To change a directory one must be able to search it.
		p |= vfs.MayWrite | vfs.MayExec
	}
	return p
}

// rights returns what the permissions p allow on an object of type t. LOOKUP and
// DELETE mean nothing on what is not a directory, EXECUTE means nothing on what
// is: they are not granted.
func rights(t vfs.FileType, p vfs.Permission) (r uint32) {
	if p&vfs.MayRead != 0 {
		r |= ACCESS3_READ
	}
	if t == vfs.TypeDir {
		if p&vfs.MayExec != 0 {
			r |= ACCESS3_LOOKUP
			if p&vfs.MayWrite != 0 {
				r |= accessChanges
			}
		}
		return r
	}
	if p&vfs.MayExec != 0 {
		r |= ACCESS3_EXECUTE
	}
	if p&vfs.MayWrite != 0 {
		r |= ACCESS3_MODIFY | ACCESS3_EXTEND
	}
	return r
}
