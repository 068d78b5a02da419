package rpc

import "encoding/binary"

// callKind says how a parsed call is answered.
type callKind uint8

const (
	kindRun      callKind = iota // by its procedure
	kindAccept                   // an accepted reply without results
	kindAuth                     // AUTH_ERROR
	kindMismatch                 // RPC_MISMATCH
	kindDiscard                  // nothing
)

// callStatus is what Parse found.
type callStatus struct {
	kind   callKind
	accept acceptStat
	auth   AuthStat
	low    uint32 // versions of PROG_MISMATCH
	high   uint32
}

func (c *Call) accept(s acceptStat) {
	c.procedure = nil
	c.status.kind = kindAccept
	c.status.accept = s
}

func (c *Call) deny(s AuthStat) {
	c.procedure = nil
	c.status.kind = kindAuth
	if s == AuthDiscard {
		c.status.kind = kindDiscard
	}
	c.status.auth = s
}

// Parse reads the header of the call, which is first followed by rest, judges the credential and
// looks up the procedure. The caller has reset c and set its Peer, Origin, Local and Datagram. The
// record is borrowed until the reply has been queued or c is reset. Parse does not block. It
// allocates only when a header comes in pieces, once per Call.
//
// An error means that no reply is possible: the connection must be closed, a datagram dropped.
// Whatever else is wrong with the call, c keeps and Run answers. The order of checks is knfsd's:
// the RPC version, the credential, the verifier, the program, its version, the procedure.
func (s *Server) Parse(c *Call, first []byte, rest [][]byte) error {
	h := first
	if len(first) < callHeaderMax && len(rest) > 0 {
		h = c.gather(first, rest)
	}
	if len(h) < 8 {
		return ErrHeader
	}
	c.XID = binary.BigEndian.Uint32(h)
	if binary.BigEndian.Uint32(h[4:]) != msgCall {
		return ErrNotCall
	}
	if len(h) < 12 {
		return ErrHeader
	}
	if binary.BigEndian.Uint32(h[8:]) != rpcVersion {
		// The header of another version may continue in any way, so read no further.
		c.status.kind = kindMismatch
		return nil
	}
	if len(h) < callFixed+authFixed {
		return ErrHeader
	}
	c.Prog = binary.BigEndian.Uint32(h[12:])
	c.Vers = binary.BigEndian.Uint32(h[16:])
	c.Proc = binary.BigEndian.Uint32(h[20:])
	n, err := s.authenticate(c, h)
	if err != nil || c.status.kind != kindRun {
		return err
	}
	if n <= len(first) {
		c.Args.ResetSegments(first[n:], rest)
	} else {
		c.Args.ResetSegments(first, rest)
		c.Args.Skip(n)
	}
	if c.procedure == nil { // not diverted
		if s.find(c); c.procedure == nil {
			return nil
		}
		if c.protection != nil && !c.protection.Unwrap(c) {
			c.accept(acceptGarbageArgs)
			return nil
		}
	}
	c.args = c.Args
	return nil
}

// authenticate reads the credential and the verifier from the header h, lets the flavor judge them,
// and returns the header's length.
func (s *Server) authenticate(c *Call, h []byte) (n int, err error) {
	flavor := binary.BigEndian.Uint32(h[callFixed:])
	p := &c.presented
	var stat AuthStat
	if p.Cred, n, stat, err = authBody(h, callFixed+4, AuthBadCred); err != nil || stat != AuthOK {
		c.deny(stat)
		return 0, err
	}
	if flavor >= flavorsMax || s.flavors[flavor] == nil {
		c.deny(unknownFlavor)
		return 0, nil
	}
	p.Signed = h[:n:n]
	if len(h) < n+authFixed {
		return 0, ErrHeader
	}
	p.VerfFlavor = binary.BigEndian.Uint32(h[n:])
	if p.Verf, n, stat, err = authBody(h, n+4, AuthBadVerf); err != nil || stat != AuthOK {
		c.deny(stat)
		return 0, err
	}
	c.Auth.Flavor = flavor
	stat = s.flavors[flavor].Accept(c, p)
	if stat == AuthOK && c.Origin.Guest() && flavor <= AuthSys { // others prove who calls
		stat = s.vouch(c)
	}
	if stat != AuthOK {
		c.deny(stat)
	}
	return n, nil
}

// unknownFlavor is the status for a credential of a flavor that is not served. RFC 5531, section 9,
// has no status of its own for it; knfsd says the same. A client that probes for TLS (RFC 9289)
// takes a denial for a no.
const unknownFlavor = AuthBadCred

// authBody reads the length at h[at:] and the body of at most 400 bytes behind it. It returns where
// the padding after the body ends. A length beyond the limit is answered with tooLong, even if the
// record ends before it.
func authBody(h []byte, at int, tooLong AuthStat) (body []byte, end int, stat AuthStat, err error) {
	n := binary.BigEndian.Uint32(h[at:])
	if n > authBodyMax {
		return nil, 0, tooLong, nil
	}
	at += 4
	end = at + int(n+3)&^3
	if end > len(h) {
		return nil, 0, AuthOK, ErrHeader
	}
	return h[at : at+int(n) : at+int(n)], end, AuthOK, nil
}

// gather copies the beginning of a record in pieces, as many bytes as a header can have, to the
// Call's own memory.
func (c *Call) gather(first []byte, rest [][]byte) []byte {
	if c.scratch == nil {
		c.scratch = make([]byte, 0, callHeaderMax)
	}
	b := append(c.scratch[:0], first...)
	for _, r := range rest {
		b = append(b, r[:min(len(r), callHeaderMax-len(b))]...)
		if len(b) == callHeaderMax {
			break
		}
	}
	return b
}
