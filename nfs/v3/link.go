package nfs3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// linkArgs is LINK3args.
type linkArgs struct {
	fh    []byte
	where dirop
}

func (a *linkArgs) decode(d *xdr.Decoder) {
	a.fh = decodeHandle(d)
	a.where.decode(d)
}

// link is LINK (RFC 1813, section 3.3.15).
func (s *server) link(c *rpc.Call) rpc.Outcome {
	var a linkArgs
	a.decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var o, dir object
	st := s.openChange(c, a.fh, &o, w)
	// The directory is opened in any case, for its attributes.
	if stDir := s.openChange(c, a.where.dir, &dir, w); st == vfs.OK {
		st = stDir
	}
	if st == vfs.OK && o.x != dir.x {
		st = vfs.XDev
	}
	if st == vfs.OK {
		st = checkEntry(a.where.name, vfs.Exist, vfs.Exist)
	}
	if st == vfs.OK {
		w.link = vfs.LinkArgs{Object: o.h, Dir: dir.h, Name: a.where.name}
		st = dir.v.Link(dir.cred(c), &w.link, &w.attr, &w.wcc)
		if waits(c, st) {
			return rpc.Wait
		}
	} else if !o.fill(c, &w.attr) || !unchanged(c, vfs.OK, &dir, &w.wcc) {
		return rpc.Wait
	}
	c.Reply.Uint32(wire(procLink, st))
	encodePostOpAttr(&c.Reply, &w.attr)
	encodeWCC(&c.Reply, &w.wcc)
	return rpc.Done
}
