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
		"nop":   {func(s ours) { s.PrepNop() }, func(e theirs) { e.PrepareNop() }, 0},
		"read":  {func(s ours) { s.PrepRead(fd, data[:], off, 0) }, func(e theirs) { e.PrepareRead(fd, at(&data), 1000, off) }, 0},
		"write": {func(s ours) { s.PrepWrite(fd, data[:], off, 0) }, func(e theirs) { e.PrepareWrite(fd, at(&data), 1000, off) }, 0},
		"readv": {func(s ours) { s.PrepReadv(fd, iov[:], off, flags) },
			func(e theirs) { e.PrepareReadv2(fd, at(&iov), 3, off, flags) }, 0},
		"writev": {func(s ours) { s.PrepWritev(fd, iov[:], off, flags) },
			func(e theirs) { e.PrepareWritev2(fd, at(&iov), 3, off, flags) }, 0},
		"read fixed": {func(s ours) { s.PrepReadFixed(fd, data[:], off, 9, 0) },
			func(e theirs) { e.PrepareReadFixed(fd, at(&data), 1000, off, 9) }, 0},
		"write fixed": {func(s ours) { s.PrepWriteFixed(fd, data[:], off, 9, 0) },
			func(e theirs) { e.PrepareWriteFixed(fd, at(&data), 1000, off, 9) }, 0},
		"fsync":     {func(s ours) { s.PrepFsync(fd, false) }, func(e theirs) { e.PrepareFsync(fd, 0) }, 0},
		"fdatasync": {func(s ours) { s.PrepFsync(fd, true) }, func(e theirs) { e.PrepareFsync(fd, giouring.FsyncDatasync) }, 0},
		"fallocate": {func(s ours) { s.PrepFallocate(fd, 3, off, off2) }, func(e theirs) { e.PrepareFallocate(fd, 3, off, off2) }, 0},
		"fadvise":   {func(s ours) { s.PrepFadvise(fd, off, 500, 4) }, func(e theirs) { e.PrepareFadvise(fd, off, 500, 4) }, 0},
		"splice": {func(s ours) { s.PrepSplice(fd, off, fd2, off2, 123, flags) },
			func(e theirs) { e.PrepareSplice(fd, off, fd2, off2, 123, flags) }, 0},
		"tee": {func(s ours) { s.PrepTee(fd, fd2, 123, flags) }, func(e theirs) { e.PrepareTee(fd, fd2, 123, flags) }, 0},

		"recv": {func(s ours) { s.PrepRecv(fd, data[:], flags) }, func(e theirs) { e.PrepareRecv(fd, at(&data), 1000, flags) }, 0},
		"recv multishot": {func(s ours) { s.PrepRecvMultishot(fd, 12, false) },
			func(e theirs) {
				e.PrepareRecvMultishot(fd, 0, 0, 0)
				e.Flags = giouring.SqeBufferSelect
				e.BufIG = 12
			}, 0},
		"recvmsg": {func(s ours) { s.PrepRecvMsg(fd, &msg, flags) }, func(e theirs) { e.PrepareRecvMsg(fd, sysMsg, flags) }, 0},
		"recvmsg multishot": {func(s ours) { s.PrepRecvMsgMultishot(fd, &msg, 12, flags) },
			func(e theirs) {
				e.PrepareRecvMsgMultishot(fd, sysMsg, flags)
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
		"accept": {func(s ours) { s.PrepAccept(fd, &addr, &size, flags) },
			func(e theirs) { e.PrepareAccept(fd, at(&addr), uint64(at(&size)), flags) }, 0},
		"accept direct": {func(s ours) { s.PrepAccept(fd, nil, nil, flags); s.SetFileIndex(5) },
			func(e theirs) { e.PrepareAcceptDirect(fd, 0, 0, flags, 5) }, 0},
		"accept multishot": {func(s ours) { s.PrepAcceptMultishot(fd, flags) },
			func(e theirs) { e.PrepareMultishotAccept(fd, 0, 0, flags) }, 0},
		"accept multishot direct": {func(s ours) { s.PrepAcceptMultishot(fd, flags); s.SetFileIndex(uring.FileIndexAlloc) },
			func(e theirs) { e.PrepareMultishotAcceptDirect(fd, 0, 0, flags) }, 0},
		"socket": {func(s ours) { s.PrepSocket(2, 1, 6) }, func(e theirs) { e.PrepareSocket(2, 1, 6, 0) }, 0},
		"socket direct": {func(s ours) { s.PrepSocket(2, 1, 6); s.SetFileIndex(5) },
			func(e theirs) { e.PrepareSocketDirect(2, 1, 6, 5, 0) }, 0},
		"shutdown": {func(s ours) { s.PrepShutdown(fd, 1) }, func(e theirs) { e.PrepareShutdown(fd, 1) }, 0},

		"poll":           {func(s ours) { s.PrepPollAdd(fd, 5, false) }, func(e theirs) { e.PreparePollAdd(fd, 5) }, 0},
		"poll multishot": {func(s ours) { s.PrepPollAdd(fd, 5, true) }, func(e theirs) { e.PreparePollMultishot(fd, 5) }, 0},
		"poll remove":    {func(s ours) { s.PrepPollRemove(user) }, func(e theirs) { e.PreparePollRemove(user) }, 0},
		"cancel":         {func(s ours) { s.PrepCancel(user, false) }, func(e theirs) { e.PrepareCancel64(user, 0) }, 0},
		"cancel all": {func(s ours) { s.PrepCancel(user, true) },
			func(e theirs) { e.PrepareCancel64(user, int(giouring.AsyncCancelAll)) }, 0},
		"cancel fd": {func(s ours) { s.PrepCancelFD(fd, false) },
			func(e theirs) { e.PrepareCancelFd(fd, giouring.AsyncCancelAll) }, 0},
		"msg_ring": {func(s ours) { s.PrepMsgRing(fd, 55, user) }, func(e theirs) { e.PrepareMsgRing(fd, 55, user, 0) }, 0},
		// The address of a pointer to the time, and of a copy of it.
		"timeout": {func(s ours) { s.PrepTimeout(&spec, 4, uring.TimeoutAbs) },
			func(e theirs) { e.PrepareTimeout((*syscall.Timespec)(unsafe.Pointer(&spec)), 4, giouring.TimeoutAbs) }, addrField},
		"link timeout": {func(s ours) { s.PrepLinkTimeout(&spec, 0) }, func(e theirs) { e.PrepareLinkTimeout(0, 0) }, addrField},

		"close":        {func(s ours) { s.PrepClose(fd) }, func(e theirs) { e.PrepareClose(fd) }, 0},
		"close direct": {func(s ours) { s.PrepCloseFixed(5) }, func(e theirs) { e.PrepareCloseDirect(5) }, 0},
		"unlinkat": {func(s ours) { s.PrepUnlinkat(fd, &path[0], flags) },
			func(e theirs) { e.PrepareUnlinkat(fd, at(&path), flags) }, 0},
		// From here on addresses of slice headers.
		"openat2": {func(s ours) { s.PrepOpenat2(fd, &path[0], &how) },
			func(e theirs) { e.PrepareOpenat2(fd, path[:], &how) }, addrField | opField},
		"statx": {func(s ours) { s.PrepStatx(fd, &path[0], flags, 0x7ff, &stat) },
			func(e theirs) { e.PrepareStatx(fd, path[:], flags, 0x7ff, &stat) }, addrField},
		"mkdirat": {func(s ours) { s.PrepMkdirat(fd, &path[0], 0o755) },
			func(e theirs) { e.PrepareMkdirat(fd, path[:], 0o755) }, addrField},
		"renameat": {func(s ours) { s.PrepRenameat(fd, &path[0], unix.AT_FDCWD, &path2[0], flags) },
			func(e theirs) {
				cwd := unix.AT_FDCWD
				e.PrepareRenameat(fd, path[:], cwd, path2[:], flags)
			}, addrField | offField},
		"linkat": {func(s ours) { s.PrepLinkat(fd, &path[0], fd2, &path2[0], flags) },
			func(e theirs) { e.PrepareLinkat(fd, path[:], fd2, path2[:], flags) }, addrField | offField},
		"symlinkat": {func(s ours) { s.PrepSymlinkat(&path[0], fd, &path2[0]) },
			func(e theirs) { e.PrepareSymlinkat(path[:], fd, path2[:]) }, addrField | offField},
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
