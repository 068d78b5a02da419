package mount

import "github.com/ringnfs/ringnfs/nfs/rpc"

// dump is DUMP: who has mounted what (RFC 1813, section 5.2.2).
func (s *server) dump(c *rpc.Call) rpc.Outcome {
	entries := s.list.snapshot()
	hosts := make([]string, len(entries))
	for i := range entries {
		hosts[i] = entries[i].peer.String()
	}
	size := sum(len(entries), func(i int) int {
		return 4 + padded(len(hosts[i])) + padded(len(entries[i].path))
	})
	if !c.Room(size) {
		return rpc.Grow
	}
	for i := range entries {
		c.Reply.Bool(true)
		c.Reply.String(hosts[i])
		c.Reply.String(entries[i].path)
	}
	c.Reply.Bool(false)
	return rpc.Done
}
