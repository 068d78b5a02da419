package v3

import (
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// readdirplus is READDIRPLUS (RFC 1813, section 3.3.17). Its maxcount bounds all of the results but
// the status. Its dircount bounds the ids, names and cookies, if there is more than one entry.
func (s *server) readdirplus(c *rpc.Call) rpc.Outcome {
	var a dirArgs
	a.decodePlus(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	return s.readDirectory(c, nfs3.NFSPROC3_READDIRPLUS, &a)
}
