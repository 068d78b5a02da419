package v3

import (
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// link is LINK (RFC 1813, section 3.3.15).
func (s *server) link(c *rpc.Call) rpc.Outcome {
	var a nfs3.LINK3args
	a.Decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var o, dir object.Object
	st := s.openChange(c, a.File.Data, &o, w)
	// Open the directory in any case, for its attributes.
	if stDir := s.openChange(c, a.Link.Dir.Data, &dir, w); st == vfs.OK {
		st = stDir
	}
	if st == vfs.OK && o.Export != dir.Export {
		st = vfs.XDev
	}
	if st == vfs.OK {
		st = checkEntry(a.Link.Name, vfs.Exist, vfs.Exist)
	}
	if st == vfs.OK {
		w.link = vfs.LinkArgs{Object: o.Handle, Dir: dir.Handle, Name: a.Link.Name}
		st = dir.View.Link(dir.Cred(c), &w.link, &w.attr, &w.wcc)
		if object.Waits(c, st) {
			return rpc.Wait
		}
	} else if !o.Fill(c, &w.attr) || !unchanged(c, vfs.OK, &dir, &w.wcc) {
		return rpc.Wait
	}
	res := nfs3.LINK3res{Status: status(nfs3.NFSPROC3_LINK, st)}
	translate.PostOp(&res.Resok.FileAttributes, &w.attr)
	translate.WCC(&res.Resok.LinkdirWcc, &w.wcc)
	res.Resfail = nfs3.LINK3resfail(res.Resok)
	res.Encode(&c.Reply)
	return rpc.Done
}
