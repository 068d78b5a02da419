package nfs3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// fsinfo is FSINFO (RFC 1813, section 3.3.19). What a client should prefer is
// the most that it may: there is no smaller size that costs less per byte.
func (s *server) fsinfo(c *rpc.Call) rpc.Outcome {
	fh := decodeHandle(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var o object
	if st := s.describe(c, fh, &o, w); st != vfs.OK {
		return failAttr(c, procFsinfo, st, &o, &w.attr)
	}
	l := o.x.FS.Limits()
	e := &c.Reply
	e.Uint32(uint32(NFS3_OK))
	encodePostOpAttr(e, &w.attr)
	e.Uint32(s.cfg.ReadMax)
	e.Uint32(s.cfg.ReadMax)
	e.Uint32(granule)
	e.Uint32(s.cfg.WriteMax)
	e.Uint32(s.cfg.WriteMax)
	e.Uint32(granule)
	e.Uint32(s.cfg.ReadDirMax)
	e.Uint64(l.FileSizeMax)
	sec, nsec := wireTime(l.TimeDelta)
	e.Uint32(sec)
	e.Uint32(nsec)
	e.Uint32(properties(&l))
	return rpc.Done
}

// properties returns FSINFO's set of what the file system can do.
func properties(l *vfs.Limits) (p uint32) {
	if l.HardLinks {
		p |= FSF3_LINK
	}
	if l.SymbolicLinks {
		p |= FSF3_SYMLINK
	}
	if l.Homogeneous {
		p |= FSF3_HOMOGENEOUS
	}
	if l.CanSetTime {
		p |= FSF3_CANSETTIME
	}
	return p
}
