package nfstest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

// Client makes calls on a connection, as one caller. It is immutable.
type Client struct {
	*Conn
	cred rpctest.Opaque
	xid  uint32 // 0 for a new one with each call
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

// On returns a Client that is the same caller, with the same transaction id, on the connection of
// other.
func (c *Client) On(other *Client) *Client {
	d := *c
	d.Conn = other.Conn
	return &d
}

// NewXID returns a transaction id that nothing else in the process uses.
func NewXID() uint32 { return 0x4e000000 + xids.Add(1) }

// Encoder and Decoder are implemented by generated types.
type (
	Encoder = client.Encoder
	Decoder = client.Decoder
)

// Bytes encodes a value.
func Bytes(t testing.TB, v Encoder) []byte {
	t.Helper()
	b, err := client.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Decode decodes all of b into v.
func Decode(b []byte, v Decoder) error { return client.Unmarshal(b, v) }

// Pending is a call under way.
type Pending struct {
	t     testing.TB
	xid   uint32
	reply <-chan []byte
	err   error
}

// StartRaw sends a call of any program with any arguments.
func (c *Client) StartRaw(prog, vers, proc uint32, args []byte) *Pending {
	xid := c.xid
	if xid == 0 {
		xid = NewXID()
	}
	p := &Pending{t: c.t, xid: xid, reply: c.expect(xid)}
	p.err = c.Send(rpctest.NewCall(xid, prog, vers, proc, args).As(c.cred).Record())
	return p
}

// Start sends a call of NFS version 3.
func (c *Client) Start(proc uint32, args Encoder) *Pending {
	return c.StartRaw(nfs3.NFS_PROGRAM, nfs3.NFS_V3, proc, Bytes(c.t, args))
}

// message waits for the reply's message. If the connection has ended, the error is ErrNoReply, or
// the error of sending the call.
func (p *Pending) message() ([]byte, error) {
	select {
	case b, ok := <-p.reply:
		if !ok {
			return nil, errors.Join(ErrNoReply, p.err)
		}
		return b, nil
	case <-time.After(patience):
		return nil, fmt.Errorf("no reply within %v", patience)
	}
}

// Wait waits for the reply. If the connection has ended, the error is ErrNoReply, or the error of
// sending the call.
func (p *Pending) Wait() (rpctest.Reply, error) {
	b, err := p.message()
	if err != nil {
		return rpctest.Reply{}, err
	}
	return rpctest.ParseReply(b)
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

// TryInto is Into for tests in which the connection may end.
func (p *Pending) TryInto(res Decoder) error {
	b, err := p.message()
	if err != nil {
		return err
	}
	results, err := client.Results(b, p.xid)
	if err != nil {
		return err
	}
	return client.Unmarshal(results, res)
}

// Call makes a call and decodes its results. So a Client is a [client.Caller].
func (c *Client) Call(prog, vers, proc uint32, args Encoder, res Decoder) error {
	c.t.Helper()
	return c.StartRaw(prog, vers, proc, Bytes(c.t, args)).TryInto(res)
}

// Raw makes a call of any program with any arguments and returns its reply.
func (c *Client) Raw(prog, vers, proc uint32, args []byte) rpctest.Reply {
	c.t.Helper()
	return c.StartRaw(prog, vers, proc, args).Reply()
}

// StartMessage sends a message unchanged. Its transaction id must be the Client's.
func (c *Client) StartMessage(msg []byte) *Pending {
	p := &Pending{t: c.t, xid: c.xid, reply: c.expect(c.xid)}
	p.err = c.Send(rpctest.Record(msg))
	return p
}
