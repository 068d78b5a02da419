package transport

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
)

// works asserts that the server answers another client.
func (ts *testServer) works() {
	ts.t.Helper()
	c := ts.dial()
	data := bytes.Repeat([]byte("ok"), 3000)
	_, err := c.Write(message(77, procEcho, opaque(data)))
	require.NoError(ts.t, err)
	_, res := reply(ts.t, c)
	require.Equal(ts.t, opaque(data), res)
	require.NoError(ts.t, c.Close())
}

// closedByServer asserts that the peer ends the connection without a byte.
func closedByServer(t *testing.T, c net.Conn) {
	t.Helper()
	n, err := c.Read(make([]byte, 1))
	require.Zero(t, n, "the server answered")
	require.Error(t, err)
	var timeout net.Error
	if e, ok := err.(net.Error); ok {
		timeout = e
	}
	require.False(t, timeout != nil && timeout.Timeout(), "the connection stays open")
}

func mark(last bool, n uint32) []byte {
	if last {
		n |= 1 << 31
	}
	return binary.BigEndian.AppendUint32(nil, n)
}

func TestNonsenseClosesTheConnectionAndNoOther(t *testing.T) {
	ts := startTest(t, nil)
	answer := message(1, procNull, nil)
	binary.BigEndian.PutUint32(answer[8:], 1) // msg_type REPLY
	for name, in := range map[string][]byte{
		"record of 2^31-1 bytes":            mark(true, 1<<31-1),
		"record larger than the limit":      mark(true, 1<<20+1<<14),
		"fragments that add up to too much": append(append(mark(false, 1<<20), make([]byte, 1<<20)...), mark(true, 1<<20)...),
		"thousands of empty fragments":      bytes.Repeat(mark(false, 0), 8000),
		"empty record":                      mark(true, 0),
		"header cut short":                  append(mark(true, 16), message(1, procNull, nil)[4:20]...),
		"a reply":                           answer,
	} {
		t.Run(name, func(t *testing.T) {
			other := ts.dial()
			c := ts.dial()
			_, _ = c.Write(in) // the server may close before all is written
			closedByServer(t, c)
			_, err := other.Write(message(5, procNull, nil))
			require.NoError(t, err)
			reply(t, other)
		})
	}
}

func TestFragmentedRecordIsOneCall(t *testing.T) {
	ts := startTest(t, nil)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	data := make([]byte, 300_000)
	for i := range data {
		data[i] = byte(rnd.Uint32())
	}
	body := message(9, procSleep, opaque(data))[4:]
	var out []byte
	for len(body) > 0 {
		n := min(len(body), 1+rnd.IntN(5000))
		out = append(append(out, mark(n == len(body), uint32(n))...), body[:n]...)
		body = body[n:]
	}
	c := ts.dial()
	go func() {
		for len(out) > 0 {
			n := min(len(out), 1+rnd.IntN(3000))
			if _, err := c.Write(out[:n]); err != nil {
				return
			}
			out = out[n:]
		}
	}()
	_, res := reply(t, c)
	require.Equal(t, opaque(data), res)
}

// A record may have as many fragments as bytes (RFC 5531, section 11).
func TestARecordInVeryManyFragmentsIsOneCall(t *testing.T) {
	for name, without := range map[string]uring.Feature{"incremental": 0, "plain": uring.IncBufRing} {
		for _, size := range []int{1, 7, 100, 1000, 1400, 4000} {
			t.Run(fmt.Sprintf("%s/%d bytes each", name, size), func(t *testing.T) {
				ts := startTest(t, func(c *Config) { c.Without = without })
				data := bytes.Repeat([]byte("fragment"), min(1<<20, 100_000*size)/8)
				body := message(9, procSleep, opaque(data))[markLen:]
				out := make([]byte, 0, len(body)+len(body)/size*markLen+2*markLen)
				for len(body) > 0 {
					n := min(len(body), size)
					out = append(append(out, mark(n == len(body), uint32(n))...), body[:n]...)
					body = body[n:]
				}
				c := ts.dial()
				go func() { _, _ = c.Write(out) }()
				_, res := reply(t, c)
				require.True(t, bytes.Equal(opaque(data), res))
			})
		}
	}
}

