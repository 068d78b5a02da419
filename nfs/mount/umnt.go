package mount

import "github.com/ringnfs/ringnfs/nfs/rpc"

// umnt is UMNT: it takes the caller's mount of a path off the list (RFC 1813, section 5.2.3). It
// has no results, and fails only if it cannot decode its argument.
func (s *server) umnt(c *rpc.Call) rpc.Outcome {
	path, ok := argument(c)
	if !ok {
		return rpc.GarbageArgs
	}
	if x, rest, ok := s.table.ByPath(path); ok {
		s.list.remove(entryOf(c, join(x, rest)))
	}
	return rpc.Done
}

// umntAll is UMNTALL: it takes all of the caller's mounts off the list (section 5.2.4).
func (s *server) umntAll(c *rpc.Call) rpc.Outcome {
	s.list.removePeer(c.Origin.House(c.Peer.Addr()), peer(c))
	return rpc.Done
}
