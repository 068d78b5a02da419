package nfs3

import (
	"math"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

func (a *dirArgs) decodeReaddir(d *xdr.Decoder) {
	a.fh = decodeHandle(d)
	a.cookie = d.Uint64()
	a.verf = d.Uint64()
	a.names = math.MaxUint32
	a.max = d.Uint32()
}

// readdir is READDIR (RFC 1813, section 3.3.16). Its count bounds all of the
// results but the status.
func (s *server) readdir(c *rpc.Call) rpc.Outcome {
	var a dirArgs
	a.decodeReaddir(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	return s.readDirectory(c, procReaddir, &a)
}
