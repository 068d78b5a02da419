package load

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

// namesIn lists what another session finds in the export's root, without its own directory.
func namesIn(t *testing.T, target Target) (names []string) {
	t.Helper()
	s, err := Open(context.Background(), target, Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	list, _, _, err := s.readdir(s.root, page{})
	require.NoError(t, err)
	for _, e := range list {
		if e.name != "." && e.name != ".." && e.name != s.dirName {
			names = append(names, e.name)
		}
	}
	return names
}

func TestAnInterruptEndsTheWritingOfTheFilesAndNothingStays(t *testing.T) {
	target, _ := startServer(t)
	s, err := Open(context.Background(), target, Options{FileSize: 900 << 20})
	require.NoError(t, err)
	require.Len(t, namesIn(t, target), 1)
	ctx, cancel := context.WithCancel(context.Background())
	last := 0.0
	_, err = s.Run(
		ctx,
		Job{Workload: Workload{Kind: "read", Size: 1 << 20}, Conns: 2, Progress: func(p Progress) {
			require.Equal(t, "prepare", p.Stage)
			last = p.Done
			cancel()
		}},
	)
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, last, 0.1, "it goes on writing")
	require.NoError(t, s.Close())
	require.Empty(t, namesIn(t, target))
}

func TestMoreDataThanThereIsRoomForIsNotWritten(t *testing.T) {
	target, _ := startServer(t) // with 1 GiB
	s, err := Open(context.Background(), target, Options{FileSize: 1000 << 40})
	require.NoError(t, err)
	_, err = s.Run(
		context.Background(),
		Job{Workload: Workload{Kind: "read", Size: 4096}, Progress: func(p Progress) {
			t.Errorf("%s: %v", p.Stage, p.Done)
		}},
	)
	require.ErrorContains(
		t,
		err,
		"1048576000 MiB of data are wanted, and the export has room for 972 MiB: ask for less "+
			"(--file-size, or fewer --conns for large WRITEs)",
	)
	require.ErrorContains(t, err, "--file-size")
	require.NoError(t, s.Close())
	require.Empty(t, namesIn(t, target))
}

func TestACallThatIsNotAnsweredEndsWithItsContext(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	require.NoError(t, err)
	defer ln.Close()
	ctx, cancel := context.WithCancel(context.Background())
	c, err := dialControl(ctx, ln.Addr().String(), credential(0, 0))
	require.NoError(t, err)
	defer c.Close()
	nc, err := ln.Accept()
	require.NoError(t, err)
	defer nc.Close()
	go func() {
		_, _ = nc.Read(make([]byte, 1)) // the call is under way; an error ends the test as well
		cancel()
	}()
	release := c.until(ctx)
	require.ErrorIs(t, c.null(), context.Canceled)
	require.ErrorIs(t, c.null(), context.Canceled, "and the next one does not begin")
	release()
}

func TestACredentialNamesAtMostSixteenGroups(t *testing.T) {
	groups := make([]uint32, 20)
	for i := range groups {
		groups[i] = 100 + uint32(i)
	}
	for _, n := range []int{0, 1, 16, 20} {
		b := credential(7, 8, groups[:n]...).Body
		told := min(n, 16)
		end := b[len(b)-4*told-4:]
		require.EqualValues(t, told, binary.BigEndian.Uint32(end))
		for i := range told {
			require.Equal(t, groups[i], binary.BigEndian.Uint32(end[4+4*i:]))
		}
	}
	me := Myself()
	require.EqualValues(t, os.Geteuid(), me.UID)
	require.LessOrEqual(t, len(me.Groups), 16)
}

func TestRootCallsFromAReservedPort(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	from := func() int {
		nc, err := ln.Accept()
		require.NoError(t, err)
		defer nc.Close()
		return nc.RemoteAddr().(*net.TCPAddr).Port
	}
	c, err := dialControl(context.Background(), ln.Addr().String(), credential(0, 0))
	require.NoError(t, err)
	control := from()
	require.NoError(t, c.Close())
	addr, err := resolve(context.Background(), ln.Addr().String())
	require.NoError(t, err)
	fd, err := connect(context.Background(), addr)
	require.NoError(t, err)
	load := from()
	require.NoError(t, os.NewFile(uintptr(fd), "").Close())
	if os.Geteuid() != 0 {
		t.Skip("needs root: ports below 1024 are not for others, who got one above")
	}
	for _, port := range []int{control, load} {
		require.GreaterOrEqual(t, port, 512)
		require.Less(t, port, 1024)
	}
}

// inNamespace runs f on a thread with a network of its own, where f may use all reserved ports, and
// ends the thread.
func inNamespace(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: network namespaces")
	}
	var done sync.WaitGroup
	done.Go(func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Errorf("unshare: %v", err)
			return
		}
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if !assert.NoError(t, err) {
			return
		}
		defer func() { _ = unix.Close(fd) }()
		lo, err := unix.NewIfreq("lo")
		if !assert.NoError(t, err) {
			return
		}
		lo.SetUint16(unix.IFF_UP)
		if assert.NoError(t, unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)) {
			f()
		}
	})
	done.Wait()
}

