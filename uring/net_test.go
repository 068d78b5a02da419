package uring

import (
	"bytes"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

// group is a buffer ring with its memory: buffer i is at i*size.
type group struct {
	*BufRing
	mem  []byte
	size int
}

func newGroup(t *testing.T, r *Ring, id GroupID, n, size int, inc bool) *group {
	t.Helper()
	b, err := r.NewBufRing(id, n, inc)
	require.NoError(t, err)
	g := &group{b, memory(t, n*size), size}
	for i := range n {
		g.Add(g.buf(BufferID(i)), BufferID(i))
	}
	g.Advance()
	return g
}

func (g *group) buf(id BufferID) []byte { return g.mem[int(id)*g.size:][:g.size] }

func write(t *testing.T, fd int, s string) {
	t.Helper()
	n, err := unix.Write(fd, []byte(s))
	require.NoError(t, err)
	require.Equal(t, len(s), n)
}

func read(t *testing.T, fd int, n int) string {
	t.Helper()
	b := make([]byte, n)
	got, err := unix.Read(fd, b)
	require.NoError(t, err)
	return string(b[:got])
}

func TestSendAndReceive(t *testing.T) {
	inEveryMode(t, Config{}, func(t *testing.T, r *Ring) {
		a, b := tcpPair(t)
		m := memory(t, 64)
		copy(m, "question")
		require.Equal(t, int32(8), ok(t, r, func(s *SQE) { s.PrepSend(a, m[:8], unix.MSG_NOSIGNAL) }))
		require.Equal(t, int32(8), ok(t, r, func(s *SQE) { s.PrepRecv(b, m[32:], 0) }))
		require.Equal(t, "question", string(m[32:40]))

		iov, err := MapSlice[unix.Iovec](2)
		require.NoError(t, err)
		defer func() { require.NoError(t, UnmapSlice(iov)) }()
		iov[0] = unix.Iovec{Base: &m[0], Len: 5}
		iov[1] = unix.Iovec{Base: &m[7], Len: 1}
		msg := one[unix.Msghdr](t)
		msg.Iov, msg.Iovlen = &iov[0], 2
		require.Equal(t, int32(6), ok(t, r, func(s *SQE) { s.PrepSendMsg(a, msg, 0) }))
		iov[0] = unix.Iovec{Base: &m[32], Len: 2}
		iov[1] = unix.Iovec{Base: &m[40], Len: 10}
		require.Equal(t, int32(6), ok(t, r, func(s *SQE) { s.PrepRecvMsg(b, msg, 0) }))
		require.Equal(t, "qu", string(m[32:34]))
		require.Equal(t, "estn", string(m[40:44]))
		if r.Features().Has(SendVectorized) {
			require.Equal(t, int32(12), ok(t, r, func(s *SQE) { s.PrepSendVec(a, iov, 0) }))
			require.Equal(t, 12, len(read(t, b, 100)))
		}
		ok(t, r, func(s *SQE) { s.PrepShutdown(a, unix.SHUT_WR) })
		require.Zero(t, ok(t, r, func(s *SQE) { s.PrepRecv(b, m, 0) }))
	})
}

func TestMultishotReceiveUntilBuffersRunOutAndAgain(t *testing.T) {
	inEveryMode(t, Config{}, func(t *testing.T, r *Ring) {
		a, b := tcpPair(t)
		g := newGroup(t, r, 7, 2, 16, false)
		defer func() { require.NoError(t, g.Close()) }()
		arm := func(s *SQE) { s.PrepRecvMultishot(b, 7, false) }
		entry(t, r, 1, arm)
		write(t, a, "first")
		c := next(t, r)
		require.Equal(t, int32(5), c.Res)
		require.True(t, c.More())
		id, has := c.BufferID()
		require.True(t, has)
		require.Equal(t, BufferID(0), id)
		require.Equal(t, "first", string(g.buf(0)[:5]))

		write(t, a, "second and much longer")
		c = next(t, r)
		require.Equal(t, int32(16), c.Res)
		require.Equal(t, "second and much ", string(g.buf(1)))
		require.True(t, c.More())
		c = next(t, r)
		require.Equal(t, unix.ENOBUFS, c.Errno())
		require.False(t, c.More())
		_, has = c.BufferID()
		require.False(t, has)

		// Buffers back in another order, and the receive armed again: the
		// bytes that found no room are still there.
		g.Add(g.buf(1), 1)
		g.Add(g.buf(0), 0)
		g.Advance()
		entry(t, r, 2, arm)
		c = next(t, r)
		id, _ = c.BufferID()
		require.Equal(t, BufferID(1), id)
		require.Equal(t, "longer", string(g.buf(1)[:c.Res]))
		head, err := g.Head()
		require.NoError(t, err)
		require.Equal(t, uint16(3), head)

		require.NoError(t, unix.Shutdown(a, unix.SHUT_WR))
		c = next(t, r)
		require.Zero(t, c.Res)
		require.False(t, c.More())
	})
}

func TestBufferRingTailWraps(t *testing.T) {
	r := newRing(t, Config{})
	a, b := tcpPair(t)
	const n = 4
	g := newGroup(t, r, 1, n, 8, false)
	entry(t, r, 1, func(s *SQE) { s.PrepRecvMultishot(b, 1, false) })
	used := 0
	for used <= 1<<16 {
		// Many small buffers go by in one go: 32 bytes are four of them.
		write(t, a, "01234567012345670123456701234567")
		for left := 32; left > 0; used++ {
			c := next(t, r)
			require.Zero(t, c.Errno())
			require.True(t, c.More())
			left -= int(c.Res)
			id, _ := c.BufferID()
			require.Equal(t, BufferID(used%n), id)
			g.Add(g.buf(id), id)
			g.Advance()
		}
	}
	require.NoError(t, unix.Shutdown(a, unix.SHUT_WR))
	require.Zero(t, next(t, r).Res)
}

func TestBundleFillsSeveralBuffersWithOneCompletion(t *testing.T) {
	inEveryMode(t, Config{}, func(t *testing.T, r *Ring) {
		need(t, r, Bundle)
		a, b := tcpPair(t)
		g := newGroup(t, r, 2, 8, 4, false)
		entry(t, r, 1, func(s *SQE) { s.PrepRecvMultishot(b, 2, true) })
		_, err := r.Submit()
		require.NoError(t, err)
		const text = "0123456789abcdef0123"
		write(t, a, text)
		// The kernel decides how much one completion covers; the buffers are
		// used in order, each whole but the last.
		first, several := 0, false
		for got := 0; got < len(text); {
			c := next(t, r)
			require.True(t, c.More())
			id, has := c.BufferID()
			require.True(t, has)
			require.Equal(t, BufferID(first), id)
			require.Equal(t, text[got:got+int(c.Res)], string(g.mem[4*first:][:c.Res]))
			got += int(c.Res)
			first += (int(c.Res) + 3) / 4
			several = several || c.Res > 4
		}
		require.True(t, several)
		require.NoError(t, unix.Shutdown(a, unix.SHUT_WR))
		require.Zero(t, next(t, r).Res)
	})
}

func TestIncrementalBufferIsFilledPieceByPiece(t *testing.T) {
	inEveryMode(t, Config{}, func(t *testing.T, r *Ring) {
		need(t, r, IncBufRing)
		a, b := tcpPair(t)
		g := newGroup(t, r, 3, 2, 8, true)
		require.True(t, g.Incremental())
		entry(t, r, 1, func(s *SQE) { s.PrepRecvMultishot(b, 3, false) })
		for _, step := range []struct {
			text string
			id   BufferID
			more bool
		}{{"abc", 0, true}, {"defgh", 0, false}, {"ij", 1, true}} {
			write(t, a, step.text)
			c := next(t, r)
			require.Equal(t, int32(len(step.text)), c.Res)
			id, _ := c.BufferID()
			require.Equal(t, step.id, id)
			require.Equal(t, step.more, c.BufMore())
		}
		require.Equal(t, "abcdefghij", string(g.mem[:10]))
		require.NoError(t, unix.Shutdown(a, unix.SHUT_WR))
		require.Zero(t, next(t, r).Res)
	})
	r := newRing(t, Config{Without: IncBufRing})
	_, err := r.NewBufRing(0, 8, true)
	require.ErrorIs(t, err, ErrFeature)
}

func TestBufferRingIsRefused(t *testing.T) {
	r := newRing(t, Config{})
	_, err := r.NewBufRing(1, 3, false)
	require.ErrorIs(t, err, unix.EINVAL)
	g, err := r.NewBufRing(1, 4, false)
	require.NoError(t, err)
	_, err = r.NewBufRing(1, 4, false)
	require.ErrorIs(t, err, unix.EEXIST)
	require.NoError(t, g.Close())
	require.ErrorIs(t, g.Close(), ErrClosed)
	g, err = r.NewBufRing(1, 4, false)
	require.NoError(t, err)
	require.NoError(t, g.Close())
}

func TestZeroCopySendNotifiesAfterItsResult(t *testing.T) {
	inEveryMode(t, Config{}, func(t *testing.T, r *Ring) {
		need(t, r, SendZC|ZCReportUsage)
		a, b := tcpPair(t)
		m := memory(t, 4096)
		copy(m, "payload")
		require.NoError(t, r.RegisterBufferTable(4))
		require.NoError(t, r.UpdateBuffers(2, m))
		for _, prep := range []func(s *SQE){
			func(s *SQE) { s.PrepSendZC(a, m[:7], 0) },
			func(s *SQE) { s.PrepSendZCFixed(a, m[:7], 2, 0) },
		} {
			entry(t, r, 5, func(s *SQE) { prep(s); s.AddRecvSendFlags(ReportUsage) })
			c := next(t, r)
			require.Equal(t, int32(7), c.Res)
			require.True(t, c.More())
			require.False(t, c.Notif())
			require.Equal(t, "payload", read(t, b, 100))
			c = next(t, r)
			require.Equal(t, uint64(5), c.UserData)
			require.True(t, c.Notif())
			require.False(t, c.More())
			require.Zero(t, c.Errno())
			require.True(t, c.Copied(), "loopback copies")
		}
		msg, iov := one[unix.Msghdr](t), one[unix.Iovec](t)
		*iov = unix.Iovec{Base: &m[0], Len: 7}
		msg.Iov, msg.Iovlen = iov, 1
		entry(t, r, 6, func(s *SQE) { s.PrepSendMsgZC(a, msg, 0) })
		require.True(t, moreOf(next(t, r)))
		require.Equal(t, "payload", read(t, b, 100))
		c := next(t, r)
		require.True(t, c.Notif())
		require.False(t, c.Copied(), "was not asked for")
		nothing(t, r)
		require.NoError(t, r.UpdateBuffers(2, nil))
		require.NoError(t, r.UnregisterBuffers())
	})
}

func TestFailedZeroCopySendSaysWhetherANotificationFollows(t *testing.T) {
	r := newRing(t, Config{})
	need(t, r, SendZC)
	m := memory(t, 16)
	entry(t, r, 1, func(s *SQE) { s.PrepSendZC(-1, m, 0) })
	c := next(t, r)
	require.Equal(t, unix.EBADF, c.Errno())
	if c.More() {
		require.True(t, notifOf(next(t, r)))
	}
	nothing(t, r)
}

func TestAcceptMultishotIntoFixedFiles(t *testing.T) {
	inEveryMode(t, Config{}, func(t *testing.T, r *Ring) {
		l := listener(t)
		addr, err := unix.Getsockname(l)
		require.NoError(t, err)
		require.NoError(t, r.RegisterFileTable(8))
		require.NoError(t, r.SetFileAllocRange(5, 3))
		entry(t, r, 1, func(s *SQE) { s.PrepAcceptMultishot(l, 0); s.SetFileIndex(FileIndexAlloc) })
		_, err = r.Submit()
		require.NoError(t, err)
		m := memory(t, 8)
		for range 3 {
			s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			require.NoError(t, err)
			closing(t, s)
			require.NoError(t, unix.Connect(s, addr))
			c := next(t, r)
			require.Contains(t, []int32{5, 6, 7}, c.Res)
			require.True(t, c.More())
			write(t, s, "hi")
			require.Equal(t, int32(2), ok(t, r, func(q *SQE) { q.PrepRecv(int(c.Res), m, 0); q.AddFlags(FixedFile) }))
			ok(t, r, func(q *SQE) { q.PrepCloseFixed(uint32(c.Res)) })
			require.Zero(t, func() int { n, _ := unix.Read(s, make([]byte, 1)); return n }())
		}
		entry(t, r, 2, func(s *SQE) { s.PrepCancel(1, false) })
		got := map[uint64]int32{}
		for range 2 {
			c := next(t, r)
			got[c.UserData] = c.Res
		}
		require.Equal(t, map[uint64]int32{1: -int32(unix.ECANCELED), 2: 0}, got)
	})
}

func TestAcceptConnectSocket(t *testing.T) {
	r := newRing(t, Config{})
	l := listener(t)
	sa, err := unix.Getsockname(l)
	require.NoError(t, err)
	addr := one[unix.RawSockaddrInet4](t)
	addr.Family = unix.AF_INET
	port := sa.(*unix.SockaddrInet4).Port
	*(*[2]byte)(unsafe.Pointer(&addr.Port)) = [2]byte{byte(port >> 8), byte(port)}
	addr.Addr = [4]byte{127, 0, 0, 1}
	s := int(ok(t, r, func(s *SQE) { s.PrepSocket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0) }))
	closing(t, s)
	ok(t, r, func(q *SQE) { q.PrepConnect(s, unsafe.Pointer(addr), unix.SizeofSockaddrInet4) })
	peer, size := one[unix.RawSockaddrAny](t), one[uint32](t)
	*size = unix.SizeofSockaddrAny
	c := ok(t, r, func(q *SQE) { q.PrepAccept(l, peer, size, unix.SOCK_CLOEXEC) })
	closing(t, int(c))
	require.Equal(t, uint16(unix.AF_INET), peer.Addr.Family)
	require.Equal(t, uint32(unix.SizeofSockaddrInet4), *size)
}

