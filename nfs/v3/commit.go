package v3

import (
	"encoding/binary"
	"math"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// commitRange brings the range of a COMMIT within signed file offsets. A range that reaches beyond
// them goes to the end of the file, because no byte lies behind the last of them.
func commitRange(a *nfs3.COMMIT3args) vfs.CommitArgs {
	r := vfs.CommitArgs{Off: min(uint64(a.Offset), math.MaxInt64), Count: uint32(a.Count)}
	if r.Off > math.MaxInt64-uint64(r.Count) {
		r.Count = 0
	}
	return r
}

// commit is COMMIT (RFC 1813, section 3.3.21). A read-only export does not refuse it, because it
// changes no data.
func (s *server) commit(c *rpc.Call) rpc.Outcome {
	var a nfs3.COMMIT3args
	a.Decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	w := s.work(c)
	var o object.Object
	if st := s.open(c, a.File.Data, &o, w); st != vfs.OK {
		return refuse(c, nfs3.NFSPROC3_COMMIT, st, &o, &w.wcc)
	}
	w.commit = commitRange(&a)
	verf, st := o.View.Commit(o.Cred(c), o.Handle, &w.commit, &w.wcc)
	if st != vfs.OK {
		return finish(c, nfs3.NFSPROC3_COMMIT, st, &w.wcc)
	}
	var res nfs3.COMMIT3res
	translate.WCC(&res.Resok.FileWcc, &w.wcc)
	binary.BigEndian.PutUint64(res.Resok.Verf[:], verf)
	res.Encode(&c.Reply)
	return rpc.Done
}
