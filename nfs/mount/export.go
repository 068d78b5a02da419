package mount

import (
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// export is EXPORT: the exports and the addresses that each one serves (RFC 1813, section 5.2.5).
// It tells a caller the exports that serve the caller's address, and root on this machine all
// exports. It leaves out exports for which a reply has no room.
func (s *server) export(c *rpc.Call) rpc.Outcome {
	var exports []*export.Export
	var groups [][]string
	size := endLen
	for _, x := range s.table.Exports() {
		if !x.Allowed(c.Peer.Addr()) && !c.Origin.Rules() {
			continue
		}
		names := groupsOf(x)
		more := 4 + padded(len(x.Path)) + endLen
		for _, g := range names {
			more += 4 + padded(len(g))
		}
		if size+more > s.cfg.ReplyMax {
			continue
		}
		size += more
		exports, groups = append(exports, x), append(groups, names)
	}
	if !c.Room(size) {
		return rpc.Grow
	}
	for i, x := range exports {
		c.Reply.Bool(true)
		c.Reply.String(x.Path)
		for _, g := range groups[i] {
			c.Reply.Bool(true)
			c.Reply.String(g)
		}
		c.Reply.Bool(false)
	}
	c.Reply.Bool(false)
	return rpc.Done
}

// groupsOf names the addresses that x serves. If x serves all of IPv4 and IPv6, groupsOf returns no
// group, which means everybody.
func groupsOf(x *export.Export) []string {
	if everybody(x) {
		return nil
	}
	names := make([]string, len(x.Allow))
	for i, p := range x.Allow {
		names[i] = p.String()
	}
	return names
}

// everybody reports whether x serves both address families as a whole.
func everybody(x *export.Export) bool {
	v4, v6 := false, false
	for _, p := range x.Allow {
		if p.Bits() == 0 {
			v4 = v4 || p.Addr().Is4()
			v6 = v6 || p.Addr().Is6()
		}
	}
	return v4 && v6
}
