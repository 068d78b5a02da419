package uring

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

// CurrentOffset as an offset means the file's own position, as in read(2), and
// for splice a side that has none, such as a pipe.
const CurrentOffset = ^uint64(0)

// PrepRead reads into b from offset off, with the flags of preadv2(2) (RWF_*).
func (s *SQE) PrepRead(fd int, b []byte, off uint64, rwf uint32) {
	s.prep(abi.OpRead, fd, address(b), uint32(len(b)), off)
	s.e.OpFlags = rwf
}

// PrepReadv reads into the vectors.
func (s *SQE) PrepReadv(fd int, iov []unix.Iovec, off uint64, rwf uint32) {
	s.prep(abi.OpReadv, fd, pointer(unsafe.SliceData(iov)), uint32(len(iov)), off)
	s.e.OpFlags = rwf
}

// PrepReadFixed reads into b, which lies within registered buffer index.
func (s *SQE) PrepReadFixed(fd int, b []byte, off uint64, index uint16, rwf uint32) {
	s.prep(abi.OpReadFixed, fd, address(b), uint32(len(b)), off)
	s.e.OpFlags = rwf
	s.e.BufIndex = index
}

// PrepReadMultishot reads a pollable file (a pipe, an eventfd) again and again
// into buffers of group g. Needs ReadMultishot.
func (s *SQE) PrepReadMultishot(fd int, g GroupID) {
	s.prep(abi.OpReadMultishot, fd, 0, 0, CurrentOffset)
	s.SetBufGroup(g)
}

// PrepWrite writes b at offset off, with the flags of pwritev2(2) (RWF_*).
func (s *SQE) PrepWrite(fd int, b []byte, off uint64, rwf uint32) {
	s.prep(abi.OpWrite, fd, address(b), uint32(len(b)), off)
	s.e.OpFlags = rwf
}

// PrepWritev writes what the vectors name.
func (s *SQE) PrepWritev(fd int, iov []unix.Iovec, off uint64, rwf uint32) {
	s.prep(abi.OpWritev, fd, pointer(unsafe.SliceData(iov)), uint32(len(iov)), off)
	s.e.OpFlags = rwf
}

// PrepWriteFixed writes b, which lies within registered buffer index.
func (s *SQE) PrepWriteFixed(fd int, b []byte, off uint64, index uint16, rwf uint32) {
	s.prep(abi.OpWriteFixed, fd, address(b), uint32(len(b)), off)
	s.e.OpFlags = rwf
	s.e.BufIndex = index
}

// PrepFsync makes the file durable, or with dataOnly what fdatasync(2) would.
func (s *SQE) PrepFsync(fd int, dataOnly bool) {
	s.prep(abi.OpFsync, fd, 0, 0, 0)
	if dataOnly {
		s.e.OpFlags = abi.FsyncDatasync
	}
}

// PrepFsyncRange is PrepFsync for n bytes at off; zero n means to the end.
func (s *SQE) PrepFsyncRange(fd int, off uint64, n uint32, dataOnly bool) {
	s.PrepFsync(fd, dataOnly)
	s.e.Off = off
	s.e.Len = n
}

// PrepFallocate is fallocate(2).
func (s *SQE) PrepFallocate(fd int, mode uint32, off, n uint64) {
	s.prep(abi.OpFallocate, fd, n, mode, off)
}

// PrepFtruncate is ftruncate(2). Needs Ftruncate.
func (s *SQE) PrepFtruncate(fd int, size uint64) {
	s.prep(abi.OpFtruncate, fd, 0, 0, size)
}

// PrepFadvise is posix_fadvise(2), advice being unix.FADV_*.
func (s *SQE) PrepFadvise(fd int, off uint64, n uint32, advice uint32) {
	s.prep(abi.OpFadvise, fd, 0, n, off)
	s.e.OpFlags = advice
}

// SpliceInFixed says that the descriptor spliced from is a slot of the
// registered files; FixedFile says so of the one spliced to.
const SpliceInFixed uint32 = abi.SpliceFDInFixed

// PrepSplice moves up to n bytes as splice(2) does, flags being
// unix.SPLICE_F_* and SpliceInFixed. A side that is a pipe has CurrentOffset.
// The kernel always runs it on a worker of its own.
func (s *SQE) PrepSplice(in int, inOff uint64, out int, outOff uint64, n uint32, flags uint32) {
	s.prep(abi.OpSplice, out, inOff, n, outOff)
	s.e.FileIndex = int32(in)
	s.e.OpFlags = flags
}

// PrepTee copies up to n bytes from one pipe to another without consuming them.
func (s *SQE) PrepTee(in, out int, n uint32, flags uint32) {
	s.prep(abi.OpTee, out, 0, n, 0)
	s.e.FileIndex = int32(in)
	s.e.OpFlags = flags
}

// PrepPipe makes a pipe, whose two descriptors the kernel writes to fds; flags
// are those of pipe2(2). Needs Pipe.
func (s *SQE) PrepPipe(fds *[2]int32, flags uint32) {
	s.prep(abi.OpPipe, 0, pointer(fds), 0, 0)
	s.e.OpFlags = flags
}