// Peers that stop in the middle of a record would take all receive buffers, since each waits for
// bytes that never come.
func TestSlowRecordsDoNotStarveOthers(t *testing.T) {
	for name, without := range map[string]uring.Feature{
		"incremental": 0, "plain": uring.IncBufRing, "plain, without bundles": uring.IncBufRing | uring.Bundle,
	} {
		t.Run(name, func(t *testing.T) {
			ts := startTest(t, func(c *Config) {
				c.ReceiveBytes, c.SendBytes, c.Without = 2<<20, 32<<20, without
			})
			var peers []net.Conn
			whole := message(3, procEcho, opaque(bytes.Repeat([]byte{3}, 900_000)))
			small := message(4, procEcho, opaque(bytes.Repeat([]byte{4}, 2000)))
			for i := range 60 {
				c := ts.dial()
				peers = append(peers, c)
				if i%2 == 0 {
					_, _ = c.Write(whole[:700_000]) // connections without memory are dropped
				} else {
					_, err := c.Write(small[:1+i])
					require.NoError(t, err)
				}
			}
			ts.works()
			for i, c := range peers {
				if i%2 == 1 {
					_, err := c.Write(small[1+i:])
					require.NoError(t, err)
					_, res := reply(t, c)
					require.Equal(t, small[44:], res, "a record that arrived in two parts was damaged")
				}
			}
			ts.works()
		})
	}
}

// Calls in progress give their memory back. So peers that send large records at the same time wait
// for memory, and do not count as peers that stop in the middle.
func TestPeersThatSendMoreThanThereIsMemoryForAreServedInTheEnd(t *testing.T) {
	ts := startTest(t, func(c *Config) { c.ReceiveBytes, c.SendBytes, c.Workers = 8<<20, 24<<20, 2 })
	const calls, size = 12, 1 << 20
	var all sync.WaitGroup
	failed := make(chan error, 8)
	for peer := range 4 {
		c := ts.dial()
		msg := message(uint32(peer), procSleep, opaque(bytes.Repeat([]byte{byte(peer + 1)}, size)))
		all.Go(func() {
			for range calls {
				if _, err := c.Write(msg); err != nil {
					failed <- err
					return
				}
			}
		})
		all.Go(func() {
			got := make([]byte, markLen+24+4+size)
			for range calls {
				if _, err := io.ReadFull(c, got); err != nil {
					failed <- err
					return
				}
				if !bytes.Equal(got[markLen+24:], msg[markLen+40:]) {
					failed <- errors.New("not what was sent")
					return
				}
			}
		})
	}
	all.Wait()
	close(failed)
	for err := range failed {
		require.NoError(t, err)
	}
}

func TestPeerThatSendsByteByByteIsServed(t *testing.T) {
	ts := startTest(t, func(c *Config) { c.Without = uring.IncBufRing })
	c := ts.dial()
	msg, sent := message(8, procEcho, opaque([]byte("drop by drop"))), 0
	for _, b := range msg {
		_, err := c.Write([]byte{b})
		require.NoError(t, err)
		sent++
		until(t, func() bool { // each byte must be received separately
			return sent == len(msg) || ts.onLane(func(l *lane) (n int) {
				for cn := l.conns; cn != nil; cn = cn.nxt {
					n += cn.records.Size() // without the mark
				}
				return n
			}) >= sent-markLen
		}, "a byte is received")
	}
	_, res := reply(t, c)
	require.Equal(t, opaque([]byte("drop by drop")), res)
}

// A peer that asks for gigabytes and reads nothing may pin its share and no more.
func TestPeerThatNeverReadsHarmsNobody(t *testing.T) {
	ts := startTest(t, func(c *Config) { c.SendBytes = 48 << 20 })
	ask := binary.BigEndian.AppendUint32(nil, 1<<20)
	for range 8 {
		c := ts.dial()
		var out []byte
		for i := range uint32(2000) {
			out = append(out, message(i, procFill, ask)...)
		}
		require.NoError(t, c.SetWriteDeadline(time.Now().Add(time.Second)))
		_, _ = c.Write(out)
	}
	for range 20 {
		ts.works()
	}
	// Peers that wait for large replies get them, too, once the deadline has passed.
	c := ts.dial()
	_, err := c.Write(message(200, procFill, ask))
	require.NoError(t, err)
	_, res := reply(t, c)
	require.Equal(t, bytes.Repeat([]byte{200}, 1<<20), res[4:])
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	require.Less(t, m.HeapAlloc, uint64(200<<20), "output was queued on the heap")
}

