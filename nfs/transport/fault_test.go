package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/uringtest"
)

// answered asserts that the peers have all their replies, and ends w.
func (w *world) answered() {
	w.t.Helper()
	w.end(context.Background())
	for i, p := range w.peers {
		require.Empty(w.t, p.want, "peer %d", i)
	}
}

func ask(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

// A call that hangs keeps the only buffer. A connection with something to read is heard
// nevertheless, behind others that have nothing. There is no tick.
func TestWhoFindsNoBufferDoesNotWaitBehindIdleOnes(t *testing.T) {
	w := newWorld(t, 1, uringtest.Options{}, func(c *Config, _ *Server) {
		c.ReceiveBytes, c.Without = 64<<10, uring.IncBufRing|uring.Bundle // one buffer
	})
	w.ts.hold = make(chan struct{})
	release := sync.OnceFunc(func() { close(w.ts.hold) })
	t.Cleanup(release)
	w.release = release
	for i := range 40 {
		if p := w.peer(); i > 0 {
			p.when = func() bool { return w.group.Free() == 0 }
		}
	}
	first, last := w.peers[0], w.peers[39]
	long := opaque(make([]byte, 2*shortMax))
	first.call(w.rng, 1, procSleep, long, long) // keeps the buffer
	for xid := range uint32(10) {
		last.call(w.rng, 10+xid, procEcho, opaque([]byte("heard")), opaque([]byte("heard")))
	}
	w.still = func() bool {
		if len(last.want) == 0 {
			release()
		}
		return false
	}
	w.until()
	w.answered()
	require.Positive(t, w.careful)
}

// The kernel says ENOBUFS before it looks whether there is data, so receives that are armed again
// need not take the buffers that came back. There is no tick.
func TestStarvedReceivesDoNotWaitBehindIdleOnes(t *testing.T) {
	w := newWorld(t, 1, uringtest.Options{}, nil)
	for range 40 {
		w.peer()
	}
	last := w.peers[39]
	last.calls(w.rng, 10, procEcho, procNull)
	last.when = func() bool { return w.peers[38].dealt }
	starved := make(map[*peer]int)
	w.act = func(w *world, op *uringtest.Op, p *peer, now bool) bool {
		if op.Code == "RECV" && now && starved[p] < 5 {
			starved[p]++
			op.Fail(unix.ENOBUFS)
			return true
		}
		return w.kind(op, p, now)
	}
	w.until()
	w.answered()
	require.Len(t, starved, 40)
}

func TestShortAndFailedSendsLoseAndDoubleNothing(t *testing.T) {
	for name, take := range map[string]func(w *world, op *uringtest.Op, p *peer, all int){
		"one byte at a time": func(w *world, op *uringtest.Op, p *peer, all int) { w.take(op, p, 1) },
		"all but one byte":   func(w *world, op *uringtest.Op, p *peer, all int) { w.take(op, p, max(1, all-1)) },
		"nothing at first":   func(w *world, op *uringtest.Op, p *peer, all int) { w.take(op, p, w.rng.IntN(all+1)) },
		"errors that pass": func(w *world, op *uringtest.Op, p *peer, all int) {
			if w.rng.IntN(3) == 0 {
				w.take(op, p, all)
				return
			}
			op.Fail([]unix.Errno{unix.EINTR, unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM}[w.rng.IntN(4)])
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, rand.Uint64(), uringtest.Options{}, nil)
			t.Logf("seed %d", w.seed)
			p := w.peer()
			for i := range 4 {
				// Replies of more than copyMax leave from where they are, in
				// vectors of several pieces.
				const n = copyMax + 100
				p.call(
					w.rng,
					uint32(i),
					[]uint32{procFill, procSleep}[i%2],
					[][]byte{ask(n), opaque(make([]byte, n))}[i%2],
					opaque(bytes.Repeat([]byte{byte(i) * byte((i+1)%2)}, n)),
				)
			}
			vectors := 0
			w.act = func(w *world, op *uringtest.Op, p *peer, now bool) bool {
				if now || op.Code == "RECV" {
					return w.kind(op, p, now)
				}
				if op.Code == "SENDMSG" {
					vectors++
				}
				take(w, op, p, len(p.sending[op.UserData]))
				return true
			}
			w.until()
			w.answered()
			require.NotZero(t, vectors)
		})
	}
}

func TestPeerWhoseSendsNeverMoveIsDroppedAtTheDeadline(t *testing.T) {
	w := newWorld(t, 1, uringtest.Options{}, nil)
	w.peer().call(w.rng, 1, procNull, nil, nil)
	failures := 0
	w.act = func(w *world, op *uringtest.Op, p *peer, now bool) bool {
		if op.Code == "SEND" && !now && !p.killed {
			switch failures++; {
			case failures == 20:
				w.tick(w.conn(p).progress.Add(SendTimeoutDefault))
			case failures == 30:
				w.tick(w.conn(p).progress.Add(SendTimeoutDefault + 1))
			case failures > 40:
				w.fail("it is not dropped")
			}
			op.Fail(unix.ENOBUFS)
			return true
		}
		if op.Code == "SEND" && !now {
			op.Fail(unix.EPIPE)
			return true
		}
		return w.kind(op, p, now)
	}
	w.until()
	w.end(context.Background())
	require.True(t, w.peers[0].killed)
	require.GreaterOrEqual(t, failures, 30, "it was dropped before the deadline")
	require.Len(t, w.peers[0].want, 1)
}

