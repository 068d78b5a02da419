package mount

import "github.com/ringnfs/ringnfs/nfs/rpc"

// dump is DUMP: who has mounted what (RFC 1813, section 5.2.2). Root on this machine is
// told all, its other users what they have mounted by the address that they call from, and
// everybody else what his own address has: the paths and the addresses of others are
// nobody's business. Where they are too many for a reply, the oldest are left out.
func (s *server) dump(c *rpc.Call) rpc.Outcome {
	var entries []entry
	if c.Origin.Rules() {
		entries = s.list.snapshot()
	} else {
		entries = s.list.of(c.Origin.House(c.Peer.Addr()), peer(c))
	}
	hosts := make([]string, len(entries))
	first, size := len(entries), endLen
	for first > 0 {
		e := &entries[first-1]
		hosts[first-1] = e.peer.String()
		more := 4 + padded(len(hosts[first-1])) + padded(len(e.path))
		if size+more > s.cfg.ReplyMax {
			break
		}
		first, size = first-1, size+more
	}
	if !c.Room(size) {
		return rpc.Grow
	}
	for i := first; i < len(entries); i++ {
		c.Reply.Bool(true)
		c.Reply.String(hosts[i])
		c.Reply.String(entries[i].path)
	}
	c.Reply.Bool(false)
	return rpc.Done
}

// endLen is the length of a list's end in bytes.
const endLen = 4
