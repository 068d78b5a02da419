package nfs3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// readlink is READLINK (RFC 1813, section 3.3.5). The target is copied once, for
// targets are short and the reply need not have room for the longest.
func (s *server) readlink(c *rpc.Call) rpc.Outcome {
	fh := decodeHandle(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var o object
	n := 0
	st := s.open(c, fh, &o, w)
	if st == vfs.OK {
		n, st = o.v.ReadLink(o.cred(c), o.h, w.target[:], &w.attr)
	}
	if st != vfs.OK {
		return failAttr(c, procReadlink, st, &o, &w.attr)
	}
	if !c.Room(4 + postOpAttrLen + 4 + n + 3) {
		return rpc.Grow
	}
	c.Reply.Uint32(uint32(NFS3_OK))
	encodePostOpAttr(&c.Reply, &w.attr)
	c.Reply.Opaque(w.target[:n])
	return rpc.Done
}
