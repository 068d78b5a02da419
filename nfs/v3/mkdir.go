package nfs3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// mkdir is MKDIR (RFC 1813, section 3.3.9).
func (s *server) mkdir(c *rpc.Call) rpc.Outcome {
	w := s.work(c)
	var a dirop
	a.decode(&c.Args)
	decodeSattr(&c.Args, &w.set)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w.set.HasSize = false // a directory's size is not the client's to choose
	var dir object
	st := s.openChange(c, a.dir, &dir, w)
	if st == vfs.OK {
		st = checkNew(a.name, &w.set)
	}
	if st != vfs.OK {
		return refuse(c, procMkdir, st, &dir, &w.wcc)
	}
	w.mkdir = vfs.MkdirArgs{Name: a.name, Set: &w.set}
	st = dir.v.Mkdir(dir.cred(c), dir.h, &w.mkdir, &w.made)
	return s.finishMade(c, procMkdir, st, &dir, w)
}
