package transport

import (
	"math"
	"net"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/drc"
)

// thriftyProgram is NULL and ECHO without allocations of their own.
func thriftyProgram() *rpc.Program {
	echo := func(c *rpc.Call) rpc.Outcome {
		b := c.Args.Opaque(8192)
		if c.Args.Err() != nil {
			return rpc.GarbageArgs
		}
		if !c.Room(len(b) + 8) {
			return rpc.Grow
		}
		c.Reply.Opaque(b)
		return rpc.Done
	}
	return &rpc.Program{
		Name:   "TEST",
		Number: testProgram,
		Versions: []rpc.Version{{Number: 1, Procedures: []rpc.Procedure{
			procNull:  {Name: "NULL", Handle: func(*rpc.Call) rpc.Outcome { return rpc.Done }},
			procEcho:  {Name: "ECHO", Handle: echo},
			procSleep: {Name: "SLEEP", Class: rpc.Blocking, Handle: echo},
		}}},
	}
}

// pipeline is a client that sends the same calls again and again, and allocates
// nothing.
type pipeline struct {
	fd      int
	out, in []byte
	calls   int
}

// newPipeline serves the thrifty program and connects to it. Each round is n calls
// of proc with size bytes of arguments.
func newPipeline(t testing.TB, n int, proc uint32, size int) *pipeline {
	t.Helper()
	srv, err := New(Config{
		Lanes: 1, Workers: 2, Duplicates: drc.New(drc.Config{}),
		Attach: func(*rpc.Place) error { return nil }, Detach: func(*rpc.Place) {},
	})
	require.NoError(t, err)
	fd, addr := listenTCP(t)
	require.NoError(t, srv.Start([]Listener{{FD: fd, Programs: rpc.NewServer(thriftyProgram())}}))
	to, err := net.ResolveTCPAddr("tcp", addr)
	require.NoError(t, err)
	p := &pipeline{calls: n}
	p.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	require.NoError(t, unix.Connect(p.fd, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte{127, 0, 0, 1}}))
	t.Cleanup(func() {
		require.NoError(t, unix.Close(p.fd))
		drain(t, srv)
	})
	results := 0
	var args []byte
	if proc != procNull {
		args = opaque(make([]byte, size))
		results = len(args)
	}
	for i := range n {
		p.out = append(p.out, message(uint32(i), proc, args)...)
	}
	p.in = make([]byte, n*(markLen+24+results))
	return p
}

// round sends the calls and receives as many bytes as the replies have.
func (p *pipeline) round(t testing.TB) {
	for out := p.out; len(out) > 0; {
		n, err := unix.Write(p.fd, out)
		if err != nil {
			t.Fatal(err)
		}
		out = out[n:]
	}
	for in := p.in; len(in) > 0; {
		n, err := unix.Read(p.fd, in)
		if err != nil || n == 0 {
			t.Fatal("the server closed", err)
		}
		in = in[n:]
	}
}

func TestCallsOnAnEstablishedConnectionAllocateNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		at, n int
		proc  uint32
		size  int
	}{
		{"null, one at a time", 1, 200, procNull, 0},
		{"null", 64, 6400, procNull, 0},
		{"echo of 100 bytes", 64, 6400, procEcho, 100},
		{"echo of 4 KiB", 16, 1600, procEcho, 4096},
		{"on a worker", 64, 6400, procSleep, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPipeline(t, c.at, c.proc, c.size)
			// Pools and lists first grow to their size. The tick, the scheduler and the
			// collector need some memory, more in a longer run. What a call needs, it
			// needs in every round.
			least := uint64(math.MaxUint64)
			for try := 0; try < 5 && least >= uint64(c.n/4); try++ {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				for range c.n / c.at {
					p.round(t)
				}
				runtime.ReadMemStats(&after)
				least = min(least, after.Mallocs-before.Mallocs)
			}
			require.Less(t, least, uint64(c.n/4), "allocations in %d calls", c.n)
		})
	}
}

func benchmarkCalls(b *testing.B, at int, proc uint32, size int) {
	p := newPipeline(b, at, proc, size)
	p.round(b)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += at {
		p.round(b)
	}
}

func BenchmarkNullAlone(b *testing.B)     { benchmarkCalls(b, 1, procNull, 0) }
func BenchmarkNull64(b *testing.B)        { benchmarkCalls(b, 64, procNull, 0) }
func BenchmarkEcho64(b *testing.B)        { benchmarkCalls(b, 64, procEcho, 100) }
func BenchmarkEcho4K16(b *testing.B)      { benchmarkCalls(b, 16, procEcho, 4096) }
func BenchmarkOnWorker64(b *testing.B)    { benchmarkCalls(b, 64, procSleep, 100) }
func BenchmarkOnWorkerAlone(b *testing.B) { benchmarkCalls(b, 1, procSleep, 100) }
