package cli

import (
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/ringnfs/ringnfs/nfs/export"
)

// facts is all that the banner says about a server that has started.
type facts struct {
	version  string
	kernel   string
	lanes    int
	memory   int64 // bytes
	stateDir string
	features []feature
	exports  []exported
	listen   []netip.Addr
	port     int
	mount    int // port of MOUNT
	portmap  int // port of the port mapper, 0 without one
	// portmapWhy is why there is none
	portmapWhy string
	notes      []string
	host       netip.Addr // what clients are told to mount from
	uid        int        // who the server runs as
}

// feature is one optional ability of io_uring.
type feature struct {
	name string
	on   bool
	why  string // what it is needed for or why it is off; may be empty
}

// exported is one export.
type exported struct {
	path     string
	readOnly bool
	squash   export.Squash
	anonUID  uint32
	anonGID  uint32
	allow    []netip.Prefix
	io       string // other than buffered
}

// writeBanner writes what a user has to know in order to use the server. Every
// command in it can be copied as it stands.
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
		fmt.Fprintf(&b, "export %s: %s, %s, for %s%s\n", shown(x.path), access(x.readOnly), squashing(x, f.uid), clients(x.allow), large(x.io))
	}
	fmt.Fprintf(&b, "listening on %s: %s\n", joinAddrs(f.listen), ports(f))
	for _, n := range f.notes {
		fmt.Fprintf(&b, "  note: %s\n", n)
	}
	b.WriteString("mount on Linux, as root:\n")
	for _, x := range f.exports {
		fmt.Fprintf(&b, "  %s\n", mountLinux(f, x.path))
	}
	b.WriteString("mount on macOS:\n")
	for _, x := range f.exports {
		fmt.Fprintf(&b, "  %s\n", mountMacOS(f, x.path))
	}
	if allLoopback(f.listen) {
		fmt.Fprintf(&b, "only this machine reaches it; --allow CIDR opens it to others, and so does, on theirs,\n  ssh -N %sTHIS-MACHINE\n", tunnels(f))
	}
	_, _ = io.WriteString(w, b.String())
}

func ports(f facts) string {
	s := fmt.Sprintf("NFS and MOUNT on port %d", f.port)
	if f.mount != f.port {
		s = fmt.Sprintf("NFS on port %d, MOUNT on port %d", f.port, f.mount)
	}
	if f.portmap != 0 {
		return s + fmt.Sprintf(", portmap on port %d", f.portmap)
	}
	return s + ", no portmap: " + orElse(strings.TrimPrefix(f.portmapWhy, "nfs: portmap: "), "the mount lines name the ports")
}

func access(readOnly bool) string {
	if readOnly {
		return "read-only"
	}
	return "read-write"
}

func large(io string) string {
	if io == "" {
		return ""
	}
	return ", large I/O " + io
}

func squashing(x exported, uid int) string {
	if uid != 0 { // only root can act for others
		return fmt.Sprintf("everyone acts as user %d", uid)
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

func clients(allow []netip.Prefix) string {
	texts := make([]string, 0, len(allow))
	for _, p := range allow {
		if p.Bits() == 0 {
			return "every client that reaches it (--allow CIDR narrows that)"
		}
		if !p.Addr().IsLoopback() {
			texts = append(texts, p.String())
		}
	}
	if len(texts) == 0 {
		return "this machine"
	}
	return strings.Join(texts, ", ")
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
