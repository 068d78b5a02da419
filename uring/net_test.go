package uring

import (
	"bytes"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

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

// Who takes an error for the last completion uses the memory again too early, and
// meets a completion that is nobody's.
func TestZeroCopySendThatHadBegunOwesANotificationAlsoWhenItFails(t *testing.T) {
	inEveryMode(t, Config{}, func(t *testing.T, r *Ring) {
		need(t, r, SendZC|ZCReportUsage)
		a, _ := tcpPair(t)
		m := memory(t, 4096)
		require.NoError(t, unix.Shutdown(a, unix.SHUT_WR))
		entry(t, r, 5, func(s *SQE) { s.PrepSendZC(a, m, unix.MSG_NOSIGNAL); s.AddRecvSendFlags(ReportUsage) })
		c := next(t, r)
		require.Equal(t, unix.EPIPE, c.Errno())
		require.True(t, c.More())
		c = next(t, r)
		require.Equal(t, uint64(5), c.UserData)
		require.True(t, c.Notif())
		require.False(t, c.More())
		require.True(t, c.Copied(), "nothing was sent without a copy")
		nothing(t, r)
	})
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

func notifOf(c CQE) bool { return c.Notif() }

func TestReceiveTakesOneBufferOfAGroup(t *testing.T) {
	r := newRing(t, Config{})
	a, b := tcpPair(t)
	g := newGroup(t, r, 4, 2, 16, false)
	require.Equal(t, GroupID(4), g.Group())
	require.Equal(t, 2, g.Entries())
	write(t, a, "0123456789")
	c := do(t, r, func(s *SQE) { s.PrepRecvSelect(b, 4, 6, 0); s.AddRecvSendFlags(PollFirst) })
	require.Equal(t, int32(6), c.Res)
	require.False(t, c.More())
	require.True(t, c.SockNonEmpty())
	require.Equal(t, "012345", string(g.buf(0)[:6]))
}

func TestCancelAllOfOneUserDataOrFixedFile(t *testing.T) {
	r := newRing(t, Config{})
	a, _ := tcpPair(t)
	require.NoError(t, r.RegisterFileTable(1))
	require.NoError(t, r.UpdateFiles(0, int32(a)))
	for _, cancel := range []func(s *SQE){
		func(s *SQE) { s.PrepCancel(1, true) },
		func(s *SQE) { s.PrepCancelFD(0, true) },
	} {
		for range 3 {
			entry(t, r, 1, func(s *SQE) { s.PrepPollAdd(0, unix.POLLIN, false); s.AddFlags(FixedFile) })
		}
		entry(t, r, 2, cancel)
		for range 4 {
			c := next(t, r)
			if c.UserData == 2 {
				require.Equal(t, int32(3), c.Res)
			} else {
				require.Equal(t, unix.ECANCELED, c.Errno())
			}
		}
	}
	entry(t, r, 1, func(s *SQE) { s.PrepPollAdd(a, unix.POLLIN, false) })
	entry(t, r, 2, func(s *SQE) { s.PrepPollRemove(1) })
	require.Equal(t, uint64(3), next(t, r).UserData+next(t, r).UserData)
}
