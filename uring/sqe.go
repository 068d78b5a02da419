package uring

import (
	"unsafe"

	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

// SQE is one submission entry, a place in memory shared with the kernel. The
// pointer that Ring.SQE returns is valid until the next Submit or Wait.
//
// A Prep method sets the operation and its arguments; the setters may be
// called before or after it.
type SQE struct {
	e abi.SQE
}

var _ [64]struct{} = [unsafe.Sizeof(SQE{})]struct{}{}

// SQEFlags are the flags that every operation has.
type SQEFlags uint8

const (
	// Link: the next entry starts when this one has succeeded. If this one fails, or reads or
	// writes less than asked, the kernel cancels the rest of the chain.
	Link SQEFlags = abi.SQEIOLink
	// Hardlink: like Link, but a failure does not break the chain.
	Hardlink SQEFlags = abi.SQEIOHardlink
	// Async: a kernel worker runs the operation at once; the kernel does not try it inline
	// first.
	Async SQEFlags = abi.SQEAsync
	// BufferSelect: take a buffer from the group that the operation names.
	BufferSelect SQEFlags = abi.SQEBufferSelect
	// SkipSuccess: post no completion unless the operation fails.
	SkipSuccess SQEFlags = abi.SQECQESkipSuccess
)

// GroupID names a group of provided buffers.
type GroupID uint16

// BufferID names a buffer in its group.
type BufferID uint16

// SetUserData sets the number that every completion of the entry brings back: an index with a
// generation, never an address.
func (s *SQE) SetUserData(u uint64) { s.e.UserData = u }

// UserData returns what SetUserData set.
func (s *SQE) UserData() uint64 { return s.e.UserData }

// AddFlags sets flags and keeps those already set.
func (s *SQE) AddFlags(f SQEFlags) { s.e.Flags |= uint8(f) }

// setBufGroup lets the operation take a provided buffer of group g.
func (s *SQE) setBufGroup(g GroupID) {
	s.e.Flags |= uint8(BufferSelect)
	s.e.BufIndex = uint16(g)
}

// RecvSendFlags are flags of the receive and send operations that are not
// flags of the system calls.
type RecvSendFlags uint16

const (
	// PollFirst: wait for readiness before the first attempt.
	PollFirst RecvSendFlags = abi.RecvSendPollFirst
	// ReportUsage: the notification of a zero-copy send says whether the kernel copied the data
	// after all, see CQE.Copied. Needs ZCReportUsage.
	ReportUsage RecvSendFlags = abi.SendZCReportUsage
)

// AddRecvSendFlags sets flags of a receive or send operation.
func (s *SQE) AddRecvSendFlags(f RecvSendFlags) { s.e.IOPrio |= uint16(f) }

// prep sets the operation and the arguments that most operations have.
func (s *SQE) prep(op uint8, fd int, addr uint64, n uint32, off uint64) {
	s.e.Opcode = op
	s.e.FD = int32(fd)
	s.e.Addr = addr
	s.e.Len = n
	s.e.Off = off
}

// address is where the kernel finds b. The caller of a Prep method keeps b there.
func address(b []byte) uint64 {
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b))))
}

// pointer is address for a single object.
func pointer[T any](p *T) uint64 {
	return uint64(uintptr(unsafe.Pointer(p)))
}
