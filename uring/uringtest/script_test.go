package uringtest

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
)

func TestScriptAnswersBeforeAnybodyElse(t *testing.T) {
	seen := []string{}
	r := New(t, Options{Script: func(o *Op) bool {
		seen = append(seen, o.Code)
		if o.Code == "NOP" {
			return false
		}
		o.Complete(42)
		return true
	}})
	prepare(t, r, 1, func(s *uring.SQE) { s.PrepPollAdd(1, unix.POLLIN, false) })
	prepare(t, r, 2, func(s *uring.SQE) { s.PrepNop() })
	submit(t, r)
	require.Equal(t, []string{"POLL_ADD", "NOP"}, seen)
	require.Equal(t, []uring.CQE{{UserData: 1, Res: 42}, {UserData: 2}}, harvest(r))
	require.Equal(t, 2, r.Started())
}

func TestPollCompletesManyTimesByHand(t *testing.T) {
	r := New(t, Options{})
	prepare(t, r, 1, func(s *uring.SQE) { s.PrepPollAdd(1, unix.POLLIN, true) })
	submit(t, r)
	o := r.Find("POLL_ADD")
	require.True(t, o.Multishot)
	require.True(t, o.More(unix.POLLIN))
	require.True(t, o.MoreFlags(unix.POLLHUP, 1<<20))
	o.CompleteFlags(unix.POLLERR, 1<<21)
	cqes := harvest(r)
	require.Len(t, cqes, 3)
	require.True(t, cqes[0].More())
	require.True(t, cqes[1].More())
	require.False(t, cqes[2].More())
}

func TestBytesAreDeliveredByHand(t *testing.T) {
	r := New(t, Options{})
	m := offHeap(t, 64)
	prepare(t, r, 1, func(s *uring.SQE) { s.PrepRead(1, m[:4], 0, 0) })
	prepare(t, r, 2, func(s *uring.SQE) { s.PrepRecvMultishot(1, 3, false) })
	submit(t, r)
	ops := r.Ops()
	require.Equal(t, 4, ops[0].Deliver([]byte("abcdef")))
	g := r.NewGroup(3, 1, false)
	g.Add(m[8:16], 6)
	require.Zero(t, g.Free(), "not advanced yet")
	g.Advance()
	require.Equal(t, 3, ops[1].Deliver([]byte("xyz")))
	require.Equal(t, 1, g.Taken())
	require.Zero(t, ops[1].Deliver([]byte("more")))
	cqes := harvest(r)
	require.Equal(t, "abcd", string(m[:4]))
	require.Equal(t, "xyz", string(m[8:11]))
	id, ok := cqes[1].BufferID()
	require.True(t, ok)
	require.Equal(t, uring.BufferID(6), id)
	require.Equal(t, unix.ENOBUFS, cqes[2].Errno())
	require.NoError(t, g.Close())
	require.ErrorIs(t, g.Close(), uring.ErrClosed)
}

func TestVectorsAreDecoded(t *testing.T) {
	r := New(t, Options{})
	mem := offHeap(t, 4096)
	copy(mem, "headpayload")
	iov, err := uring.MapSlice[unix.Iovec](2)
	require.NoError(t, err)
	defer func() { require.NoError(t, uring.UnmapSlice(iov)) }()
	iov[0] = unix.Iovec{Base: &mem[0], Len: 4}
	iov[1] = unix.Iovec{Base: &mem[4], Len: 7}
	msg := (*unix.Msghdr)(unsafe.Pointer(&mem[1024]))
	msg.Iov, msg.Iovlen = &iov[0], 2

	s := r.NewSocket(5)
	prepare(t, r, 1, func(s *uring.SQE) { s.PrepSendMsg(5, msg, 0) })
	prepare(t, r, 2, func(s *uring.SQE) { s.PrepSendMsg(6, msg, 0) })
	prepare(t, r, 4, func(s *uring.SQE) { s.PrepSplice(11, 12, 13, 14, 15, 0) })
	submit(t, r)
	require.Equal(t, "headpayload", string(s.Sent()))
	require.Equal(t, [][]byte{mem[:4], mem[4:11]}, r.Find("SENDMSG").Vectors())
	fd, off := r.Find("SPLICE").SpliceIn()
	require.Equal(t, []uint64{11, 12}, []uint64{uint64(fd), off})
	r.CancelAll()
	require.Len(t, harvest(r), 3)
}

