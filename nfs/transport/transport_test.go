package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/drc"
)

// testProgram is a program whose procedures exercise the transport.
const testProgram = 400123

const (
	procNull  = 0
	procEcho  = 1 // on the lane: returns its opaque argument
	procSleep = 2 // on a worker: the same
	procFill  = 3 // argument n: n bytes, each the low byte of the XID
	procOnce  = 4 // counts, at most once
	// procSlowOnce counts when the test lets it, at most once.
	procSlowOnce = 5
	// procStall is procEcho, but a lane that runs it stands still until the test releases it.
	procStall = 7
	procShort = 8 // procFill, with fewer bytes when memory is short
	// procWork is procEcho on a worker. If there are volumes, it depends on volume 2, and
	// procSleep on volume 1.
	procWork = 9
	// procFound finds while it runs that it must not run twice.
	procFound = 10
	procConn  = 11 // the number of its connection
)

type testServer struct {
	t     testing.TB
	srv   *Server
	addr  string
	hold  chan struct{} // procSleep and procSlowOnce wait for it when not nil
	count atomic.Uint32
	// running is how many calls wait for hold or are past it.
	running atomic.Int32
}

func (ts *testServer) wait() {
	ts.running.Add(1)
	if ts.hold != nil {
		<-ts.hold
	}
}

func (ts *testServer) program() *rpc.Program {
	echo := func(c *rpc.Call) rpc.Outcome {
		var parts [][]byte
		parts = c.Args.OpaqueSegments(1<<22, parts)
		n := 0
		for _, p := range parts {
			n += len(p)
		}
		if c.Args.Err() != nil {
			return rpc.GarbageArgs
		}
		if !c.Room(n + 8) {
			return rpc.Grow
		}
		c.Reply.Uint32(uint32(n))
		for _, p := range parts {
			copy(c.Reply.Reserve(len(p)), p)
		}
		c.Reply.Pad(n)
		return rpc.Done
	}
	return &rpc.Program{
		Name:   "TEST",
		Number: testProgram,
		Versions: []rpc.Version{{Number: 1, Procedures: []rpc.Procedure{
			procNull: {Name: "NULL", Handle: func(*rpc.Call) rpc.Outcome { return rpc.Done }},
			procEcho: {Name: "ECHO", Handle: echo},
			procSleep: {Name: "SLEEP", Handle: func(c *rpc.Call) rpc.Outcome {
				if !c.Place.Thread.MayWait {
					return rpc.Wait
				}
				ts.wait()
				return echo(c)
			}},
			procFill: {Name: "FILL", Handle: func(c *rpc.Call) rpc.Outcome {
				n := int(c.Args.Uint32())
				if !c.Room(n + 8) {
					return rpc.Grow
				}
				c.Reply.Uint32(uint32(n))
				b := c.Reply.Reserve(n)
				for i := range b {
					b[i] = byte(c.XID)
				}
				c.Reply.Pad(n)
				return rpc.Done
			}},
			procOnce: {Name: "ONCE", Class: rpc.Blocking, Once: true, Handle: func(c *rpc.Call) rpc.Outcome {
				c.Reply.Uint32(ts.count.Add(1))
				return rpc.Done
			}},
			procSlowOnce: {
				Name:  "SLOWONCE",
				Class: rpc.Blocking,
				Once:  true,
				Handle: func(c *rpc.Call) rpc.Outcome {
					ts.wait()
					c.Reply.Uint32(ts.count.Add(1))
					return rpc.Done
				},
			},
			procShort: {Name: "SHORT", Handle: func(c *rpc.Call) rpc.Outcome {
				n := int(c.Args.Uint32())
				room, ok := c.RoomBetween(min(n, 512)+8, n+8)
				if !ok {
					return rpc.Grow
				}
				n = min(n, room-8)
				c.Reply.Uint32(uint32(n))
				clear(c.Reply.Reserve(n))
				c.Reply.Pad(n)
				return rpc.Done
			}},
			procStall: {Name: "STALL", Handle: func(c *rpc.Call) rpc.Outcome {
				if !c.Place.Thread.MayWait {
					ts.wait()
				}
				return echo(c)
			}},
			procTail: {Name: "TAIL", Handle: tail},
			procConn: {Name: "CONN", Handle: func(c *rpc.Call) rpc.Outcome {
				c.Reply.Uint64(c.Conn)
				return rpc.Done
			}},
			procFound: {Name: "FOUND", Handle: func(c *rpc.Call) rpc.Outcome {
				if !c.Place.Thread.MayWait {
					c.Reply.Uint32(77)
					c.Once, c.Keep = true, true
					return rpc.Wait
				}
				ts.wait()
				c.Reply.Uint32(ts.count.Add(1))
				return rpc.Done
			}},
			procWork: {Name: "WORK", Class: rpc.Blocking, Handle: echo},
		}}},
		Target: func(c *rpc.Call) (t rpc.Target) {
			switch {
			case ts.srv.cfg.Volumes == 0:
			case c.Proc == procSleep:
				t.Volume = 1
			case c.Proc == procWork:
				t.Volume = 2
			}
			return t
		},
	}
}

// startTest serves the test program on a loopback port until the test ends, and
// then asserts that nothing is left.
func startTest(t testing.TB, change func(*Config)) *testServer {
	t.Helper()
	return startHeld(t, nil, change)
}

// startHeld is startTest with procedures that wait for hold.
func startHeld(t testing.TB, hold chan struct{}, change func(*Config)) *testServer {
	t.Helper()
	return startLooking(t, hold, change, nil)
}

