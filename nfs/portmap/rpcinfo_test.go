package portmap_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/portmap"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

// insideEnv marks the test process that runs in its own network namespace.
const insideEnv = "PORTMAP_TEST_INSIDE"

// inside runs the test once more in a network namespace of its own, whose port 111 is free. It
// reports whether the present run is that second one.
func inside(t *testing.T, commands ...string) bool {
	if os.Getenv(insideEnv) != "" {
		require.NoError(t, loopbackUp())
		return true
	}
	for _, name := range commands {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed", name)
		}
	}
	if out, err := exec.Command("unshare", "--net", "true").CombinedOutput(); err != nil {
		t.Skipf("no network namespace can be made here: %v: %s", err, out)
	}
	cmd := exec.Command("unshare", "--net", os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: "+t.Name())
	return false
}

// loopbackUp sets the loopback interface up.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}

// serve answers on addr over TCP, at place tcpAt, and over UDP, at place udpAt,
// until the test ends.
func serve(t *testing.T, s *rpc.Server, addr string, tcpAt, udpAt *rpc.Place) {
	answer := func(peer, local net.Addr, datagram bool, msg []byte) []byte {
		c := &rpc.Call{
			Peer:     addrPort(peer),
			Origin:   &rpc.Origin{Trust: rpc.Believed},
			Local:    addrPort(local),
			Datagram: datagram,
		}
		at := tcpAt
		if datagram {
			at = udpAt
		}
		reply, err := rpctest.Serve(s, at, c, msg)
		if err != nil {
			t.Errorf("call from %v: %v", peer, err)
		}
		return reply
	}
	tcp, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	udp, err := net.ListenPacket("udp", addr)
	require.NoError(t, err)
	done := make(chan struct{}, 2)
	go func() {
		defer func() { done <- struct{}{} }()
		for b := make([]byte, 1<<16); ; {
			n, peer, err := udp.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = udp.WriteTo(answer(peer, udp.LocalAddr(), true, b[:n]), peer)
		}
	}()
	go func() {
		defer func() { done <- struct{}{} }()
		for {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			// One peer after the other: that is what these commands do.
			for {
				var mark [4]byte
				if _, err := io.ReadFull(c, mark[:]); err != nil {
					break
				}
				msg := make([]byte, binary.BigEndian.Uint32(mark[:])&(1<<31-1))
				if _, err := io.ReadFull(c, msg); err != nil {
					break
				}
				_, _ = c.Write(rpctest.Record(answer(c.RemoteAddr(), c.LocalAddr(), false, msg)))
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = tcp.Close()
		_ = udp.Close()
		<-done
		<-done
	})
}

func addrPort(a net.Addr) netip.AddrPort { return netip.MustParseAddrPort(a.String()) }

// run returns what a command prints, in lines of fields.
func run(t *testing.T, name string, args ...string) [][]string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	var lines [][]string
	for l := range bytes.Lines(out) {
		lines = append(lines, strings.Fields(string(l)))
	}
	return lines
}

func TestRpcinfoUnderstandsTheAnswers(t *testing.T) {
	if !inside(t, "rpcinfo", "unshare") {
		return
	}
	s := rpc.NewServer(portmap.New(sample()))
	serve(t, s, "127.0.0.1:111", nil, nil)
	serve(t, s, "[::1]:111", nil, nil)

	t.Run("ports", func(t *testing.T) {
		lines := run(t, "rpcinfo", "-p", "127.0.0.1")
		require.Contains(t, lines, []string{"100000", "2", "udp", "111", "portmapper"})
		require.Contains(t, lines, []string{"100003", "3", "tcp", "2049", "nfs"})
		require.Len(t, lines, 1+7)
	})
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run("everything/"+host, func(t *testing.T) {
			lines := run(t, "rpcinfo", host)
			require.Len(t, lines, 1+14)
			want := []string{"100003", "3", "tcp", "127.0.0.1.8.1", "nfs", "superuser"}
			if host == "::1" {
				want = []string{"100003", "3", "tcp6", "::1.8.2", "nfs", "superuser"}
			}
			require.Contains(t, lines, want)
		})
	}
	t.Run("short", func(t *testing.T) {
		lines := run(t, "rpcinfo", "-s", "127.0.0.1")
		require.Contains(t, lines, []string{"100003", "3", "tcp6,tcp", "nfs", "superuser"})
	})
	for _, netid := range []string{"tcp", "udp", "tcp6", "udp6"} {
		t.Run("ping/"+netid, func(t *testing.T) {
			host := "127.0.0.1"
			if strings.HasSuffix(netid, "6") {
				host = "::1"
			}
			for vers := 2; vers <= 4; vers++ {
				if vers == 2 && host == "::1" {
					continue // the command refuses to ask version 2 over IPv6
				}
				lines := run(t, "rpcinfo", "-T", netid, host, "100000", fmt.Sprint(vers))
				require.Contains(
					t,
					lines,
					strings.Fields(fmt.Sprintf("program 100000 version %d ready and waiting", vers)),
				)
			}
		})
	}
	t.Run("all versions", func(t *testing.T) {
		lines := run(t, "rpcinfo", "-T", "tcp", "127.0.0.1", "100000")
		require.Len(t, lines, 3)
	})
	t.Run("addresses of one program", func(t *testing.T) {
		lines := run(t, "rpcinfo", "-l", "127.0.0.1", "100003", "3")
		require.Contains(t, fmt.Sprint(lines), "127.0.0.1.8.1")
	})
	t.Run("statistics", func(t *testing.T) {
		lines := run(t, "rpcinfo", "-m", "127.0.0.1")
		require.Contains(t, lines, strings.Fields("PORTMAP (version 2) statistics"))
	})
}
