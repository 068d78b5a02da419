package nfs

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/transport"
)

// sockets are the server's bound sockets, by what answers on them.
type sockets struct {
	nfs, mount, portmap []transport.Listener
	// why says why there is no portmap; it is empty when there is one.
	why string
}

// bindTries is how often the server looks for a port that is free on all addresses and for both
// protocols.
const bindTries = 32

const (
	// bindPatience is how long the server waits for a port that is taken. The kernel keeps the
	// sockets of a killed server until it has taken the server's rings apart. The next server
	// must neither give up because of that nor take another port.
	bindPatience = 1500 * time.Millisecond
	bindPause    = 25 * time.Millisecond
)

// bind opens all sockets. In cfg it fills in the ports that were left open with those it got.
func bind(cfg *Config) (*sockets, error) {
	s := &sockets{}
	if err := s.bind(cfg); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *sockets) bind(cfg *Config) (err error) {
	if len(cfg.Listen) == 0 {
		cfg.Listen = defaultAddrs()
	}
	together := cfg.MountPort == 0
	if s.nfs, cfg.Port, err = s.bindPort("NFS", cfg.Listen, cfg.Port, []int{unix.SOCK_STREAM}, bindPatience); err != nil {
		return err
	}
	if together {
		cfg.MountPort = cfg.Port
		// MOUNT by UDP serves old clients; it is not worth failing for.
		var busy error
		s.mount, _, busy = s.bindPort("MOUNT", cfg.Listen, cfg.MountPort, []int{unix.SOCK_DGRAM}, 0)
		if busy != nil {
			cfg.Log.Warn("MOUNT answers by TCP only", "error", busy)
		}
	} else if s.mount, cfg.MountPort, err = s.bindPort("MOUNT", cfg.Listen, cfg.MountPort, []int{unix.SOCK_STREAM, unix.SOCK_DGRAM}, bindPatience); err != nil {
		return err
	}
	if cfg.Portmap == PortmapOff {
		s.why = "switched off"
		return nil
	}
	if s.portmap, _, err = s.bindPort("portmap", cfg.Listen, PortmapPort, []int{unix.SOCK_STREAM, unix.SOCK_DGRAM}, 4*bindPause); err != nil {
		if cfg.Portmap == PortmapOn {
			return err
		}
		s.why, err = err.Error(), nil
	}
	return nil
}

// defaultAddrs are the loopback addresses that this machine has.
func defaultAddrs() []netip.Addr {
	addrs := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	if six := netip.IPv6Loopback(); canBind(six) {
		addrs = append(addrs, six)
	}
	return addrs
}

// canBind reports whether this machine has the address.
func canBind(a netip.Addr) bool {
	fd, _, err := open(netip.AddrPortFrom(a, 0), unix.SOCK_DGRAM)
	if err != nil {
		return false
	}
	_ = unix.Close(fd)
	return true
}

// bindPort binds port on all addresses and for all socket types; port 0 means a free one. If the
// port is taken, bindPort waits for up to patience.
func (s *sockets) bindPort(
	what string,
	addrs []netip.Addr,
	port int,
	types []int,
	patience time.Duration,
) (got []transport.Listener, bound int, err error) {
	started := time.Now()
	for range bindTries {
		got, bound, err = bindOnce(addrs, port, types)
		for port != 0 && errors.Is(err, unix.EADDRINUSE) && time.Since(started) < patience {
			time.Sleep(bindPause)
			if s.owner(addrs, port, types) != "" {
				break // the address will not become free
			}
			got, bound, err = bindOnce(addrs, port, types)
		}
		if err == nil {
			return got, bound, nil
		}
		if port != 0 || !errors.Is(err, unix.EADDRINUSE) {
			break
		}
	}
	return nil, 0, fmt.Errorf("nfs: %s: %w%s", what, err, remedy(err, s.owner(addrs, port, types)))
}

// owner returns which service of this server has port on one of the addresses, "" if none has.
func (s *sockets) owner(addrs []netip.Addr, port int, types []int) string {
	for _, own := range []struct {
		what string
		list []transport.Listener
	}{{"NFS", s.nfs}, {"MOUNT", s.mount}, {"port mapper", s.portmap}} {
		for i := range own.list {
			ln := &own.list[i]
			if int(ln.Addr.Port()) != port ||
				!slices.ContainsFunc(
					types,
					func(typ int) bool { return ln.Datagram == (typ == unix.SOCK_DGRAM) },
				) {
				continue
			}
			if slices.ContainsFunc(
				addrs,
				func(a netip.Addr) bool { return overlap(a.Unmap(), ln.Addr.Addr().Unmap()) },
			) {
				return own.what
			}
		}
	}
	return ""
}

