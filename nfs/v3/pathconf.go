package nfs3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// pathconf is PATHCONF (RFC 1813, section 3.3.20).
func (s *server) pathconf(c *rpc.Call) rpc.Outcome {
	fh := decodeHandle(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var o object
	st := s.describe(c, fh, &o, w)
	if st == vfs.OK {
		st = o.v.PathConf(o.h, &w.limits)
	}
	if st != vfs.OK {
		return failAttr(c, procPathconf, st, &o, &w.attr)
	}
	e, l := &c.Reply, &w.limits
	e.Uint32(uint32(NFS3_OK))
	encodePostOpAttr(e, &w.attr)
	e.Uint32(l.LinkMax)
	e.Uint32(min(l.NameMax, nameMax))
	e.Bool(l.NoTrunc)
	e.Bool(l.ChownRestricted)
	e.Bool(l.CaseInsensitive)
	e.Bool(l.CasePreserving)
	return rpc.Done
}
