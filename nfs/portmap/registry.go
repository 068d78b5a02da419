package portmap

import (
	"fmt"
	"os"
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
	// the order in which it is shown. Of several ports for the same version and
	// transport the first counts. Without those there are 64 at most.
	Mappings []Mapping
	// Owner is who registered it, as rpcinfo shows it, 16 bytes at most. Empty
	// means "superuser" for root and "unknown" for others, as rpcbind says it.
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
	s := registry{owner: r.Owner, now: r.Now}
	for _, m := range r.Mappings {
		if _, ok := transports[m.Netid]; !ok {
			panic(fmt.Sprintf("portmap: program %d has the unknown transport %q", m.Prog, m.Netid))
		}
		if _, ok := s.find(m.Prog, m.Vers, m.Netid, true); !ok {
			s.mappings = append(s.mappings, m)
		}
	}
	if len(s.mappings) > mappingsMax || len(s.owner) > ownerMax {
		panic(fmt.Sprintf("portmap: %d mappings, owner %q: too much", len(s.mappings), s.owner))
	}
	if s.owner == "" {
		s.owner = "unknown"
		if os.Geteuid() == 0 {
			s.owner = "superuser"
		}
	}
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
