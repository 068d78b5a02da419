package sockdiag

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Protocol is the protocol of a socket.
type Protocol uint8

// Protocols.
const (
	TCP Protocol = unix.IPPROTO_TCP
	UDP Protocol = unix.IPPROTO_UDP
)

// ErrNotFound says that this machine has no such socket, or that the socket no longer belongs to a
// process.
var ErrNotFound = errors.New("sockdiag: no such socket")

// Kernel answers questions. Its zero value is closed; [Open] returns an open one.
type Kernel struct{ diag, route netlink }

// Open opens two descriptors. It fails if the process may not use netlink, for example under
// RestrictAddressFamilies= of systemd without AF_NETLINK.
func Open() (*Kernel, error) {
	k := &Kernel{diag: netlink{fd: -1}, route: netlink{fd: -1}}
	if err := k.diag.open(unix.NETLINK_SOCK_DIAG); err != nil {
		return nil, fmt.Errorf("sockdiag: netlink sock_diag: %w", err)
	}
	if err := k.route.open(unix.NETLINK_ROUTE); err != nil {
		return nil, errors.Join(fmt.Errorf("sockdiag: netlink route: %w", err), k.Close())
	}
	return k, nil
}

// Close closes the descriptors. Questions fail from then on. Close may be called again.
func (k *Kernel) Close() error { return errors.Join(k.diag.close(), k.route.close()) }

// Owner returns the user of a socket, as this process's user namespace numbers users. The socket is
// the one at own that is connected to other, or that, for UDP, receives from there. device is the
// number of the link for addresses that belong to one, else 0. If there is no such socket, the
// error is [ErrNotFound]; another error means that the kernel could not be asked.
//
// A socket that its process has closed, or that is not open yet, has no owner. The kernel says user
// 0 of such sockets, so Owner counts them as not found. For TCP the answer is good for the
// connection only if own's peer is still connected when Owner has returned: see [Alive].
func (k *Kernel) Owner(p Protocol, own, other netip.AddrPort, device uint32) (uid uint32, err error) {
	ends := pair{own: plain(own), other: plain(other)}
	if !ends.own.IsValid() || !ends.other.IsValid() {
		return 0, ErrNotFound
	}
	ask := ends
	if p == UDP {
		// The kernel looks for the socket that receives, so the sender's address comes
		// first.
		ask = pair{own: ends.other, other: ends.own}
	}
	f, err := k.find(p, ask, 0)
	if errors.Is(err, unix.ENOENT) && device != 0 {
		f, err = k.find(p, ask, device)
	}
	switch {
	case errors.Is(err, unix.ENOENT):
		return 0, ErrNotFound
	case err != nil:
		return 0, err
	case f.inode == 0 || !f.open(p) || !f.is(p, ends):
		return 0, ErrNotFound
	}
	return f.uid, nil
}

func (k *Kernel) find(p Protocol, ends pair, device uint32) (f found, err error) {
	ok := false
	err = k.diag.ask(byFamily, func(b []byte) []byte { return appendRequest(b, byte(p), ends, device) },
		func(b []byte) { f, ok = parseMessage(b) })
	if err == nil && !ok {
		err = unix.EBADMSG
	}
	return f, err
}

// The states of net/tcp_states.h that a connected socket of a process can be in.
const (
	established = 1
	finWait1    = 4
	finWait2    = 5
	closeWait   = 8
)

// open reports whether f is a socket that has been connected. A socket that only tries to connect
// (SYN_SENT) may belong to another user who chose the same addresses.
func (f *found) open(p Protocol) bool {
	if p == UDP {
		return true
	}
	return f.state == established || f.state == finWait1 || f.state == finWait2 || f.state == closeWait
}

// is reports whether f has these ends. A UDP socket may leave its own address and its peer unset.
func (f *found) is(p Protocol, ends pair) bool {
	if p == TCP {
		return f.pair == ends
	}
	return f.own.Port() == ends.own.Port() &&
		(f.own.Addr() == ends.own.Addr() || f.own.Addr().IsUnspecified()) &&
		(f.other == ends.other || f.other.Port() == 0)
}

// Listener returns the user of a listening or bound socket of this machine. It shows whether the
// kernel answers at all: a kernel without sock_diag finds nothing.
func (k *Kernel) Listener(p Protocol, at netip.AddrPort) (uid uint32, err error) {
	ends := pair{own: plain(at), other: netip.AddrPortFrom(netip.IPv4Unspecified(), 0)}
	if ends.own.Addr().Is6() {
		ends.other = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
	}
	if p == UDP {
		ends = pair{own: ends.other, other: ends.own}
	}
	f, err := k.find(p, ends, 0)
	switch {
	case err != nil:
		return 0, fmt.Errorf("sockdiag: %w", err)
	case f.inode == 0 || f.own.Port() != at.Port():
		return 0, ErrNotFound
	}
	return f.uid, nil
}

// Local reports whether a is an address of this machine, on whichever link. device is as for Owner.
// An error means that the kernel could not be asked, or does not tell.
func (k *Kernel) Local(a netip.Addr, device uint32) (local bool, err error) {
	a = a.Unmap().WithZone("")
	if a.IsLoopback() {
		return true, nil
	}
	if a.Is6() {
		// Through another link than its own, the route to a link-local address leads to a
		// neighbour, so ask for the address itself.
		err = k.route.ask(unix.RTM_GETADDR, func(b []byte) []byte { return appendAddress(b, a) },
			func(b []byte) { local = true })
		switch {
		case err == nil && local:
			return true, nil
		case err != nil && !errors.Is(err, unix.EADDRNOTAVAIL):
			return false, fmt.Errorf("sockdiag: address %v: %w", a, err)
		}
	}
	err = k.route.ask(unix.RTM_GETROUTE, func(b []byte) []byte { return appendRoute(b, a, device) },
		func(b []byte) { local = len(b) > atRouteType && b[atRouteType] == unix.RTN_LOCAL })
	switch {
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH):
		return false, nil // no route
	case err != nil: // also for routes that refuse, which say nothing about the sender
		return false, fmt.Errorf("sockdiag: route to %v: %w", a, err)
	}
	return local, nil
}

// Alive reports whether the TCP connection with this descriptor still has its peer. As long as it
// does, the kernel gives the peer's address and port to no other socket.
func Alive(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && (info.State == established || info.State == closeWait)
}

// plain returns a without the zone and without the mapping of IPv4.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}
