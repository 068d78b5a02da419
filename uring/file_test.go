package uring

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestReads(t *testing.T) {
	inEveryMode(t, Config{}, func(t *testing.T, r *Ring) {
		fd := int(file(t, "0123456789").Fd())
		m := memory(t, 4096)
		require.Equal(t, int32(5), ok(t, r, func(s *SQE) { s.PrepRead(fd, m[:100], 5, 0) }))
		require.Equal(t, "56789", string(m[:5]))
		require.Zero(t, ok(t, r, func(s *SQE) { s.PrepRead(fd, m, 1<<40, 0) }))
		require.Equal(t, int32(3), ok(t, r, func(s *SQE) { s.PrepRead(fd, m[:3], CurrentOffset, 0) }))
		require.Equal(t, int32(3), ok(t, r, func(s *SQE) { s.PrepRead(fd, m[:3], CurrentOffset, 0) }))
		require.Equal(t, "345", string(m[:3]))
	})
}

func TestRegisteredBuffers(t *testing.T) {
	r := newRing(t, Config{})
	need(t, r, SendZC)
	a, b := tcpPair(t)
	m := memory(t, 8192)
	copy(m[5000:], "0123456789")
	require.NoError(t, r.RegisterBufferTable(3))
	require.NoError(t, r.UpdateBuffers(1, m[:4096], m[4096:]))
	send := func(b []byte, index uint16) CQE {
		c := do(t, r, func(s *SQE) { s.PrepSendZCFixed(a, b, index, unix.MSG_NOSIGNAL) })
		if c.More() {
			require.True(t, notifOf(next(t, r)))
		}
		return c
	}
	require.Equal(t, int32(10), send(m[5000:5010], 2).Res)
	require.Equal(t, "0123456789", read(t, b, 100))
	require.Equal(t, unix.EFAULT, errnoOf(send(m[:10], 2)), "outside of its buffer")
	require.Equal(t, unix.EFAULT, errnoOf(send(m[:10], 0)), "an empty place")
	require.ErrorIs(t, r.UpdateBuffers(3, m), unix.EINVAL)
	require.NoError(t, r.UpdateBuffers(1, nil, nil))
}
