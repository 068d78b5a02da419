// Package rpctest builds calls and takes replies apart, for tests. It follows RFC 5531 and uses no
// code of package rpc, so a mistake in one does not hide the same mistake in the other. The
// exception is [Serve], which runs a call through a server.
package rpctest

import "encoding/binary"

// Opaque is an opaque_auth: a credential or a verifier.
type Opaque struct {
	Flavor uint32
	Body   []byte
}

// Call is a call message. The fields are encoded as they are, so that a test can
// spoil any of them.
type Call struct {
	XID, Type, RPCVers, Prog, Vers, Proc uint32
	Cred, Verf                           Opaque
	Args                                 []byte
}

// NewCall returns a correct call with AUTH_NONE.
func NewCall(xid, prog, vers, proc uint32, args []byte) Call {
	return Call{XID: xid, RPCVers: 2, Prog: prog, Vers: vers, Proc: proc, Args: args}
}

// As returns the call with another credential.
func (c Call) As(cred Opaque) Call {
	c.Cred = cred
	return c
}

// Bytes returns the message, without record marking.
func (c Call) Bytes() []byte {
	a := Args(nil).U32(c.XID, c.Type, c.RPCVers, c.Prog, c.Vers, c.Proc).
		U32(c.Cred.Flavor).Opaque(c.Cred.Body).
		U32(c.Verf.Flavor).Opaque(c.Verf.Body)
	return append(a, c.Args...)
}

// Record returns the message as one record of one fragment.
func (c Call) Record() []byte { return Record(c.Bytes()) }

// Sys returns an AUTH_SYS credential of machine "client".
func Sys(uid, gid uint32, groups ...uint32) Opaque {
	a := Args(nil).U32(0x5eed).String("client").U32(uid, gid, uint32(len(groups))).U32(groups...)
	return Opaque{Flavor: 1, Body: a}
}

// Args builds the arguments of a call by appending XDR values.
type Args []byte

// U32 appends unsigned integers, enums or booleans.
func (a Args) U32(v ...uint32) Args {
	for _, x := range v {
		a = binary.BigEndian.AppendUint32(a, x)
	}
	return a
}

// U64 appends unsigned hyper integers.
func (a Args) U64(v ...uint64) Args {
	for _, x := range v {
		a = binary.BigEndian.AppendUint64(a, x)
	}
	return a
}

// Opaque appends variable-length opaque data: length, bytes, padding.
func (a Args) Opaque(b []byte) Args { return a.U32(uint32(len(b))).Fixed(b) }

// String appends a string.
func (a Args) String(s string) Args { return a.Opaque([]byte(s)) }

// Fixed appends fixed-length opaque data with its padding.
func (a Args) Fixed(b []byte) Args {
	a = append(a, b...)
	return append(a, make([]byte, -len(b)&3)...)
}

// Raw appends b as it is.
func (a Args) Raw(b []byte) Args { return append(a, b...) }
