package uring

import (
	"testing"

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

func TestSends(t *testing.T) {
	inEveryMode(t, Config{}, func(t *testing.T, r *Ring) {
		a, b := tcpPair(t)
		m := memory(t, 64)
		copy(m, "question")
		require.Equal(t, int32(8), ok(t, r, func(s *SQE) { s.PrepSend(a, m[:8], unix.MSG_NOSIGNAL) }))
		require.Equal(t, "question", read(t, b, 100))

		iov, err := MapSlice[unix.Iovec](2)
		require.NoError(t, err)
		defer func() { require.NoError(t, UnmapSlice(iov)) }()
		iov[0] = unix.Iovec{Base: &m[0], Len: 5}
		iov[1] = unix.Iovec{Base: &m[7], Len: 1}
		msg := one[unix.Msghdr](t)
		msg.Iov, msg.Iovlen = &iov[0], 2
		require.Equal(t, int32(6), ok(t, r, func(s *SQE) { s.PrepSendMsg(a, msg, 0) }))
		require.Equal(t, "questn", read(t, b, 100))
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

// A driver that takes an error for the last completion uses the memory again too early, and then
// gets a completion that belongs to no operation.
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

func TestAcceptsUntilCancelled(t *testing.T) {
	inEveryMode(t, Config{}, func(t *testing.T, r *Ring) {
		l := listener(t)
		addr, err := unix.Getsockname(l)
		require.NoError(t, err)
		entry(t, r, 1, func(s *SQE) { s.PrepAcceptMultishot(l, unix.SOCK_CLOEXEC) })
		_, err = r.Submit()
		require.NoError(t, err)
		for range 3 {
			s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			require.NoError(t, err)
			closing(t, s)
			require.NoError(t, unix.Connect(s, addr))
			c := next(t, r)
			require.Positive(t, c.Res)
			require.True(t, c.More())
			closing(t, int(c.Res))
			write(t, s, "hi")
			require.Equal(t, "hi", read(t, int(c.Res), 100))
		}
		entry(t, r, 2, func(s *SQE) { s.PrepCancel(1) })
		got := map[uint64]int32{}
		for range 2 {
			c := next(t, r)
			got[c.UserData] = c.Res
		}
		require.Equal(t, map[uint64]int32{1: -int32(unix.ECANCELED), 2: 0}, got)
		require.Equal(t, unix.ENOENT, errnoOf(do(t, r, func(s *SQE) { s.PrepCancel(1) })))
	})
}

func notifOf(c CQE) bool { return c.Notif() }
