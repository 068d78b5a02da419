package rpc

// Flavor is one way to say who is calling (RFC 5531, section 8). All threads share a Flavor; it
// guards what it remembers of sessions itself.
//
// # What a flavor can do
//
// Accept runs within [Server.Parse], on a lane, so it must not block. Beside judging the credential
// it can:
//
//   - fill in the call's Auth, which is all that programs ever see of the credential;
//   - protect the call ([Call.Protect]): the arguments are unwrapped before the procedure
//     sees them, the results are wrapped after it has returned, and the reply carries a
//     verifier. RPCSEC_GSS (RFC 2203) needs this for every DATA call; the [Protection] is
//     the security context together with the call's sequence number and service;
//   - answer the call itself ([Call.Divert]): the call runs a procedure of the flavor's
//     instead of the program's. RPCSEC_GSS does so for INIT, CONTINUE_INIT and DESTROY,
//     which come as calls of the NULL procedure, and AUTH_TLS (RFC 9289) for its probe.
//     Such a procedure is a [Procedure] like any other, so one that may sleep is of class
//     [Blocking];
//   - have the call dropped ([AuthDiscard]). By TCP this ends the connection, since a
//     client waits for a reply as long as the connection is there.
//
// A procedure is run again after Wait and Grow, but Accept is called once per call: it advances
// sequence windows.
type Flavor interface {
	// Number is the flavor's number on the wire, below 8.
	Number() uint32
	// Accept judges the credential of c, whose XID, Prog, Vers, Proc, Peer, Local and Datagram
	// are valid. If it returns AuthOK it fills in c.Auth; Parse sets Auth.Flavor. If Accept
	// protects or diverts the call, p is borrowed until the call is over, otherwise until
	// Accept returns.
	Accept(c *Call, p *Presented) AuthStat
}

// Presented is what a caller shows to prove who it is. The slices are views of the record, or of
// the Call's memory if the record came in pieces.
type Presented struct {
	// Cred is the body of the credential, at most 400 bytes.
	Cred []byte
	// VerfFlavor and Verf are the verifier, at most 400 bytes.
	VerfFlavor uint32
	Verf       []byte
	// Signed is the header from the XID to the end of the credential. A verifier of RPCSEC_GSS
	// is a checksum of it (RFC 2203, section 5.3.1).
	Signed []byte
}

// move turns the views into views of record, a copy of the whole record.
func (p *Presented) move(record []byte) {
	if n := len(p.Signed); n > 0 {
		p.Signed = record[:n:n]
		n += authFixed
		p.Verf = record[n : n+len(p.Verf) : n+len(p.Verf)]
	}
	if n := len(p.Cred); n > 0 {
		p.Cred = record[callFixed+authFixed:][:n:n]
	}
}

// plain reports whether the verifier is of AUTH_NONE, the verifier of credentials that prove
// nothing; its body is undefined (RFC 5531, section 10.1).
func (p *Presented) plain() bool { return p.VerfFlavor == AuthNone }

// Protection is what a flavor does to the rest of a call that it has accepted. It belongs to one
// call; the thread that has the Call uses it.
type Protection interface {
	// Unwrap makes c.Args, which stands at the arguments as they came, read the bare arguments.
	// Parse calls it once, but not for diverted calls. False is answered with GARBAGE_ARGS (RFC
	// 2203, section 5.3.3.4.2).
	Unwrap(c *Call) bool
	// Verifier returns the flavor of an accepted reply's verifier and writes its body, at most
	// len(dst) bytes, to dst. It may be called again when the procedure is run again.
	Verifier(c *Call, dst []byte) (flavor uint32, n int)
	// Overhead returns how many bytes Wrap needs before the results, exactly, and behind them,
	// at most. Together with the verifier these stay below HeaderMax.
	Overhead(c *Call) (before, behind int)
	// Wrap completes c.Reply. The bytes from at are the reserved ones, and the results follow
	// them up to the end. Only successful results are wrapped.
	Wrap(c *Call, at int)
}

// flavorsMax bounds the numbers of flavors. RFC 5531's registry has used 0 to 7.
const flavorsMax = 8

// Protect makes the rest of the call go through p. It is for Flavor.Accept.
func (c *Call) Protect(p Protection) { c.protection = p }

// Divert makes the call run p, whatever procedure it names. It is for Flavor.Accept. p is
// immutable, and calls share it.
func (c *Call) Divert(p *Procedure) { c.procedure = p }

// None is AUTH_NONE (RFC 5531, section 10.1): the caller is nobody. None ignores the credential's
// body, whose content the RFC leaves undefined.
type None struct{}

// nobody is the user and group of a caller without a name.
const nobody = 65534

// Number returns AuthNone.
func (None) Number() uint32 { return AuthNone }

// Accept makes the caller nobody.
func (None) Accept(c *Call, p *Presented) AuthStat {
	if !p.plain() {
		return AuthBadVerf
	}
	c.Auth.UID, c.Auth.GID, c.Auth.n = nobody, nobody, 0
	return AuthOK
}
