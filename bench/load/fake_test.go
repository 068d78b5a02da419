package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

// fakeServer answers calls with the result of answer: whole records in the form that they have on
// the wire. nil ends the connection.
func fakeServer(t *testing.T, answer func(xid, prog, proc uint32) []byte) Target {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				for in := bufio.NewReader(nc); ; {
					var mark [4]byte
					if _, err := io.ReadFull(in, mark[:]); err != nil {
						return
					}
					call := make([]byte, binary.BigEndian.Uint32(mark[:])&^(1<<31))
					if _, err := io.ReadFull(in, call); err != nil {
						return
					}
					word := func(i int) uint32 { return binary.BigEndian.Uint32(call[4*i:]) }
					b := answer(word(0), word(3), word(5))
					if b == nil {
						return
					}
					if _, err := nc.Write(b); err != nil {
						return
					}
				}
			}()
		}
	}()
	return Target{Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port, Path: "/x"}
}

func (t Target) hostPort() string { return net.JoinHostPort(t.Host, strconv.Itoa(t.Port)) }

func header(xid uint32) rpctest.Args { return rpctest.Args(nil).U32(xid, 1, 0, 0, 0, 0) }

// bare is a session without mount and files, for workloads that need none.
func bare(target Target) *Session {
	return &Session{
		target:   target,
		addr:     target.hostPort(),
		cred:     credential(0, 0),
		ReadMax:  1 << 20,
		WriteMax: 1 << 20,
	}
}

// inPieces returns msg as a record of random fragments.
func inPieces(r *rand.Rand, msg []byte) []byte {
	var sizes []int
	for left := len(msg); left > 0; {
		n := min(left, r.IntN(1+r.IntN(1+len(msg)))) // often small, sometimes none
		sizes = append(sizes, n)
		left -= n
	}
	return rpctest.Fragments(msg, sizes...)
}

func TestRepliesAreFoundInAnyFragmentsAndAnyPieces(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		for _, keep := range []bool{false, true} {
			c := newConn(-1, 0, 4, time.Now(), Version{}, credential(0, 0), keep, false)
			var (
				stream []byte
				want   []int
				got    []int
			)
			size := 1 + r.IntN(3000)
			for i := range c.slots {
				s := &c.slots[i]
				s.task = nullTask{}
				s.begin(nfs3.NFSPROC3_NULL)
				s.busy = true
				want = append(want, size)
				msg := append(header(s.xid), make([]byte, size)...)
				stream = append(stream, inPieces(r, msg)...)
			}
			c.free = c.free[:0]
			done := func(_ *conn, _ *slot, res []byte, total int) error {
				got = append(got, total)
				if keep && len(res) != total {
					t.Errorf("%d of %d bytes are there", len(res), total)
				}
				return nil
			}
			for len(stream) > 0 {
				n := min(len(stream), 1+r.IntN(1500))
				copy(c.buf[c.have:], stream[:n])
				require.NoError(t, c.consume(c.buf[:c.have+n], done))
				stream = stream[n:]
			}
			require.Equal(t, want, got)
			require.Len(t, c.free, 4)
		}
	}
}

func TestLargeDataIsDiscardedAndStillCounted(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0)) // of one connection, and so of one goroutine
	const size = 64 << 10
	data := make([]byte, size)
	whole := false
	target := fakeServer(t, func(xid, _, _ uint32) []byte {
		msg := header(xid).U32(0, 0, size, 0).Opaque(data)
		if whole = !whole; whole {
			return rpctest.Record(msg)
		}
		return inPieces(r, msg)
	})
	s := bare(target)
	s.data = []*dataFile{{name: "x", fh: []byte("handle"), size: 1 << 20}}
	s.opts.FileSize = 1 << 20
	res := runSome(t, s, Job{Workload: Workload{Kind: "read", Size: size}, Conns: 1, Depth: 4})
	require.Equal(t, res.Ops*size, res.Bytes)
}

// Data that is not to be verified never comes into the client's memory.
func TestDiscardedDataIsNotCopied(t *testing.T) {
	const size = 1 << 20
	for _, discards := range []bool{true, false} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		nc, err := net.Dial("tcp", ln.Addr().String())
		require.NoError(t, err)
		server, err := ln.Accept()
		require.NoError(t, errors.Join(err, ln.Close()))
		f, err := nc.(*net.TCPConn).File()
		require.NoError(t, errors.Join(err, nc.Close()))
		require.NoError(t, unix.SetNonblock(int(f.Fd()), true))
		c := newConn(int(f.Fd()), 0, 1, time.Now(), Version{}, credential(0, 0), false, discards)
		s := &c.slots[0]
		s.task = nullTask{}
		s.begin(nfs3.NFSPROC3_NULL)
		s.busy, c.free = true, c.free[:0]
		sent := make(chan error, 1)
		go func() {
			_, err := server.Write(rpctest.Record(append(header(s.xid), bytes.Repeat([]byte{0x55}, size)...)))
			sent <- err
		}()
		total := 0
		for end := time.Now().Add(20 * time.Second); total == 0; {
			require.True(t, time.Now().Before(end))
			_, err := c.receive(func(_ *conn, _ *slot, _ []byte, n int) error { total = n; return nil })
			require.NoError(t, err)
		}
		require.Equal(t, size, total)
		require.NoError(t, <-sent)
		seen := bytes.Count(c.buf, []byte{0x55})
		if discards { // except the head and what is too little for a call of its own
			require.Less(t, seen, discardLeast+4+headMax)
		} else {
			require.Greater(t, seen, discardLeast+4+headMax, "the test sees nothing")
		}
		require.NoError(t, errors.Join(f.Close(), server.Close()))
	}
}