func TestSendWithoutMemoryIsPutOffBeforeItIsTriedAgain(t *testing.T) {
	for _, errno := range []unix.Errno{unix.ENOBUFS, unix.ENOMEM, unix.EAGAIN} {
		t.Run(errno.Error(), func(t *testing.T) {
			w := newWorld(t, 1, uringtest.Options{}, nil)
			p := w.peer()
			p.call(w.rng, 1, procNull, nil, nil)
			failures := 0
			w.act = func(w *world, op *uringtest.Op, p *peer, now bool) bool {
				if now && op.Code == "SEND" {
					if w.rests != failures {
						w.fail("%d sends have failed, with %d rests", failures, w.rests)
					}
				}
				if now || op.Code != "SEND" || failures == 50 {
					return w.kind(op, p, now)
				}
				failures++
				delete(p.sending, op.UserData)
				op.Fail(errno)
				return true
			}
			w.until()
			w.answered()
			require.Equal(t, 50, failures)
			require.Equal(t, 50, w.rests)
		})
	}
}

// The receive fails while a send is in flight; the send ends long after.
func TestSocketOfADeadConnectionIsClosedAfterItsLastOperation(t *testing.T) {
	w := newWorld(t, 1, uringtest.Options{}, nil)
	p := w.peer()
	p.call(w.rng, 1, procFill, ask(300_000), opaque(bytes.Repeat([]byte{1}, 300_000)))
	other := w.peer()
	other.calls(w.rng, 20, procFill, procEcho, procSleep)
	looks := 0
	w.act = func(w *world, op *uringtest.Op, q *peer, now bool) bool {
		if q != p || now {
			return w.kind(op, q, now)
		}
		switch {
		case op.Code == "RECV" && len(p.sending) > 0:
			op.Fail(unix.ECONNRESET)
		case op.Code == "RECV":
			return w.kind(op, q, now)
		case p.killed:
			if looks++; looks < 50 || !other.satisfied() {
				if p.inode != inode(p.fd) {
					w.fail("closed while a send was in flight")
				}
				return looks < 50 && w.wakeUp(0)
			}
			w.take(op, p, 1000) // its memory is what it was
		default:
			return false
		}
		return true
	}
	w.until()
	w.end(context.Background())
	require.Empty(t, other.want)
}

func TestAcceptErrorsDoNotEndAccepting(t *testing.T) {
	for _, errno := range []unix.Errno{
		unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.ENOBUFS, unix.ECONNABORTED, unix.EPERM, unix.EPROTO,
		unix.EINTR, unix.EAGAIN, unix.ENETDOWN, unix.EINVAL,
	} {
		t.Run(errno.Error(), func(t *testing.T) {
			w := newWorld(t, 1, uringtest.Options{}, nil)
			switch errno {
			case unix.ECONNABORTED, unix.EPERM, unix.EPROTO, unix.EINTR, unix.EAGAIN:
				// The next connection may be fine, so the lane waits for it at
				// once.
			default:
				ticks := 0
				w.still = func() bool {
					again := w.served && !w.peers[0].dealt && w.ring.Find("ACCEPT") == nil && ticks < 3
					if again {
						ticks++
						w.tick(time.Now())
					}
					return again
				}
			}
			w.peer().calls(w.rng, 3, procEcho)
			w.acceptErrors = []unix.Errno{errno, errno, errno}
			w.until()
			w.answered()
			require.Empty(t, w.acceptErrors)
		})
	}
}

// A lasting error must not keep the lane busy. There is no tick here, so there is one attempt.
func TestLastingAcceptErrorIsNotRetriedInALoop(t *testing.T) {
	w := newWorld(t, 1, uringtest.Options{}, nil)
	for range 1000 {
		w.acceptErrors = append(w.acceptErrors, unix.EINVAL)
	}
	looks := 0
	w.quiet = func() {
		if looks++; looks == 100 { // enough looks for further attempts, if there were any
			w.stop()
		}
	}
	w.until()
	w.end(context.Background())
	require.GreaterOrEqual(t, len(w.acceptErrors), 998)
}

func TestCancellationThatComesAtTheWrongMomentIsRepeated(t *testing.T) {
	w := newWorld(t, 1, uringtest.Options{Faults: &uringtest.Faults{Already: 1}}, func(c *Config, _ *Server) {
		c.OutputMax = 1
	})
	p := w.peer()
	for i := range 30 {
		p.call(w.rng, uint32(i), procNull, nil, nil)
	}
	blocked, cancels := 0, 0
	w.lasting = true // an operation that is to be cancelled goes on
	w.act = func(w *world, op *uringtest.Op, p *peer, now bool) bool {
		if op.Code != "RECV" && blocked < 10 {
			return false // the connection stays blocked
		}
		if op.Code == "RECV" && !now && len(p.in) > 0 {
			if len(p.sending) > 0 {
				if blocked++; blocked == 10 {
					cancels = w.cancels
				}
			}
			w.lasting = blocked < 10
			p.deliver(op, 44)
			return true
		}
		return w.kind(op, p, now)
	}
	w.until()
	w.answered()
	require.Greater(t, cancels, 3)
}

