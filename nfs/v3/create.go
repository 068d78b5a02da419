package nfs3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// createArgs is CREATE3args; the attributes are decoded to a vfs.SetAttr. The
// numbers of createmode3 are those of [vfs.CreateHow].
type createArgs struct {
	where dirop
	how   vfs.CreateHow
	verf  uint64
}

func (a *createArgs) decode(d *xdr.Decoder, set *vfs.SetAttr) {
	a.where.decode(d)
	a.how = vfs.CreateHow(d.Uint32())
	switch a.how {
	case vfs.Unchecked, vfs.Guarded:
		decodeSattr(d, set)
	case vfs.Exclusive:
		*set = vfs.SetAttr{}
		a.verf = d.Uint64()
	default:
		d.Fail(xdr.ErrValue)
	}
}

// create is CREATE (RFC 1813, section 3.3.8).
func (s *server) create(c *rpc.Call) rpc.Outcome {
	w := s.work(c)
	var a createArgs
	a.decode(&c.Args, &w.set)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	var dir object
	st := s.openChange(c, a.where.dir, &dir, w)
	if st == vfs.OK {
		st = checkNew(a.where.name, &w.set)
	}
	if st != vfs.OK {
		return refuse(c, procCreate, st, &dir, &w.wcc)
	}
	w.create = vfs.CreateArgs{Name: a.where.name, How: a.how, Set: &w.set, Verf: a.verf}
	st = dir.v.Create(dir.cred(c), dir.h, &w.create, &w.made)
	return s.finishMade(c, procCreate, st, &dir, w)
}
