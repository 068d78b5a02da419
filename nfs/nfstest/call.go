package nfstest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// Client makes calls on a connection, as one caller. It is immutable.
type Client struct {
	*Conn
	cred rpctest.Opaque
	xid  uint32 // 0 for a new one each time
}

// As returns a Client with an AUTH_SYS credential.
func (c *Client) As(uid, gid uint32, groups ...uint32) *Client {
	return c.With(rpctest.Sys(uid, gid, groups...))
}

// Anonymous returns a Client with AUTH_NONE.
func (c *Client) Anonymous() *Client { return c.With(rpctest.Opaque{}) }

// With returns a Client with any credential.
func (c *Client) With(cred rpctest.Opaque) *Client {
	d := *c
	d.cred = cred
	return &d
}

// XID returns a Client that uses this transaction id for its calls.
func (c *Client) XID(xid uint32) *Client {
	d := *c
	d.xid = xid
	return &d
}

// On returns a Client that is the same caller, with the same transaction id, on
// the connection of other.
func (c *Client) On(other *Client) *Client {
	d := *c
	d.Conn = other.Conn
	return &d
}

// NewXID returns a transaction id that nothing else in the process uses.
func NewXID() uint32 { return 0x4e000000 + xids.Add(1) }

// Encoder and Decoder are what generated types are.
type (
	Encoder interface{ Encode(*xdr.Encoder) }
	Decoder interface{ Decode(*xdr.Decoder) }
)

// Bytes encodes a value.
func Bytes(t testing.TB, v Encoder) []byte {
	t.Helper()
	if v == nil {
		return nil
	}
	for n := 4096; ; n *= 4 {
		var e xdr.Encoder
		e.Reset(make([]byte, n))
		v.Encode(&e)
		if e.Err() == nil {
			return e.Bytes()
		}
		if !errors.Is(e.Err(), xdr.ErrShort) || n > 64<<20 {
			t.Fatalf("encode %T: %v", v, e.Err())
		}
	}
}

// Decode decodes b, to its last byte, into v.
func Decode(b []byte, v Decoder) error {
	var d xdr.Decoder
	d.Reset(b)
	v.Decode(&d)
	if d.Err() != nil {
		return fmt.Errorf("decode %T from %x: %w", v, b[:min(len(b), 200)], d.Err())
	}
	if d.Left() != 0 {
		return fmt.Errorf("decode %T: %d bytes behind it", v, d.Left())
	}
	return nil
}

// Pending is a call under way.
type Pending struct {
	t     testing.TB
	reply <-chan []byte
	err   error
}

// StartRaw sends a call of any program with any arguments.
func (c *Client) StartRaw(prog, vers, proc uint32, args []byte) *Pending {
	xid := c.xid
	if xid == 0 {
		xid = NewXID()
	}
	p := &Pending{t: c.t, reply: c.expect(xid)}
	p.err = c.Send(rpctest.NewCall(xid, prog, vers, proc, args).As(c.cred).Record())
	return p
}

// Start sends a call of NFS version 3.
func (c *Client) Start(proc uint32, args Encoder) *Pending {
	return c.StartRaw(nfs3.NFS_PROGRAM, 3, proc, Bytes(c.t, args))
}

// Wait waits for the reply. It is ErrNoReply, or what the sender said, when the
// connection has ended.
func (p *Pending) Wait() (rpctest.Reply, error) {
	select {
	case b, ok := <-p.reply:
		if !ok {
			return rpctest.Reply{}, errors.Join(ErrNoReply, p.err)
		}
		return rpctest.ParseReply(b)
	case <-time.After(patience):
		return rpctest.Reply{}, fmt.Errorf("no reply within %v", patience)
	}
}

// Reply waits for the reply, which must come.
func (p *Pending) Reply() rpctest.Reply {
	p.t.Helper()
	r, err := p.Wait()
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// Into waits for a successful reply and decodes its results.
func (p *Pending) Into(res Decoder) {
	p.t.Helper()
	if err := p.TryInto(res); err != nil {
		p.t.Fatal(err)
	}
}

// TryInto is Into where the connection may end.
func (p *Pending) TryInto(res Decoder) error {
	r, err := p.Wait()
	if err != nil {
		return err
	}
	if r.Denied || r.Accept != rpctest.Success {
		return fmt.Errorf("refused: %+v", r)
	}
	if res == nil {
		if len(r.Results) != 0 {
			return fmt.Errorf("%d bytes of results where none are", len(r.Results))
		}
		return nil
	}
	return Decode(r.Results, res)
}

// Raw makes a call of any program with any arguments and returns its reply.
func (c *Client) Raw(prog, vers, proc uint32, args []byte) rpctest.Reply {
	c.t.Helper()
	return c.StartRaw(prog, vers, proc, args).Reply()
}

// StartMessage sends a message as it is; its transaction id must be the Client's.
func (c *Client) StartMessage(msg []byte) *Pending {
	p := &Pending{t: c.t, reply: c.expect(c.xid)}
	p.err = c.Send(rpctest.Record(msg))
	return p
}
