package v3

import (
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// symlink is SYMLINK (RFC 1813, section 3.3.10).
func (s *server) symlink(c *rpc.Call) rpc.Outcome {
	var a nfs3.SYMLINK3args
	a.Decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	w.set = translate.SetAttr(&a.Symlink.SymlinkAttributes)
	w.set.HasSize = false // the target's length is the size
	var dir object.Object
	st := s.openChange(c, a.Where.Dir.Data, &dir, w)
	if st == vfs.OK {
		st = checkNew(a.Where.Name, &w.set)
	}
	if st == vfs.OK {
		st = checkTarget(a.Symlink.SymlinkData)
	}
	if st != vfs.OK {
		return refuse(c, nfs3.NFSPROC3_SYMLINK, st, &dir, &w.wcc)
	}
	w.symlink = vfs.SymlinkArgs{Name: a.Where.Name, Target: a.Symlink.SymlinkData, Set: &w.set}
	st = dir.View.Symlink(dir.Cred(c), dir.Handle, &w.symlink, &w.made)
	return s.finishMade(c, nfs3.NFSPROC3_SYMLINK, st, &dir, w)
}
