package nfs3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// fsstat is FSSTAT (RFC 1813, section 3.3.18).
func (s *server) fsstat(c *rpc.Call) rpc.Outcome {
	fh := decodeHandle(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var o object
	st := s.open(c, fh, &o, w)
	if st == vfs.OK {
		st = o.v.Statfs(o.cred(c), o.h, &w.statfs)
	}
	if st != vfs.OK {
		return failAttr(c, procFsstat, st, &o, &w.attr)
	}
	if !o.fill(c, &w.attr) {
		return rpc.Wait
	}
	e, f := &c.Reply, &w.statfs
	e.Uint32(uint32(NFS3_OK))
	encodePostOpAttr(e, &w.attr)
	e.Uint64(f.TotalBytes)
	e.Uint64(f.FreeBytes)
	e.Uint64(f.AvailBytes)
	e.Uint64(f.TotalFiles)
	e.Uint64(f.FreeFiles)
	e.Uint64(f.AvailFiles)
	e.Uint32(0) // invarsec: may change at any moment
	return rpc.Done
}
