package nfs3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// rmdir is RMDIR (RFC 1813, section 3.3.13), where "." is INVAL and ".." is
// EXIST: that directory is not empty.
func (s *server) rmdir(c *rpc.Call) rpc.Outcome {
	var a dirop
	a.decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var dir object
	st := s.openChange(c, a.dir, &dir)
	if st == vfs.OK {
		st = checkEntry(a.name, vfs.Inval, vfs.Exist)
	}
	if st != vfs.OK {
		return refuse(c, procRmdir, st, &dir, &w.wcc)
	}
	st = dir.v.Rmdir(dir.cred(c), dir.h, a.name, &w.wcc)
	return finish(c, procRmdir, st, &w.wcc)
}
