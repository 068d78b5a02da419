package nfs3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

func (a *dirArgs) decodeReaddirplus(d *xdr.Decoder) {
	a.fh = decodeHandle(d)
	a.cookie = d.Uint64()
	a.verf = d.Uint64()
	a.names = d.Uint32()
	a.max = d.Uint32()
}

// readdirplus is READDIRPLUS (RFC 1813, section 3.3.17). Its maxcount bounds all
// of the results but the status, its dircount the ids, names and cookies as far as
// there is more than one entry.
func (s *server) readdirplus(c *rpc.Call) rpc.Outcome {
	var a dirArgs
	a.decodeReaddirplus(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	return s.readDirectory(c, procReaddirplus, &a)
}
