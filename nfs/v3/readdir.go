package v3

import (
	"encoding/binary"
	"math"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// readdir is READDIR (RFC 1813, section 3.3.16). Its count bounds all of the results but the
// status.
func (s *server) readdir(c *rpc.Call) rpc.Outcome {
	var a nfs3.READDIR3args
	a.Decode(&c.Args)
	if c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	return s.readDirectory(c, nfs3.NFSPROC3_READDIR, &dirArgs{
		fh: a.Dir.Data, cookie: uint64(a.Cookie), verf: binary.BigEndian.Uint64(a.Cookieverf[:]),
		names: math.MaxUint32, max: uint32(a.Count),
	})
}
