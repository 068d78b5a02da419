package nfstest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// Veth is two network namespaces, the server's and the peer's, with a veth pair between them. The
// end of the test removes them.
type Veth struct {
	t testing.TB
	// Server and Peer are the names of the namespaces.
	Server, Peer string
}

// VethServer and VethPeer are the IPv4 addresses at the two ends, VethServer6 and VethPeer6 the
// IPv6 addresses.
const (
	VethServer, VethPeer   = "10.111.77.1", "10.111.77.2"
	VethServer6, VethPeer6 = "fd11:77::1", "fd11:77::2"
)

var links atomic.Int32

// NewVeth makes a Veth, or skips the test if that is not possible.
func NewVeth(t testing.TB) *Veth {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: network namespaces")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skipf("needs ip of iproute2: %v", err)
	}
	name := fmt.Sprintf("ringnfs-%d-%d", os.Getpid(), links.Add(1))
	l := &Veth{t: t, Server: name + "s", Peer: name + "p"}
	for _, name := range []string{l.Server, l.Peer} {
		if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
			t.Skipf("needs network namespaces: %s", strings.TrimSpace(string(out)))
		}
		t.Cleanup(func() { l.IP("netns", "del", name) })
	}
	if out, err := exec.Command("ip", "-n", l.Server, "link", "add", "v0", "type", "veth", "peer", "name", "v0", "netns", l.Peer).CombinedOutput(); err != nil {
		t.Skipf("needs veth: %s", strings.TrimSpace(string(out)))
	}
	for name, addrs := range map[string][2]string{l.Server: {VethServer, VethServer6}, l.Peer: {VethPeer, VethPeer6}} {
		l.IP("-n", name, "addr", "add", addrs[0]+"/24", "dev", "v0")
		// Where there is no IPv6, the tests of IPv6 fail to listen, and say so.
		_ = exec.Command("ip", "-n", name, "addr", "add", addrs[1]+"/64", "dev", "v0", "nodad").Run()
		l.IP("-n", name, "link", "set", "v0", "up")
		l.IP("-n", name, "link", "set", "lo", "up")
	}
	return l
}

// IP runs the command ip, which must succeed.
func (l *Veth) IP(args ...string) {
	l.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		l.t.Fatalf("ip %v: %v: %s", args, err, out)
	}
}

// In runs sockets, which makes sockets, on a thread in a namespace. The thread ends afterwards.
func (l *Veth) In(namespace string, sockets func() error) {
	l.t.Helper()
	if err := elsewhere(func() error {
		f, err := os.Open(filepath.Join("/run/netns", namespace))
		if err != nil {
			return err
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		return sockets()
	}); err != nil {
		l.t.Fatal(err)
	}
}

// Dial connects from a namespace to addr. With reserved it calls from a port that only root can
// have.
func (l *Veth) Dial(namespace, addr string, reserved bool) *Client {
	l.t.Helper()
	c, err := l.TryDial(namespace, addr, reserved)
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

// TryDial is Dial for a server that may not be there.
func (l *Veth) TryDial(namespace, addr string, reserved bool) (c *Client, err error) {
	l.t.Helper()
	l.In(namespace, func() error {
		if reserved {
			c, err = dialReserved(l.t, addr)
		} else {
			c, err = tryDial(l.t, "", addr)
		}
		return nil
	})
	return c, err
}

// DialReserved is Dial from a port that only root can have.
func DialReserved(t testing.TB, addr string) *Client {
	t.Helper()
	c, err := dialReserved(t, addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func dialReserved(t testing.TB, addr string) (c *Client, err error) {
	for port := 1023; port >= 512; port-- {
		if c, err = tryDial(t, fmt.Sprintf(":%d", port), addr); err == nil || !isInUse(err) {
			break
		}
	}
	return c, err
}

// DialAs is Dial with a socket of another user. The test must run as root.
func DialAs(t testing.TB, uid int, addr string) *Client {
	t.Helper()
	return DialAsFrom(t, uid, "", addr)
}

// DialAsFrom is DialAs with an address of this machine to call from, which may be empty.
func DialAsFrom(t testing.TB, uid int, local, addr string) *Client {
	t.Helper()
	var c *Client
	if err := elsewhere(func() (err error) {
		if err := setfsuid(uid); err != nil {
			return err
		}
		c, err = TryDial(t, local, addr)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return c
}

// DialDatagramAs is DialDatagram with a socket of another user.
func DialDatagramAs(t testing.TB, uid int, addr string) *Datagram {
	t.Helper()
	var d *Datagram
	if err := elsewhere(func() error {
		if err := setfsuid(uid); err != nil {
			return err
		}
		nc, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
		if err != nil {
			return err
		}
		d = newDatagram(t, nc)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return d
}

// elsewhere runs f on a thread that nothing else uses afterwards.
func elsewhere(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := errors.New("it did not come to its end")
		defer func() { done <- err }()
		err = f()
	}()
	return <-done
}

// setfsuid makes this thread's new sockets another user's.
func setfsuid(uid int) error {
	if err := unix.Setfsuid(uid); err != nil {
		return err
	}
	if now, err := unix.SetfsuidRetUid(-1); err != nil || now != uid {
		return fmt.Errorf("setfsuid %d: it is %d: %v", uid, now, err)
	}
	return nil
}
