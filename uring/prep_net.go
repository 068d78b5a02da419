package uring

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

// PrepRecv receives into b, with the flags of recv(2).
func (s *SQE) PrepRecv(fd int, b []byte, flags uint32) {
	s.prep(abi.OpRecv, fd, address(b), uint32(len(b)), 0)
	s.e.OpFlags = flags
}

// PrepRecvSelect receives once into a buffer that the kernel takes from group
// g, at most max bytes, or the whole buffer when max is zero.
func (s *SQE) PrepRecvSelect(fd int, g GroupID, max uint32, flags uint32) {
	s.prep(abi.OpRecv, fd, 0, max, 0)
	s.e.OpFlags = flags
	s.SetBufGroup(g)
}

// PrepRecvMultishot receives again and again into buffers of group g, with a
// completion for each, until one comes without More: end of stream, an error,
// ENOBUFS when the group ran dry, or because the kernel wanted to stop. With
// bundle (needs Bundle) one completion may fill several buffers: the id is of
// the first, and the others follow it in the order in which they were added.
func (s *SQE) PrepRecvMultishot(fd int, g GroupID, bundle bool) {
	s.prep(abi.OpRecv, fd, 0, 0, 0)
	s.e.IOPrio |= abi.RecvMultishot
	if bundle {
		s.e.IOPrio |= abi.RecvSendBundle
	}
	s.SetBufGroup(g)
}

// PrepRecvMsg receives with a message header, as recvmsg(2).
func (s *SQE) PrepRecvMsg(fd int, msg *unix.Msghdr, flags uint32) {
	s.prep(abi.OpRecvmsg, fd, pointer(msg), 1, 0)
	s.e.OpFlags = flags
}

// RecvMsgOut is at the start of every buffer that PrepRecvMsgMultishot fills.
type RecvMsgOut = abi.RecvmsgOut

// RecvMsgOutSize is its size in bytes.
const RecvMsgOutSize = int(unsafe.Sizeof(RecvMsgOut{}))

// PrepRecvMsgMultishot receives datagrams into buffers of group g. Each buffer
// begins with a RecvMsgOut, then room for the name and the control data as
// msg announces them, then the payload. Only the two lengths of msg are read,
// when the entry is submitted.
func (s *SQE) PrepRecvMsgMultishot(fd int, msg *unix.Msghdr, g GroupID, flags uint32) {
	s.PrepRecvMsg(fd, msg, flags)
	s.e.IOPrio |= abi.RecvMultishot
	s.SetBufGroup(g)
}

// PrepSend sends b, with the flags of send(2).
func (s *SQE) PrepSend(fd int, b []byte, flags uint32) {
	s.prep(abi.OpSend, fd, address(b), uint32(len(b)), 0)
	s.e.OpFlags = flags
}

// PrepSendVec sends what the vectors name without a message header. Needs
// SendVectorized.
func (s *SQE) PrepSendVec(fd int, iov []unix.Iovec, flags uint32) {
	s.prep(abi.OpSend, fd, pointer(unsafe.SliceData(iov)), uint32(len(iov)), 0)
	s.e.IOPrio |= abi.SendVectorized
	s.e.OpFlags = flags
}

// PrepSendMsg sends with a message header, as sendmsg(2).
func (s *SQE) PrepSendMsg(fd int, msg *unix.Msghdr, flags uint32) {
	s.prep(abi.OpSendmsg, fd, pointer(msg), 1, 0)
	s.e.OpFlags = flags
}

// PrepSendZC sends b without copying it. There are two completions: the
// result, with More, and when the last reference to b is gone (for TCP: when
// the peer has acknowledged it) the one with Notif, after which b is the
// caller's again. A failed send may come with or without the second; More of
// the first one tells. Needs SendZC.
func (s *SQE) PrepSendZC(fd int, b []byte, flags uint32) {
	s.prep(abi.OpSendZC, fd, address(b), uint32(len(b)), 0)
	s.e.OpFlags = flags
}

// PrepSendZCFixed is PrepSendZC for bytes within registered buffer index.
func (s *SQE) PrepSendZCFixed(fd int, b []byte, index uint16, flags uint32) {
	s.PrepSendZC(fd, b, flags)
	s.e.IOPrio |= abi.RecvSendFixedBuf
	s.e.BufIndex = index
}

// PrepSendMsgZC is PrepSendMsg without copying the data; completions are those
// of PrepSendZC. Needs SendMsgZC.
func (s *SQE) PrepSendMsgZC(fd int, msg *unix.Msghdr, flags uint32) {
	s.prep(abi.OpSendmsgZC, fd, pointer(msg), 1, 0)
	s.e.OpFlags = flags
}

// PrepAccept accepts one connection with the flags of accept4(2). addr and
// size receive the peer's address and may be nil.
func (s *SQE) PrepAccept(fd int, addr *unix.RawSockaddrAny, size *uint32, flags uint32) {
	s.prep(abi.OpAccept, fd, pointer(addr), 0, pointer(size))
	s.e.OpFlags = flags
}

// PrepAcceptMultishot accepts until a completion comes without More. Addresses
// are asked for by getpeername(2): one place for all would be overwritten.
func (s *SQE) PrepAcceptMultishot(fd int, flags uint32) {
	s.prep(abi.OpAccept, fd, 0, 0, 0)
	s.e.IOPrio |= abi.AcceptMultishot
	s.e.OpFlags = flags
}

// PrepConnect connects to the address of size bytes at addr.
func (s *SQE) PrepConnect(fd int, addr unsafe.Pointer, size uint32) {
	s.prep(abi.OpConnect, fd, uint64(uintptr(addr)), 0, uint64(size))
}

// PrepSocket creates a socket.
func (s *SQE) PrepSocket(domain, typ, protocol int) {
	s.prep(abi.OpSocket, domain, 0, uint32(protocol), uint64(typ))
}

// PrepShutdown shuts down a side of a connection: unix.SHUT_RD, SHUT_WR, SHUT_RDWR.
func (s *SQE) PrepShutdown(fd int, how int) {
	s.prep(abi.OpShutdown, fd, 0, uint32(how), 0)
}
