package v3

import (
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// pathconf is PATHCONF (RFC 1813, section 3.3.20).
func (s *server) pathconf(c *rpc.Call) rpc.Outcome {
	var a nfs3.PATHCONF3args
	a.Decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var o object.Object
	st := s.describe(c, a.Object.Data, &o, w)
	if st == vfs.OK {
		st = o.View.PathConf(o.Handle, &w.limits)
	}
	if st != vfs.OK {
		return failAttr(c, nfs3.NFSPROC3_PATHCONF, st, &o, &w.attr)
	}
	l := &w.limits
	res := nfs3.PATHCONF3res{Resok: nfs3.PATHCONF3resok{
		Linkmax:         l.LinkMax,
		NameMax:         min(l.NameMax, nameMax),
		NoTrunc:         l.NoTrunc,
		ChownRestricted: l.ChownRestricted,
		CaseInsensitive: l.CaseInsensitive,
		CasePreserving:  l.CasePreserving,
	}}
	translate.PostOp(&res.Resok.ObjAttributes, &w.attr)
	res.Encode(&c.Reply)
	return rpc.Done
}