// overlap reports whether one port cannot be listened on at both addresses.
func overlap(a, b netip.Addr) bool {
	return a.Is4() == b.Is4() && (a == b || a.IsUnspecified() || b.IsUnspecified())
}

func bindOnce(addrs []netip.Addr, port int, types []int) (got []transport.Listener, bound int, err error) {
	for _, a := range addrs {
		for _, typ := range types {
			fd, at, err := open(netip.AddrPortFrom(a, uint16(port)), typ)
			if err != nil {
				(&sockets{nfs: got}).close()
				return nil, 0, fmt.Errorf(
					"%s %v: %w",
					protocol(typ),
					netip.AddrPortFrom(a, uint16(port)),
					err,
				)
			}
			port = int(at.Port())
			got = append(got, transport.Listener{FD: fd, Datagram: typ == unix.SOCK_DGRAM, Addr: at})
		}
	}
	return got, port, nil
}

func protocol(typ int) string {
	if typ == unix.SOCK_DGRAM {
		return "udp"
	}
	return "tcp"
}

// remedy says what to do about a failed bind. owner is the service of this server that has the
// port, "" if none has.
func remedy(err error, owner string) string {
	switch {
	case errors.Is(err, unix.EADDRINUSE) && owner != "":
		return ": this server's own " + owner + " has it: give one of them another port, or do without the port mapper (--portmap off)"
	case errors.Is(err, unix.EADDRINUSE):
		return ": another server has it; stop that or choose another port"
	case errors.Is(err, unix.EACCES):
		return ": ports below 1024 need root or CAP_NET_BIND_SERVICE"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return ": this machine does not have that address"
	case errors.Is(err, unix.EAFNOSUPPORT):
		return ": this machine has no addresses of that kind; listen on 0.0.0.0 if it has no IPv6"
	}
	return ""
}

// backlog is how many connections may wait to be accepted; the kernel limits it to
// net.core.somaxconn.
const backlog = 4096

// open binds one socket, listens if it is a stream, and returns the address.
func open(at netip.AddrPort, typ int) (fd int, bound netip.AddrPort, err error) {
	domain, sa, err := sockaddr(at)
	if err != nil {
		return -1, at, err
	}
	if fd, err = unix.Socket(domain, typ|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, at, err
	}
	defer func() {
		if err != nil {
			_ = unix.Close(fd)
			fd = -1
		}
	}()
	if domain == unix.AF_INET6 {
		// IPv4 has a socket of its own.
		if err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
			return fd, at, err
		}
	}
	if typ == unix.SOCK_STREAM {
		// A restart must not wait until the kernel has forgotten old connections.
		if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return fd, at, err
		}
	}
	if err = unix.Bind(fd, sa); err != nil {
		return fd, at, err
	}
	if typ == unix.SOCK_STREAM {
		if err = unix.Listen(fd, backlog); err != nil {
			return fd, at, err
		}
	}
	if sa, err = unix.Getsockname(fd); err != nil {
		return fd, at, err
	}
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		bound = netip.AddrPortFrom(at.Addr(), uint16(a.Port))
	case *unix.SockaddrInet6:
		bound = netip.AddrPortFrom(at.Addr(), uint16(a.Port))
	}
	return fd, bound, nil
}

func sockaddr(at netip.AddrPort) (domain int, sa unix.Sockaddr, err error) {
	if a := at.Addr().Unmap(); a.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(at.Port()), Addr: a.As4()}, nil
	}
	six := &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	if name := at.Addr().Zone(); name != "" {
		link, err := net.InterfaceByName(name)
		if err != nil {
			return 0, nil, err
		}
		six.ZoneId = uint32(link.Index)
	}
	return unix.AF_INET6, six, nil
}

func (s *sockets) close() {
	for _, list := range [][]transport.Listener{s.nfs, s.mount, s.portmap} {
		for i := range list {
			if list[i].FD >= 0 {
				_ = unix.Close(list[i].FD)
				list[i].FD = -1
			}
		}
	}
}

func (s *sockets) all() []transport.Listener {
	var all []transport.Listener
	all = append(all, s.nfs...)
	all = append(all, s.mount...)
	return append(all, s.portmap...)
}
