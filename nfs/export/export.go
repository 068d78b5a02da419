package export

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Squash says which callers lose their identity.
type Squash uint8

// The ways to squash.
const (
	// SquashRoot maps user 0 and group 0, also as a supplementary group, to the
	// anonymous ones. It is the default.
	SquashRoot Squash = iota
	// SquashNone leaves everybody who he says he is.
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

// Nobody is the user and group that squashed callers get by default, and the
// ones that callers without a credential (AUTH_NONE) come with.
const Nobody = 65534

// Options is how a tree is exported. The zero value is the safe default: read
// and write, root squashed to [Nobody], loopback only.
type Options struct {
	// ReadOnly refuses every change. Front ends enforce it.
	ReadOnly bool
	Squash   Squash
	// AnonUID and AnonGID are who squashed callers become. 0 means [Nobody]:
	// nobody is ever squashed to root.
	AnonUID uint32
	AnonGID uint32
	// Allow is whom the export serves. Empty means loopback only: 127.0.0.0/8
	// and ::1. Otherwise it is exactly the addresses of these prefixes, where
	// 0.0.0.0/0 is all of IPv4 and ::/0 all of IPv6.
	Allow []netip.Prefix
}

// Export is one exported tree. It is immutable once it is in a [Table].
type Export struct {
	// ID is the export's identity within file handles. 0 lets [NewTable] derive
	// it from Path, which keeps it the same over restarts.
	ID uint32
	// Path is the absolute path that clients mount.
	Path string
	// FS is the tree.
	FS vfs.FS
	// Volume is the same for exports that fail or hang together, as they are on one
	// file system, and 1 or more. 0 is for those of which nothing is known.
	Volume int
	Options

	index int // in Table.exports and in each place's views
}

var loopback = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("::1/128"),
}

// Allowed reports whether the export serves the address a. An IPv4 address that
// is mapped into IPv6 counts as IPv4, and a scope zone does not matter. It does
// not allocate.
func (x *Export) Allowed(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range x.Allow {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Stricter names the first thing that o refuses and outer grants, "" when there is
// none: what lies in both exports can then be had through the other one with every
// right that either gives.
func (o Options) Stricter(outer Options) (what string) {
	if o.settle() != nil || outer.settle() != nil {
		return "" // NewTable says what is wrong
	}
	for _, p := range outer.Allow {
		if !slices.ContainsFunc(o.Allow, func(q netip.Prefix) bool { return q.Bits() <= p.Bits() && q.Contains(p.Addr()) }) {
			return fmt.Sprintf("it does not serve %v", p)
		}
	}
	switch {
	case o.ReadOnly && !outer.ReadOnly:
		return "it is read-only"
	case o.Squash == outer.Squash && o.AnonUID == outer.AnonUID && o.AnonGID == outer.AnonGID:
	case o.Squash != SquashNone:
		return "it squashes callers in another way"
	}
	return ""
}

// settle fills in the defaults of o and checks it. It replaces Allow, it does
// not write to the caller's slice.
func (o *Options) settle() error {
	if o.Squash > SquashAll {
		return fmt.Errorf("squash %d is unknown", o.Squash)
	}
	if o.AnonUID == 0 {
		o.AnonUID = Nobody
	}
	if o.AnonGID == 0 {
		o.AnonGID = Nobody
	}
	if o.AnonUID == invalidID || o.AnonGID == invalidID {
		return fmt.Errorf("anonymous user or group %d is not a valid identity", uint32(invalidID))
	}
	if len(o.Allow) == 0 {
		o.Allow = loopback
		return nil
	}
	allow := make([]netip.Prefix, 0, len(o.Allow))
	for _, p := range o.Allow {
		if !p.IsValid() {
			return fmt.Errorf("an address prefix to allow is not valid")
		}
		if a := p.Addr(); a.Is4In6() {
			if p.Bits() < 96 {
				return fmt.Errorf("prefix %v covers more than IPv4 mapped into IPv6: write it as an IPv4 or IPv6 prefix", p)
			}
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		allow = append(allow, netip.PrefixFrom(p.Addr().WithZone(""), p.Bits()).Masked())
	}
	o.Allow = allow
	return nil
}
