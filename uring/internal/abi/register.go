package abi

import "unsafe"

// Operations of io_uring_register.
const (
	RegisterBuffers        = 0
	UnregisterBuffers      = 1
	RegisterFiles          = 2
	UnregisterFiles        = 3
	RegisterEventFD        = 4
	UnregisterEventFD      = 5
	RegisterFilesUpdate    = 6
	RegisterEventFDAsync   = 7
	RegisterProbe          = 8
	RegisterPersonality    = 9
	UnregisterPersonality  = 10
	RegisterRestrictions   = 11
	RegisterEnableRings    = 12
	RegisterFiles2         = 13
	RegisterFilesUpdate2   = 14
	RegisterBuffers2       = 15
	RegisterBuffersUpdate  = 16
	RegisterIOWQAff        = 17
	UnregisterIOWQAff      = 18
	RegisterIOWQMaxWorkers = 19
	RegisterRingFDs        = 20
	UnregisterRingFDs      = 21
	RegisterPbufRing       = 22
	UnregisterPbufRing     = 23
	RegisterSyncCancel     = 24
	RegisterFileAllocRange = 25
	RegisterPbufStatus     = 26 // 6.8
	RegisterNAPI           = 27 // 6.9
	UnregisterNAPI         = 28 // 6.9
	RegisterClock          = 29 // 6.12
	RegisterCloneBuffers   = 30 // 6.12
	RegisterSendMsgRing    = 31 // 6.13
	RegisterZCRXIfq        = 32 // 6.15
	RegisterResizeRings    = 33 // 6.13
	RegisterMemRegion      = 34 // 6.13
	RegisterQuery          = 35 // 6.18

	RegisterUseRegisteredRing = 1 << 31 // 6.3
)

// RsrcRegister is struct io_uring_rsrc_register.
type RsrcRegister struct {
	NR    uint32
	Flags uint32
	Resv2 uint64
	Data  uint64
	Tags  uint64
}

// RsrcRegisterSparse in RsrcRegister.Flags makes a table of empty slots.
const RsrcRegisterSparse = 1 << 0

// RsrcUpdate is struct io_uring_rsrc_update.
type RsrcUpdate struct {
	Offset uint32
	Resv   uint32
	Data   uint64
}

// RsrcUpdate2 is struct io_uring_rsrc_update2.
type RsrcUpdate2 struct {
	Offset uint32
	Resv   uint32
	Data   uint64
	Tags   uint64
	NR     uint32
	Resv2  uint32
}

// RegisterFilesSkip leaves a slot as it is in an update.
const RegisterFilesSkip = -2

// ProbeOp is struct io_uring_probe_op.
type ProbeOp struct {
	Op    uint8
	Resv  uint8
	Flags uint16
	Resv2 uint32
}

// OpSupported in ProbeOp.Flags: the kernel has the operation.
const OpSupported = 1 << 0

// ProbeOpsMax is the most operations that a probe may ask for.
const ProbeOpsMax = 256

// Probe is struct io_uring_probe with all its room.
type Probe struct {
	LastOp uint8
	OpsLen uint8
	Resv   uint16
	Resv2  [3]uint32
	Ops    [ProbeOpsMax]ProbeOp
}

// Buf is struct io_uring_buf, an entry of a provided-buffer ring. Resv of the
// first entry is the ring's tail.
type Buf struct {
	Addr uint64
	Len  uint32
	BID  uint16
	Resv uint16
}

// PbufRingTailOffset is where the tail of a provided-buffer ring lies.
const PbufRingTailOffset = 14

// PbufRingEntriesMax is the most entries that the kernel takes in one ring.
const PbufRingEntriesMax = 1 << 15

// BufReg is struct io_uring_buf_reg.
type BufReg struct {
	RingAddr    uint64
	RingEntries uint32
	BGID        uint16
	Flags       uint16
	Resv        [3]uint64
}

// BufReg.Flags.
const (
	PbufRingMmap = 1 << 0 // 6.4
	PbufRingInc  = 1 << 1 // 6.12
)

// BufStatus is struct io_uring_buf_status.
type BufStatus struct {
	BufGroup uint32
	Head     uint32
	Resv     [8]uint32
}

// SyncCancelReg is struct io_uring_sync_cancel_reg.
type SyncCancelReg struct {
	Addr    uint64
	FD      int32
	Flags   uint32
	Timeout Timespec
	Opcode  uint8
	Pad     [7]uint8
	Pad2    [3]uint64
}

// FileIndexRange is struct io_uring_file_index_range.
type FileIndexRange struct {
	Off  uint32
	Len  uint32
	Resv uint64
}

// RecvmsgOut is struct io_uring_recvmsg_out, at the start of every buffer
// that a multishot RECVMSG fills.
type RecvmsgOut struct {
	NameLen    uint32
	ControlLen uint32
	PayloadLen uint32
	Flags      uint32
}

var (
	_ [32]struct{}   = [unsafe.Sizeof(RsrcRegister{})]struct{}{}
	_ [16]struct{}   = [unsafe.Sizeof(RsrcUpdate{})]struct{}{}
	_ [32]struct{}   = [unsafe.Sizeof(RsrcUpdate2{})]struct{}{}
	_ [8]struct{}    = [unsafe.Sizeof(ProbeOp{})]struct{}{}
	_ [2064]struct{} = [unsafe.Sizeof(Probe{})]struct{}{}
	_ [16]struct{}   = [unsafe.Sizeof(Buf{})]struct{}{}
	_ [40]struct{}   = [unsafe.Sizeof(BufReg{})]struct{}{}
	_ [40]struct{}   = [unsafe.Sizeof(BufStatus{})]struct{}{}
	_ [64]struct{}   = [unsafe.Sizeof(SyncCancelReg{})]struct{}{}
	_ [16]struct{}   = [unsafe.Sizeof(FileIndexRange{})]struct{}{}
	_ [16]struct{}   = [unsafe.Sizeof(RecvmsgOut{})]struct{}{}
)