// Each reply is filled with its XID, which is unique in the test, so a byte of a dead connection's
// reply would show.
func TestRepliesOfADeadConnectionReachNoOther(t *testing.T) {
	ts := startTest(t, func(c *Config) { c.Lanes = 2 })
	ask := binary.BigEndian.AppendUint32(nil, 300_000)
	for round := range 12 {
		dead := ts.dial()
		var out []byte
		for i := range uint32(16) {
			out = append(out, message(i, procFill, ask)...)
		}
		_, err := dead.Write(out)
		require.NoError(t, err)
		if round%3 == 0 {
			_, _ = io.ReadFull(dead, make([]byte, 100_000))
		}
		require.NoError(t, dead.(*net.TCPConn).SetLinger(0))
		require.NoError(t, dead.Close()) // a reset
		var wg sync.WaitGroup
		for i := range 4 {
			c := ts.dial()
			wg.Add(1)
			go func() {
				defer wg.Done()
				xid := uint32(100 + round + i)
				if _, err := c.Write(message(xid, procFill, ask)); err != nil {
					t.Errorf("new connection: %v", err)
					return
				}
				got, res := reply(t, c)
				if got != xid || !bytes.Equal(res[4:], bytes.Repeat([]byte{byte(xid)}, 300_000)) {
					t.Errorf("connection opened after a reset got bytes that are not its own")
				}
				_ = c.Close()
			}()
		}
		wg.Wait()
	}
}

// idleConnections is how many connections the next test has.
const idleConnections = 10_000

// TestMain lets the test binary also be the process that holds idle connections; in one process
// with the server they would need twice the descriptors. The binary also is the server of a test in
// nfs/interop.
func TestMain(m *testing.M) {
	if dir := os.Getenv("RINGNFS_TEST_SERVE"); dir != "" {
		if err := serveForInterop(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if addr := os.Getenv("RINGNFS_TEST_HOLD"); addr != "" {
		if err := holdConnections(addr, idleConnections); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// holdConnections opens n connections, says so, and keeps them until its input
// ends.
func holdConnections(addr string, n int) error {
	sa, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return err
	}
	to := &unix.SockaddrInet4{Port: sa.Port, Addr: [4]byte{127, 0, 0, 1}}
	for i := range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Connect(fd, to)
		}
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
	}
	fmt.Println("connected")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func TestTenThousandIdleConnectionsCostLittle(t *testing.T) {
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	if want := uint64(idleConnections + 1000); limit.Max < want {
		t.Skipf("needs %d open files, allowed are %d", want, limit.Max)
	}
	ts := startTest(t, nil)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), "RINGNFS_TEST_HOLD="+ts.addr)
	in, err := holder.StdinPipe()
	require.NoError(t, err)
	out, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	t.Cleanup(func() {
		_ = in.Close()
		require.NoError(t, holder.Wait())
	})
	said, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "connected\n", said)
	until(t, func() bool { return ts.srv.Connections() == idleConnections }, "all are connected")
	runtime.GC()
	runtime.ReadMemStats(&after)
	perConn := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / idleConnections
	t.Logf("%d bytes of heap a connection", perConn)
	require.Less(t, perConn, int64(4096))
	for range 10 {
		ts.works()
	}
}

func TestPeerThatClosesItsSideStillGetsItsReplies(t *testing.T) {
	ts := startTest(t, nil)
	c := ts.dial()
	for i := range uint32(50) {
		_, err := c.Write(message(i, procSleep, opaque(make([]byte, 5000))))
		require.NoError(t, err)
	}
	require.NoError(t, c.(*net.TCPConn).CloseWrite())
	for range 50 {
		reply(t, c)
	}
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

func TestDrainAnswersWhatHasBeenReceived(t *testing.T) {
	hold := make(chan struct{})
	ts := startHeld(t, hold, nil)
	c := ts.dial()
	for i := range uint32(3) {
		_, err := c.Write(message(i, procSleep, opaque([]byte("late"))))
		require.NoError(t, err)
	}
	until(t, func() bool { return ts.running.Load() == 3 }, "all wait")
	done := make(chan error)
	go func() { done <- ts.srv.Drain(t.Context()) }()
	until(t, func() bool {
		return ts.onLane(func(l *lane) (draining int) {
			for cn := l.conns; cn != nil; cn = cn.nxt {
				if cn.life == lifeDraining {
					draining++
				}
			}
			return draining
		}) == 1
	}, "the server drains")
	close(hold)
	for range 3 {
		reply(t, c)
	}
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "the end is a reset")
	require.NoError(t, c.Close())
	require.NoError(t, <-done)
}

func TestEveryOptionalFeatureCanBeMissing(t *testing.T) {
	for f := uring.Feature(1); f <= uring.AllFeatures; f <<= 1 {
		if f == uring.RecvMultishot {
			continue // not optional
		}
		t.Run(f.String(), func(t *testing.T) {
			ts := startTest(t, func(c *Config) { c.Without = f })
			for range 3 {
				ts.works()
			}
		})
	}
	t.Run("all", func(t *testing.T) {
		startTest(t, func(c *Config) { c.Without = uring.AllFeatures &^ uring.RecvMultishot }).works()
	})
}
