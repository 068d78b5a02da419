package v3

import (
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// getattr is GETATTR (RFC 1813, section 3.3.1). It needs no permission: having the handle is
// enough.
func (s *server) getattr(c *rpc.Call) rpc.Outcome {
	fh := decodeHandle(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var o object.Object
	st := s.describe(c, fh, &o, w)
	if object.Waits(c, st) {
		return rpc.Wait
	}
	c.Reply.Uint32(uint32(status(nfs3.NFSPROC3_GETATTR, st)))
	if st == vfs.OK {
		encodeFattr(&c.Reply, &w.attr)
	}
	return rpc.Done
}
