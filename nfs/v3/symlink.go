package nfs3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// symlinkArgs is SYMLINK3args; the attributes are decoded to a vfs.SetAttr.
type symlinkArgs struct {
	where  dirop
	target []byte
}

func (a *symlinkArgs) decode(d *xdr.Decoder, set *vfs.SetAttr) {
	a.where.decode(d)
	decodeSattr(d, set)
	a.target = decodeString(d, targetMax)
}

// symlink is SYMLINK (RFC 1813, section 3.3.10).
func (s *server) symlink(c *rpc.Call) rpc.Outcome {
	w := s.work(c)
	var a symlinkArgs
	a.decode(&c.Args, &w.set)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w.set.HasSize = false // the target's length is the size
	var dir object
	st := s.openChange(c, a.where.dir, &dir, w)
	if st == vfs.OK {
		st = checkNew(a.where.name, &w.set)
	}
	if st == vfs.OK {
		st = checkTarget(a.target)
	}
	if st != vfs.OK {
		return refuse(c, procSymlink, st, &dir, &w.wcc)
	}
	w.symlink = vfs.SymlinkArgs{Name: a.where.name, Target: a.target, Set: &w.set}
	st = dir.v.Symlink(dir.cred(c), dir.h, &w.symlink, &w.made)
	return s.finishMade(c, procSymlink, st, &dir, w)
}
