package nfs3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// getattr is GETATTR (RFC 1813, section 3.3.1). To have the handle is enough.
func (s *server) getattr(c *rpc.Call) rpc.Outcome {
	fh := decodeHandle(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var o object
	st := s.describe(c, fh, &o, w)
	if waits(c, st) {
		return rpc.Wait
	}
	c.Reply.Uint32(wire(procGetattr, st))
	if st == vfs.OK {
		encodeFattr(&c.Reply, &w.attr)
	}
	return rpc.Done
}

// describe opens the object of a handle and gets its attributes.
func (s *server) describe(c *rpc.Call, fh []byte, o *object, w *work) vfs.Status {
	st := s.open(c, fh, o, w)
	if st == vfs.OK {
		if st = o.v.GetAttr(o.h, &w.attr); st != vfs.OK {
			w.attr.Mask = 0 // unspecified
		}
	}
	return st
}
