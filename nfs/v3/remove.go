package v3

import (
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// remove is REMOVE (RFC 1813, section 3.3.12).
func (s *server) remove(c *rpc.Call) rpc.Outcome {
	var a nfs3.REMOVE3args
	a.Decode(&c.Args)
	return s.unlink(c, nfs3.NFSPROC3_REMOVE, &a.Object, vfs.Inval, vfs.View.Remove)
}

// unlink does REMOVE and RMDIR. They differ in the method that does the work and in the status for
// "..".
func (s *server) unlink(c *rpc.Call, proc int, a *nfs3.Diropargs3, dotdot vfs.Status,
	do func(vfs.View, *vfs.Cred, vfs.Handle, []byte, *vfs.WCC) vfs.Status,
) rpc.Outcome {
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var dir object.Object
	st := s.openChange(c, a.Dir.Data, &dir, w)
	if st == vfs.OK {
		st = checkEntry(a.Name, vfs.Inval, dotdot)
	}
	if st != vfs.OK {
		return refuse(c, proc, st, &dir, &w.wcc)
	}
	st = do(dir.View, dir.Cred(c), dir.Handle, a.Name, &w.wcc)
	return finish(c, proc, st, &w.wcc)
}
