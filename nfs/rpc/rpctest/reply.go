package rpctest

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The numbers of accept_stat, reject_stat and auth_stat (RFC 5531, section 9).
const (
	Success      = 0
	ProgUnavail  = 1
	ProgMismatch = 2
	ProcUnavail  = 3
	GarbageArgs  = 4
	SystemErr    = 5

	RPCMismatch = 0
	AuthError   = 1

	AuthBadCred      = 1
	AuthRejectedCred = 2
	AuthBadVerf      = 3
	AuthRejectedVerf = 4
	AuthTooWeak      = 5
)

// Reply is a reply message taken apart.
type Reply struct {
	XID    uint32
	Denied bool

	// Of an accepted reply.
	Verf   Opaque
	Accept uint32

	// Of a denied reply.
	Reject uint32
	Auth   uint32

	// Low and High are of PROG_MISMATCH and RPC_MISMATCH.
	Low, High uint32

	// Results are of SUCCESS: everything behind the header, a view.
	Results []byte
}

// ParseReply decodes the reply message b strictly: an unknown number, a missing byte and a byte too
// many are errors.
func ParseReply(b []byte) (Reply, error) {
	d := reader{b: b}
	var r Reply
	r.XID = d.u32()
	if t := d.u32(); d.err == nil && t != 1 {
		return r, fmt.Errorf("message type %d is not REPLY", t)
	}
	switch stat := d.u32(); stat {
	case 0:
		r.Verf.Flavor = d.u32()
		r.Verf.Body = d.opaque(400)
		r.Accept = d.u32()
		switch r.Accept {
		case Success:
			r.Results, d.b = d.b, nil
		case ProgMismatch:
			r.Low, r.High = d.u32(), d.u32()
		case ProgUnavail, ProcUnavail, GarbageArgs, SystemErr:
		default:
			return r, fmt.Errorf("unknown accept_stat %d", r.Accept)
		}
	case 1:
		r.Denied = true
		switch r.Reject = d.u32(); r.Reject {
		case RPCMismatch:
			r.Low, r.High = d.u32(), d.u32()
		case AuthError:
			r.Auth = d.u32()
		default:
			return r, fmt.Errorf("unknown reject_stat %d", r.Reject)
		}
	default:
		return r, fmt.Errorf("unknown reply_stat %d", stat)
	}
	if d.err == nil && len(d.b) > 0 {
		return r, fmt.Errorf("%d bytes behind the reply", len(d.b))
	}
	return r, d.err
}

var errShort = errors.New("the reply is truncated")

// reader is the little of XDR that a reply header needs.
type reader struct {
	b   []byte
	err error
}

func (d *reader) u32() uint32 {
	if len(d.b) < 4 {
		d.b, d.err = nil, errShort
		return 0
	}
	v := binary.BigEndian.Uint32(d.b)
	d.b = d.b[4:]
	return v
}

func (d *reader) opaque(most uint32) []byte {
	n := d.u32()
	padded := int(n+3) &^ 3
	if n > most || padded > len(d.b) {
		d.b, d.err = nil, errShort
		return nil
	}
	b := d.b[:n]
	d.b = d.b[padded:]
	return b
}
