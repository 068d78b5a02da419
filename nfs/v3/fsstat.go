package v3

import (
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// fsstat is FSSTAT (RFC 1813, section 3.3.18).
func (s *server) fsstat(c *rpc.Call) rpc.Outcome {
	var a nfs3.FSSTAT3args
	a.Decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var o object.Object
	st := s.open(c, a.Fsroot.Data, &o, w)
	if st == vfs.OK {
		st = o.View.Statfs(o.Cred(c), o.Handle, &w.statfs)
	}
	if st != vfs.OK {
		return failAttr(c, nfs3.NFSPROC3_FSSTAT, st, &o, &w.attr)
	}
	if !o.Fill(c, &w.attr) {
		return rpc.Wait
	}
	f := &w.statfs
	res := nfs3.FSSTAT3res{Resok: nfs3.FSSTAT3resok{
		Tbytes:   nfs3.Size3(f.TotalBytes),
		Fbytes:   nfs3.Size3(f.FreeBytes),
		Abytes:   nfs3.Size3(f.AvailBytes),
		Tfiles:   nfs3.Size3(f.TotalFiles),
		Ffiles:   nfs3.Size3(f.FreeFiles),
		Afiles:   nfs3.Size3(f.AvailFiles),
		Invarsec: 0, // the figures may change at any moment
	}}
	translate.PostOp(&res.Resok.ObjAttributes, &w.attr)
	res.Encode(&c.Reply)
	return rpc.Done
}
