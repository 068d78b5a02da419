package mount

import (
	"math"

	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// pathMax is the longest path in bytes that Linux takes.
const pathMax = 4096

// pathconf is PATHCONF of version 2: limits of the file system that a path is on. The limits of
// terminals and pipes are zero, since there are none.
func (s *server) pathconf(c *rpc.Call) rpc.Outcome {
	path, ok := argument(c)
	if !ok {
		return rpc.GarbageArgs
	}
	var res mount3.Ppathcnf
	var p found
	switch s.find(c, path, &p) {
	case vfs.Again:
		return rpc.Wait
	case vfs.OK:
		l := p.x.FS.Limits()
		res.PcLinkMax = clamp(l.LinkMax)
		res.PcNameMax = clamp(l.NameMax)
		res.PcPathMax = pathMax
		if l.NoTrunc {
			res.PcMask[0] |= 1 << mount3.PC_NO_TRUNC
		}
		if l.ChownRestricted {
			res.PcMask[0] |= 1 << mount3.PC_CHOWN_RESTRICTED
		}
	default:
		res.PcMask[0] = 1 << mount3.PC_ERROR
	}
	res.Encode(&c.Reply)
	return rpc.Done
}

func clamp(n uint32) int32 { return int32(min(n, math.MaxInt32)) }
