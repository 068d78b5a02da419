package nfstest

import (
	"net"
	"testing"
	"time"

	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

// Datagram makes calls by UDP, one at a time, as user and group 0.
type Datagram struct {
	t  testing.TB
	nc net.Conn
}

// DialDatagram makes a socket for calls to addr. The test's end closes it.
func DialDatagram(t testing.TB, addr string) *Datagram {
	t.Helper()
	nc, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return &Datagram{t: t, nc: nc}
}

func (d *Datagram) fatal(args ...any) {
	d.t.Helper()
	d.t.Fatal(args...)
}

// Raw makes a call. A datagram that is lost is sent once more each second.
func (d *Datagram) Raw(prog, vers, proc uint32, args []byte) rpctest.Reply {
	d.t.Helper()
	msg := rpctest.NewCall(NewXID(), prog, vers, proc, args).As(rpctest.Sys(0, 0)).Bytes()
	b := make([]byte, 64<<10)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if _, err := d.nc.Write(msg); err != nil {
			d.t.Fatal(err)
		}
		if err := d.nc.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			d.t.Fatal(err)
		}
		n, err := d.nc.Read(b)
		if err != nil {
			continue
		}
		r, err := rpctest.ParseReply(b[:n])
		if err != nil {
			d.t.Fatal(err)
		}
		return r
	}
	d.t.Fatal("no reply")
	return rpctest.Reply{}
}
