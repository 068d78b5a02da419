package nfs

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/sockdiag"
	"github.com/ringnfs/ringnfs/nfs/transport"
)

// origins finds out who the server's peers are. It is immutable except for its cache of groups. All
// threads use it.
type origins struct {
	kernel owners // nil when the kernel cannot be asked
	// silent are the protocols whose sockets the kernel does not find.
	silent map[sockdiag.Protocol]bool
	// ours reports whether an address is this machine's. It serves where the kernel cannot be
	// asked.
	ours  func(a netip.Addr) (bool, error)
	trust bool // processes of this machine may be whoever they say
	euid  int
	// alone is whether the server serves all callers with the process's own rights, whoever
	// they are. It is set before anything is served.
	alone bool
	// foreign is whether user nobody stands for all users that this process's user namespace
	// does not know.
	foreign bool
	// reserved is the first port that ordinary users of this machine can have.
	reserved uint16
	groups   groupCache
	close    func() error
}

// owners answers what the kernel knows of sockets; [sockdiag.Kernel] does.
type owners interface {
	Owner(p sockdiag.Protocol, own, other netip.AddrPort, device uint32) (uid uint32, err error)
	Local(a netip.Addr, device uint32) (bool, error)
}

// Origins that are the same for all peers of their kind.
var (
	believed = &rpc.Origin{Trust: rpc.Believed}
	remote   = &rpc.Origin{Trust: rpc.Remote}
	nameless = &rpc.Origin{Trust: rpc.Nameless, UID: nobodyID}
)

// openOrigins opens the way to ask the kernel. It does so on this thread, whose network namespace
// decides, as it does for the sockets. The note says which questions the kernel does not answer, if
// any.
func openOrigins(trust bool, listeners []transport.Listener) (o *origins, note string) {
	o = &origins{
		trust:    trust,
		euid:     os.Geteuid(),
		alone:    os.Geteuid() != 0,
		foreign:  foreigners(),
		reserved: reservedPorts(),
		ours:     canBindTo,
		close:    func() error { return nil },
	}
	o.groups.lookup = groupsOf
	kernel, err := sockdiag.Open()
	if err == nil {
		o.silent, err = answers(kernel.Listener, listeners)
		// Ask for the route to an address that nobody has (RFC 5737), to learn whether
		// routes may be asked for.
		if _, why := kernel.Local(netip.AddrFrom4([4]byte{192, 0, 2, 1}), 0); why != nil {
			err = errors.Join(why, kernel.Close())
		} else {
			o.kernel, o.close = kernel, kernel.Close
		}
	}
	if err == nil {
		return o, ""
	}
	note = fmt.Sprintf("the kernel does not tell whose the sockets of this machine are (%v)", err)
	switch {
	case trust:
	case o.reserved > 0:
		note += fmt.Sprintf(": its processes are served from ports below %d only, which root has", o.reserved)
	default:
		note += ": none of its processes is served as anybody"
	}
	return o, note
}

// answers tries for each protocol whether the kernel finds one of the server's own sockets. About a
// protocol that it cannot search, the kernel answers as if there were no sockets. The error says
// why the silent protocols are silent.
func answers(
	find func(sockdiag.Protocol, netip.AddrPort) (uint32, error),
	listeners []transport.Listener,
) (silent map[sockdiag.Protocol]bool, err error) {
	why, found := make(map[sockdiag.Protocol]error), make(map[sockdiag.Protocol]bool)
	for i := range listeners {
		p := sockdiag.TCP
		if listeners[i].Datagram {
			p = sockdiag.UDP
		}
		if _, err := find(p, listeners[i].Addr); err != nil {
			why[p] = err
		} else {
			found[p] = true
		}
	}
	silent = make(map[sockdiag.Protocol]bool)
	for p, name := range map[sockdiag.Protocol]string{sockdiag.TCP: "TCP", sockdiag.UDP: "UDP"} {
		if why[p] != nil && !found[p] {
			silent[p] = true
			err = errors.Join(err, fmt.Errorf("%s: %w", name, why[p]))
		}
	}
	return silent, err
}

