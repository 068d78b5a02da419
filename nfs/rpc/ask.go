package rpc

import (
	"errors"
	"fmt"
	"time"

	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// Ask is a call that the server makes to a peer, over a connection that the peer has opened.
// Whoever makes it leaves all fields alone until Answered has been called.
type Ask struct {
	// Record is the call: a header, as PutHeader writes it, and arguments. It has at most
	// AskMax bytes. The transport sets the XID, which are the first four bytes.
	Record []byte
	// Timeout is how long the peer may take to answer, from when the record has left.
	Timeout time.Duration
	// Answered is told once what became of the call. Without an error, reply is what the peer
	// sent, from behind the message type on, to be read by [Accepted]; it is borrowed. The
	// error is one of ErrGone, ErrSilent, ErrNoRoom. Answered may be called on any thread, and
	// must not block.
	Answered func(reply *xdr.Decoder, err error)
}

// AskMax is the most bytes that the record of an Ask has.
const AskMax = 8 << 10

// What becomes of an Ask that is not answered.
var (
	// ErrGone: the connection is over. Nobody knows whether the peer has run the call.
	ErrGone = errors.New("rpc: the connection that the peer was asked by is over")
	// ErrSilent: the peer has not answered in time. It may have run the call.
	ErrSilent = errors.New("rpc: the peer has not answered in time")
	// ErrNoRoom: too many calls to the peer are under way, or memory is short. The peer has not
	// been asked.
	ErrNoRoom = errors.New("rpc: no room for another call to the peer")
)

// Caller is who the server is in the calls that it makes.
type Caller struct {
	Flavor   uint32 // AuthNone or AuthSys; the rest is for AuthSys
	Machine  string
	UID, GID uint32
	GIDs     []uint32
}

// PutHeader writes the header of a call of a procedure, with an XID of 0.
func PutHeader(e *xdr.Encoder, program, version, procedure uint32, who *Caller) {
	for _, v := range [...]uint32{0, msgCall, rpcVersion, program, version, procedure, who.Flavor} {
		e.Uint32(v)
	}
	if who.Flavor == AuthSys {
		gids := who.GIDs[:min(len(who.GIDs), GroupsMax)]
		name := who.Machine[:min(len(who.Machine), machineNameMax)]
		e.Uint32(uint32(5*4 + (len(name)+3)&^3 + 4*len(gids)))
		e.Uint32(0) // the stamp
		e.String(name)
		e.Uint32(who.UID)
		e.Uint32(who.GID)
		e.Uint32(uint32(len(gids)))
		for _, g := range gids {
			e.Uint32(g)
		}
	} else {
		e.Uint32(0)
	}
	e.Uint32(AuthNone) // the verifier
	e.Uint32(0)
}

// Accepted reads a reply from behind its message type to where the results begin. It returns an
// error if the call has not been run.
func Accepted(d *xdr.Decoder) error {
	switch stat := d.Uint32(); {
	case d.Err() != nil:
		return d.Err()
	case stat != msgAccepted:
		return fmt.Errorf("rpc: the peer has denied the call: %d, %d", d.Uint32(), d.Uint32())
	}
	d.Uint32()
	d.Opaque(authBodyMax)
	stat := acceptStat(d.Uint32())
	switch {
	case d.Err() != nil:
		return d.Err()
	case stat != acceptSuccess:
		return fmt.Errorf("rpc: the peer has not run the call: %d", stat)
	}
	return nil
}

// ReplyTo reads the XID of a record that is a reply, and leaves d behind the message type. It
// reports false for every other record.
func ReplyTo(d *xdr.Decoder) (xid uint32, ok bool) {
	xid = d.Uint32()
	return xid, d.Uint32() == msgReply && d.Err() == nil
}
