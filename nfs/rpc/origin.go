package rpc

import "slices"

// Trust says as whom calls from an [Origin] may act.
type Trust uint8

// Kinds of origin.
const (
	// Remote is another machine. The server takes that machine's word on its users, as AUTH_SYS
	// does (RFC 5531, appendix A). Exports may want the call to come from a port that only root
	// can use there.
	Remote Trust = iota
	// Believed is a process of this machine that may act as anybody: root's, or one that can do
	// all that the server can.
	Believed
	// Bound is a socket of a user of this machine. It acts as that user or as nobody.
	Bound
	// Nameless is a socket of this machine whose owner is not known. It acts as nobody.
	Nameless
	// Shut is a socket of this machine whose user is not served.
	Shut
)

// Origin is who sends the calls of a connection, as far as the server knows without asking the
// connection. It is immutable. A nil Origin is Remote.
type Origin struct {
	Trust Trust
	// UID is the socket's owner, or 65534 where the owner is not known. It means nothing when
	// Trust is Remote.
	UID uint32
	// GIDs are the groups of that user, when Trust is Bound.
	GIDs []uint32
	// Unsure is whether the groups could not be looked up. GIDs are then those known before, or
	// none.
	Unsure bool
}

// Local reports whether the origin is a process of this machine.
func (o *Origin) Local() bool { return o != nil && o.Trust != Remote }

// Guest reports whether the origin is a process of this machine that may act only as its user, or
// as nobody. Guests get their share of what is scarce and no more.
func (o *Origin) Guest() bool { return o.Local() && o.Trust != Believed }

// Ends reports whether the server does not serve connections from the origin, and ends them.
func (o *Origin) Ends() bool { return o != nil && o.Trust == Shut }

// Rules reports whether the origin may see what concerns others.
func (o *Origin) Rules() bool { return o != nil && o.Trust == Believed }

// Claim is something that an origin may not say of itself.
type Claim uint8

// What origins may not claim.
const (
	ClaimOK Claim = iota
	// ClaimUser: to be another user than the socket's owner.
	ClaimUser
	// ClaimGroup: to be in a group that the socket's owner is not in.
	ClaimGroup
	// ClaimAny: to be anybody, from a socket whose owner is not known.
	ClaimAny
	// ClaimService: to be served, by a server that serves other users.
	ClaimService
)

// Check judges a credential that its caller might have made up. group is the group of ClaimGroup. A
// caller without a credential claims nothing, so every origin may send such calls, [Nameless] too.
// Check does not allocate.
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

// in reports whether the user may have the group. Everybody may have the group of nobody.
func (o *Origin) in(gid uint32) bool { return gid == nobody || slices.Contains(o.GIDs, gid) }

// vouch holds what c says of its caller to what is known of where c comes from. NULL passes: it
// does nothing for anybody, and clients find out with it whether a server is there.
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
	// This is the one status after which no client tries again: RFC 5531, section 9.
	return AuthTooWeak
}

// Asks reports whether the origin of c matters. c was parsed without an Origin; if Asks is true,
// the transport finds the origin out and calls [Server.From].
func (s *Server) Asks(c *Call) bool { return !s.anybody && c.procedure != nil && c.Proc != 0 }

// From gives c, which was parsed without one, its Origin, and judges what c says of its caller as
// Parse does with an Origin. It is called before c is run, and does not block.
func (s *Server) From(c *Call, o *Origin) {
	c.Origin = o
	if c.Auth.Flavor > AuthSys {
		return
	}
	if stat := s.vouch(c); stat != AuthOK {
		c.deny(stat)
	}
}