func TestCancelByDescriptorEndsEverythingOnIt(t *testing.T) {
	inEveryMode(t, Config{}, func(t *testing.T, r *Ring) {
		a, b := tcpPair(t)
		m := memory(t, 64)
		entry(t, r, 1, func(s *SQE) { s.PrepRecv(b, m, 0) })
		entry(t, r, 2, func(s *SQE) { s.PrepPollAdd(b, unix.POLLRDHUP, true) })
		entry(t, r, 3, func(s *SQE) { s.PrepRecv(a, m[32:], 0) })
		entry(t, r, 4, func(s *SQE) { s.PrepCancelFD(b, false) })
		got := map[uint64]int32{}
		for range 3 {
			c := next(t, r)
			got[c.UserData] = c.Res
		}
		cancelled := -int32(unix.ECANCELED)
		require.Equal(t, map[uint64]int32{1: cancelled, 2: cancelled, 4: 2}, got)
		entry(t, r, 5, (*SQE).PrepCancelAll)
		got = map[uint64]int32{}
		for range 2 {
			c := next(t, r)
			got[c.UserData] = c.Res
		}
		require.Equal(t, map[uint64]int32{3: cancelled, 5: 1}, got)
		require.Equal(t, unix.ENOENT, errnoOf(do(t, r, func(s *SQE) { s.PrepCancel(3, false) })))
	})
}

