package cli

import (
	"fmt"
	"io"
	"net/netip"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/export"
)

// facts is everything that the banner says about a server that has started.
type facts struct {
	version  string
	kernel   string
	lanes    int
	memory   int64 // bytes
	stateDir string
	features []feature
	exports  []exported
	versions nfs.Versions
	listen   []netip.Addr
	port     int
	mount    int // port of MOUNT
	portmap  int // port of the port mapper, 0 without one
	// portmapWhy is why there is no port mapper.
	portmapWhy string
	notes      []string
	host       netip.Addr // the address that clients are told to mount from
	uid        int        // the user that the server runs as
	// alone is whether all callers act as that user. Of the local users only root and that user
	// are then served.
	alone bool
}

// feature is one optional ability of io_uring.
type feature struct {
	name string
	on   bool
	why  string // what it is needed for, or why it is off; may be empty
}

// exported is one export.
type exported struct {
	path     string
	readOnly bool
	squash   export.Squash
	anonUID  uint32
	anonGID  uint32
	allow    []netip.Prefix
	insecure bool
	// mountedReadOnly is whether the directory's own mount refuses changes.
	mountedReadOnly bool
	host            netip.Addr // the address for its clients; facts.host if none
	io              string     // other than buffered
}

// writeBanner writes what a user has to know in order to use the server. Every command in it can be
// copied as it stands.
func writeBanner(w io.Writer, f facts) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", f.version)
	fmt.Fprintf(&b, "kernel %s, %d %s, %s of buffers, state in %s\n",
		f.kernel, f.lanes, plural(f.lanes, "lane", "lanes"), formatSize(f.memory), f.stateDir)
	var with []string
	for _, x := range f.features {
		if x.on {
			with = append(with, x.name)
		}
	}
	if len(with) > 0 {
		fmt.Fprintf(&b, "  io_uring with %s\n", strings.Join(with, ", "))
	}
	for _, x := range f.features {
		if !x.on {
			fmt.Fprintf(&b, "  without %s: %s\n", x.name, orElse(x.why, "this kernel does not have it"))
		}
	}
	for _, x := range f.exports {
		fmt.Fprintf(
			&b,
			"export %s: %s, %s, for %s%s\n",
			shown(x.path),
			access(x),
			squashing(x, f),
			clients(x, machineOf(f)),
			large(x.io),
		)
	}
	fmt.Fprintf(&b, "listening on %s: %s\n", joinAddrs(f.listen), ports(f))
	for _, n := range f.notes {
		fmt.Fprintf(&b, "  note: %s\n", n)
	}
	writeMounts(&b, f)
	here := func(x exported) bool {
		return x.serves(netip.AddrFrom4([4]byte{127, 0, 0, 1})) || x.serves(netip.IPv6Loopback())
	}
	switch {
	case !allLoopback(f.listen):
	case len(f.exports) > 0 && !slices.ContainsFunc(f.exports, here):
		b.WriteString(
			"only this machine reaches it, which it is not for: have it --listen on another address\n",
		)
	default:
		fmt.Fprintf(
			&b,
			"only this machine reaches it; --allow CIDR opens it to others, and so does, on theirs,\n  ssh -N %s%sTHIS-MACHINE\n",
			tunnels(f),
			login(f),
		)
	}
	_, _ = io.WriteString(w, b.String())
}

