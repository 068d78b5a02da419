package nfs3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// rename is RENAME (RFC 1813, section 3.3.14).
func (s *server) rename(c *rpc.Call) rpc.Outcome {
	var a, b dirop
	a.decode(&c.Args)
	b.decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var from, to object
	st := s.openChange(c, a.dir, &from, w)
	// The second is opened in any case, for its attributes.
	if stTo := s.openChange(c, b.dir, &to, w); st == vfs.OK {
		st = stTo
	}
	if st == vfs.OK && from.x != to.x {
		st = vfs.XDev
	}
	if st == vfs.OK {
		st = checkEntry(a.name, vfs.Inval, vfs.Inval)
	}
	if st == vfs.OK {
		st = checkEntry(b.name, vfs.Inval, vfs.Inval)
	}
	if st == vfs.OK {
		w.rename = vfs.RenameArgs{From: from.h, FromName: a.name, To: to.h, ToName: b.name}
		st = from.v.Rename(from.cred(c), &w.rename, &w.wcc, &w.wccTo)
		if waits(c, st) {
			return rpc.Wait
		}
	} else if !unchanged(c, vfs.OK, &from, &w.wcc) || !unchanged(c, vfs.OK, &to, &w.wccTo) {
		return rpc.Wait
	}
	c.Reply.Uint32(wire(procRename, st))
	encodeWCC(&c.Reply, &w.wcc)
	encodeWCC(&c.Reply, &w.wccTo)
	return rpc.Done
}
