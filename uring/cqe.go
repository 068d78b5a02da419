package uring

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

// CQE is one completion, copied out of the ring.
type CQE struct {
	UserData uint64 // of the entry that completed
	Res      int32  // the result, or a negated errno
	Flags    uint32 // as the kernel set them; see the methods
}

var _ [16]struct{} = [unsafe.Sizeof(CQE{})]struct{}{}

// Errno returns the error of a failed operation, and zero for a success.
func (c *CQE) Errno() unix.Errno {
	if c.Res >= 0 || c.Notif() {
		return 0
	}
	return unix.Errno(-c.Res)
}

// More says that further completions of the same entry follow.
func (c *CQE) More() bool { return c.Flags&abi.CQEMore != 0 }

// Notif says that this is the notification of a zero-copy send: its memory is
// the submitter's again. Its result is not that of the send.
func (c *CQE) Notif() bool { return c.Flags&abi.CQENotif != 0 }

// Copied says that the zero-copy send of this notification had to copy (part
// of) its data. It is known only if ReportUsage was asked for.
func (c *CQE) Copied() bool {
	return c.Notif() && uint32(c.Res)&abi.NotifUsageZCCopied != 0
}

// BufferID returns the provided buffer that the kernel took, if it took one.
func (c *CQE) BufferID() (id BufferID, ok bool) {
	return BufferID(c.Flags >> abi.CQEBufferShift), c.Flags&abi.CQEBuffer != 0
}

// BufMore says that the buffer of an incremental ring is not used up: the
// kernel goes on filling it behind these bytes, so it must not be given back.
func (c *CQE) BufMore() bool { return c.Flags&abi.CQEBufMore != 0 }
