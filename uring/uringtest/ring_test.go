package uringtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// harvest takes everything that is there.
func harvest(r Driver) []uring.CQE {
	var all []uring.CQE
	var some [7]uring.CQE
	for {
		n := r.Harvest(some[:])
		all = append(all, some[:n]...)
		if n < len(some) {
			return all
		}
	}
}

// offHeap is memory whose address an entry may hold.
func offHeap(t *testing.T, n int) []byte {
	t.Helper()
	b, err := uring.Map(n)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, uring.Unmap(b)) })
	return b
}

func prepare(t *testing.T, r Driver, user uint64, prep func(*uring.SQE)) {
	t.Helper()
	s := r.SQE()
	require.NotNil(t, s)
	prep(s)
	s.SetUserData(user)
}

func submit(t *testing.T, r Driver) {
	t.Helper()
	_, err := r.Submit()
	require.NoError(t, err)
}

func TestOperationsWaitForTheTestAndAreDecoded(t *testing.T) {
	r := New(t, Options{})
	b := offHeap(t, 4096)
	prepare(t, r, 7, func(s *uring.SQE) { s.PrepRead(5, b[:100], 42, 0) })
	submit(t, r)
	require.Empty(t, harvest(r))
	o := r.Find("READ")
	require.NotNil(t, o)
	require.Equal(t, "READ fd=5 len=100 off=0x2a user=0x7", o.String())
	copy(o.Memory(), "hello")
	o.Complete(5)
	require.Equal(t, []uring.CQE{{UserData: 7, Res: 5}}, harvest(r))
	require.Equal(t, "hello", string(b[:5]))
	require.Empty(t, r.Leaks())
}

func TestFullQueueGivesNoEntry(t *testing.T) {
	r := New(t, Options{Entries: 2})
	require.NotNil(t, r.SQE())
	require.NotNil(t, r.SQE())
	require.Nil(t, r.SQE())
	submit(t, r)
	require.NotNil(t, r.SQE())
	submit(t, r)
	require.Len(t, harvest(r), 3)
}

func TestMultishotReceiveFillsBuffersUntilTheyRunOut(t *testing.T) {
	r := New(t, Options{})
	s := r.NewSocket(9)
	g := r.NewGroup(1, 4, false)
	mem := offHeap(t, 4096)
	g.Add(mem[:4], 10)
	g.Add(mem[4:8], 11)
	g.Advance()
	prepare(t, r, 1, func(s *uring.SQE) { s.PrepRecvMultishot(9, 1, false) })
	submit(t, r)
	s.Feed([]byte("abcdefghij"))
	cqes := harvest(r)
	require.Len(t, cqes, 3)
	for i, want := range []uring.BufferID{10, 11} {
		id, ok := cqes[i].BufferID()
		require.True(t, ok)
		require.Equal(t, want, id)
		require.True(t, cqes[i].More())
	}
	require.Equal(t, unix.ENOBUFS, cqes[2].Errno())
	require.False(t, cqes[2].More())
	require.Equal(t, "abcdefgh", string(mem[:8]))
	require.Equal(t, 2, s.Unread())
}

func TestBundleAndIncrementalBuffers(t *testing.T) {
	r := New(t, Options{})
	s := r.NewSocket(9)
	mem := offHeap(t, 4096)
	g := r.NewGroup(1, 4, false)
	for i := range 4 {
		g.Add(mem[4*i:4*i+4], uring.BufferID(i))
	}
	g.Advance()
	prepare(t, r, 1, func(s *uring.SQE) { s.PrepRecvMultishot(9, 1, true) })
	submit(t, r)
	s.Feed([]byte("0123456789"))
	cqes := harvest(r)
	require.Len(t, cqes, 1)
	require.Equal(t, int32(10), cqes[0].Res)
	require.Equal(t, 1, g.Free())
	s.End()
	require.False(t, harvest(r)[0].More())

	inc := r.NewGroup(2, 2, true)
	inc.Add(mem[100:108], 5)
	inc.Advance()
	s2 := r.NewSocket(10)
	prepare(t, r, 2, func(s *uring.SQE) { s.PrepRecvMultishot(10, 2, false) })
	submit(t, r)
	s2.Feed([]byte("abc"))
	s2.Feed([]byte("defgh"))
	cqes = harvest(r)
	require.True(t, cqes[0].BufMore())
	require.False(t, cqes[1].BufMore())
	require.Equal(t, "abcdefgh", string(mem[100:108]))
	s2.End()
	harvest(r)
}

