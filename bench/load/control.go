package load

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// The programs that the client calls, and their versions.
const (
	progNFS     = 100003
	progMount   = 100005
	progPortmap = 100000
)

const (
	// patience is how long a call outside of the measurement may take. Servers
	// that write a file through to a slow disc need some of it.
	patience = 30 * time.Second
	// replyMax is the largest reply that is read as a whole.
	replyMax = 16 << 20
)

// control is a connection with one call at a time: it mounts, and makes and
// removes files.
type control struct {
	ctx  context.Context // ends its calls; see until
	nc   net.Conn
	in   *bufio.Reader
	cred []byte // flavor, length and body of the credential, and an empty verifier
	xid  uint32
	buf  []byte
}

func dialControl(ctx context.Context, addr string, cred []byte) (*control, error) {
	nc, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return newControl(nc, cred), nil
}

func newControl(nc net.Conn, cred []byte) *control {
	return &control{ctx: context.Background(), nc: nc, in: bufio.NewReaderSize(nc, 4<<10), cred: cred, buf: make([]byte, 4<<10)}
}

func (c *control) Close() error { return c.nc.Close() }

// until lets ctx end the calls that are made until the function that it returns is
// called. A connection with a call that was ended is of no more use.
func (c *control) until(ctx context.Context) (release func()) {
	before := c.ctx
	c.ctx = ctx
	stop := context.AfterFunc(ctx, func() { _ = c.nc.SetDeadline(time.Unix(1, 0)) }) // a call that waits returns
	return func() {
		stop()
		c.ctx = before
	}
}

// credential encodes AUTH_SYS (RFC 5531, section 8.1 and appendix A) and the
// empty verifier behind it.
func credential(uid, gid uint32, groups ...uint32) []byte {
	const name = "bench"
	var b []byte
	u32 := func(v ...uint32) {
		for _, x := range v {
			b = binary.BigEndian.AppendUint32(b, x)
		}
	}
	groups = groups[:min(len(groups), groupsMax)]
	u32(1, uint32(4+4+(len(name)+3)&^3+12+4*len(groups)), 0, uint32(len(name)))
	b = append(b, name...)
	b = append(b, make([]byte, -len(name)&3)...)
	u32(uid, gid, uint32(len(groups)))
	u32(groups...)
	u32(0, 0)
	return b
}

// groupsMax is how many groups a credential can have (RFC 5531, appendix A).
const groupsMax = 16

type encodable interface{ Encode(*xdr.Encoder) }
type decodable interface{ Decode(*xdr.Decoder) }

// call makes a call and decodes its results into res. args and res may be nil.
// What res holds as a view is valid until the next call.
func (c *control) call(prog, vers, proc uint32, args encodable, res decodable) error {
	c.xid++
	b := c.buf[:0]
	for _, v := range []uint32{0, c.xid, 0, 2, prog, vers, proc} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	b = append(b, c.cred...)
	for args != nil {
		var e xdr.Encoder
		e.Reset(c.buf[len(b):])
		args.Encode(&e)
		if errors.Is(e.Err(), xdr.ErrShort) && len(c.buf) < sizeMax {
			c.buf = append(make([]byte, 0, 4*len(c.buf)), b...)
			c.buf = c.buf[:cap(c.buf)]
			continue
		}
		if e.Err() != nil {
			return fmt.Errorf("encode the arguments: %w", e.Err())
		}
		b = c.buf[:len(b)+e.Len()]
		break
	}
	binary.BigEndian.PutUint32(b, 1<<31|uint32(len(b)-4))
	if err := c.nc.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if err := c.ctx.Err(); err != nil { // else its deadline stands, whatever was set here
		return err
	}
	if _, err := c.nc.Write(b); err != nil {
		return c.why(err)
	}
	reply, err := c.record()
	if err != nil {
		return c.why(err)
	}
	results, err := openReply(reply, c.xid)
	if err != nil || res == nil {
		return err
	}
	var d xdr.Decoder
	d.Reset(results)
	res.Decode(&d)
	return d.Err()
}

// why says what has ended a call: the context, or that nothing came.
func (c *control) why(err error) error {
	switch {
	case c.ctx.Err() != nil:
		return c.ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("no reply within %v: %w", patience, err)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the server closed the connection; its log may say why")
	}
	return err
}

// record reads a whole record.
func (c *control) record() ([]byte, error) {
	var record []byte
	for {
		var h [4]byte
		if _, err := io.ReadFull(c.in, h[:]); err != nil {
			return nil, err
		}
		mark := binary.BigEndian.Uint32(h[:])
		n := int(mark &^ (1 << 31))
		if len(record)+n > replyMax {
			return nil, fmt.Errorf("a reply of more than %d bytes", replyMax)
		}
		at := len(record)
		record = append(record, make([]byte, n)...)
		if _, err := io.ReadFull(c.in, record[at:]); err != nil {
			return nil, err
		}
		if mark>>31 == 1 {
			return record, nil
		}
	}
}

// openReply checks a reply message (RFC 5531, section 9) and returns its results.
func openReply(b []byte, xid uint32) ([]byte, error) {
	if len(b) < 20 {
		return nil, errShortReply
	}
	word := func(i int) uint32 { return binary.BigEndian.Uint32(b[4*i:]) }
	switch {
	case word(0) != xid:
		return nil, fmt.Errorf("a reply to another call (%#x for %#x)", word(0), xid)
	case word(1) != 1:
		return nil, errors.New("a message that is no reply")
	case word(2) != 0:
		return nil, denied(word(3), word(4))
	}
	verf := int(word(4)+3) &^ 3
	if len(b) < 24+verf {
		return nil, errShortReply
	}
	b = b[20+verf:]
	if stat := word(0); stat != 0 {
		return nil, refused(stat, b[4:])
	}
	return b[4:], nil
}

var errShortReply = errors.New("a reply that is too short")
