package main

import (
	"bytes"
	"fmt"
	"net"
	"time"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

// line is a connection, and the caller who uses it.
type line struct {
	conn *client.Conn
	cred client.OpaqueAuth
}

// dialMax is how long a connection may take to be made.
const dialMax = 30 * time.Second

// dial makes a line for the superuser.
func dial(addr string) (line, error) {
	nc, err := net.DialTimeout("tcp", addr, dialMax)
	if err != nil {
		return line{}, fmt.Errorf("connect to %s: %w", addr, err)
	}
	return line{conn: client.New(nc, client.OpaqueAuth{})}.as(0, 0), nil
}

// as returns the line with an AUTH_SYS credential, which may have more groups than are
// allowed.
func (l line) as(uid, gid uint32, groups ...uint32) line {
	return l.with(rpctest.Sys(uid, gid, groups...))
}

// anonymous returns the line with AUTH_NONE.
func (l line) anonymous() line { return l.with(rpctest.Opaque{}) }

// with returns the line with any credential.
func (l line) with(cred rpctest.Opaque) line {
	l.cred = client.OpaqueAuth(cred)
	return l
}

// ask makes a call and returns its reply, which the caller may keep, and the call's transaction id.
func (l line) ask(prog, vers, proc uint32, args client.Encoder) (reply []byte, xid uint32, err error) {
	l.conn.Cred = l.cred
	reply, xid, err = l.conn.Ask(prog, vers, proc, args)
	return bytes.Clone(reply), xid, err
}
