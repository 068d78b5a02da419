package transport

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// outlets is what the outputs of a lane's connections share: pipes, zero-copy sends and vectors.
type outlets struct {
	pipes pipePool
	// reportUsage says that notifications tell whether the kernel copied.
	reportUsage bool
	zcFree      *zcSend // pool
	pinned      pinned  // memory of zero-copy sends without their notification
	vectors     []vector
	vectorsIn   *vector // pool
}

const (
	// vectorMax is how many pieces leave in one send.
	vectorMax = 64
	// vectorsMax is how many sends with several pieces can be in flight on a lane. Further
	// sends have one piece at a time.
	vectorsMax = 512
)

// vector is what the kernel reads of a send with several pieces. It lies outside the Go heap and
// belongs to the operation until its last completion.
type vector struct {
	msg  unix.Msghdr
	iov  [vectorMax]unix.Iovec
	next *vector
}

// takeVector returns a vector, or nil when all are in use.
func (ol *outlets) takeVector() *vector {
	v := ol.vectorsIn
	if v != nil {
		ol.vectorsIn = v.next
	}
	return v
}

// putVector takes a vector back.
func (ol *outlets) putVector(v *vector) {
	v.next = ol.vectorsIn
	ol.vectorsIn = v
}

// fill makes v name the pieces.
func (v *vector) fill(pieces []piece) *unix.Msghdr {
	for i := range pieces {
		d := pieces[i].data
		v.iov[i].Base = unsafe.SliceData(d)
		v.iov[i].SetLen(len(d))
	}
	v.msg = unix.Msghdr{Iov: &v.iov[0]}
	v.msg.SetIovlen(len(pieces))
	return &v.msg
}
