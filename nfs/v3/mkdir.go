package v3

import (
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// mkdir is MKDIR (RFC 1813, section 3.3.9).
func (s *server) mkdir(c *rpc.Call) rpc.Outcome {
	var a nfs3.MKDIR3args
	a.Decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	w.set = translate.SetAttr(&a.Attributes)
	w.set.HasSize = false // a client cannot choose a directory's size
	var dir object.Object
	st := s.openChange(c, a.Where.Dir.Data, &dir, w)
	if st == vfs.OK {
		st = checkNew(a.Where.Name, &w.set)
	}
	if st != vfs.OK {
		return refuse(c, nfs3.NFSPROC3_MKDIR, st, &dir, &w.wcc)
	}
	w.mkdir = vfs.MkdirArgs{Name: a.Where.Name, Set: &w.set}
	st = dir.View.Mkdir(dir.Cred(c), dir.Handle, &w.mkdir, &w.made)
	return s.finishMade(c, nfs3.NFSPROC3_MKDIR, st, &dir, w)
}
