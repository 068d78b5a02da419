package transport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// datagramMax is the most bytes of a call or reply by UDP.
const datagramMax = 65507

// datagramSocket answers calls by UDP, one at a time: what is served this way
// (portmap, MOUNT) is asked once per mount.
type datagramSocket struct {
	srv      *Server
	conn     *net.UDPConn
	programs *rpc.Server
	place    rpc.Place
	local    netip.AddrPort
}

// openDatagram takes ln's socket over.
func openDatagram(s *Server, ln *Listener, place int) (*datagramSocket, error) {
	if err := unix.SetNonblock(ln.FD, true); err != nil {
		return nil, fmt.Errorf("transport: datagram socket %v: %w", ln.Addr, err)
	}
	f := os.NewFile(uintptr(ln.FD), "udp")
	ln.FD = -1
	defer f.Close() //nolint:errcheck // the connection has a descriptor of its own
	pc, err := net.FilePacketConn(f)
	if err != nil {
		return nil, fmt.Errorf("transport: datagram socket %v: %w", ln.Addr, err)
	}
	uc, ok := pc.(*net.UDPConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("transport: %v is no UDP socket", ln.Addr), pc.Close())
	}
	return &datagramSocket{
		srv: s, conn: uc, programs: ln.Programs, local: ln.Addr,
		place: rpc.Place{Index: place, Thread: &vfs.Thread{MayWait: true}},
	}, nil
}

func (d *datagramSocket) close() { _ = d.conn.Close() }

// runDatagram is the socket's goroutine.
func (d *datagramSocket) runDatagram(ready chan<- error) {
	runtime.LockOSThread()
	defer d.srv.udp.Done()
	if err := d.srv.cfg.Attach(&d.place); err != nil {
		ready <- fmt.Errorf("transport: datagram socket: %w", err)
		return
	}
	ready <- nil
	defer d.srv.cfg.Detach(&d.place)
	in, out := make([]byte, datagramMax+1), make([]byte, datagramMax)
	var c rpc.Call
	for {
		n, peer, err := d.conn.ReadFromUDPAddrPort(in)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil, n > datagramMax:
			continue // an ICMP error of an earlier reply, or no call
		}
		peer = netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
		if reply := d.answer(&c, in[:n], out, peer); len(reply) > 0 {
			// A reply that is lost is asked for again.
			_, _ = d.conn.WriteToUDPAddrPort(reply, peer)
		}
	}
}

// answer runs one call and returns its reply, none for what is not a call.
func (d *datagramSocket) answer(c *rpc.Call, in, out []byte, peer netip.AddrPort) []byte {
	c.Reset()
	c.Peer, c.Local, c.Datagram, c.Place = peer, d.local, true, &d.place
	if d.programs.Parse(c, in, nil) != nil {
		return nil
	}
	c.Reply.Reset(out)
	if d.programs.Run(c) != rpc.Done {
		return nil // does not fit a datagram
	}
	return c.Reply.Bytes()
}

func closeListeners(listeners []Listener) {
	for i := range listeners {
		if listeners[i].FD >= 0 {
			_ = unix.Close(listeners[i].FD)
			listeners[i].FD = -1
		}
	}
}
