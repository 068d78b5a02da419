package nfs3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// remove is REMOVE (RFC 1813, section 3.3.12).
func (s *server) remove(c *rpc.Call) rpc.Outcome {
	var a dirop
	a.decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var dir object
	st := s.openChange(c, a.dir, &dir)
	if st == vfs.OK {
		st = checkEntry(a.name, vfs.Inval, vfs.Inval)
	}
	if st != vfs.OK {
		return refuse(c, procRemove, st, &dir, &w.wcc)
	}
	st = dir.v.Remove(dir.cred(c), dir.h, a.name, &w.wcc)
	return finish(c, procRemove, st, &w.wcc)
}
