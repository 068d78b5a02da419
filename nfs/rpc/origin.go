package rpc

import "slices"

// Trust says whose calls may come from an [Origin].
type Trust uint8

// The kinds of origin.
const (
	// Remote is another machine, whose word on its users is taken, as AUTH_SYS has it
	// (RFC 5531, appendix A). Exports may want a port of it that only root can use.
	Remote Trust = iota
	// Believed is this machine and root, or whoever else can do all that the server
	// does: it may act as anybody.
	Believed
	// Bound is a socket of a user of this machine, who acts as himself or as nobody.
	Bound
	// Nameless is a socket of this machine of which nobody knows whose it is: it acts
	// as nobody.
	Nameless
	// Shut is a socket of this machine whose user has no business here.
	Shut
)

// Origin is who sends the calls of a connection, as far as that is known without
// asking it. It is immutable, and nil is Remote.
type Origin struct {
	Trust Trust
	// UID is whose socket it is, or 65534 where that is not known. It does not matter when
	// it is Remote.
	UID uint32
	// GIDs are the groups of that user, when it is Bound.
	GIDs []uint32
	// Unsure is whether they could not be looked up: they are those of before, or none.
	Unsure bool
}

// Local reports whether the origin is a process of this machine.
func (o *Origin) Local() bool { return o != nil && o.Trust != Remote }

// Guest reports whether the origin is a process of this machine that is held to be
// somebody, or nobody: it has its part of what there is and no more.
func (o *Origin) Guest() bool { return o.Local() && o.Trust != Believed }

// Ends reports whether a connection from the origin is of no use: it is not served.
func (o *Origin) Ends() bool { return o != nil && o.Trust == Shut }

// Rules reports whether the origin may see what concerns others.
func (o *Origin) Rules() bool { return o != nil && o.Trust == Believed }

// Claim is what an origin may not say of itself.
type Claim uint8

// The claims.
const (
	ClaimOK Claim = iota
	// ClaimUser: to be another user than the one whose socket it is.
	ClaimUser
	// ClaimGroup: to be in a group that this user is not in.
	ClaimGroup
	// ClaimAny: to be anybody, from a socket that nobody knows.
	ClaimAny
	// ClaimService: to be served, by a server that is there for others.
	ClaimService
)

// Check judges a credential that its caller might have made up. group is the one with
// ClaimGroup. Whoever has no credential may be had as that by all ([Nameless] too). It
// does not allocate.
func (o *Origin) Check(a *Auth) (claim Claim, group uint32) {
	if !o.Guest() {
		return ClaimOK, 0
	}
	if o.Trust == Shut {
		return ClaimService, 0
	}
	if a.Flavor == AuthNone {
		return ClaimOK, 0
	}
	if o.Trust == Nameless {
		return ClaimAny, 0
	}
	if a.UID != o.UID {
		return ClaimUser, 0
	}
	if !o.in(a.GID) {
		return ClaimGroup, a.GID
	}
	for _, g := range a.Groups() {
		if !o.in(g) {
			return ClaimGroup, g
		}
	}
	return ClaimOK, 0
}

// in reports whether the user may have the group. Everybody may be nobody.
func (o *Origin) in(gid uint32) bool { return gid == nobody || slices.Contains(o.GIDs, gid) }

// vouch judges what c says of itself by where it comes from, which is held to what is
// known of it. NULL does nothing for anybody, and is how clients find out whether a
// server is there.
func (s *Server) vouch(c *Call) AuthStat {
	if c.Proc == 0 {
		return AuthOK
	}
	claim, group := c.Origin.Check(&c.Auth)
	if claim == ClaimOK || s.anybody {
		return AuthOK
	}
	if s.OnClaim != nil {
		s.OnClaim(c, claim, group)
	}
	// The one status that makes no client try again: RFC 5531, section 9.
	return AuthTooWeak
}

// Asks reports whether it matters where c comes from, which was parsed without an Origin:
// whether that is to be found out for [Server.From].
func (s *Server) Asks(c *Call) bool { return !s.anybody && c.procedure != nil && c.Proc != 0 }

// From says where c comes from, which was parsed without an Origin, and judges what c says
// of itself as Parse does with one. It is called before c is run, and does not block.
func (s *Server) From(c *Call, o *Origin) {
	c.Origin = o
	if c.Auth.Flavor > AuthSys {
		return
	}
	if stat := s.vouch(c); stat != AuthOK {
		c.deny(stat)
	}
}
