package transport

import (
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// paced is a congestion control that is not localCongestion.
func paced(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
	require.NoError(t, err)
	names := strings.Fields(string(b))
	if names = slices.DeleteFunc(names, func(s string) bool { return s == localCongestion }); len(
		names,
	) == 0 {
		t.Skip("this machine has no congestion control but " + localCongestion)
	}
	return names[0]
}

// congestionOf returns what the server's only connection uses.
func congestionOf(t *testing.T, s *Server) string {
	t.Helper()
	l := s.lanes[0]
	got := make(chan string, 1)
	require.NoError(t, l.loop.Post(loop.TaskFunc(func() {
		name, err := unix.GetsockoptString(l.conns.fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION)
		if err != nil {
			name = err.Error()
		}
		got <- name
	})))
	return <-got
}

func TestPeersOfThisMachineAreNotPaced(t *testing.T) {
	name := paced(t)
	fd, addr := listenTCP(t)
	require.NoError(t, unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, name))
	ts := startOn(t, fd, addr)
	c := ts.dial()
	_, err := c.Write(message(1, procNull, nil))
	require.NoError(t, err)
	reply(t, c)
	require.Equal(t, localCongestion, congestionOf(t, ts.srv))
}

// An address of the machine that is neither the server's nor a loopback one stands for a peer
// elsewhere. The server cannot tell the difference.
func TestPeersElsewhereKeepTheMachinesCongestionControl(t *testing.T) {
	name := paced(t)
	if os.Geteuid() != 0 {
		t.Skip("a network namespace of its own needs root")
	}
	type sockets struct{ listener, client int }
	made := make(chan sockets, 1)
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is in another namespace
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			failed <- err
			return
		}
		for _, args := range [][]string{{"link", "set", "lo", "up"}, {"addr", "add", "10.9.0.1/32", "dev", "lo"}, {"addr", "add", "10.9.0.2/32", "dev", "lo"}} {
			if err := exec.Command("ip", args...).Run(); err != nil {
				failed <- err
				return
			}
		}
		var s sockets
		var err error
		if s.listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err == nil {
			if err = unix.Bind(s.listener, &unix.SockaddrInet4{Addr: [4]byte{10, 9, 0, 1}, Port: 2049}); err == nil {
				err = unix.Listen(s.listener, 4)
			}
		}
		if err == nil {
			if s.client, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err == nil {
				err = unix.Bind(s.client, &unix.SockaddrInet4{Addr: [4]byte{10, 9, 0, 2}})
			}
		}
		if err != nil {
			failed <- err
			return
		}
		made <- s
	}()
	var s sockets
	select {
	case err := <-failed:
		t.Skip("no network namespace of its own: " + err.Error())
	case s = <-made:
	}
	if err := unix.SetsockoptString(s.listener, unix.IPPROTO_TCP, unix.TCP_CONGESTION, name); err != nil {
		_ = unix.Close(s.listener)
		_ = unix.Close(s.client)
		t.Skip("the namespace has no " + name + ": " + err.Error())
	}
	ts := startOn(t, s.listener, "10.9.0.1:2049")
	require.NoError(t, unix.Connect(s.client, &unix.SockaddrInet4{Addr: [4]byte{10, 9, 0, 1}, Port: 2049}))
	f := os.NewFile(uintptr(s.client), "client")
	c, err := net.FileConn(f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	t.Cleanup(func() { _ = c.Close() })
	patiently(c)
	_, err = c.Write(message(1, procNull, nil))
	require.NoError(t, err)
	reply(t, c)
	require.Equal(t, name, congestionOf(t, ts.srv))
}

// startOn serves the test program on a socket that the caller has prepared.
func startOn(t *testing.T, fd int, addr string) *testServer {
	t.Helper()
	ts := &testServer{t: t, addr: addr}
	srv, err := New(testConfig())
	require.NoError(t, err)
	ts.srv = srv
	require.NoError(t, srv.Start([]Listener{{FD: fd, Programs: rpc.NewServer(ts.program())}}))
	t.Cleanup(func() { drain(t, srv) })
	return ts
}
