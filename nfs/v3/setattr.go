package nfs3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// setattrArgs is SETATTR3args; the attributes are decoded to a vfs.SetAttr.
type setattrArgs struct {
	fh      []byte
	guarded bool
	ctime   vfs.Time
}

func (a *setattrArgs) decode(d *xdr.Decoder, set *vfs.SetAttr) {
	a.fh = decodeHandle(d)
	decodeSattr(d, set)
	if a.guarded = d.Bool(); a.guarded {
		a.ctime = decodeTime(d)
	}
}

// setattr is SETATTR (RFC 1813, section 3.3.2).
func (s *server) setattr(c *rpc.Call) rpc.Outcome {
	w := s.work(c)
	var a setattrArgs
	a.decode(&c.Args, &w.set)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	var o object
	st := s.openChange(c, a.fh, &o, w)
	if st == vfs.OK {
		st = checkSattr(&w.set)
	}
	if st != vfs.OK {
		return refuse(c, procSetattr, st, &o, &w.wcc)
	}
	if a.guarded {
		w.guard = a.ctime
		w.set.Guard = &w.guard
	}
	st = o.v.SetAttr(o.cred(c), o.h, &w.set, &w.wcc)
	return finish(c, procSetattr, st, &w.wcc)
}
