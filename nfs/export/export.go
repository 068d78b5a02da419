package export

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Squash says which callers lose their identity.
type Squash uint8

// Whom an export squashes.
const (
	// SquashRoot maps user 0 and group 0, also as a supplementary group, to the
	// anonymous ones. It is the default.
	SquashRoot Squash = iota
	// SquashNone lets all callers be whom they say they are.
	SquashNone
	// SquashAll maps everybody to the anonymous user and group and drops the
	// supplementary groups.
	SquashAll
)

// String returns the word that [ParseSquash] takes.
func (s Squash) String() string {
	switch s {
	case SquashRoot:
		return "root"
	case SquashNone:
		return "none"
	case SquashAll:
		return "all"
	}
	return "unknown"
}

// ParseSquash reads root, none or all.
func ParseSquash(word string) (Squash, error) {
	for s := SquashRoot; s <= SquashAll; s++ {
		if s.String() == word {
			return s, nil
		}
	}
	return 0, fmt.Errorf("export: squash %q is none of root, none, all", word)
}

// Nobody is the user and group that squashed callers get by default. Callers without a credential
// (AUTH_NONE) come with it, too.
const Nobody = 65534

// Options is how a tree is exported. The zero value is the safe default: read
// and write, root squashed to [Nobody], loopback only.
type Options struct {
	// ReadOnly says that every change must be refused. Front ends enforce it.
	ReadOnly bool
	Squash   Squash
	// AnonUID and AnonGID are the user and group that squashed callers become. 0 means
	// [Nobody]: nobody is ever squashed to root.
	AnonUID uint32
	AnonGID uint32
	// Allow is the addresses that the export serves. Empty means loopback only: 127.0.0.0/8 and
	// ::1. Otherwise it is exactly the addresses of these prefixes, where 0.0.0.0/0 is all of
	// IPv4 and ::/0 all of IPv6.
	Allow []netip.Prefix
	// Insecure serves peers of other machines whatever port they call from. Otherwise the port
	// must be below 1024, which only root can use there: the claim of an AUTH_SYS credential is
	// then the word of the machine, not of any of its users (exports(5), secure). Peers of this
	// machine may use any port.
	Insecure bool
	// Mapped is the users and groups of the process's user namespace; nil means everybody.
	Mapped *Mapped
}

// Export is one exported tree. It is immutable once it is in a [Table].
type Export struct {
	// ID is the export's identity within file handles. For 0, [NewTable] derives it from Path,
	// so that it is the same after a restart.
	ID uint32
	// Path is the absolute path that clients mount.
	Path string
	// FS is the tree.
	FS vfs.FS
	// Volume is a number of at least 1. Exports that fail or hang together, because they are on
	// one file system, have the same number. 0 means that nothing is known.
	Volume int
	Options

	index int     // in Table.exports and in each place's views
	seal  sealKey // of its handles
}

var loopback = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("::1/128"),
}

