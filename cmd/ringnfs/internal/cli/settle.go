package cli

import (
	"errors"
	"net"
	"net/netip"
	"syscall"

	"github.com/ringnfs/ringnfs/nfs"
)

const (
	portRoot = 2049  // RFC 1813, section 2.1
	portUser = 12049 // needs no root, and is always the same so that clients find it again
)

var everyone = []netip.Prefix{
	netip.PrefixFrom(netip.IPv4Unspecified(), 0),
	netip.PrefixFrom(netip.IPv6Unspecified(), 0),
}

// environment is what the defaults depend on, beside the flags.
type environment struct {
	uid    int
	getenv func(string) string
	// hasAddr reports whether this machine can listen on the address.
	hasAddr func(netip.Addr) bool
}

// settle fills in the defaults that depend on the user who runs the server and on the machine. The
// notes say what the user cannot expect. portFixed says that the user asked for the port, so no
// other may take its place.
func settle(cfg *nfs.Config, portGiven bool, env environment) (notes []string, portFixed bool, err error) {
	allowed := len(cfg.Exports) > 0 && len(cfg.Exports[0].Allow) > 0
	switch {
	case len(cfg.Listen) > 0 && !allowed:
		// A user who lets the server listen on an address of the network wants clients of
		// the network; a user who wants fewer clients names them with --allow. A server
		// that listens on loopback only keeps serving loopback only.
		if !allLoopback(cfg.Listen) {
			for i := range cfg.Exports {
				cfg.Exports[i].Allow = everyone
			}
		}
	case len(cfg.Listen) == 0 && allowed:
		cfg.Listen = []netip.Addr{netip.IPv4Unspecified()}
		if six := netip.IPv6Unspecified(); env.hasAddr(six) {
			cfg.Listen = append(cfg.Listen, six)
		} else {
			notes = append(notes, "this machine has no IPv6")
		}
	}
	if cfg.Port == 0 && !portGiven {
		if cfg.Port = portUser; env.uid == 0 {
			cfg.Port = portRoot
		}
	} else {
		portFixed = true
	}
	if cfg.StateDir == "" {
		if cfg.StateDir, err = defaultStateDir(env.uid, env.getenv); err != nil {
			return nil, false, err
		}
	}
	return notes, portFixed, nil
}

func allLoopback(addrs []netip.Addr) bool {
	for _, a := range addrs {
		if !a.IsLoopback() {
			return false
		}
	}
	return true
}

// canListen asks the kernel, because no other answer is right in every network namespace and with
// every sysctl.
func canListen(a netip.Addr) bool {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, 0)))
	if err != nil {
		return !errors.Is(err, syscall.EADDRNOTAVAIL) && !errors.Is(err, syscall.EAFNOSUPPORT)
	}
	_ = l.Close()
	return true
}
