package v3

import (
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// fsinfo is FSINFO (RFC 1813, section 3.3.19). The preferred sizes are the largest allowed ones,
// because no smaller size costs less per byte.
func (s *server) fsinfo(c *rpc.Call) rpc.Outcome {
	var a nfs3.FSINFO3args
	a.Decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var o object.Object
	if st := s.describe(c, a.Fsroot.Data, &o, w); st != vfs.OK {
		return failAttr(c, nfs3.NFSPROC3_FSINFO, st, &o, &w.attr)
	}
	l := o.Export.FS.Limits()
	res := nfs3.FSINFO3res{Resok: nfs3.FSINFO3resok{
		Rtmax:       s.cfg.ReadMax,
		Rtpref:      s.cfg.ReadMax,
		Rtmult:      granule,
		Wtmax:       s.cfg.WriteMax,
		Wtpref:      s.cfg.WriteMax,
		Wtmult:      granule,
		Dtpref:      s.cfg.ReadDirMax,
		Maxfilesize: nfs3.Size3(l.FileSizeMax),
		TimeDelta:   translate.Time(l.TimeDelta),
		Properties:  properties(&l),
	}}
	translate.PostOp(&res.Resok.ObjAttributes, &w.attr)
	res.Encode(&c.Reply)
	return rpc.Done
}

// properties returns FSINFO's set of what the file system can do.
func properties(l *vfs.Limits) (p uint32) {
	if l.HardLinks {
		p |= nfs3.FSF3_LINK
	}
	if l.SymbolicLinks {
		p |= nfs3.FSF3_SYMLINK
	}
	if l.Homogeneous {
		p |= nfs3.FSF3_HOMOGENEOUS
	}
	if l.CanSetTime {
		p |= nfs3.FSF3_CANSETTIME
	}
	return p
}
