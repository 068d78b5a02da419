package v3

import (
	"math"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// setattr is SETATTR (RFC 1813, section 3.3.2).
func (s *server) setattr(c *rpc.Call) rpc.Outcome {
	var a nfs3.SETATTR3args
	a.Decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	w.set = translate.SetAttr(&a.NewAttributes)
	var o object.Object
	st := s.openChange(c, a.Object.Data, &o, w)
	if st == vfs.OK {
		st = checkSattr(&w.set)
	}
	if st != vfs.OK {
		return refuse(c, nfs3.NFSPROC3_SETATTR, st, &o, &w.wcc)
	}
	if a.Guard.Check {
		w.guard = translate.FromTime(a.Guard.ObjCtime)
		w.set.Guard = &w.guard
	}
	st = o.View.SetAttr(o.Cred(c), o.Handle, &w.set, &w.wcc)
	return finish(c, nfs3.NFSPROC3_SETATTR, st, &w.wcc)
}

// checkSattr refuses attributes that no file system could set: nanoseconds of more than a second, a
// size that does not fit a signed file offset. It drops the bits of the mode that are not
// permissions.
func checkSattr(s *vfs.SetAttr) vfs.Status {
	if s.AtimeHow == vfs.TimeClient && s.Atime.Nsec > vfs.NsecMax ||
		s.MtimeHow == vfs.TimeClient && s.Mtime.Nsec > vfs.NsecMax ||
		s.HasSize && s.Size > math.MaxInt64 {
		return vfs.Inval
	}
	s.Mode &= 0o7777
	return vfs.OK
}
