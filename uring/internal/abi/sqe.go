package abi

import "unsafe"

// SQE is struct io_uring_sqe. A field has the name of the most usual member of the kernel's union.
// Where an operation reads another member, the code that prepares the operation says so.
type SQE struct {
	Opcode      uint8
	Flags       uint8  // SQE* bits
	IOPrio      uint16 // also the flags of accept, receive and send
	FD          int32
	Off         uint64 // also addr2
	Addr        uint64 // also splice_off_in
	Len         uint32
	OpFlags     uint32 // rw_flags, msg_flags, open_flags, ... by operation
	UserData    uint64
	BufIndex    uint16 // also buf_group
	Personality uint16
	FileIndex   int32 // also splice_fd_in, and addr_len in its lower half
	Addr3       uint64
	Pad2        uint64
}

// CQE is struct io_uring_cqe without the optional second half.
type CQE struct {
	UserData uint64
	Res      int32
	Flags    uint32
}

// Timespec is struct __kernel_timespec.
type Timespec struct {
	Sec  int64
	Nsec int64
}

// GetEventsArg is struct io_uring_getevents_arg.
type GetEventsArg struct {
	Sigmask     uint64
	SigmaskSize uint32
	MinWaitUsec uint32
	TS          uint64
}

var (
	_ [64]struct{} = [unsafe.Sizeof(SQE{})]struct{}{}
	_ [16]struct{} = [unsafe.Sizeof(CQE{})]struct{}{}
	_ [16]struct{} = [unsafe.Sizeof(Timespec{})]struct{}{}
	_ [24]struct{} = [unsafe.Sizeof(GetEventsArg{})]struct{}{}
)

// SQE.Flags.
const (
	SQEFixedFile      = 1 << 0
	SQEIODrain        = 1 << 1
	SQEIOLink         = 1 << 2
	SQEIOHardlink     = 1 << 3
	SQEAsync          = 1 << 4
	SQEBufferSelect   = 1 << 5
	SQECQESkipSuccess = 1 << 6
)

// CQE.Flags. The buffer id is in the upper half.
const (
	CQEBuffer       = 1 << 0
	CQEMore         = 1 << 1
	CQESockNonEmpty = 1 << 2
	CQENotif        = 1 << 3
	CQEBufMore      = 1 << 4 // 6.12

	CQEBufferShift = 16
)

// NotifUsageZCCopied is set in the result of a zero-copy notification when
// data had to be copied after all (6.2).
const NotifUsageZCCopied = 1 << 31

// FileIndexAlloc as a file index asks the kernel to pick a free slot.
const FileIndexAlloc = ^uint32(0)
