package v3

import (
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// readlink is READLINK (RFC 1813, section 3.3.5). It copies the target once: targets are short, and
// in this way the reply need not have room for the longest one.
func (s *server) readlink(c *rpc.Call) rpc.Outcome {
	var a nfs3.READLINK3args
	a.Decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var o object.Object
	n := 0
	st := s.open(c, a.Symlink.Data, &o, w)
	if st == vfs.OK {
		n, st = o.View.ReadLink(o.Cred(c), o.Handle, w.target[:], &w.attr)
	}
	if st != vfs.OK {
		return failAttr(c, nfs3.NFSPROC3_READLINK, st, &o, &w.attr)
	}
	if !c.Room(4 + postOpAttrLen + 4 + n + 3) {
		return rpc.Grow
	}
	res := nfs3.READLINK3res{Resok: nfs3.READLINK3resok{Data: w.target[:n]}}
	translate.PostOp(&res.Resok.SymlinkAttributes, &w.attr)
	res.Encode(&c.Reply)
	return rpc.Done
}
