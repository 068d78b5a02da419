package portmap

import (
	"fmt"
	"os"
	"time"
)

// Netid is the name of a transport (RFC 5665, section 5.1).
type Netid string

// Transports.
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

// Registry is what the program tells its callers. New reads it; nobody changes it later.
type Registry struct {
	// Mappings is what is served, with this program itself where that is wanted, in the order
	// in which lists show it. Of several ports for the same version and transport the first
	// counts. Without the others there may be at most 64.
	Mappings []Mapping
	// Owner is who registered the mappings, as rpcinfo shows it, at most 16 bytes. An empty
	// Owner stands for "superuser" for root and "unknown" for others, as in rpcbind.
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

// Bounds of a Registry. Within them every list fits into listMax.
const (
	mappingsMax = 64
	ownerMax    = 16
)

// listMax is the most bytes of a list. 64 entries with an IPv6 address have fewer. It is below the
// 8800 bytes that clients reserve for a reply by UDP.
const listMax = 8192

// settle copies r. It panics if a mapping has an unknown transport, or if a bound is exceeded.
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

// find returns where a program is served. Unless exact, another version is better than none: the
// program itself knows its versions, and answers PROG_MISMATCH.
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
