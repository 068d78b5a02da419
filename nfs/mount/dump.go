package mount

import "github.com/ringnfs/ringnfs/nfs/rpc"

// dump is DUMP: who has mounted what (RFC 1813, section 5.2.2). It tells root on this machine all
// mounts. It tells another user of this machine the mounts that this user has made from the present
// address, and any other caller those of the caller's own address: the paths and the addresses of
// others are nobody's business. If there are too many mounts for a reply, dump leaves out the
// oldest.
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
