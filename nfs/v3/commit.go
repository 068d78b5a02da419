package nfs3

import (
	"math"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// commitArgs is COMMIT3args.
type commitArgs struct {
	fh     []byte
	offset uint64
	count  uint32
}

func (a *commitArgs) decode(d *xdr.Decoder) {
	a.fh = decodeHandle(d)
	a.offset = d.Uint64()
	a.count = d.Uint32()
}

// clip brings the range within signed file offsets. What would reach beyond them
// goes to the end of the file, and nothing lies behind the last of them.
func (a *commitArgs) clip() {
	a.offset = min(a.offset, math.MaxInt64)
	if a.offset > math.MaxInt64-uint64(a.count) {
		a.count = 0
	}
}

// commit is COMMIT (RFC 1813, section 3.3.21). It changes no data, so that a
// read-only export does not refuse it.
func (s *server) commit(c *rpc.Call) rpc.Outcome {
	var a commitArgs
	a.decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	a.clip()
	w := s.work(c)
	var o object
	if st := s.open(c, a.fh, &o, w); st != vfs.OK {
		return refuse(c, procCommit, st, &o, &w.wcc)
	}
	w.commit = vfs.CommitArgs{Off: a.offset, Count: a.count}
	verf, st := o.v.Commit(o.cred(c), o.h, &w.commit, &w.wcc)
	if st != vfs.OK {
		return finish(c, procCommit, st, &w.wcc)
	}
	c.Reply.Uint32(uint32(NFS3_OK))
	encodeWCC(&c.Reply, &w.wcc)
	c.Reply.Uint64(verf)
	return rpc.Done
}
