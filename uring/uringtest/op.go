package uringtest

import (
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

// Op is one submitted entry, decoded. Its fields are constant; its methods answer it.
type Op struct {
	Code      string // the kernel's name: "RECV", "SEND_ZC", "ASYNC_CANCEL"
	FD        int
	UserData  uint64
	Off       uint64
	Len       uint32
	OpFlags   uint32 // msg_flags, open_flags, cancel_flags, ...
	Flags     uring.SQEFlags
	Group     uring.GroupID // where buffers come from, if BufferSelect is set
	Multishot bool
	Bundle    bool

	ring    *Ring
	raw     abi.SQE
	next    *Op // linked behind this one
	chain   *Op // the first of the chain, which orders completions
	state   opState
	owedZC  bool // the notification is still to come
	begun   bool // a zero-copy send that owes a notification whatever its result is
	held    int  // completions that are not in the queue yet
	unread  int  // completions that were not harvested yet
	dropped bool // was ended by a cancel
}

type opState uint8

const (
	opWaiting opState = iota // behind a link
	opRunning
	opDone // had its final completion
)

func decode(r *Ring, s *uring.SQE) *Op {
	raw := *(*abi.SQE)(unsafe.Pointer(s))
	o := &Op{
		Code: fmt.Sprintf("OP%d", raw.Opcode), FD: int(raw.FD), UserData: raw.UserData,
		Off: raw.Off, Len: raw.Len, OpFlags: raw.OpFlags, Flags: uring.SQEFlags(raw.Flags),
		ring: r, raw: raw,
	}
	if int(raw.Opcode) < len(abi.OpNames) {
		o.Code = abi.OpNames[raw.Opcode]
	}
	if o.Flags&uring.BufferSelect != 0 {
		o.Group = uring.GroupID(raw.BufIndex)
	}
	switch raw.Opcode {
	case abi.OpRecv, abi.OpRecvmsg:
		o.Multishot = raw.IOPrio&abi.RecvMultishot != 0
		o.Bundle = raw.IOPrio&abi.RecvSendBundle != 0
	case abi.OpAccept:
		o.Multishot = raw.IOPrio&abi.AcceptMultishot != 0
	case abi.OpPollAdd:
		o.Multishot = raw.Len&abi.PollAddMulti != 0
	}
	o.chain = o
	return o
}

// ZeroCopy says that the operation also owes a notification when it succeeds.
func (o *Op) ZeroCopy() bool {
	return o.raw.Opcode == abi.OpSendZC || o.raw.Opcode == abi.OpSendmsgZC
}

// IOPrio returns the flags of a receive, send or accept.
func (o *Op) IOPrio() uint16 { return o.raw.IOPrio }

// SpliceIn returns where a splice reads from.
func (o *Op) SpliceIn() (fd int, off uint64) { return int(o.raw.FileIndex), o.raw.Addr }

// Target returns the user data that a cancel names.
func (o *Op) Target() uint64 { return o.raw.Addr }

// Memory returns the bytes that the operation names: those that it sends, or those that it receives
// into. It is nil for an operation that names none. The bytes are the submitter's, and valid only
// while the operation is in flight.
func (o *Op) Memory() []byte {
	switch o.raw.Opcode {
	case abi.OpRead, abi.OpReadFixed, abi.OpRecv, abi.OpSend, abi.OpSendZC:
	default:
		return nil
	}
	if o.raw.Addr == 0 {
		return nil
	}
	return memory(o.raw.Addr, uint64(o.Len))
}

// Vectors returns the bytes that the message header of a SENDMSG names.
func (o *Op) Vectors() [][]byte {
	if o.raw.Opcode != abi.OpSendmsg && o.raw.Opcode != abi.OpSendmsgZC {
		return nil
	}
	msg := (*unix.Msghdr)(kernelPointer(o.raw.Addr))
	var list [][]byte
	for _, v := range unsafe.Slice(msg.Iov, msg.Iovlen) {
		list = append(list, unsafe.Slice(v.Base, v.Len))
	}
	return list
}

// payload is everything that an operation sends or receives, in pieces.
func (o *Op) payload() [][]byte {
	if m := o.Memory(); m != nil {
		return [][]byte{m}
	}
	return o.Vectors()
}

// String describes the operation in one line.
func (o *Op) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s fd=%d len=%d off=%#x user=%#x", o.Code, o.FD, o.Len, o.Off, o.UserData)
	if o.Flags&uring.BufferSelect != 0 {
		fmt.Fprintf(&b, " group=%d", o.Group)
	}
	for _, f := range []struct {
		on   bool
		name string
	}{
		{o.Multishot, "multishot"}, {o.Bundle, "bundle"},
		{o.Flags&uring.Link != 0, "link"}, {o.Flags&uring.SkipSuccess != 0, "skip"},
		{o.Flags&uring.Async != 0, "async"},
	} {
		if f.on {
			b.WriteString(" " + f.name)
		}
	}
	return b.String()
}

// kernelPointer turns an address of an entry back into a pointer, as the kernel would. Such memory
// is off-heap or pinned. The detour keeps vet from taking the conversion for pointer arithmetic.
func kernelPointer(addr uint64) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&addr))
}

func memory(addr, n uint64) []byte {
	return unsafe.Slice((*byte)(kernelPointer(addr)), n)
}
