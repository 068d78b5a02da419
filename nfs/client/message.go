package client

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// Encoder and Decoder are implemented by generated types.
type (
	// Encoder writes itself.
	Encoder interface{ Encode(*xdr.Encoder) }
	// Decoder reads itself. It may keep views of the record.
	Decoder interface{ Decode(*xdr.Decoder) }
)

// Raw is arguments that are encoded already.
type Raw []byte

// Encode writes b to e.
func (b Raw) Encode(e *xdr.Encoder) { copy(e.Reserve(len(b)), b) }

// Text is a string.
type Text string

// Encode writes s to e.
func (s Text) Encode(e *xdr.Encoder) { e.String(string(s)) }

// Decode reads s from d.
func (s *Text) Decode(d *xdr.Decoder) { *s = Text(d.Opaque(math.MaxUint32)) }

// Number is an unsigned integer.
type Number uint32

// Decode reads n from d.
func (n *Number) Decode(d *xdr.Decoder) { *n = Number(d.Uint32()) }

// Numbers are unsigned integers, one after the other.
type Numbers []uint32

// Encode writes n to e.
func (n Numbers) Encode(e *xdr.Encoder) {
	for _, v := range n {
		e.Uint32(v)
	}
}

// GroupsMax is how many groups an AUTH_SYS credential can have (RFC 5531, appendix A).
const GroupsMax = 16

// Sys returns an AUTH_SYS credential of a machine's user, with at most GroupsMax groups beside gid;
// it leaves out the others.
func Sys(machine string, uid, gid uint32, groups ...uint32) OpaqueAuth {
	body, err := Marshal(&AuthsysParms{
		Machinename: []byte(machine), Uid: uid, Gid: gid, Gids: groups[:min(len(groups), GroupsMax)],
	})
	if err != nil {
		panic("client: a machine's name has at most 255 bytes: " + machine)
	}
	return OpaqueAuth{Flavor: uint32(AUTH_SYS), Body: body}
}

// messageMax is the most bytes in a call.
const messageMax = 64 << 20

// Marshal returns the bytes of v. A nil v has none.
func Marshal(v Encoder) ([]byte, error) { return appendValue(nil, v) }

// appendValue appends the bytes of v to b.
func appendValue(b []byte, v Encoder) ([]byte, error) {
	if v == nil {
		return b, nil
	}
	for {
		var e xdr.Encoder
		e.Reset(b[len(b):cap(b)])
		v.Encode(&e)
		switch {
		case e.Err() == nil:
			return b[:len(b)+e.Len()], nil
		case !errors.Is(e.Err(), xdr.ErrShort) || cap(b) > messageMax:
			return b, fmt.Errorf("encode %T: %w", v, e.Err())
		}
		b = append(make([]byte, 0, max(4*cap(b), 512)), b...)
	}
}

// Unmarshal decodes all of b into v, which keeps views of b. A nil v has no bytes.
func Unmarshal(b []byte, v Decoder) error {
	var d xdr.Decoder
	d.Reset(b)
	if v != nil {
		v.Decode(&d)
	}
	if d.Err() != nil {
		return fmt.Errorf("decode %T from %x: %w", v, b[:min(len(b), 200)], d.Err())
	}
	if d.Left() != 0 {
		return fmt.Errorf("%d bytes behind %T", d.Left(), v)
	}
	return nil
}

// AppendCall appends a call message (RFC 5531, section 9) to b: a header with an empty verifier,
// and args, which may be nil. It appends no record mark.
func AppendCall(b []byte, xid, prog, vers, proc uint32, cred OpaqueAuth, args Encoder) ([]byte, error) {
	b, err := appendValue(b, &CallHeader{
		Xid: xid, Mtype: CALL, Rpcvers: RPC_VERSION, Prog: prog, Vers: vers, Proc: proc, Cred: cred,
	})
	if err != nil {
		return b, err
	}
	return appendValue(b, args)
}

// Results checks that b is the reply to the call xid and returns the results: a view of everything
// behind the header. If the server did not do the call, the error is a [*Denied] or a [*Refused].
func Results(b []byte, xid uint32) ([]byte, error) {
	var d xdr.Decoder
	d.Reset(b)
	var h ReplyHeader
	h.Decode(&d)
	switch {
	case d.Err() == nil && h.Xid == xid && h.Mtype == REPLY:
	case len(b) < 12:
		return nil, ErrShortReply
	case h.Xid != xid:
		return nil, fmt.Errorf("a reply to another call (%#x for %#x)", h.Xid, xid)
	case h.Mtype != REPLY:
		return nil, errors.New("a message that is no reply")
	case errors.Is(d.Err(), xdr.ErrShort) && missesVersions(&h.Reply, len(b)):
	case errors.Is(d.Err(), xdr.ErrShort):
		return nil, ErrShortReply
	default:
		return nil, fmt.Errorf("a reply that cannot be decoded: %w", d.Err())
	}
	if h.Reply.Stat == denied {
		r := &h.Reply.Denied
		return nil, &Denied{Stat: RejectStat(r.Stat), Why: AuthStat(r.Why), Versions: r.MismatchInfo}
	}
	if r := &h.Reply.Accepted.Data; r.Stat != uint32(SUCCESS) {
		return nil, &Refused{Stat: AcceptStat(r.Stat), Versions: r.MismatchInfo}
	}
	return b[len(b)-d.Left():], nil
}

// denied is MSG_DENIED of reply_stat.
const denied = 1

// missesVersions reports whether a reply of n bytes lacks only the versions that the server has.
// Without them it still says that there is a mismatch.
func missesVersions(r *ReplyHeaderReply, n int) bool {
	if r.Stat == denied {
		return r.Denied.Stat == uint32(RPC_MISMATCH) && n >= 4*4
	}
	return r.Accepted.Data.Stat == uint32(PROG_MISMATCH)
}

// ReadRecord reads a record (RFC 5531, section 11) of at most most bytes. It uses b's memory as far
// as that is large enough.
func ReadRecord(r io.Reader, b []byte, most int) ([]byte, error) {
	b = b[:0]
	for {
		var h [4]byte
		if _, err := io.ReadFull(r, h[:]); err != nil {
			return nil, err
		}
		mark := binary.BigEndian.Uint32(h[:])
		n := int(mark &^ (1 << 31))
		at := len(b)
		if n > most-at {
			return nil, fmt.Errorf("a record of more than %d bytes", most)
		}
		if at+n > cap(b) {
			b = append(make([]byte, 0, at+n), b...)
		}
		b = b[:at+n]
		if _, err := io.ReadFull(r, b[at:]); err != nil {
			return nil, err
		}
		if mark>>31 == 1 {
			return b, nil
		}
	}
}