func TestSocketStallsAndBreaks(t *testing.T) {
	r := New(t, Options{})
	s := r.NewSocket(5)
	m := offHeap(t, 64)
	s.Stall(true)
	prepare(t, r, 1, func(s *uring.SQE) { s.PrepSend(5, m[:10], 0) })
	submit(t, r)
	require.Empty(t, harvest(r))
	s.Stall(false)
	require.Equal(t, int32(10), harvest(r)[0].Res)

	prepare(t, r, 2, func(s *uring.SQE) { s.PrepRead(5, m, 0, 0) })
	submit(t, r)
	s.Break(unix.ECONNRESET)
	require.Equal(t, unix.ECONNRESET, func() unix.Errno { c := harvest(r)[0]; return c.Errno() }())
}

func TestMessagesOfOtherRingsArePosted(t *testing.T) {
	r := New(t, Options{})
	r.Post(uring.CQE{UserData: 9, Res: 1})
	require.NoError(t, r.Wait(1, uring.Forever))
	require.Equal(t, []uring.CQE{{UserData: 9, Res: 1}}, harvest(r))
}

func TestBusyRingKeepsItsEntries(t *testing.T) {
	r := New(t, Options{Seed: 1, Faults: &Faults{Busy: 0.5}})
	prepare(t, r, 1, func(s *uring.SQE) { s.PrepNop() })
	for r.Pending() > 0 {
		if _, err := r.Submit(); err != nil {
			require.ErrorIs(t, err, uring.ErrBusy)
		}
	}
	require.Len(t, harvest(r), 1)
}

func TestTooLateCancelLeavesTheOperation(t *testing.T) {
	r := New(t, Options{Seed: 1, Faults: &Faults{Already: 1}})
	prepare(t, r, 1, func(s *uring.SQE) { s.PrepPollAdd(3, unix.POLLIN, false) })
	prepare(t, r, 2, func(s *uring.SQE) { s.PrepCancel(1) })
	submit(t, r)
	c := harvest(r)[0]
	require.Equal(t, unix.EALREADY, c.Errno())
	r.Find("POLL_ADD").Complete(0)
	require.Len(t, harvest(r), 1)
}

func TestMisuseOfAGroupFailsTheTest(t *testing.T) {
	f := &recorder{TB: t}
	r := New(f, Options{})
	g := r.NewGroup(1, 1, false)
	g.Add(make([]byte, 4), 0)
	g.Add(make([]byte, 4), 0)
	require.Len(t, f.errors, 2, "overfull, and the same buffer twice")
	r.NewGroup(1, 1, false)
	require.Len(t, f.errors, 3)
	require.NoError(t, r.Close())
	require.ErrorIs(t, r.Close(), uring.ErrClosed)
	r.SQE()
	require.Len(t, f.errors, 4)
}

func TestZeroCopySendThatHadBegunOwesANotificationAlsoWhenItFails(t *testing.T) {
	r := New(t, Options{})
	m := offHeap(t, 8)
	prepare(t, r, 1, func(s *uring.SQE) { s.PrepSendZC(5, m, 0) })
	prepare(t, r, 2, func(s *uring.SQE) { s.PrepSendZC(5, m, 0) })
	submit(t, r)
	ops := r.Ops()
	ops[0].FailBegun(unix.ENOMEM)
	ops[1].Fail(unix.EBADF)
	c := harvest(r)
	require.Len(t, c, 2)
	require.Equal(t, unix.ENOMEM, c[0].Errno())
	require.True(t, c[0].More())
	require.Equal(t, unix.EBADF, c[1].Errno())
	require.False(t, c[1].More())
	ops[0].Notify(true)
	c = harvest(r)
	require.Len(t, c, 1)
	require.True(t, c[0].Notif())
	require.False(t, c[0].More())
}