// Allowed reports whether the export serves the address a. An IPv4 address that is mapped into IPv6
// counts as IPv4, and a scope zone does not matter. Allowed does not allocate.
func (x *Export) Allowed(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range x.Allow {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Refusal is why an export does not serve a peer.
type Refusal uint8

// Reasons to refuse a peer.
const (
	Served Refusal = iota
	// RefusedAddress: the peer's address is in no prefix of Allow.
	RefusedAddress
	// RefusedPort: the peer does not call from a port below 1024, and the export is not
	// Insecure.
	RefusedPort
)

// String says why, and what an administrator who wants to serve the peer must do.
func (r Refusal) String() string {
	switch r {
	case Served:
		return "served"
	case RefusedAddress:
		return "its address is not allowed (--allow)"
	case RefusedPort:
		return "it calls from a port that any user of its machine can have: mount with resvport there, or serve with --insecure"
	}
	return "unknown"
}

// reservedMax is the first port that ordinary users can use (IPPORT_RESERVED).
const reservedMax = 1024

// Refuses says whether x serves a peer, and why not. local is whether the peer is a process of this
// machine, which the server knows from other facts than the port. Refuses does not allocate.
func (x *Export) Refuses(peer netip.AddrPort, local bool) Refusal {
	switch {
	case !x.Allowed(peer.Addr()):
		return RefusedAddress
	case peer.Port() >= reservedMax && !local && !x.Insecure:
		return RefusedPort
	}
	return Served
}

// Stricter names the first right that o refuses and outer grants, "" when there is none. If two
// exports hold the same objects, a client gets every right that either export gives.
func (o Options) Stricter(outer Options) (what string) {
	if o.settle() != nil || outer.settle() != nil {
		return "" // NewTable reports the error
	}
	for _, p := range outer.Allow {
		if !slices.ContainsFunc(
			o.Allow,
			func(q netip.Prefix) bool { return q.Bits() <= p.Bits() && q.Contains(p.Addr()) },
		) {
			return fmt.Sprintf("it does not serve %v", p)
		}
	}
	switch {
	case o.ReadOnly && !outer.ReadOnly:
		return "it is read-only"
	case !o.Insecure && outer.Insecure:
		return "it serves ports below 1024 only"
	case o.Squash == outer.Squash && o.AnonUID == outer.AnonUID && o.AnonGID == outer.AnonGID:
	case o.Squash != SquashNone:
		return "it squashes callers in another way"
	}
	return ""
}

// Check returns what is wrong with o, nil if nothing is.
func (o Options) Check() error { return o.settle() }

// NoFS reports whether fs is missing: nil, or a nil pointer (map, function, channel, slice) of a
// type that implements FS. The latter does not compare equal to nil.
func NoFS(fs vfs.FS) bool {
	if fs == nil {
		return true
	}
	switch v := reflect.ValueOf(fs); v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Chan, reflect.Slice, reflect.UnsafePointer:
		return v.IsNil()
	default:
		return false
	}
}

// settle fills in the defaults of o and checks it. It replaces Allow and does not write to the
// caller's slice.
func (o *Options) settle() error {
	if o.Squash > SquashAll {
		return fmt.Errorf("squash %d is unknown: use SquashRoot, SquashNone or SquashAll", o.Squash)
	}
	if o.AnonUID == 0 {
		o.AnonUID = Nobody
	}
	if o.AnonGID == 0 {
		o.AnonGID = Nobody
	}
	if o.AnonUID == invalidID || o.AnonGID == invalidID {
		return fmt.Errorf(
			"anonymous user or group %d is nobody's: use one below it, or 0 for %d",
			uint32(invalidID),
			Nobody,
		)
	}
	if len(o.Allow) == 0 {
		o.Allow = loopback
		return nil
	}
	allow, err := Networks(o.Allow)
	if err != nil {
		return err
	}
	o.Allow = allow
	return nil
}

// Networks returns list in the form in which networks are compared with clients' addresses: IPv4
// networks as such, also those mapped into IPv6, and without zones. A network that nobody can be in
// is an error. Networks does not write to list.
func Networks(list []netip.Prefix) ([]netip.Prefix, error) {
	networks := make([]netip.Prefix, 0, len(list))
	for _, p := range list {
		if !p.IsValid() {
			return nil, errors.New(
				"an address prefix to allow is none: make it with netip.ParsePrefix or netip.PrefixFrom",
			)
		}
		if a := p.Addr(); a.Is4In6() {
			if p.Bits() < 96 {
				return nil, fmt.Errorf(
					"prefix %v covers more than IPv4 mapped into IPv6: write it as an IPv4 or IPv6 prefix",
					p,
				)
			}
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		if p.IsSingleIP() && p.Addr().IsUnspecified() {
			return nil, fmt.Errorf(
				"no client has the address %v: for every client say 0.0.0.0/0,::/0",
				p.Addr(),
			)
		}
		networks = append(networks, netip.PrefixFrom(p.Addr().WithZone(""), p.Bits()).Masked())
	}
	return networks, nil
}
