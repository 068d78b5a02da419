package cli

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mountAll returns a command that mounts all exports on a Linux client, by the newest version that
// both know.
func mountAll(f facts, host netip.Addr) string {
	port := ""
	if f.port != portRoot {
		port = fmt.Sprintf("-o port=%d ", f.port)
	}
	return fmt.Sprintf("mount -t nfs %s%s /mnt", port, source(host, "/"))
}

// mountLinux returns a command that mounts path on a Linux client by version 3. The command names
// both ports, so that it works without a port mapper. It keeps locks local, because the server has
// no lock manager.
func mountLinux(f facts, path string) string {
	proto := "tcp"
	if f.host.Is6() {
		proto = "tcp6"
	}
	return fmt.Sprintf("mount -t nfs -o vers=3,nolock,proto=%s,port=%d,mountport=%d,mountproto=%s %s /mnt",
		proto, f.port, f.mount, proto, source(f.host, path))
}

// mountMacOS returns the same for macOS, whose root directory cannot take a mount point. locallocks
// is its word for Linux's nolock. resvport makes it call from a port that only root can use, which
// Linux does unasked (mount_nfs(8)).
func mountMacOS(f facts, path string) string {
	return fmt.Sprintf(
		"mkdir -p /tmp/ringnfs && sudo mount_nfs -o vers=3,tcp,resvport,locallocks,port=%d,mountport=%d %s /tmp/ringnfs",
		f.port,
		f.mount,
		source(f.host, path),
	)
}

// mountAllMacOS returns a command that mounts all exports on macOS by version 4.0, the newest one
// that it knows.
func mountAllMacOS(f facts, host netip.Addr) string {
	return fmt.Sprintf(
		"mkdir -p /tmp/ringnfs && sudo mount_nfs -o vers=4.0,tcp,resvport,port=%d %s /tmp/ringnfs",
		f.port,
		source(host, "/"),
	)
}

// tunnels returns the flags with which ssh brings the server's ports to another machine.
func tunnels(f facts) string {
	s := fmt.Sprintf("-L %d:%s:%d ", f.port, bracketed(f.host), f.port)
	if f.mount != f.port {
		s += fmt.Sprintf("-L %d:%s:%d ", f.mount, bracketed(f.host), f.mount)
	}
	return s
}

func source(host netip.Addr, path string) string {
	return quoted(bracketed(host) + ":" + path)
}

func bracketed(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

// quoted makes s one word for a POSIX shell. Most shells leave a word with brackets as it is unless
// a file name matches it, which in practice no file name does. But zsh refuses patterns without a
// match, so quoted quotes such a word, too. Characters that a terminal does not show as they are,
// or that cannot be copied from it, become octal behind a dollar sign, which bash and zsh know
// (POSIX.1-2024).
func quoted(s string) string {
	if !copyable(s) {
		return octal(s)
	}
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("/._-:,@%+", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// shown returns a path for people to read, always on one line.
func shown(path string) string {
	if copyable(path) {
		return path
	}
	return octal(path)
}

// copyable reports whether s can be copied from a terminal.
func copyable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

func octal(s string) string {
	var b strings.Builder
	b.WriteString("$'")
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, "\\%03o", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// hostOf chooses the address that clients are told. It prefers an address of the network to
// loopback, and IPv4 to IPv6. Among these it prefers addresses at which serves says that clients
// get something; served says whether clients get something at any address. If the server listens on
// all addresses, local returns these, and nothing if they are not known.
func hostOf(
	listen []netip.Addr,
	local func() []netip.Addr,
	serves func(netip.Addr) bool,
) (host netip.Addr, served bool) {
	var candidates []netip.Addr
	reached := false // at an address that is not known, or useless without its link
	for _, a := range listen {
		if !a.IsUnspecified() {
			candidates = append(candidates, a)
			continue
		}
		all := local()
		reached = reached || len(all) == 0
		for _, l := range all {
			switch {
			case l.Is4() != a.Is4():
			case l.IsLinkLocalUnicast():
				reached = reached || serves(l)
			default:
				candidates = append(candidates, l)
			}
		}
	}
	rank := func(a netip.Addr) int {
		switch {
		case a.IsLoopback() && a.Is4():
			return 2
		case a.IsLoopback():
			return 3
		case a.Is4():
			return 0
		default:
			return 1
		}
	}
	good := slices.DeleteFunc(slices.Clone(candidates), func(a netip.Addr) bool { return !serves(a) })
	if served = len(good) > 0; !served {
		good = candidates
	}
	if len(good) == 0 {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), reached
	}
	return slices.MinFunc(good, func(a, b netip.Addr) int { return rank(a) - rank(b) }), served || reached
}

// localAddrs returns the addresses of this machine's interfaces.
func localAddrs() []netip.Addr {
	var addrs []netip.Addr
	for _, p := range localPrefixes() {
		addrs = append(addrs, p.Addr())
	}
	return addrs
}

// localPrefixes returns these addresses with the networks that they are in.
func localPrefixes() []netip.Prefix {
	ifaddrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var all []netip.Prefix
	for _, i := range ifaddrs {
		if n, ok := i.(*net.IPNet); ok {
			if a, ok := netip.AddrFromSlice(n.IP); ok {
				bits, _ := n.Mask.Size()
				all = append(all, netip.PrefixFrom(a.Unmap(), bits))
			}
		}
	}
	return all
}