// writeMounts writes how to mount the exports by the versions that the server answers.
func writeMounts(b *strings.Builder, f facts) {
	var hosts []netip.Addr
	for _, x := range f.exports {
		if host := f.of(x).host; !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	with3, with4 := f.versions&nfs.NFSv3 != 0, f.versions&^nfs.NFSv3 != 0
	if with4 {
		b.WriteString("mount on Linux, as root:\n")
		for _, host := range hosts {
			fmt.Fprintf(b, "  %s\n", mountAll(f, host))
		}
	}
	if with3 {
		which := ""
		if with4 {
			which = " by version 3"
		}
		fmt.Fprintf(b, "mount on Linux%s, as root:\n", which)
		for _, x := range f.exports {
			fmt.Fprintf(b, "  %s\n", mountLinux(f.of(x), x.path))
		}
	}
	switch {
	case with3:
		b.WriteString("mount on macOS:\n")
		for _, x := range f.exports {
			fmt.Fprintf(b, "  %s\n", mountMacOS(f.of(x), x.path))
		}
	case f.versions&nfs.NFSv40 != 0:
		b.WriteString("mount on macOS:\n")
		for _, host := range hosts {
			fmt.Fprintf(b, "  %s\n", mountAllMacOS(f, host))
		}
	}
}

// login returns the user to log in as through ssh. A tunnel acts only as that user, unless the user
// is root or the server's own. In a user namespace of its own the server sees itself as root, and
// does not know the name of its user outside.
func login(f facts) string {
	switch {
	case f.uid == 0 && f.alone:
		return ""
	case f.uid == 0:
		return "root@"
	}
	if u, err := user.LookupId(strconv.Itoa(f.uid)); err == nil {
		return u.Username + "@"
	}
	return ""
}

// machineOf says which users of this machine the server serves.
func machineOf(f facts) string {
	switch {
	case f.alone && f.uid == 0:
		return "root and the server's user of this machine"
	case f.alone:
		return fmt.Sprintf("root and user %d of this machine", f.uid)
	}
	return "this machine"
}

// of returns f with the host of one export.
func (f facts) of(x exported) facts {
	if x.host.IsValid() {
		f.host = x.host
	}
	return f
}

func ports(f facts) string {
	s := fmt.Sprintf("NFS and MOUNT on port %d", f.port)
	if f.mount != f.port {
		s = fmt.Sprintf("NFS on port %d, MOUNT on port %d", f.port, f.mount)
	}
	if f.portmap != 0 {
		return s + fmt.Sprintf(", portmap on port %d", f.portmap)
	}
	return s + ", no portmap: " + orElse(
		strings.TrimPrefix(f.portmapWhy, "nfs: portmap: "),
		"the mount lines name the ports",
	)
}

func access(x exported) string {
	switch {
	case x.readOnly:
		return "read-only"
	case x.mountedReadOnly:
		return "read-only, as it is mounted so here"
	}
	return "read-write"
}

func large(io string) string {
	if io == "" {
		return ""
	}
	return ", large I/O " + io
}

func squashing(x exported, f facts) string {
	switch {
	case f.alone && f.uid == 0:
		return "everyone acts as the server's user"
	case f.alone:
		return fmt.Sprintf("everyone acts as user %d", f.uid)
	}
	switch x.squash {
	case export.SquashNone:
		return "root is root"
	case export.SquashAll:
		return fmt.Sprintf("everyone is %d:%d", x.anonUID, x.anonGID)
	default:
		return fmt.Sprintf("root is %d:%d", x.anonUID, x.anonGID)
	}
}

// clients says whom x serves. machine says whom of this machine.
func clients(x exported, machine string) string {
	if len(x.allow) == 0 {
		return machine
	}
	var others []string
	var any4, any6, all4, all6, local4, local6 bool
	for _, p := range x.allow {
		four := p.Addr().Is4()
		any4, any6 = any4 || four, any6 || !four
		switch {
		case p.Bits() == 0:
			all4, all6 = all4 || four, all6 || !four
		case p.Addr().IsLoopback():
			local4, local6 = local4 || four, local6 || !four
		default:
			others = append(others, p.String())
		}
	}
	var texts []string
	switch {
	case all4 && all6:
		texts = []string{"every client that reaches it (--allow CIDR narrows that)"}
		others = nil
	case all4 && !any6:
		texts = []string{"every IPv4 client and no IPv6 client"}
		others = nil
	case all6 && !any4:
		texts = []string{"every IPv6 client and no IPv4 client"}
		others = nil
	case all4:
		texts = []string{"every IPv4 client"}
	case all6:
		texts = []string{"every IPv6 client"}
	}
	texts = append(texts, others...)
	switch local4, local6 = local4 && !all4, local6 && !all6; {
	case local4 && local6:
		texts = append(texts, machine)
	case local4:
		texts = append(texts, machine+" by IPv4")
	case local6:
		texts = append(texts, machine+" by IPv6")
	}
	said := strings.Join(texts, ", ")
	switch {
	case x.onlyLocal():
		return said
	case x.insecure:
		return said + ", from any port"
	}
	return said + ", from ports below 1024"
}

// onlyLocal reports whether x serves only loopback addresses of this machine.
func (x *exported) onlyLocal() bool {
	return !slices.ContainsFunc(
		x.allow,
		func(p netip.Prefix) bool { return p.Bits() == 0 || !p.Addr().IsLoopback() },
	)
}

// serves reports whether clients that x serves can call the server at a. A client that calls a
// loopback address calls from one; a client that calls another address calls from anywhere else.
func (x *exported) serves(a netip.Addr) bool {
	if len(x.allow) == 0 {
		return a.IsLoopback()
	}
	return slices.ContainsFunc(x.allow, func(p netip.Prefix) bool {
		return p.Contains(a) || p.Addr().Is4() == a.Is4() && !a.IsLoopback() && !p.Addr().IsLoopback()
	})
}

func joinAddrs(addrs []netip.Addr) string {
	texts := make([]string, len(addrs))
	for i, a := range addrs {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
