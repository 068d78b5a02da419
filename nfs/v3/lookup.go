package nfs3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// lookup is LOOKUP (RFC 1813, section 3.3.3). "." and ".." are names here.
func (s *server) lookup(c *rpc.Call) rpc.Outcome {
	var a dirop
	a.decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var dir object
	st := s.open(c, a.dir, &dir, w)
	if st == vfs.OK {
		st = checkName(a.name)
	}
	if st == vfs.OK {
		st = dir.v.Lookup(dir.cred(c), dir.h, a.name, &w.found)
	}
	if st != vfs.OK {
		return failAttr(c, procLookup, st, &dir, &w.attr)
	}
	c.Reply.Uint32(uint32(NFS3_OK))
	s.encodeHandle(c, dir.x, &w.entry.Handle, w)
	encodeEntryAttr(&c.Reply, &w.entry)
	encodePostOpAttr(&c.Reply, &w.attr)
	return rpc.Done
}
