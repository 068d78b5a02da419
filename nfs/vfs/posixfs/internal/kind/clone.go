package kind

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// ProbeClone returns what a clone's range is a multiple of, in bytes: the block size where one
// file without a name can be made a clone of another in the directory root, else 0.
func ProbeClone(root int, sf *unix.Statfs_t) uint32 {
	var fds [2]int
	for i := range fds {
		fd, err := unix.Openat(root, ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return 0
		}
		defer kernel.CloseFD(fd) // the file is gone with it
		fds[i] = fd
	}
	if unix.Ftruncate(fds[0], sf.Bsize) != nil {
		return 0
	}
	block := unix.FileCloneRange{Src_fd: int64(fds[0]), Src_length: uint64(sf.Bsize)}
	if kernel.CloneRange(fds[1], &block) != 0 {
		return 0
	}
	return uint32(sf.Bsize)
}
