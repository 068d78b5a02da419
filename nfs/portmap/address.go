package portmap

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// transport has the facts about a Netid.
type transport struct {
	protocol  uint32 // IPPROTO_TCP or IPPROTO_UDP
	proto     string
	family    string
	semantics uint32
	wildcard  netip.Addr
}

var transports = map[Netid]transport{
	TCP:  {IPPROTO_TCP, "tcp", "inet", NC_TPI_COTS_ORD, netip.IPv4Unspecified()},
	UDP:  {IPPROTO_UDP, "udp", "inet", NC_TPI_CLTS, netip.IPv4Unspecified()},
	TCP6: {IPPROTO_TCP, "tcp", "inet6", NC_TPI_COTS_ORD, netip.IPv6Unspecified()},
	UDP6: {IPPROTO_UDP, "udp", "inet6", NC_TPI_CLTS, netip.IPv6Unspecified()},
}

// local returns the address that the call came in on.
func local(c *rpc.Call) netip.Addr { return c.Local.Addr().Unmap().WithZone("") }

// netidOf returns the transport that the call came in on.
func netidOf(c *rpc.Call) Netid {
	v6 := local(c).Is6()
	switch {
	case c.Datagram && v6:
		return UDP6
	case c.Datagram:
		return UDP
	case v6:
		return TCP6
	default:
		return TCP
	}
}

// universal returns the universal address of m for the caller: with the address that the caller
// called if that is of m's family, otherwise with any.
func universal(c *rpc.Call, m Mapping) string {
	a := transports[m.Netid].wildcard
	if l := local(c); l.IsValid() && l.Is4() == a.Is4() {
		a = l
	}
	return formatUniversal(netip.AddrPortFrom(a, m.Port))
}

// formatUniversal writes a universal address (RFC 5665, sections 5.2.3.3 and
// 5.2.3.4): the address and the two bytes of the port, each after a dot.
func formatUniversal(a netip.AddrPort) string {
	return a.Addr().Unmap().WithZone("").String() + "." +
		strconv.Itoa(int(a.Port()>>8)) + "." + strconv.Itoa(int(a.Port()&0xff))
}

// parseUniversal reads a universal address.
func parseUniversal(s string) (netip.AddrPort, bool) {
	low := strings.LastIndexByte(s, '.')
	if low < 0 {
		return netip.AddrPort{}, false
	}
	high := strings.LastIndexByte(s[:low], '.')
	if high < 0 {
		return netip.AddrPort{}, false
	}
	p1, err1 := strconv.ParseUint(s[high+1:low], 10, 8)
	p2, err2 := strconv.ParseUint(s[low+1:], 10, 8)
	a, err3 := netip.ParseAddr(s[:high])
	if err1 != nil || err2 != nil || err3 != nil || a.Zone() != "" {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a, uint16(p1<<8|p2)), true
}

// The lengths of Linux's sockaddr_in and sockaddr_in6 in bytes.
const (
	sockaddr4Len = 16
	sockaddr6Len = 28
)

// sockaddr returns a in the kernel's layout: the family in the machine's byte order, the rest in
// the network's.
func sockaddr(a netip.AddrPort) []byte {
	if a.Addr().Is4() {
		b := make([]byte, sockaddr4Len)
		binary.NativeEndian.PutUint16(b, unix.AF_INET)
		binary.BigEndian.PutUint16(b[2:], a.Port())
		copy(b[4:], a.Addr().AsSlice())
		return b
	}
	b := make([]byte, sockaddr6Len)
	binary.NativeEndian.PutUint16(b, unix.AF_INET6)
	binary.BigEndian.PutUint16(b[2:], a.Port())
	copy(b[8:], a.Addr().AsSlice())
	return b
}

// parseSockaddr reads the layout that sockaddr writes.
func parseSockaddr(b []byte) (netip.AddrPort, bool) {
	if len(b) < sockaddr4Len {
		return netip.AddrPort{}, false
	}
	port := binary.BigEndian.Uint16(b[2:])
	switch binary.NativeEndian.Uint16(b) {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), port), true
	case unix.AF_INET6:
		if len(b) >= sockaddr6Len {
			return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])), port), true
		}
	}
	return netip.AddrPort{}, false
}
