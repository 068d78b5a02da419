package v3

import (
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// rename is RENAME (RFC 1813, section 3.3.14).
func (s *server) rename(c *rpc.Call) rpc.Outcome {
	var a nfs3.RENAME3args
	a.Decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var from, to object.Object
	st := s.openChange(c, a.From.Dir.Data, &from, w)
	// Open the second directory in any case, for its attributes.
	if stTo := s.openChange(c, a.To.Dir.Data, &to, w); st == vfs.OK {
		st = stTo
	}
	if st == vfs.OK && from.Export != to.Export {
		st = vfs.XDev
	}
	if st == vfs.OK {
		st = checkEntry(a.From.Name, vfs.Inval, vfs.Inval)
	}
	if st == vfs.OK {
		st = checkEntry(a.To.Name, vfs.Inval, vfs.Inval)
	}
	if st == vfs.OK {
		w.rename = vfs.RenameArgs{From: from.Handle, FromName: a.From.Name, To: to.Handle, ToName: a.To.Name}
		st = from.View.Rename(from.Cred(c), &w.rename, &w.wcc, &w.wccTo)
		if object.Waits(c, st) {
			return rpc.Wait
		}
	} else if !unchanged(c, vfs.OK, &from, &w.wcc) || !unchanged(c, vfs.OK, &to, &w.wccTo) {
		return rpc.Wait
	}
	res := nfs3.RENAME3res{Status: status(nfs3.NFSPROC3_RENAME, st)}
	translate.WCC(&res.Resok.FromdirWcc, &w.wcc)
	translate.WCC(&res.Resok.TodirWcc, &w.wccTo)
	res.Resfail = nfs3.RENAME3resfail(res.Resok)
	res.Encode(&c.Reply)
	return rpc.Done
}
