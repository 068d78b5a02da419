package client

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"time"
)

// Caller makes calls of ONC RPC and waits for their replies.
type Caller interface {
	// Call makes a call and decodes its results into res. args and res may be nil, for calls
	// that have none. Views in res are valid until the next call.
	Call(prog, vers, proc uint32, args Encoder, res Decoder) error
}

// replyMax is the largest reply in bytes that is read.
const replyMax = 16 << 20

// Conn is a connection with one call at a time. It owns the net.Conn.
type Conn struct {
	// Cred is whom the calls are from. It may be changed between calls.
	Cred OpaqueAuth
	// Patience is how long a call may take.
	Patience time.Duration
	// Resend is how long a call over a datagram socket waits before it is sent again.
	Resend time.Duration

	ctx   context.Context // ends its calls; see Until
	nc    net.Conn
	in    *bufio.Reader // nil for datagrams
	xid   uint32
	out   []byte
	reply []byte
}

// Defaults of a Conn.
const (
	PatienceDefault = 30 * time.Second
	ResendDefault   = time.Second
)

// New returns a Conn over a stream, with record marks. The Conn owns nc.
func New(nc net.Conn, cred OpaqueAuth) *Conn {
	c := NewDatagram(nc, cred)
	c.in = bufio.NewReaderSize(nc, 4<<10)
	return c
}

// NewDatagram returns a Conn over a connected datagram socket, with one call in a datagram. The
// Conn owns nc.
func NewDatagram(nc net.Conn, cred OpaqueAuth) *Conn {
	return &Conn{
		Cred: cred, Patience: PatienceDefault, Resend: ResendDefault,
		ctx: context.Background(), nc: nc, xid: rand.Uint32(),
	}
}

// NetConn returns the connection, which remains the Conn's.
func (c *Conn) NetConn() net.Conn { return c.nc }

// Close closes the connection.
func (c *Conn) Close() error { return c.nc.Close() }

// Until lets ctx end the calls that are made before release is called. After a call was ended in
// this way the connection is of no more use.
func (c *Conn) Until(ctx context.Context) (release func()) {
	before := c.ctx
	c.ctx = ctx
	// A deadline in the past ends a call that waits.
	stop := context.AfterFunc(ctx, func() { _ = c.nc.SetDeadline(time.Unix(1, 0)) })
	return func() {
		stop()
		c.ctx = before
	}
}

// Call implements [Caller]. It blocks for at most c.Patience.
func (c *Conn) Call(prog, vers, proc uint32, args Encoder, res Decoder) error {
	reply, xid, err := c.Ask(prog, vers, proc, args)
	if err != nil {
		return err
	}
	results, err := Results(reply, xid)
	if err != nil {
		return err
	}
	return Unmarshal(results, res)
}

// Ask makes a call and returns the reply's message as it came, and the call's transaction id. The
// message is a view that is valid until the next call. Ask is for callers that judge replies
// themselves. It blocks as Call does.
func (c *Conn) Ask(prog, vers, proc uint32, args Encoder) (reply []byte, xid uint32, err error) {
	c.xid++
	const mark = 4 // bytes; a datagram goes without
	b, err := AppendCall(append(c.out[:0], make([]byte, mark)...), c.xid, prog, vers, proc, c.Cred, args)
	c.out = b
	if err != nil {
		return nil, 0, err
	}
	if c.in != nil {
		binary.BigEndian.PutUint32(b, 1<<31|uint32(len(b)-mark))
		reply, err = c.exchange(b)
	} else {
		reply, err = c.persist(b[mark:])
	}
	if err != nil {
		return nil, 0, c.why(err)
	}
	return reply, c.xid, nil
}

// deadline lets the call end at the given time, unless its context has ended it already.
func (c *Conn) deadline(at time.Time) error {
	if err := c.nc.SetDeadline(at); err != nil {
		return err
	}
	return c.ctx.Err() // the context may have set a deadline, which this one replaced
}

// exchange sends a record and returns the next record that arrives.
func (c *Conn) exchange(record []byte) (reply []byte, err error) {
	if err := c.deadline(time.Now().Add(c.Patience)); err != nil {
		return nil, err
	}
	if _, err := c.nc.Write(record); err != nil {
		return nil, err
	}
	if c.reply, err = ReadRecord(c.in, c.reply, replyMax); err != nil {
		return nil, err
	}
	return c.reply, nil
}

// datagramMax is the largest datagram in bytes.
const datagramMax = 64 << 10

// persist sends a message again and again until its reply arrives. It ignores replies to earlier
// messages.
func (c *Conn) persist(msg []byte) ([]byte, error) {
	if c.reply == nil {
		c.reply = make([]byte, datagramMax)
	}
	for end := time.Now().Add(c.Patience); ; {
		now := time.Now()
		if now.After(end) {
			return nil, os.ErrDeadlineExceeded
		}
		if err := c.deadline(now.Add(min(c.Resend, end.Sub(now)))); err != nil {
			return nil, err
		}
		if _, err := c.nc.Write(msg); err != nil {
			return nil, err
		}
		for {
			n, err := c.nc.Read(c.reply)
			if errors.Is(err, os.ErrDeadlineExceeded) && c.ctx.Err() == nil {
				break
			}
			if err != nil {
				return nil, err
			}
			if n >= 4 && binary.BigEndian.Uint32(c.reply) == c.xid {
				return c.reply[:n], nil
			}
		}
	}
}

// why returns why a call has ended: because of its context, or because no reply came.
func (c *Conn) why(err error) error {
	switch {
	case c.ctx.Err() != nil:
		return c.ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("no reply within %v: %w", c.Patience, err)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the server closed the connection; its log may say why")
	}
	return err
}