// The kernel names a buffer that it does not have: the memory cannot be trusted.
func TestLaneThatFailsEndsTheServerAndItsConnections(t *testing.T) {
	w := newWorld(t, 1, uringtest.Options{}, nil)
	w.failed = true
	for range 3 {
		w.peer()
	}
	w.peers[2].calls(w.rng, 3, procEcho)
	w.act = func(w *world, op *uringtest.Op, p *peer, now bool) bool {
		if op.Code != "RECV" || now || p != w.peers[2] {
			return false
		}
		op.MoreFlags(100, 1|9999<<16) // IORING_CQE_F_BUFFER
		return true
	}
	w.start()
	require.ErrorContains(t, w.ts.srv.Wait(), "buffer 9999")
	for _, p := range w.peers {
		w.look(p)
		require.True(t, p.killed)
	}
	require.Zero(t, w.ts.srv.Connections())
	require.Error(t, w.ts.srv.Close(), "the reason is told again")
}

func TestEndMayBeAskedForTogetherAndAgain(t *testing.T) {
	for range 10 {
		ts := startTest(t, func(c *Config) { c.Lanes = 2 })
		c := ts.dial()
		_, err := c.Write(message(1, procNull, nil))
		require.NoError(t, err)
		reply(t, c)
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				end := []func() error{ts.srv.Close, ts.srv.Wait, func() error { return ts.srv.Drain(context.Background()) }}[i%3]
				if err := end(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

func TestStartAfterTheEndIsRefused(t *testing.T) {
	srv := startTest(t, nil).srv
	fresh, err := New(srv.cfg)
	require.NoError(t, err)
	require.NoError(t, fresh.Close())
	for _, s := range []*Server{srv, fresh} {
		fd, _ := listenTCP(t)
		was := inode(fd)
		require.ErrorIs(t, s.Start([]Listener{{FD: fd, Programs: rpc.NewServer()}}), ErrOver)
		require.NotEqual(t, was, inode(fd), "the listener was not closed")
	}
}

func TestEndDuringStartWaitsForIt(t *testing.T) {
	for range 10 {
		cfg := startTest(t, nil).srv.cfg
		s, err := New(cfg)
		require.NoError(t, err)
		fd, _ := listenTCP(t)
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		if err := s.Start([]Listener{{FD: fd, Programs: rpc.NewServer()}}); err != nil {
			require.ErrorIs(t, err, ErrOver)
		}
		wg.Wait()
		require.NoError(t, s.Wait())
	}
}

// When the kernel is short of memory for a socket, the socket may say that it has room and take
// nothing.
func TestSpliceIsPutOffWhereASocketWithRoomTakesNothing(t *testing.T) {
	w := newWorld(
		t,
		1,
		uringtest.Options{},
		func(c *Config, _ *Server) { c.ReadPath, c.SpliceFrom = PathSplice, 1 },
	)
	p := w.peer()
	require.NoError(t, unix.SetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 4096))
	const n = 300_000
	p.call(w.rng, 1, procTail, tailArgs(n, tailLane), opaque(tailBytes(1, n)))
	lies := 0
	w.deaf = true
	w.still = func() bool {
		op := w.ring.Find("POLL_ADD")
		if op == nil || w.spliced {
			return false
		}
		if w.rests != lies {
			w.fail("a splice has failed %d times where there was room, with %d rests", lies, w.rests)
		}
		if w.spliced = lies == 50; w.spliced {
			w.deaf = false
		} else {
			lies++
			op.Complete(unix.POLLOUT)
		}
		return true
	}
	w.until()
	w.answered()
	require.Equal(t, 50, lies)
}

// Replies that leave without a completion let the calls behind them go on in the same turn. The
// lane must see other peers' completions meanwhile.
func TestATurnEndsWhileAPeerStillHasCalls(t *testing.T) {
	const calls, n = 300, 4000
	w := newWorld(t, 1, uringtest.Options{}, func(c *Config, _ *Server) {
		c.ReadPath, c.SpliceFrom, c.OutputMax = PathSplice, 1, n
	})
	w.spliced = true
	p := w.peer()
	if err := unix.SetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 64<<20); err != nil {
		t.Skipf("needs a socket with much room, else turns end by themselves: %v", err)
	}
	for xid := range uint32(calls) {
		p.call(w.rng, xid, procTail, tailArgs(n, tailLane), opaque(tailBytes(xid, n)))
	}
	most, before := uint64(0), uint64(0)
	w.turned = func() {
		if p.dealt {
			now := w.ts.srv.lanes[0].stats.spliced.Load()
			most, before = max(most, now-before), now
		}
	}
	w.until()
	w.answered()
	require.EqualValues(t, calls, before)
	require.LessOrEqual(t, most, uint64(2*turnRounds))
}
