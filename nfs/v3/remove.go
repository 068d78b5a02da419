package nfs3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// remove is REMOVE (RFC 1813, section 3.3.12).
func (s *server) remove(c *rpc.Call) rpc.Outcome {
	return s.unlink(c, procRemove, vfs.Inval, vfs.View.Remove)
}

// unlink does REMOVE and RMDIR, which differ in the method that does the work
// and in the status for "..".
func (s *server) unlink(c *rpc.Call, proc int, dotdot vfs.Status,
	do func(vfs.View, *vfs.Cred, vfs.Handle, []byte, *vfs.WCC) vfs.Status,
) rpc.Outcome {
	var a dirop
	a.decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var dir object
	st := s.openChange(c, a.dir, &dir, w)
	if st == vfs.OK {
		st = checkEntry(a.name, vfs.Inval, dotdot)
	}
	if st != vfs.OK {
		return refuse(c, proc, st, &dir, &w.wcc)
	}
	st = do(dir.v, dir.cred(c), dir.h, a.name, &w.wcc)
	return finish(c, proc, st, &w.wcc)
}
