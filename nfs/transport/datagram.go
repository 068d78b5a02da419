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

// datagramSocket answers calls by UDP, one at a time. The programs that are served this way
// (portmap, MOUNT) get a few calls per mount.
type datagramSocket struct {
	srv      *Server
	conn     *net.UDPConn
	programs *rpc.Server
	place    rpc.Place
	local    netip.AddrPort
}

// openDatagram takes over ln's socket.
func openDatagram(s *Server, ln *Listener, place int) (*datagramSocket, error) {
	if err := unix.SetNonblock(ln.FD, true); err != nil {
		return nil, fmt.Errorf("transport: datagram socket %v: %w", ln.Addr, err)
	}
	if err := askForAddress(ln.FD, ln.Addr.Addr().Is6() && !ln.Addr.Addr().Is4In6()); err != nil {
		return nil, fmt.Errorf("transport: datagram socket %v: %w", ln.Addr, err)
	}
	f := os.NewFile(uintptr(ln.FD), "udp")
	ln.FD = -1
	defer f.Close() // the connection has a descriptor of its own
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
	in, out, control := make([]byte, datagramMax+1), make([]byte, datagramMax), make([]byte, controlMax)
	var c rpc.Call
	for {
		n, nc, _, peer, err := d.conn.ReadMsgUDPAddrPort(in, control)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil, n > datagramMax:
			continue // an ICMP error of an earlier reply, or no call
		}
		to := peer
		peer = netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
		local, from := d.calledAt(control[:nc])
		if reply := d.answer(&c, in[:n], out, peer, local); len(reply) > 0 {
			// A client whose reply is lost asks again.
			_, _, _ = d.conn.WriteMsgUDPAddrPort(reply, from, to)
		}
	}
}

// answer runs one call and returns its reply. It returns none for a datagram that is not a call,
// nor while the sender matters and is not known yet. A client that hears nothing asks again.
func (d *datagramSocket) answer(c *rpc.Call, in, out []byte, peer, local netip.AddrPort) []byte {
	c.Reset()
	c.Peer, c.Local, c.Datagram, c.Place = peer, local, true, &d.place
	if d.programs.Parse(c, in, nil) != nil {
		return nil
	}
	if d.srv.cfg.Origin != nil && d.programs.Asks(c) {
		origin, known := d.originOf(peer, local)
		if !known {
			return nil
		}
		d.programs.From(c, origin)
	}
	c.Reply.Reset(out)
	if d.programs.RunSettled(c) != rpc.Done || c.Reply.Len() > datagramGain*len(in) {
		d.programs.Fail(c)
	}
	return c.Reply.Bytes()
}

// datagramGain is how many times as long as its call a reply by UDP may be. The caller's address
// may be forged, and then the reply goes to somebody who did not ask: a list of mounts could be
// thousands of times as long as the call. QUIC has the same limit (RFC 9000, section 8.1). A client
// that is refused a list asks again by TCP, where addresses are true.
const datagramGain = 3

// controlMax is room for the control messages of a datagram.
const controlMax = 128

// askForAddress makes the kernel tell which of the machine's addresses each datagram was sent to. A
// socket that is bound to all of them has no other way to know, and clients ignore a reply from
// another address.
func askForAddress(fd int, six bool) error {
	if six {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
}

// calledAt returns the address that a datagram was sent to, and the control message that makes the
// reply come from that address.
func (d *datagramSocket) calledAt(control []byte) (local netip.AddrPort, from []byte) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return d.local, nil
	}
	for i := range messages {
		m := &messages[i]
		switch {
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_PKTINFO && len(m.Data) >= unix.SizeofInet4Pktinfo:
			// This is the header's destination; the interface and the route's address
			// come before it.
			a := [4]byte(m.Data[8:12])
			return netip.AddrPortFrom(
					netip.AddrFrom4(a),
					d.local.Port(),
				), unix.PktInfo4(
					&unix.Inet4Pktinfo{Spec_dst: a},
				)
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= unix.SizeofInet6Pktinfo:
			a := [16]byte(m.Data[:16])
			return netip.AddrPortFrom(
					netip.AddrFrom16(a),
					d.local.Port(),
				), unix.PktInfo6(
					&unix.Inet6Pktinfo{Addr: a},
				)
		}
	}
	return d.local, nil
}

func closeListeners(listeners []Listener) {
	for i := range listeners {
		if listeners[i].FD >= 0 {
			_ = unix.Close(listeners[i].FD)
			listeners[i].FD = -1
		}
	}
}
