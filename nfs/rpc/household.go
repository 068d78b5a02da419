package rpc

import (
	"encoding/binary"
	"net/netip"
)

// Household returns what an address counts for when something scarce is shared out: connections,
// turns at the workers, kept replies, the list of mounts.
//
// A machine can use all addresses of an IPv6 network of 64 bits (RFC 4291, section 2.5.1), so these
// are one household. In the link-local network all machines share the 64 bits, so there each
// address counts for itself. The loopback addresses of both families are one household, since they
// are one machine's. Every other address counts for itself, in one form, whatever socket it came
// by.
//
// Household does not block. Where the caller's [Origin] is known, [Origin.House] tells more.
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

// House returns what calls from o at address a count for. A user of this machine can take any of
// its addresses, so each of these users is a household, wherever they call from. Peers elsewhere
// are what [Household] says. House does not block.
func (o *Origin) House(a netip.Addr) netip.Addr {
	if !o.Local() {
		return Household(a)
	}
	// This is a group address of a scope that is not used (RFC 4291, section 2.7), so no peer
	// has it.
	house := [16]byte{0: 0xff}
	binary.BigEndian.PutUint32(house[12:], o.UID)
	return netip.AddrFrom16(house)
}
