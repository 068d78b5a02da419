package abi

import "unsafe"

// SQRingOffsets is struct io_sqring_offsets.
type SQRingOffsets struct {
	Head        uint32
	Tail        uint32
	RingMask    uint32
	RingEntries uint32
	Flags       uint32
	Dropped     uint32
	Array       uint32
	Resv1       uint32
	UserAddr    uint64
}

// CQRingOffsets is struct io_cqring_offsets.
type CQRingOffsets struct {
	Head        uint32
	Tail        uint32
	RingMask    uint32
	RingEntries uint32
	Overflow    uint32
	CQEs        uint32
	Flags       uint32
	Resv1       uint32
	UserAddr    uint64
}

// Params is struct io_uring_params.
type Params struct {
	SQEntries    uint32
	CQEntries    uint32
	Flags        uint32
	SQThreadCPU  uint32
	SQThreadIdle uint32
	Features     uint32
	WQFD         uint32
	Resv         [3]uint32
	SQOff        SQRingOffsets
	CQOff        CQRingOffsets
}

var (
	_ [40]struct{}  = [unsafe.Sizeof(SQRingOffsets{})]struct{}{}
	_ [40]struct{}  = [unsafe.Sizeof(CQRingOffsets{})]struct{}{}
	_ [120]struct{} = [unsafe.Sizeof(Params{})]struct{}{}
)

// Offsets for mmap of the ring descriptor.
const (
	OffSQRing = 0
	OffCQRing = 0x8000000
	OffSQEs   = 0x10000000
)

// Flags of io_uring_setup.
const (
	SetupIOPoll           = 1 << 0
	SetupSQPoll           = 1 << 1
	SetupSQAff            = 1 << 2
	SetupCQSize           = 1 << 3
	SetupClamp            = 1 << 4
	SetupAttachWQ         = 1 << 5
	SetupRDisabled        = 1 << 6
	SetupSubmitAll        = 1 << 7
	SetupCoopTaskrun      = 1 << 8
	SetupTaskrunFlag      = 1 << 9
	SetupSQE128           = 1 << 10
	SetupCQE32            = 1 << 11
	SetupSingleIssuer     = 1 << 12
	SetupDeferTaskrun     = 1 << 13
	SetupNoMmap           = 1 << 14 // 6.5
	SetupRegisteredFDOnly = 1 << 15 // 6.5
	SetupNoSQArray        = 1 << 16 // 6.6
	SetupHybridIOPoll     = 1 << 17 // 6.13
	SetupCQEMixed         = 1 << 18 // 6.18
)

// Bits of Params.Features.
const (
	FeatSingleMmap     = 1 << 0
	FeatNoDrop         = 1 << 1
	FeatSubmitStable   = 1 << 2
	FeatRWCurPos       = 1 << 3
	FeatCurPersonality = 1 << 4
	FeatFastPoll       = 1 << 5
	FeatPoll32Bits     = 1 << 6
	FeatSQPollNonfixed = 1 << 7
	FeatExtArg         = 1 << 8
	FeatNativeWorkers  = 1 << 9
	FeatRsrcTags       = 1 << 10
	FeatCQESkip        = 1 << 11
	FeatLinkedFile     = 1 << 12
	FeatRegRegRing     = 1 << 13 // 6.3
	FeatRecvSendBundle = 1 << 14 // 6.10
	FeatMinTimeout     = 1 << 15 // 6.12
	FeatRWAttr         = 1 << 16 // 6.14
	FeatNoIOWait       = 1 << 17 // 6.15
)

// Flags of io_uring_enter.
const (
	EnterGetEvents      = 1 << 0
	EnterSQWakeup       = 1 << 1
	EnterSQWait         = 1 << 2
	EnterExtArg         = 1 << 3
	EnterRegisteredRing = 1 << 4
	EnterAbsTimer       = 1 << 5 // 6.12
	EnterExtArgReg      = 1 << 6 // 6.13
	EnterNoIOWait       = 1 << 7 // 6.15
)

// Bits of the flags word of the submission ring, written by the kernel.
const (
	SQNeedWakeup = 1 << 0
	SQCQOverflow = 1 << 1
	SQTaskrun    = 1 << 2
)

// CQEventFDDisabled in the flags word of the completion ring silences the
// registered eventfd; written by the application.
const CQEventFDDisabled = 1 << 0
