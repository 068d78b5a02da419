package v3

import (
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/object"
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
	var dir object.Object
	st := s.open(c, a.dir, &dir, w)
	if st == vfs.OK {
		st = checkName(a.name)
	}
	if st == vfs.OK {
		st = dir.View.Lookup(dir.Cred(c), dir.Handle, a.name, &w.found)
	}
	if st != vfs.OK {
		return failAttr(c, nfs3.NFSPROC3_LOOKUP, st, &dir, &w.attr)
	}
	c.Reply.Uint32(uint32(nfs3.NFS3_OK))
	c.Reply.Opaque(s.seal(c, dir.Export, &w.entry.Handle, w))
	encodePostOpAttr(&c.Reply, &w.entry.Attr)
	encodePostOpAttr(&c.Reply, &w.attr)
	return rpc.Done
}
