package uring

import (
	"testing"

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

		// The buffers come back in another order, and the receive is armed again. The bytes
		// that found no room are still there.
		g.Add(g.buf(1), 1)
		g.Add(g.buf(0), 0)
		g.Advance()
		entry(t, r, 2, arm)
		c = next(t, r)
		id, _ = c.BufferID()
		require.Equal(t, BufferID(1), id)
		require.Equal(t, "longer", string(g.buf(1)[:c.Res]))

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
		// Use many small buffers in one receive: 32 bytes are four of them.
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
		// The kernel decides how much one completion covers. It uses the buffers in order,
		// and each one but the last as a whole.
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
