package uringtest

import (
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

// Op is one submitted entry, decoded. The fields are constant; methods answer
// it.
type Op struct {
	Code        string // the kernel's name: "RECV", "SEND_ZC", "ASYNC_CANCEL"
	FD          int    // a slot of the registered files if Fixed
	Fixed       bool
	UserData    uint64
	Off         uint64 // also the user data of MSG_RING
	Len         uint32
	OpFlags     uint32 // msg_flags, open_flags, cancel_flags, ...
	Flags       uring.SQEFlags
	Personality uring.Personality
	Group       uring.GroupID // where buffers come from, if BufferSelect is set
	Multishot   bool
	Bundle      bool

	ring    *Ring
	raw     abi.SQE
	next    *Op // linked behind this one
	chain   *Op // the first of the chain, which orders completions
	state   opState
	owedZC  bool // the notification is still to come
	begun   bool // a zero-copy send that owes one whatever its result is
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
		Personality: uring.Personality(raw.Personality), ring: r, raw: raw,
	}
	if int(raw.Opcode) < len(abi.OpNames) {
		o.Code = abi.OpNames[raw.Opcode]
	}
	o.Fixed = o.Flags&uring.FixedFile != 0
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
	case abi.OpReadMultishot:
		o.Multishot = true
	case abi.OpTimeout:
		o.Multishot = raw.OpFlags&abi.TimeoutMultishot != 0
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

// FileIndex returns the slot that SetFileIndex asked for, FileIndexAlloc or,
// with ok false, none. For a splice see SpliceIn.
func (o *Op) FileIndex() (slot uint32, ok bool) {
	i := uint32(o.raw.FileIndex)
	if i == uring.FileIndexAlloc || i == 0 {
		return i, i != 0
	}
	return i - 1, true
}

// SpliceIn returns where a splice reads from.
func (o *Op) SpliceIn() (fd int, off uint64) { return int(o.raw.FileIndex), o.raw.Addr }

// Target returns the user data that a cancel or the removal of a poll or
// timeout names.
func (o *Op) Target() uint64 { return o.raw.Addr }

// Memory returns the bytes that the operation names: what it sends, or where
// it receives to. It is nil for operations that name something else. The
// bytes are the submitter's and only valid while the operation is in flight.
func (o *Op) Memory() []byte {
	switch o.raw.Opcode {
	case abi.OpSend:
		if o.raw.IOPrio&abi.SendVectorized != 0 {
			return nil
		}
	case abi.OpRead, abi.OpReadFixed, abi.OpWrite, abi.OpWriteFixed, abi.OpRecv, abi.OpSendZC:
	default:
		return nil
	}
	if o.raw.Addr == 0 {
		return nil
	}
	return memory(o.raw.Addr, uint64(o.Len))
}

// Vectors returns the bytes that the vectors of the operation name: those of a
// READV or WRITEV, or of the message header of a SENDMSG or RECVMSG.
func (o *Op) Vectors() [][]byte {
	addr, n := o.raw.Addr, uint64(o.Len)
	switch o.raw.Opcode {
	case abi.OpSend:
		if o.raw.IOPrio&abi.SendVectorized == 0 {
			return nil
		}
	case abi.OpSendmsg, abi.OpSendmsgZC, abi.OpRecvmsg:
		msg := (*unix.Msghdr)(kernelPointer(o.raw.Addr))
		addr, n = uint64(uintptr(unsafe.Pointer(msg.Iov))), msg.Iovlen
	case abi.OpReadv, abi.OpWritev, abi.OpReadvFixed, abi.OpWritevFixed:
	default:
		return nil
	}
	var list [][]byte
	for _, v := range unsafe.Slice((*unix.Iovec)(kernelPointer(addr)), n) {
		list = append(list, unsafe.Slice(v.Base, v.Len))
	}
	return list
}

// payload is everything that an operation sends or receives, flattened to its
// pieces.
func (o *Op) payload() [][]byte {
	if m := o.Memory(); m != nil {
		return [][]byte{m}
	}
	return o.Vectors()
}

// Path returns the path of a path operation.
func (o *Op) Path() string {
	switch o.raw.Opcode {
	case abi.OpOpenat2, abi.OpOpenat, abi.OpStatx, abi.OpUnlinkat, abi.OpMkdirat,
		abi.OpRenameat, abi.OpLinkat, abi.OpSymlinkat:
		return unix.BytePtrToString((*byte)(kernelPointer(o.raw.Addr)))
	}
	return ""
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
		{o.Fixed, "fixed"}, {o.Multishot, "multishot"}, {o.Bundle, "bundle"},
		{o.Flags&uring.Link != 0, "link"}, {o.Flags&uring.SkipSuccess != 0, "skip"},
		{o.Flags&uring.Async != 0, "async"},
	} {
		if f.on {
			b.WriteString(" " + f.name)
		}
	}
	return b.String()
}

// kernelPointer turns an address of an entry back into a pointer, as the
// kernel would. The detour keeps vet from taking it for pointer arithmetic:
// such memory is off-heap or pinned.
func kernelPointer(addr uint64) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&addr))
}

func memory(addr, n uint64) []byte {
	return unsafe.Slice((*byte)(kernelPointer(addr)), n)
}