func TestShortDataIsAnError(t *testing.T) {
	const size = 64 << 10
	for name, tail := range map[string]rpctest.Args{
		"nothing":   rpctest.Args(nil).U32(0, 0, 0, 0).Opaque(nil),
		"too much":  rpctest.Args(nil).U32(0, 0, size+4, 0).Opaque(make([]byte, size+4)),
		"length":    rpctest.Args(nil).U32(0, 0, size, 0).Opaque(make([]byte, size/2)),
		"truncated": rpctest.Args(nil).U32(0, 0, size, 0, size).Raw(make([]byte, size/2)),
		"header":    rpctest.Args(nil).U32(0),
	} {
		t.Run(name, func(t *testing.T) {
			target := fakeServer(
				t,
				func(xid, _, _ uint32) []byte { return rpctest.Record(header(xid).Raw(tail)) },
			)
			s := bare(target)
			s.data = []*dataFile{{name: "x", fh: []byte("handle"), size: 1 << 20}}
			s.opts.FileSize = 1 << 20
			_, err := s.Run(
				context.Background(),
				Job{Workload: Workload{Kind: "read", Size: size}, Conns: 1, Depth: 2, Time: time.Second},
			)
			require.ErrorContains(t, err, "READ: ")
		})
	}
}

// A server may return fewer bytes than asked for. ringnfs does so when memory is short.
func TestFewerBytesCountAsWhatTheyAre(t *testing.T) {
	const size, got = 64 << 10, 4096
	few := rpctest.Args(nil).U32(0, 0, got, 0).Opaque(make([]byte, got))
	s := bare(fakeServer(t, func(xid, _, _ uint32) []byte { return rpctest.Record(header(xid).Raw(few)) }))
	s.data = []*dataFile{{name: "x", fh: []byte("handle"), size: 1 << 20}}
	s.opts.FileSize = 1 << 20
	res := runSome(t, s, Job{Workload: Workload{Kind: "read", Size: size}, Conns: 1, Depth: 2})
	require.Equal(t, got*res.Ops, res.Bytes)
}

func TestWhatGoesWrongIsSaid(t *testing.T) {
	run := func(t *testing.T, answer func(xid, prog, proc uint32) []byte) error {
		s := bare(fakeServer(t, answer))
		s.names = []nameFile{{name: "x", fh: []byte("handle")}}
		_, err := s.Run(
			context.Background(),
			Job{Workload: Workload{Kind: "getattr"}, Conns: 2, Depth: 3, Threads: 2, Time: time.Minute},
		)
		return err
	}
	t.Run("a status", func(t *testing.T) {
		err := run(t, func(xid, _, _ uint32) []byte { return rpctest.Record(header(xid).U32(70)) })
		var status *StatusError
		require.ErrorAs(t, err, &status)
		require.Equal(t, "GETATTR: NFS3ERR_STALE", status.Error())
	})
	t.Run("the connection's end", func(t *testing.T) {
		require.ErrorContains(
			t,
			run(t, func(uint32, uint32, uint32) []byte { return nil }),
			"closed the connection",
		)
	})
	t.Run("a stranger's reply", func(t *testing.T) {
		require.ErrorContains(
			t,
			run(t, func(xid, _, _ uint32) []byte { return rpctest.Record(header(xid + 7).U32(0)) }),
			"not under way",
		)
	})
	t.Run("a denial", func(t *testing.T) {
		err := run(
			t,
			func(xid, _, _ uint32) []byte { return rpctest.Record(rpctest.Args(nil).U32(xid, 1, 1, 1, 5, 0)) },
		)
		require.ErrorContains(t, err, "auth_stat 5")
	})
	t.Run("a refusal", func(t *testing.T) {
		err := run(
			t,
			func(xid, _, _ uint32) []byte { return rpctest.Record(rpctest.Args(nil).U32(xid, 1, 0, 0, 0, 3)) },
		)
		require.ErrorContains(t, err, "accept_stat 3")
	})
}

func TestWithARateAStopOfTheServerIsPaidByAllCallsThatWereDue(t *testing.T) {
	const pause = 200 * time.Millisecond
	n := 0 // of one connection, and so of one goroutine
	target := fakeServer(t, func(xid, _, _ uint32) []byte {
		if n++; n == 20 {
			time.Sleep(pause)
		}
		return rpctest.Record(header(xid))
	})
	res, err := bare(target).Run(context.Background(), Job{
		Workload: Workload{
			Kind: "null",
		}, Conns: 1, Depth: 1, Rate: 1000, Time: 500 * time.Millisecond, Warmup: time.Millisecond,
	})
	require.NoError(t, err)
	// Two hundred of five hundred calls were due meanwhile, and waited half of that time on
	// average.
	require.GreaterOrEqual(t, res.Latency.Max, 0.9*float64(pause.Microseconds()))
	require.GreaterOrEqual(t, res.Latency.P90, 0.3*float64(pause.Microseconds()))
}

func TestARunEndsWithItsContext(t *testing.T) {
	target := fakeServer(t, func(xid, _, _ uint32) []byte { return rpctest.Record(header(xid)) })
	ctx, cancel := context.WithCancel(context.Background())
	_, err := bare(target).Run(ctx, Job{
		Workload: Workload{
			Kind: "null",
		}, Conns: 2, Depth: 2, Time: time.Hour, Progress: func(Progress) { cancel() },
	})
	require.ErrorIs(t, err, context.Canceled)
}
