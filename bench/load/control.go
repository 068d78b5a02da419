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

// control is a connection with one call at a time: it mounts, and makes and removes files. Its
// calls are those of package client; its errors also say what to do.
type control struct{ conn *client.Conn }

func dialControl(ctx context.Context, addr string, cred client.OpaqueAuth) (*control, error) {
	nc, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return newControl(nc, cred), nil
}

func newControl(nc net.Conn, cred client.OpaqueAuth) *control {
	c := &control{conn: client.New(nc, cred)}
	c.conn.Patience = patience
	return c
}

// Close closes the connection.
func (c *control) Close() error { return c.conn.Close() }

// until lets ctx end the calls that are made before release is called. After a call was ended in
// this way the connection is of no more use.
func (c *control) until(ctx context.Context) (release func()) { return c.conn.Until(ctx) }

// Call implements [client.Caller].
func (c *control) Call(prog, vers, proc uint32, args client.Encoder, res client.Decoder) error {
	return advise(c.conn.Call(prog, vers, proc, args, res))
}

// nfs returns the verbs of NFS. Their errors go through advise.
func (c *control) nfs() client.NFS { return client.NFS{Caller: c} }

// machine is the name of the client's machine in its credentials.
const machine = "bench"

// credential returns an AUTH_SYS credential.
func credential(uid, gid uint32, groups ...uint32) client.OpaqueAuth {
	return client.Sys(machine, uid, gid, groups...)
}

// callPrefix returns the record of a call without arguments: its mark and its header.
func callPrefix(xid, proc uint32, cred client.OpaqueAuth) []byte {
	b, err := client.AppendCall(make([]byte, 4), xid, nfs3.NFS_PROGRAM, nfs3.NFS_V3, proc, cred, nil)
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
