package load

import (
	"context"
	"encoding/binary"
	"net"
	"time"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

const (
	// patience is how long a call outside of the measurement may take. It is for servers that
	// write a file through to a slow disc.
	patience = 30 * time.Second
	// replyMax is the largest reply that is read as a whole.
	replyMax = 16 << 20
)

// graceMax is how long a server may ask to wait. After its start it may do so for twice its lease.
const graceMax = 4 * time.Minute

// control is a connection with one call at a time: it mounts, and makes and removes files. Its
// calls are those of packages client and client4; its errors also say what to do.
type control struct {
	conn *client.Conn
	verbs
}

func dialControl(ctx context.Context, addr string, cred client.OpaqueAuth) (*control, error) {
	nc, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return newControl(nc, cred), nil
}

// newControl returns a control that speaks version 3.
func newControl(nc net.Conn, cred client.OpaqueAuth) *control {
	c := &control{conn: client.New(nc, cred)}
	c.conn.Patience = patience
	c.verbs = verbs3{client.NFS{Caller: c}}
	return c
}

// dialPlain connects to the session's server, and makes no call.
func (s *Session) dialPlain(ctx context.Context) (*control, error) {
	c, err := dialControl(ctx, s.addr, s.cred)
	if err != nil {
		return nil, err
	}
	s.speak(c)
	return c, nil
}

// dialControl connects to the session's server, ready to work on files.
func (s *Session) dialControl(ctx context.Context) (*control, error) {
	c, err := s.dialPlain(ctx)
	if err != nil {
		return nil, err
	}
	defer c.until(ctx)()
	if err := c.establish(); err != nil {
		_ = c.Close() // err says more
		return nil, err
	}
	return c, nil
}

// speak has a control speak the session's version.
func (s *Session) speak(c *control) {
	if s.opts.Version.Major == 4 {
		c.verbs = &verbs4{Client: newClient4(c.conn, s.opts.Version.Minor, s.name), conn: c.conn}
	}
}

// Close closes the connection.
func (c *control) Close() error { return c.conn.Close() }

// quit takes leave of the server and closes the connection.
func (c *control) quit() {
	_ = c.verbs.quit() // otherwise the server forgets by itself
	if tcp, ok := c.conn.NetConn().(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // its port is free at once, and not a minute later
	}
	_ = c.Close() // nothing is under way
}

// until lets ctx end the calls that are made before release is called. After a call was ended in
// this way the connection is of no more use.
func (c *control) until(ctx context.Context) (release func()) {
	end := c.conn.Until(ctx)
	v, ok := c.verbs.(*verbs4)
	if !ok {
		return end
	}
	also := v.until(ctx)
	return func() { also(); end() }
}

// Call implements [client.Caller].
func (c *control) Call(prog, vers, proc uint32, args client.Encoder, res client.Decoder) error {
	return advise(c.conn.Call(prog, vers, proc, args, res))
}

// machine is the name of the client's machine in its credentials.
const machine = "bench"

// credential returns an AUTH_SYS credential.
func credential(uid, gid uint32, groups ...uint32) client.OpaqueAuth {
	return client.Sys(machine, uid, gid, groups...)
}

// callPrefix returns the record of a call without arguments: its mark and its header.
func callPrefix(xid, version, proc uint32, cred client.OpaqueAuth) []byte {
	b, err := client.AppendCall(make([]byte, 4), xid, nfs3.NFS_PROGRAM, version, proc, cred, nil)
	if err != nil {
		panic("load: a credential that cannot be encoded: " + err.Error())
	}
	return b
}

// openReply checks a reply message and returns its results. It leaves replies that are no success
// to package client.
func openReply(b []byte, xid uint32) ([]byte, error) {
	word := func(i int) uint32 { return binary.BigEndian.Uint32(b[4*i:]) }
	const header = 24 // bytes, without the verifier's body
	if len(b) >= header && word(0) == xid && word(1) == uint32(client.REPLY) && word(2) == 0 {
		if n := word(4); n <= 400 && len(b) >= header+int(n+3)&^3 {
			if rest := b[header-4+int(n+3)&^3:]; binary.BigEndian.Uint32(rest) == uint32(client.SUCCESS) {
				return rest[4:], nil
			}
		}
	}
	results, err := client.Results(b, xid)
	return results, advise(err)
}
