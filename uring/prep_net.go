package uring

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

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
	s.setBufGroup(g)
}

// PrepSend sends b, with the flags of send(2).
func (s *SQE) PrepSend(fd int, b []byte, flags uint32) {
	s.prep(abi.OpSend, fd, address(b), uint32(len(b)), 0)
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

// PrepAcceptMultishot accepts until a completion comes without More. Addresses
// are asked for by getpeername(2): one place for all would be overwritten.
func (s *SQE) PrepAcceptMultishot(fd int, flags uint32) {
	s.prep(abi.OpAccept, fd, 0, 0, 0)
	s.e.IOPrio |= abi.AcceptMultishot
	s.e.OpFlags = flags
}
