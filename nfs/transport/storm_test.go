package transport

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/uringtest"
)

// stormy answers in every way that the kernel may.
func (w *world) stormy(op *uringtest.Op, p *peer, now bool) bool {
	r := w.rng
	if now && r.IntN(2) == 0 || r.IntN(5) == 0 {
		return false
	}
	if op.Code == "RECV" {
		return w.stormyReceive(op, p)
	}
	all := len(p.sending[op.UserData])
	switch {
	case p.killed || p.reset:
		if r.IntN(3) > 0 {
			return false // late
		}
		if r.IntN(2) == 0 {
			w.take(op, p, r.IntN(all+1))
			return true
		}
		op.Fail([]unix.Errno{unix.EPIPE, unix.ECONNRESET, unix.ETIMEDOUT}[r.IntN(3)])
	case r.IntN(8) == 0:
		op.Fail([]unix.Errno{unix.EINTR, unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM}[r.IntN(4)])
	case r.IntN(4) == 0:
		w.take(op, p, 1+r.IntN(all))
	case r.IntN(10) == 0:
		w.take(op, p, 1)
	default:
		w.take(op, p, all)
	}
	return true
}

func (w *world) stormyReceive(op *uringtest.Op, p *peer) bool {
	r := w.rng
	switch {
	case p.killed && r.IntN(3) > 0:
		return false // late
	case p.reset || p.killed && r.IntN(2) == 0:
		op.Fail([]unix.Errno{unix.ECONNRESET, unix.EPIPE, unix.ETIMEDOUT}[r.IntN(3)])
	case len(p.in) > 0 && r.IntN(12) == 0:
		op.Fail([]unix.Errno{unix.EINTR, unix.EAGAIN, unix.ECANCELED, unix.ENOBUFS}[r.IntN(4)])
	case len(p.in) > 0:
		n := 1 + r.IntN([]int{3, 100, 3000, 300_000}[r.IntN(4)])
		p.deliver(op, n)
	case p.half || p.killed || p.done:
		op.Complete(0)
	default:
		return false
	}
	return true
}

// calls gives the peer n random calls.
func (p *peer) calls(rng *rand.Rand, n int, procs ...uint32) {
	for xid := range uint32(n) {
		xid += uint32(p.fd) << 16
		size := 1 + rng.IntN([]int{1, 100, 5000, 200_000}[rng.IntN(4)])
		data := bytes.Repeat([]byte{byte(xid), byte(size), byte(rng.Uint32())}, size/3+1)[:size]
		switch proc := procs[rng.IntN(len(procs))]; proc {
		case procNull:
			p.call(rng, xid, proc, nil, nil)
		case procTail:
			how := []uint32{tailLane, tailWorker, tailMemory}[rng.IntN(3)]
			p.call(rng, xid, proc, tailArgs(size, how), opaque(tailBytes(xid, size)))
		case procFill:
			args := binary.BigEndian.AppendUint32(nil, uint32(size))
			p.call(rng, xid, proc, args, opaque(bytes.Repeat([]byte{byte(xid)}, size)))
		default:
			p.call(rng, xid, proc, opaque(data), opaque(data))
		}
	}
}

