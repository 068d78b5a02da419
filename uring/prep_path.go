package uring

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

// Paths are the first byte of a string that ends with a zero byte. The kernel
// copies them when the entry is submitted, except for PrepStatx with an
// unsupported inline path, so they too stay until the completion.

// PrepOpenat2 opens path as openat2(2) does.
func (s *SQE) PrepOpenat2(dir int, path *byte, how *unix.OpenHow) {
	s.prep(abi.OpOpenat2, dir, pointer(path), unix.SizeofOpenHow, pointer(how))
}

// PrepStatx is statx(2); st is written before the completion.
func (s *SQE) PrepStatx(dir int, path *byte, flags, mask uint32, st *unix.Statx_t) {
	s.prep(abi.OpStatx, dir, pointer(path), mask, pointer(st))
	s.e.OpFlags = flags
}

// PrepClose closes a descriptor.
func (s *SQE) PrepClose(fd int) { s.prep(abi.OpClose, fd, 0, 0, 0) }

// PrepCloseFixed empties a slot of the registered files.
func (s *SQE) PrepCloseFixed(slot uint32) {
	s.prep(abi.OpClose, 0, 0, 0, 0)
	s.SetFileIndex(slot)
}

// PrepFixedInstall puts the file of a registered slot into the descriptor
// table, close-on-exec unless noCloexec. Needs FixedInstall.
func (s *SQE) PrepFixedInstall(slot int, noCloexec bool) {
	s.prep(abi.OpFixedFDInstall, slot, 0, 0, 0)
	s.AddFlags(FixedFile)
	if noCloexec {
		s.e.OpFlags = abi.FixedFDNoCloexec
	}
}

// PrepRenameat is renameat2(2).
func (s *SQE) PrepRenameat(oldDir int, oldPath *byte, newDir int, newPath *byte, flags uint32) {
	s.prep(abi.OpRenameat, oldDir, pointer(oldPath), uint32(int32(newDir)), pointer(newPath))
	s.e.OpFlags = flags
}

// PrepUnlinkat is unlinkat(2); with unix.AT_REMOVEDIR it is rmdir.
func (s *SQE) PrepUnlinkat(dir int, path *byte, flags uint32) {
	s.prep(abi.OpUnlinkat, dir, pointer(path), 0, 0)
	s.e.OpFlags = flags
}

// PrepMkdirat is mkdirat(2).
func (s *SQE) PrepMkdirat(dir int, path *byte, mode uint32) {
	s.prep(abi.OpMkdirat, dir, pointer(path), mode, 0)
}

// PrepSymlinkat is symlinkat(2).
func (s *SQE) PrepSymlinkat(target *byte, dir int, path *byte) {
	s.prep(abi.OpSymlinkat, dir, pointer(target), 0, pointer(path))
}

// PrepLinkat is linkat(2).
func (s *SQE) PrepLinkat(oldDir int, oldPath *byte, newDir int, newPath *byte, flags uint32) {
	s.prep(abi.OpLinkat, oldDir, pointer(oldPath), uint32(int32(newDir)), pointer(newPath))
	s.e.OpFlags = flags
}