// canBindTo reports whether a is an address of this machine: the kernel lets nobody bind to others.
// It makes three system calls. It cannot tell for a link-local address, which needs the link, and
// the link is not known.
func canBindTo(a netip.Addr) (bool, error) {
	a = a.Unmap().WithZone("")
	switch {
	case a.IsLoopback():
		return true, nil
	case a.Is6() && a.IsLinkLocalUnicast():
		return false, errors.New("nfs: an address that more than one machine may have")
	}
	family := unix.AF_INET6
	var to unix.Sockaddr = &unix.SockaddrInet6{Addr: a.As16()}
	if a.Is4() {
		family, to = unix.AF_INET, &unix.SockaddrInet4{Addr: a.As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, fmt.Errorf("nfs: socket: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	switch err = unix.Bind(fd, to); err {
	case nil:
		return true, nil
	case unix.EADDRNOTAVAIL:
		return false, nil
	}
	return false, fmt.Errorf("nfs: bind to %v: %w", a, err)
}

// reservedPorts returns the first port that ordinary users may listen on and call from: 1024, or
// less where the administrator said so (containers often have 0).
func reservedPorts() uint16 {
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		return 1024 // Linux before 4.11, or no procfs
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 16)
	if err != nil {
		return 0
	}
	return uint16(min(n, 1024))
}

// foreigners reports whether there are users for whom this process's user namespace has no number.
func foreigners() bool {
	b, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && !slices.Equal(strings.Fields(string(b)), []string{"0", "0", "4294967295"})
}

// origin is transport.Config.Origin.
func (o *origins) origin(e transport.Ends) (is *rpc.Origin, later func() *rpc.Origin) {
	p := sockdiag.TCP
	if e.Datagram {
		p = sockdiag.UDP
	}
	if o.kernel == nil || o.silent[p] {
		return o.byPort(e), nil
	}
	uid, err := o.kernel.Owner(p, e.Peer, e.Local, e.Device)
	switch {
	case err == nil && o.trust:
		return &rpc.Origin{Trust: rpc.Believed, UID: uid}, nil
	case err == nil && (e.Datagram || sockdiag.Alive(e.FD)):
		return o.user(uid, e.Peer)
	}
	// Either the peer is on this machine and has closed its socket meanwhile, or it is
	// elsewhere. If these cannot be told apart, it may not act as anybody.
	if local, err := o.kernel.Local(e.Peer.Addr(), e.Device); err == nil && !local && e.Peer.IsValid() {
		return remote, nil
	}
	if o.trust {
		return believed, nil
	}
	return o.unknown(e.Peer), nil
}

// user is the origin of a socket at peer that belongs to uid.
func (o *origins) user(uid uint32, peer netip.AddrPort) (is *rpc.Origin, later func() *rpc.Origin) {
	switch {
	case uid == 0:
		return believed, nil
	case uid == nobodyID && o.foreign:
		return o.unknown(peer), nil
	case o.alone && o.euid == int(uid):
		// Whom the caller claims to be makes no difference, because the server acts as this
		// user.
		return &rpc.Origin{Trust: rpc.Believed, UID: uid}, nil
	case o.alone:
		return &rpc.Origin{Trust: rpc.Shut, UID: uid}, nil
	}
	bound := func(gids []uint32, err error) *rpc.Origin {
		return &rpc.Origin{Trust: rpc.Bound, UID: uid, GIDs: gids, Unsure: err != nil}
	}
	if gids, ok := o.groups.known(uid); ok {
		return bound(gids, nil), nil
	}
	waiting := &rpc.Origin{Trust: rpc.Nameless, UID: uid}
	return waiting, func() *rpc.Origin {
		// If the look-up fails, the peer has the groups known before, perhaps none, and the
		// groups are looked up again later.
		return bound(o.groups.of(uid))
	}
}

// renew is transport.Config.Renew.
func (o *origins) renew(old *rpc.Origin) *rpc.Origin {
	gids, err := o.groups.of(old.UID)
	if err != nil {
		return nil
	}
	return &rpc.Origin{Trust: old.Trust, UID: old.UID, GIDs: gids}
}

// unknown is the origin of a socket of this machine whose owner the kernel does not name, or names
// as somebody outside the user namespace. The port may show that the socket is root's. The kernel
// finds neither sockets that are bound to a link nor those whose packets are sent on to another
// address, and in a namespace the machine's root is nobody.
func (o *origins) unknown(peer netip.AddrPort) *rpc.Origin {
	switch {
	case peer.IsValid() && peer.Port() < o.reserved:
		return believed
	case o.alone:
		return &rpc.Origin{Trust: rpc.Shut, UID: nobodyID}
	}
	return nameless
}

// nobodyID is the kernel's number for a user whom the process's user namespace does not know.
const nobodyID = 65534

// byPort is the origin of a peer when the kernel does not tell the socket's owner.
func (o *origins) byPort(e transport.Ends) *rpc.Origin {
	if a := e.Peer.Addr(); a.IsValid() && !a.IsLoopback() && a != e.Local.Addr() {
		if ours, err := o.isOurs(e); err == nil && !ours {
			return remote
		}
	}
	if o.trust {
		return believed
	}
	return o.unknown(e.Peer)
}

// isOurs reports whether a peer's address is this machine's.
func (o *origins) isOurs(e transport.Ends) (bool, error) {
	if o.kernel != nil {
		return o.kernel.Local(e.Peer.Addr(), e.Device)
	}
	return o.ours(e.Peer.Addr())
}