func TestZeroCopySendOwesANotification(t *testing.T) {
	r := New(t, Options{})
	s := r.NewSocket(4)
	s.HoldNotifs(true)
	b := offHeap(t, 16)
	copy(b, "payload")
	prepare(t, r, 1, func(s *uring.SQE) {
		s.PrepSendZC(4, b[:7], 0)
		s.AddRecvSendFlags(uring.ReportUsage)
	})
	submit(t, r)
	cqes := harvest(r)
	require.Len(t, cqes, 1)
	require.True(t, cqes[0].More())
	require.Equal(t, int32(7), cqes[0].Res)
	require.Len(t, r.Leaks(), 1)
	s.FlushNotifs(true)
	cqes = harvest(r)
	require.Len(t, cqes, 1)
	require.True(t, cqes[0].Notif())
	require.True(t, cqes[0].Copied())
	require.Equal(t, "payload", string(s.Sent()))
}

func TestChainBreaksAtAFailure(t *testing.T) {
	r := New(t, Options{})
	prepare(t, r, 1, func(s *uring.SQE) { s.PrepPollAdd(3, unix.POLLIN, false); s.AddFlags(uring.Link) })
	prepare(t, r, 2, func(s *uring.SQE) { s.PrepNop(); s.AddFlags(uring.Link) })
	prepare(t, r, 3, func(s *uring.SQE) { s.PrepNop() })
	submit(t, r)
	require.Len(t, r.Ops(), 1)
	r.Find("POLL_ADD").Fail(unix.EIO)
	cqes := harvest(r)
	require.Len(t, cqes, 3)
	require.Equal(t, unix.EIO, cqes[0].Errno())
	require.Equal(t, unix.ECANCELED, cqes[1].Errno())
	require.Equal(t, unix.ECANCELED, cqes[2].Errno())
}

func TestCancelFindsOneByItsUserData(t *testing.T) {
	r := New(t, Options{})
	for i := range 3 {
		prepare(t, r, uint64(1+i), func(s *uring.SQE) { s.PrepPollAdd(8, unix.POLLIN, true) })
	}
	prepare(t, r, 10, func(s *uring.SQE) { s.PrepCancel(2) })
	prepare(t, r, 12, func(s *uring.SQE) { s.PrepCancel(2) })
	submit(t, r)
	got := map[uint64]int32{}
	for _, c := range harvest(r) {
		got[c.UserData] = c.Res
	}
	require.Equal(t, map[uint64]int32{2: -int32(unix.ECANCELED), 10: 0, 12: -int32(unix.ENOENT)}, got)
	require.Len(t, r.Ops(), 2)
	r.CancelAll()
	require.Len(t, harvest(r), 2)
}

func TestSkippedSuccessPostsNothing(t *testing.T) {
	r := New(t, Options{})
	prepare(t, r, 0, func(s *uring.SQE) { s.PrepNop(); s.AddFlags(uring.SkipSuccess) })
	submit(t, r)
	require.Empty(t, harvest(r))
	require.Empty(t, r.Leaks())
}

func TestOverflowIsFlushedByTheNextEnter(t *testing.T) {
	r := New(t, Options{CQEntries: 2})
	for i := range 5 {
		prepare(t, r, uint64(i+1), func(s *uring.SQE) { s.PrepNop() })
	}
	submit(t, r)
	require.True(t, r.Overflowed())
	require.Len(t, harvest(r), 2)
	require.Empty(t, harvest(r))
	require.NoError(t, r.Wait(1, uring.Forever))
	require.Len(t, harvest(r), 2)
	submit(t, r)
	require.Len(t, harvest(r), 1)
	require.False(t, r.Overflowed())
}

func TestWaitingForNothingIsStuck(t *testing.T) {
	r := New(t, Options{})
	require.ErrorIs(t, r.Wait(1, uring.Forever), ErrStuck)
	require.NoError(t, r.Wait(1, time.Hour))
}

func TestIdleBringsWhatWaitWaitsFor(t *testing.T) {
	r := New(t, Options{Idle: func(r *Ring) bool {
		o := r.Find("POLL_ADD")
		if o == nil {
			return false
		}
		o.Complete(0)
		return true
	}})
	prepare(t, r, 1, func(s *uring.SQE) { s.PrepPollAdd(3, unix.POLLIN, false) })
	require.NoError(t, r.Wait(1, uring.Forever))
	require.Len(t, harvest(r), 1)
}