// startLooking is startHeld with another view of the connections than the kernel's.
func startLooking(
	t testing.TB,
	hold chan struct{},
	change func(*Config),
	look func(int) (tcpFacts, bool),
) *testServer {
	t.Helper()
	return startWhere(t, hold, change, func(s *Server) {
		if look != nil {
			s.look = look
		}
	})
}

// startWhere is startHeld with a server that change alters before it starts.
func startWhere(t testing.TB, hold chan struct{}, change func(*Config), other func(*Server)) *testServer {
	t.Helper()
	ts := &testServer{t: t, hold: hold}
	cfg := testConfig()
	if change != nil {
		change(&cfg)
	}
	srv, err := New(cfg)
	require.NoError(t, err)
	other(srv)
	ts.srv = srv
	fd, addr := listenTCP(t)
	ts.addr = addr
	require.NoError(t, srv.Start([]Listener{{FD: fd, Programs: rpc.NewServer(ts.program())}}))
	t.Cleanup(func() { drain(t, srv) })
	return ts
}

// drain ends a server and asserts that nothing is left.
func drain(t testing.TB, srv *Server) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- srv.Drain(context.Background()) }()
	until(t, func() bool { return len(done) > 0 }, "the server ends")
	require.NoError(t, <-done, "memory, pipes, operations or connections are outstanding at the end")
	require.Zero(t, srv.Connections())
}

func testConfig() Config {
	return Config{
		Lanes: 1, Workers: 4,
		Attach:     func(*rpc.Place) error { return nil },
		Detach:     func(*rpc.Place) {},
		Duplicates: drc.New(drc.Config{}),
		Origin:     userByAddress,
	}
}

// userByAddress makes a user of its own of each address of the loopback network.
func userByAddress(e Ends) (*rpc.Origin, func() *rpc.Origin) {
	a := e.Peer.Addr().As16()
	return &rpc.Origin{Trust: rpc.Bound, UID: 1000 + uint32(a[15])}, nil
}

func listenTCP(t testing.TB) (fd int, addr string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(fd, 1024))
	sa, err := unix.Getsockname(fd)
	require.NoError(t, err)
	return fd, sockAddr(sa, nil).String()
}

func (ts *testServer) dial() net.Conn {
	ts.t.Helper()
	c, err := net.Dial("tcp", ts.addr)
	require.NoError(ts.t, err)
	patiently(c)
	ts.t.Cleanup(func() { _ = c.Close() })
	return c
}

// message returns a call with AUTH_NONE, its record mark in front.
func message(xid, proc uint32, args []byte) []byte {
	b := make([]byte, 4, 64+len(args))
	for _, v := range []uint32{xid, 0, 2, testProgram, 1, proc, 0, 0, 0, 0} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	b = append(b, args...)
	binary.BigEndian.PutUint32(b, rpc.Mark(len(b)-4))
	return b
}

func opaque(p []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(p)))
	b = append(b, p...)
	return append(b, make([]byte, -len(p)&3)...)
}

// patience is how long a peer waits without a reply before it takes the server for broken. It
// begins anew with each reply, so it only bounds a lack of progress.
const patience = 2 * time.Minute

// patiently lets a connection wait for patience from now on.
func patiently(r io.Reader) {
	if s, ok := r.(*slowly); ok {
		r = s.Reader
	}
	if c, ok := r.(net.Conn); ok {
		_ = c.SetDeadline(time.Now().Add(patience))
	}
}

// reply reads one reply and returns its XID and results.
func reply(t testing.TB, r io.Reader) (xid uint32, results []byte) {
	t.Helper()
	patiently(r)
	var h [4]byte
	_, err := io.ReadFull(r, h[:])
	require.NoError(t, err)
	mark := binary.BigEndian.Uint32(h[:])
	require.NotZero(t, mark>>31)
	b := make([]byte, mark&(1<<31-1))
	_, err = io.ReadFull(r, b)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(b), 24)
	require.Equal(t, uint32(1), binary.BigEndian.Uint32(b[4:]), "not a reply")
	require.Equal(t, make([]byte, 16), b[8:24], "not accepted with success")
	return binary.BigEndian.Uint32(b), b[24:]
}

func TestCallsAreAnsweredOnLaneAndWorker(t *testing.T) {
	ts := startTest(t, nil)
	c := ts.dial()
	for i, proc := range []uint32{procEcho, procSleep} {
		for _, n := range []int{0, 1, 5, 4000, 100_000, 1 << 20} {
			data := bytes.Repeat([]byte{byte(n), byte(i), 7}, n)[:n]
			_, err := c.Write(message(uint32(n), proc, opaque(data)))
			require.NoError(t, err)
			xid, res := reply(t, c)
			require.Equal(t, uint32(n), xid)
			require.Equal(t, opaque(data), res)
		}
	}
}

func TestPipelinedCallsAreAllAnswered(t *testing.T) {
	ts := startTest(t, func(c *Config) { c.Lanes = 2 })
	c := ts.dial()
	const n = 5000
	go func() {
		var out []byte
		for i := range uint32(n) {
			out = append(
				out,
				message(i, []uint32{procNull, procEcho, procSleep, procFill}[i%4], opaque([]byte("abc")))...)
		}
		_, _ = c.Write(out)
	}()
	seen := make(map[uint32]bool)
	for range n {
		xid, _ := reply(t, c)
		require.False(t, seen[xid], "answered twice")
		seen[xid] = true
	}
}
