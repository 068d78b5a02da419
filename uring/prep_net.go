package uring

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

// PrepRecvMultishot receives again and again into buffers of group g, with a completion for each
// receive. It ends with a completion without More: at the end of the stream, after an error, with
// ENOBUFS when the group ran dry, or when the kernel wanted to stop. With bundle (needs Bundle) one
// completion may fill several buffers. Its id is that of the first buffer; the others follow in the
// order in which they were added.
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

// PrepSendMsg sends with a message header, as sendmsg(2) does.
func (s *SQE) PrepSendMsg(fd int, msg *unix.Msghdr, flags uint32) {
	s.prep(abi.OpSendmsg, fd, pointer(msg), 1, 0)
	s.e.OpFlags = flags
}

// PrepSendZC sends b without copying it. There are two completions. The first has the result, and
// More. The second has Notif and comes when the last reference to b is gone (for TCP: when the peer
// has acknowledged the data); after it b is the caller's again. A failed send may lack the second
// completion; More of the first one tells. Needs SendZC.
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

// PrepSendMsgZC is PrepSendMsg without copying the data. Its completions are like those of
// PrepSendZC. Needs SendMsgZC.
func (s *SQE) PrepSendMsgZC(fd int, msg *unix.Msghdr, flags uint32) {
	s.prep(abi.OpSendmsgZC, fd, pointer(msg), 1, 0)
	s.e.OpFlags = flags
}

// PrepAcceptMultishot accepts connections until a completion comes without More. It takes no place
// for the peers' addresses, since each connection would overwrite it: the caller asks
// getpeername(2).
func (s *SQE) PrepAcceptMultishot(fd int, flags uint32) {
	s.prep(abi.OpAccept, fd, 0, 0, 0)
	s.e.IOPrio |= abi.AcceptMultishot
	s.e.OpFlags = flags
}