func TestDatagramsAreReceivedMultishot(t *testing.T) {
	r := newRing(t, Config{})
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	closing(t, fds[0])
	closing(t, fds[1])
	g := newGroup(t, r, 9, 4, 64, false)
	msg := one[unix.Msghdr](t)
	msg.Namelen = 16
	entry(t, r, 1, func(s *SQE) { s.PrepRecvMsgMultishot(fds[1], msg, 9, 0) })
	write(t, fds[0], "datagram")
	c := next(t, r)
	require.True(t, c.More())
	id, _ := c.BufferID()
	out := (*RecvMsgOut)(unsafe.Pointer(&g.buf(id)[0]))
	require.Equal(t, uint32(8), out.PayloadLen)
	require.Equal(t, int32(RecvMsgOutSize+16+8), c.Res)
	require.True(t, bytes.HasPrefix(g.buf(id)[RecvMsgOutSize+16:], []byte("datagram")))
}

func TestReadMultishotOfAPipe(t *testing.T) {
	r := newRing(t, Config{})
	need(t, r, ReadMultishot)
	var p [2]int
	require.NoError(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
	closing(t, p[0])
	g := newGroup(t, r, 1, 2, 16, false)
	entry(t, r, 1, func(s *SQE) { s.PrepReadMultishot(p[0], 1) })
	write(t, p[1], "ab")
	require.True(t, moreOf(next(t, r)))
	require.Equal(t, "ab", string(g.buf(0)[:2]))
	require.NoError(t, unix.Close(p[1]))
	require.Zero(t, next(t, r).Res)
}

func TestTailStoreKeepsTheIDBesideIt(t *testing.T) {
	r := newRing(t, Config{})
	g, err := r.NewBufRing(1, 2, false)
	require.NoError(t, err)
	m := memory(t, 16)
	for i := range 5 {
		g.Add(m, BufferID(0xa0+i))
		g.Advance()
	}
	require.Equal(t, uint16(0xa4), g.bufs[0].BID)
	require.Equal(t, uint16(0xa3), g.bufs[1].BID)
	require.Equal(t, byte(5), g.mem[abi.PbufRingTailOffset])
	require.NoError(t, g.Close())
}

func notifOf(c CQE) bool { return c.Notif() }