// A measurement keeps no reserved port for longer than it lasts, and says so when none is left.
func TestReservedPortsAreGivenBack(t *testing.T) {
	inNamespace(t, func() {
		ln, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if !assert.NoError(t, err) {
			return
		}
		defer func() { _ = unix.Close(ln) }()
		if !assert.NoError(t, unix.Bind(ln, &unix.SockaddrInet4{Port: 2049, Addr: [4]byte{127, 0, 0, 1}})) ||
			!assert.NoError(t, unix.Listen(ln, 8)) {
			return
		}
		addr := &unix.SockaddrInet4{Port: 2049, Addr: [4]byte{127, 0, 0, 1}}
		const ports = reservedHigh - reservedLow + 1
		var fds []int
		for i := range 2*ports + 1 { // the first ones are closed at once, the others stay open
			fd, err := connect(context.Background(), addr)
			if i == 2*ports {
				assert.ErrorIs(t, err, errNoReserved)
				break
			}
			if !assert.NoError(t, err, "connection %d", i) {
				break
			}
			peer, _, err := unix.Accept(ln)
			assert.NoError(t, err)
			if i < ports {
				assert.NoError(t, unix.Close(fd))
				assert.NoError(t, unix.Close(peer))
				continue
			}
			fds = append(fds, fd, peer)
		}
		for _, fd := range fds {
			assert.NoError(t, unix.Close(fd))
		}
	})
}

// On the server's own machine an ordinary port will do if the server accepts it.
func TestReservedPortsAreLeftAloneOnTheMachineItself(t *testing.T) {
	target, _ := startServer(t)
	s := open(t, target)
	addr, err := resolve(context.Background(), s.addr)
	require.NoError(t, err)
	port := func() int {
		fd, err := s.connect(context.Background(), addr)
		require.NoError(t, err)
		defer func() { require.NoError(t, unix.Close(fd)) }()
		own, err := unix.Getsockname(fd)
		require.NoError(t, err)
		return own.(*unix.SockaddrInet4).Port
	}
	require.Greater(t, port(), 1023)
	if os.Geteuid() == 0 {
		s.refuses = errors.New("refused")
		require.LessOrEqual(t, port(), 1023)
	}
}

func TestARefusalSaysWhatItMeansAndWhatToDo(t *testing.T) {
	reply := func(stat uint32, rest ...uint32) func(xid, prog, proc uint32) []byte {
		return func(xid, _, _ uint32) []byte {
			return rpctest.Record(rpctest.Args(nil).U32(xid, 1, 0, 0, 0, stat).U32(rest...))
		}
	}
	deny := func(reject, auth uint32) func(xid, prog, proc uint32) []byte {
		return func(xid, _, _ uint32) []byte { return rpctest.Record(rpctest.Args(nil).U32(xid, 1, 1, reject, auth)) }
	}
	mountStatus := func(status uint32) func(xid, prog, proc uint32) []byte {
		return func(xid, _, _ uint32) []byte { return rpctest.Record(header(xid).U32(status)) }
	}
	for says, answer := range map[string]func(xid, prog, proc uint32) []byte{
		"give the port of NFS in the target, HOST:PORT:/PATH":            reply(1),
		"has versions 4 to 4 of the program: say --nfs with one of them": reply(2, 4, 4),
		"switch it on there":      reply(2),
		"leave the workload out":  reply(3),
		"did not understand":      reply(4),
		"look into its log":       reply(5),
		"a port below 1024":       deny(1, 5),
		"leave --uid and --gid":   deny(1, 1),
		"another version of RPC":  deny(0, 2),
		"closed the connection":   func(uint32, uint32, uint32) []byte { return nil },
		"--allow":                 mountStatus(13),
		"a path that the server":  mountStatus(2),
		"MNT3ERR_IO":              mountStatus(5),
		"(accept_stat 9)":         reply(9),
		"(reject_stat 1, auth_st": deny(1, 14),
	} {
		_, err := Open(context.Background(), fakeServer(t, answer), Options{})
		require.ErrorContains(t, err, says)
		require.NotContains(t, err.Error(), "\n")
	}
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := nobody.Addr().(*net.TCPAddr).Port
	require.NoError(t, nobody.Close())
	_, err = Open(context.Background(), Target{Host: "127.0.0.1", Port: port, Path: "/x"}, Options{})
	require.ErrorContains(t, err, "is the server running")
}

func TestSlicesOfTimeThatCameLateBecomeOne(t *testing.T) {
	target := fakeServer(t, func(xid, _, _ uint32) []byte { return rpctest.Record(header(xid)) })
	stalled := false
	res, err := bare(target).Run(context.Background(), Job{
		Workload: Workload{Kind: "null"}, Conns: 1, Depth: 1, Time: time.Second, Warmup: time.Millisecond,
		Progress: func(p Progress) {
			if p.Stage == "measure" && !stalled {
				stalled = true
				time.Sleep(400 * time.Millisecond) // as on a machine that is busy with others
			}
		},
	})
	require.NoError(t, err)
	require.True(t, stalled)
	total := 0.0
	for i, s := range res.Slices {
		require.Greater(t, s.Seconds, 0.01, "slice %d of %v", i, res.Slices)
		total += s.Seconds
	}
	require.InDelta(t, res.Seconds, total, 1e-6)
}

// TestAConnectionThatIsNotTakenEndsWithItsContext: a server that has been stopped, or a firewall
// that drops packets, takes no connection.
func TestAConnectionThatIsNotTakenEndsWithItsContext(t *testing.T) {
	ln, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer func() { _ = unix.Close(ln) }()
	require.NoError(t, unix.Bind(ln, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(ln, 0))
	addr, err := unix.Getsockname(ln)
	require.NoError(t, err)
	first, err := connectFrom(context.Background(), 0, addr) // as many as may wait
	require.NoError(t, err)
	defer func() { _ = unix.Close(first) }()
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(2*connectTick, cancel)
	_, err = connectFrom(ctx, 0, addr)
	require.ErrorIs(t, err, context.Canceled)
}
