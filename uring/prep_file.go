package uring

import "github.com/ringnfs/ringnfs/uring/internal/abi"

// CurrentOffset as an offset means the file's own position, as in read(2). A splice takes it for
// a side that has no position, such as a pipe.
const CurrentOffset = ^uint64(0)

// PrepRead reads into b from offset off, with the flags of preadv2(2) (RWF_*).
func (s *SQE) PrepRead(fd int, b []byte, off uint64, rwf uint32) {
	s.prep(abi.OpRead, fd, address(b), uint32(len(b)), off)
	s.e.OpFlags = rwf
}

// PrepReadFixed reads into b, which lies within registered buffer index.
func (s *SQE) PrepReadFixed(fd int, b []byte, off uint64, index uint16, rwf uint32) {
	s.prep(abi.OpReadFixed, fd, address(b), uint32(len(b)), off)
	s.e.OpFlags = rwf
	s.e.BufIndex = index
}

// PrepSplice moves up to n bytes as splice(2) does; flags are unix.SPLICE_F_*. A side that is a
// pipe takes CurrentOffset. The kernel always runs a splice on one of its workers.
func (s *SQE) PrepSplice(in int, inOff uint64, out int, outOff uint64, n uint32, flags uint32) {
	s.prep(abi.OpSplice, out, inOff, n, outOff)
	s.e.FileIndex = int32(in)
	s.e.OpFlags = flags
}
