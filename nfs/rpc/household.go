package rpc

import (
	"encoding/binary"
	"net/netip"
)

// Household is whom an address counts for wherever what is scarce is shared out:
// connections, turns at the workers, kept replies, the list of mounts. One machine has
// a whole network of 64 bits of IPv6 addresses at its disposal (RFC 4291, section
// 2.5.1), but for the link's own, where all machines share one. The loopback addresses
// of both families are one household, for they are one machine's. Other addresses count
// for themselves, in one form whatever socket they came by. It does not block. Where the
// caller's [Origin] is known, [Origin.House] tells more.
func Household(a netip.Addr) netip.Addr {
	a = a.Unmap()
	switch {
	case a.IsLoopback():
		return loopback
	case !a.Is6() || a.IsLinkLocalUnicast():
		return a
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// House is whom calls from o at address a count for. A machine's own users can take any
// of its addresses, so each of them is a household by himself, wherever he calls from;
// peers elsewhere are what [Household] says. It does not block.
func (o *Origin) House(a netip.Addr) netip.Addr {
	if !o.Local() {
		return Household(a)
	}
	// A group address of a scope that is not used (RFC 4291, section 2.7): no peer has it.
	house := [16]byte{0: 0xff}
	binary.BigEndian.PutUint32(house[12:], o.UID)
	return netip.AddrFrom16(house)
}
