package sockdiag

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// The layouts of linux/inet_diag.h, in bytes.
const (
	requestLen = 56 // struct inet_diag_req_v2
	messageLen = 72 // struct inet_diag_msg
	// atID is the offset of the addresses (struct inet_diag_sockid) in the request, atMessageID
	// that in the answer.
	atID, atMessageID = 8, 4
	atUID, atInode    = 64, 68

	byFamily = 20 // SOCK_DIAG_BY_FAMILY
)

// pair is the two ends of a connection, seen from its socket.
type pair struct{ own, other netip.AddrPort }

// appendRequest appends the question for one socket (struct inet_diag_req_v2).
func appendRequest(b []byte, protocol byte, p pair, device uint32) []byte {
	family := byte(unix.AF_INET6)
	if p.own.Addr().Is4() {
		family = unix.AF_INET
	}
	at := len(b)
	b = append(b, make([]byte, requestLen)...)
	r := b[at:]
	r[0], r[1] = family, protocol
	binary.NativeEndian.PutUint32(r[4:], 1<<32-1) // in any state
	id := r[atID:]
	binary.BigEndian.PutUint16(id[0:], p.own.Port())
	binary.BigEndian.PutUint16(id[2:], p.other.Port())
	copy(id[4:20], p.own.Addr().AsSlice())
	copy(id[20:36], p.other.Addr().AsSlice())
	binary.NativeEndian.PutUint32(id[36:], device)
	binary.NativeEndian.PutUint64(id[40:], 1<<64-1) // INET_DIAG_NOCOOKIE
	return b
}

// found is what the kernel says of a socket (struct inet_diag_msg).
type found struct {
	state byte
	pair
	uid, inode uint32
}

func parseMessage(b []byte) (found, bool) {
	if len(b) < messageLen {
		return found{}, false
	}
	id := b[atMessageID:]
	six := b[0] == unix.AF_INET6
	addr := func(b []byte) netip.Addr {
		if six {
			return netip.AddrFrom16([16]byte(b[:16])).Unmap()
		}
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	return found{
		state: b[1],
		pair: pair{
			own:   netip.AddrPortFrom(addr(id[4:]), binary.BigEndian.Uint16(id[0:])),
			other: netip.AddrPortFrom(addr(id[20:]), binary.BigEndian.Uint16(id[2:])),
		},
		uid:   binary.NativeEndian.Uint32(b[atUID:]),
		inode: binary.NativeEndian.Uint32(b[atInode:]),
	}, true
}

// appendRoute appends the question by which route packets to a go (struct rtmsg, RTA_DST, RTA_OIF).
func appendRoute(b []byte, a netip.Addr, device uint32) []byte {
	family, bits := byte(unix.AF_INET6), byte(128)
	if a.Is4() {
		family, bits = unix.AF_INET, 32
	}
	b = append(b, family, bits, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = appendAttr(b, unix.RTA_DST, a.AsSlice())
	if device != 0 {
		b = appendAttr(b, unix.RTA_OIF, binary.NativeEndian.AppendUint32(nil, device))
	}
	return b
}

// appendAddress appends the question for an IPv6 address of any link (struct ifaddrmsg,
// IFA_ADDRESS).
func appendAddress(b []byte, a netip.Addr) []byte {
	b = append(b, unix.AF_INET6, 0, 0, 0, 0, 0, 0, 0)
	return appendAttr(b, unix.IFA_ADDRESS, a.AsSlice())
}

func appendAttr(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	return append(b, value...) // addresses and numbers need no padding
}

// atRouteType is the offset of the route's type in struct rtmsg.
const atRouteType = 7
