package witness

import (
	"syscall"
	"testing"
	"unsafe"

	"github.com/pawelgaczynski/giouring"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

// Arguments that no two fields share, so that a swap is seen. Memory is
// package-level: its address does not change.
var (
	data  [1000]byte
	iov   [3]unix.Iovec
	msg   unix.Msghdr
	addr  unix.RawSockaddrAny
	size  uint32
	how   unix.OpenHow
	stat  unix.Statx_t
	spec  abi.Timespec
	path  [10]byte
	path2 [10]byte
)

const (
	fd, fd2   = 77, 88
	off, off2 = 0x1122334455667788, 0x2233445566778899
	flags     = 0x01020304
	user      = 0xfedcba9876543210
)

type (
	ours   = *uring.SQE
	theirs = *giouring.SubmissionQueueEntry
)

func at[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

func TestEncodingsAgree(t *testing.T) {
	sysMsg := (*syscall.Msghdr)(unsafe.Pointer(&msg))
	for name, c := range map[string]struct {
		ours   func(ours)
		theirs func(theirs)
		differ fields // what is wrong over there
	}{
		"nop":  {func(s ours) { s.PrepNop() }, func(e theirs) { e.PrepareNop() }, 0},
		"read": {func(s ours) { s.PrepRead(fd, data[:], off, 0) }, func(e theirs) { e.PrepareRead(fd, at(&data), 1000, off) }, 0},
		"read fixed": {func(s ours) { s.PrepReadFixed(fd, data[:], off, 9, 0) },
			func(e theirs) { e.PrepareReadFixed(fd, at(&data), 1000, off, 9) }, 0},
		"splice": {func(s ours) { s.PrepSplice(fd, off, fd2, off2, 123, flags) },
			func(e theirs) { e.PrepareSplice(fd, off, fd2, off2, 123, flags) }, 0},

		"recv multishot": {func(s ours) { s.PrepRecvMultishot(fd, 12, false) },
			func(e theirs) {
				e.PrepareRecvMultishot(fd, 0, 0, 0)
				e.Flags = giouring.SqeBufferSelect
				e.BufIG = 12
			}, 0},
		"send":       {func(s ours) { s.PrepSend(fd, data[:], flags) }, func(e theirs) { e.PrepareSend(fd, at(&data), 1000, flags) }, 0},
		"sendmsg":    {func(s ours) { s.PrepSendMsg(fd, &msg, flags) }, func(e theirs) { e.PrepareSendMsg(fd, sysMsg, flags) }, 0},
		"sendmsg_zc": {func(s ours) { s.PrepSendMsgZC(fd, &msg, flags) }, func(e theirs) { e.PrepareSendmsgZC(fd, sysMsg, flags) }, 0},
		"send_zc": {func(s ours) { s.PrepSendZC(fd, data[:], flags); s.AddRecvSendFlags(uring.ReportUsage) },
			func(e theirs) { e.PrepareSendZC(fd, data[:], flags, uint32(giouring.SendZCReportUsage)) }, addrField},
		"send_zc fixed": {func(s ours) { s.PrepSendZCFixed(fd, data[:], 9, flags) },
			func(e theirs) { e.PrepareSendZCFixed(fd, data[:], flags, 0, 9) }, addrField},
		"accept multishot": {func(s ours) { s.PrepAcceptMultishot(fd, flags) },
			func(e theirs) { e.PrepareMultishotAccept(fd, 0, 0, flags) }, 0},

		"poll":           {func(s ours) { s.PrepPollAdd(fd, 5, false) }, func(e theirs) { e.PreparePollAdd(fd, 5) }, 0},
		"poll multishot": {func(s ours) { s.PrepPollAdd(fd, 5, true) }, func(e theirs) { e.PreparePollMultishot(fd, 5) }, 0},
		"cancel":         {func(s ours) { s.PrepCancel(user) }, func(e theirs) { e.PrepareCancel64(user, 0) }, 0},
		// The address of a pointer to the time.
		"timeout": {func(s ours) { s.PrepTimeout(&spec) },
			func(e theirs) { e.PrepareTimeout((*syscall.Timespec)(unsafe.Pointer(&spec)), 0, 0) }, addrField},
	} {
		t.Run(name, func(t *testing.T) {
			var s uring.SQE
			c.ours(&s)
			s.SetUserData(user)
			var e giouring.SubmissionQueueEntry
			c.theirs(&e)
			e.SetData64(user)
			a := *(*abi.SQE)(unsafe.Pointer(&s))
			b := *(*abi.SQE)(unsafe.Pointer(&e))
			if c.differ&addrField != 0 {
				a.Addr, b.Addr = 0, 0
			}
			if c.differ&offField != 0 {
				a.Off, b.Off = 0, 0
			}
			if c.differ&opField != 0 {
				a.Opcode, b.Opcode = 0, 0
			}
			if a != b {
				t.Errorf("encoded here and there:\n%+v\n%+v", a, b)
			}
		})
	}
}

// fields are those that the witness gets wrong.
type fields uint8

const (
	addrField fields = 1 << iota
	offField
	opField
)