// stormRun is one seed: a server with random settings, some peers, and everything that may go
// wrong. The calls must all be answered, once and rightly, unless the connection has ended.
func stormRun(t *testing.T, seed uint64, path ReadPath, resets, drains bool, more ...func(*Config)) *world {
	rng := rand.New(rand.NewPCG(seed, 3))
	opt := uringtest.Options{Entries: 2 << rng.IntN(6), CQEntries: 4 << rng.IntN(6)}
	if rng.IntN(4) > 0 {
		opt.Faults = uringtest.Storm()
		if rng.IntN(3) > 0 {
			opt.Faults.SpuriousWake = 0 // it would hide a turn that is missing
		}
	}
	without := []uring.Feature{0, uring.IncBufRing, uring.Bundle, uring.IncBufRing | uring.Bundle}[rng.IntN(4)]
	if opt.Faults != nil && without != uring.IncBufRing|uring.Bundle {
		// The kernel posts the completions of receives that share a buffer, or
		// follow each other in a bundle, in the order of the bytes.
		opt.Faults.Delay = 0
	}
	w := newWorld(t, seed, opt, func(c *Config, s *Server) {
		c.Without = without
		c.ReceiveBytes = 64 << 10 << rng.IntN(5)
		c.CallsMax = 1 << rng.IntN(8)
		c.OutputMax = 1000 << rng.IntN(12)
		c.ReadPath = path
		c.SpliceFrom, c.ZeroCopyFrom = 1+rng.IntN(100_000), 1+rng.IntN(100_000)
		c.PinnedMax = 64 << 10 << rng.IntN(8)
		for _, change := range more {
			change(c)
		}
	})
	w.act, w.faulty = (*world).stormy, true
	owed := newOwed(w)
	procs := []uint32{procNull, procNull, procEcho, procEcho, procSleep, procFill}
	if path != PathCopy {
		procs = append(procs, procTail, procTail, procTail)
	}
	w.spliced = path.Splices()
	for range 1 + rng.IntN(8) {
		p := w.peer()
		require.NoError(t, unix.SetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_SNDBUF,
			4096<<rng.IntN(7)))
		p.calls(rng, rng.IntN(30), procs...)
		p.done = rng.IntN(3) == 0
	}
	// One in so many answers ends a connection, or begins the drain.
	stormy := w.act
	w.act = func(w *world, op *uringtest.Op, p *peer, now bool) bool {
		notified := owed.some()
		if resets && w.rng.IntN(60) == 0 {
			w.reset(p)
		}
		if path == PathAuto {
			w.remote()
		}
		if drains && w.rng.IntN(80) == 0 {
			w.stop()
		}
		return stormy(w, op, p, now) || notified
	}
	w.until()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if drains && rng.IntN(2) == 0 {
		cancel() // an abort
	}
	w.end(ctx)
	for i, p := range w.peers {
		if !resets && !drains && len(p.want) > 0 {
			// A record in the middle of which the receive memory runs short may find no
			// slab.
			if w.noMemory--; w.noMemory < 0 {
				t.Errorf("peer %d: %d calls without a reply, seed %d", i, len(p.want), seed)
			}
		}
	}
	return w
}

func storms(t *testing.T, n int, path ReadPath, resets, drains bool, more ...func(*Config)) (careful int) {
	// A soak runs all of them.
	switch {
	case os.Getenv("RINGNFS_MATRIX") == "full":
	case again.Now():
		n /= 20
	case testing.Short():
		n /= 12
	default:
		n /= 8
	}
	base := rand.Uint64()
	t.Logf("%d seeds from %d", n, base)
	for i := range uint64(n) {
		seed := base + i
		if !t.Run(
			fmt.Sprint(seed),
			func(t *testing.T) { careful += stormRun(t, seed, path, resets, drains, more...).careful },
		) {
			break
		}
	}
	return careful
}

func TestStormEveryCallIsAnsweredOnce(t *testing.T)       { storms(t, 120, PathCopy, false, false) }
func TestStormWithPeersThatVanish(t *testing.T)           { storms(t, 80, PathCopy, true, false) }
func TestStormEndedByDrainOrAbortAtAnyPoint(t *testing.T) { storms(t, 80, PathCopy, false, true) }
func TestStormEndedByDrainOrAbortWithVanishingPeers(t *testing.T) {
	storms(t, 60, PathCopy, true, true)
}

// Receive memory is short all the time: one buffer, or a few that are shared.
func TestStormWithHardlyAnyReceiveMemory(t *testing.T) {
	for _, bytes := range []int{64 << 10, 1 << 20} {
		short := func(c *Config) { c.ReceiveBytes, c.CallsMax, c.OutputMax = bytes, CallsDefault, 4<<20 }
		careful := storms(t, 40, PathCopy, false, false, short) + storms(t, 40, PathCopy, true, true, short)
		require.True(t, bytes > 64<<10 || t.Failed() || careful > 0, "memory was never short")
	}
}

func TestWorldWithoutFaultsAnswersEverything(t *testing.T) {
	w := newWorld(t, 1, uringtest.Options{Entries: 512, CQEntries: 1024}, nil)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 3 {
		w.peer().calls(rng, 20, procNull, procEcho, procSleep, procFill)
	}
	w.until()
	w.end(context.Background())
	for _, p := range w.peers {
		require.Empty(t, p.want)
	}
	require.NotZero(t, w.checked.Load())
}
