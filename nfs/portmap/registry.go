package portmap

import (
	"fmt"
	"slices"
	"time"
)

// Netid is a transport in the words of RFC 5665, section 5.1.
type Netid string

// The transports.
const (
	TCP  Netid = "tcp"
	UDP  Netid = "udp"
	TCP6 Netid = "tcp6"
	UDP6 Netid = "udp6"
)

// Mapping is one version of a program that is served on a port.
type Mapping struct {
	Prog  uint32
	Vers  uint32
	Netid Netid
	Port  uint16
}

// Registry is what the program knows. It is read by New and not changed later.
type Registry struct {
	// Mappings is what is served, this program itself included where wanted, in
	// the order in which it is shown. There are 64 at most.
	Mappings []Mapping
	// Owner is who registered it, as rpcinfo shows it: "superuser" for root. It
	// has 16 bytes at most.
	Owner string
	// Now is the clock of GETTIME; nil is time.Now.
	Now func() time.Time
}

// registry is a Registry that has been checked and does not change.
type registry struct {
	mappings []Mapping
	owner    string
	now      func() time.Time
}

// Bounds of a Registry: so every list fits listMax.
const (
	mappingsMax = 64
	ownerMax    = 16
)

// listMax is the most bytes of a list: 64 entries with an address of IPv6 have
// less. It is below the 8800 bytes that clients reserve for a reply by UDP.
const listMax = 8192

// settle copies r. It panics when a mapping has an unknown transport or a bound
// is passed.
func (r *Registry) settle() registry {
	if len(r.Mappings) > mappingsMax || len(r.Owner) > ownerMax {
		panic(fmt.Sprintf("portmap: %d mappings, owner %q: too much", len(r.Mappings), r.Owner))
	}
	for _, m := range r.Mappings {
		if _, ok := transports[m.Netid]; !ok {
			panic(fmt.Sprintf("portmap: program %d has the unknown transport %q", m.Prog, m.Netid))
		}
	}
	s := registry{mappings: slices.Clone(r.Mappings), owner: r.Owner, now: r.Now}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// find returns where a program is served. Another version is better than none,
// if exact is not asked for: the program itself knows best which ones it has, and
// says so with PROG_MISMATCH.
func (r *registry) find(prog, vers uint32, id Netid, exact bool) (Mapping, bool) {
	var found Mapping
	ok := false
	for _, m := range r.mappings {
		if m.Prog != prog || m.Netid != id {
			continue
		}
		if m.Vers == vers {
			return m, true
		}
		if !exact {
			found, ok = m, true
		}
	}
	return found, ok
}
