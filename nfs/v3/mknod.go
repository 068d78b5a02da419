package nfs3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// mknodArgs is MKNOD3args; the attributes are decoded to a vfs.SetAttr.
type mknodArgs struct {
	where        dirop
	kind         vfs.FileType
	major, minor uint32
}

func (a *mknodArgs) decode(d *xdr.Decoder, set *vfs.SetAttr) {
	a.where.decode(d)
	*set = vfs.SetAttr{}
	a.kind = vfs.FileType(d.Uint32())
	switch a.kind {
	case vfs.TypeChr, vfs.TypeBlk:
		decodeSattr(d, set)
		a.major = d.Uint32()
		a.minor = d.Uint32()
	case vfs.TypeSock, vfs.TypeFifo:
		decodeSattr(d, set)
	case vfs.TypeReg, vfs.TypeDir, vfs.TypeLnk:
		// Nothing follows: these have procedures of their own.
	default:
		d.Fail(xdr.ErrValue)
	}
}

// check judges the type: what other procedures make is BADTYPE.
func (a *mknodArgs) check() vfs.Status {
	if a.kind == vfs.TypeReg || a.kind == vfs.TypeDir || a.kind == vfs.TypeLnk {
		return vfs.BadType
	}
	return vfs.OK
}

// mknod is MKNOD (RFC 1813, section 3.3.11).
func (s *server) mknod(c *rpc.Call) rpc.Outcome {
	w := s.work(c)
	var a mknodArgs
	a.decode(&c.Args, &w.set)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w.set.HasSize = false // special files have none
	var dir object
	st := s.openChange(c, a.where.dir, &dir, w)
	if st == vfs.OK {
		st = a.check()
	}
	if st == vfs.OK {
		st = checkNew(a.where.name, &w.set)
	}
	if st != vfs.OK {
		return refuse(c, procMknod, st, &dir, &w.wcc)
	}
	w.mknod = vfs.MknodArgs{Name: a.where.name, Type: a.kind, Major: a.major, Minor: a.minor, Set: &w.set}
	st = dir.v.Mknod(dir.cred(c), dir.h, &w.mknod, &w.made)
	return s.finishMade(c, procMknod, st, &dir, w)
}
