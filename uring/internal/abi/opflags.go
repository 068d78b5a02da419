package abi

// Flags of OpAccept, in SQE.IOPrio.
const (
	AcceptMultishot = 1 << 0
	AcceptDontWait  = 1 << 1 // 6.10
	AcceptPollFirst = 1 << 2 // 6.10
)

// Flags of the send and receive operations, in SQE.IOPrio.
const (
	RecvSendPollFirst = 1 << 0
	RecvMultishot     = 1 << 1
	RecvSendFixedBuf  = 1 << 2
	SendZCReportUsage = 1 << 3 // 6.2
	RecvSendBundle    = 1 << 4 // 6.10
	SendVectorized    = 1 << 5 // 6.17
)

// Flags of OpTimeout, OpTimeoutRemove and OpLinkTimeout, in SQE.OpFlags.
const (
	TimeoutAbs          = 1 << 0
	TimeoutUpdate       = 1 << 1
	TimeoutBoottime     = 1 << 2
	TimeoutRealtime     = 1 << 3
	LinkTimeoutUpdate   = 1 << 4
	TimeoutETimeSuccess = 1 << 5
	TimeoutMultishot    = 1 << 6 // 6.4
)

// Flags of OpPollAdd and OpPollRemove, in SQE.Len.
const (
	PollAddMulti       = 1 << 0
	PollUpdateEvents   = 1 << 1
	PollUpdateUserData = 1 << 2
	PollAddLevel       = 1 << 3
)

// Flags of OpAsyncCancel, in SQE.OpFlags.
const (
	AsyncCancelAll      = 1 << 0
	AsyncCancelFD       = 1 << 1
	AsyncCancelAny      = 1 << 2
	AsyncCancelFDFixed  = 1 << 3
	AsyncCancelUserData = 1 << 4 // 6.6
	AsyncCancelOp       = 1 << 5 // 6.6
)

// FsyncDatasync makes OpFsync an fdatasync, in SQE.OpFlags.
const FsyncDatasync = 1 << 0

// SpliceFDInFixed says that SQE.FileIndex of OpSplice and OpTee is a slot of
// the registered files, in SQE.OpFlags.
const SpliceFDInFixed = 1 << 31

// Commands of OpMsgRing, in SQE.Addr, and its flags, in SQE.OpFlags.
const (
	MsgData   = 0
	MsgSendFD = 1

	MsgRingCQESkip   = 1 << 0
	MsgRingFlagsPass = 1 << 1 // 6.3
)

// FixedFDNoCloexec is a flag of OpFixedFDInstall, in SQE.OpFlags.
const FixedFDNoCloexec = 1 << 0
