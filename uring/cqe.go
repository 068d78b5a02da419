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

// Notif says that this completion is the notification of a zero-copy send: the kernel has done with
// the data. The result of the send came in an earlier completion.
func (c *CQE) Notif() bool { return c.Flags&abi.CQENotif != 0 }

// Copied says that the kernel had to copy all or part of the data of the zero-copy send that this
// notification ends. It is known only if ReportUsage was set.
func (c *CQE) Copied() bool {
	return c.Notif() && uint32(c.Res)&abi.NotifUsageZCCopied != 0
}

// BufferID returns the provided buffer that the kernel took, if it took one.
func (c *CQE) BufferID() (id BufferID, ok bool) {
	return BufferID(c.Flags >> abi.CQEBufferShift), c.Flags&abi.CQEBuffer != 0
}

// BufMore says that the kernel has not used up the buffer of an incremental ring. It goes on
// filling the buffer behind these bytes, so the caller must not add the buffer again.
func (c *CQE) BufMore() bool { return c.Flags&abi.CQEBufMore != 0 }
