package nfstest

import (
	"net"
	"testing"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

// Datagram makes calls by UDP, one at a time, as user and group 0.
type Datagram struct {
	*client.Conn
	t testing.TB
}

// DialDatagram makes a socket for calls to addr. The end of the test closes it.
func DialDatagram(t testing.TB, addr string) *Datagram {
	t.Helper()
	nc, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return newDatagram(t, nc)
}

func newDatagram(t testing.TB, nc net.Conn) *Datagram {
	t.Cleanup(func() { _ = nc.Close() })
	cred := rpctest.Sys(0, 0)
	return &Datagram{Conn: client.NewDatagram(nc, client.OpaqueAuth(cred)), t: t}
}

func (d *Datagram) fatal(args ...any) {
	d.t.Helper()
	d.t.Fatal(args...)
}

// Raw makes a call and returns its reply. It sends the datagram again each second until the reply
// comes.
func (d *Datagram) Raw(prog, vers, proc uint32, args []byte) rpctest.Reply {
	d.t.Helper()
	b, _, err := d.Ask(prog, vers, proc, client.Raw(args))
	if err != nil {
		d.t.Fatal(err)
	}
	r, err := rpctest.ParseReply(b)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}
