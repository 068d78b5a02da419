package listing

import (
	"bytes"
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// Dents are entries of a directory as getdents64(2) returns them (struct linux_dirent64), one after
// the other. The methods are about the first entry, which must exist.
type Dents []byte

// Offsets of the fields of struct linux_dirent64. The number comes first.
const (
	placeAt = 8
	sizeAt  = 16
	kindAt  = 18
	nameAt  = 19
)

// Number is the inode's number as the kernel lists it, or the number that SetNumber has stored.
func (d Dents) Number() uint64 { return binary.NativeEndian.Uint64(d) }

// SetNumber replaces Number.
func (d Dents) SetNumber(n uint64) { binary.NativeEndian.PutUint64(d, n) }

// Place is the place behind the entry, where a listing goes on (d_off).
func (d Dents) Place() uint64 { return binary.NativeEndian.Uint64(d[placeAt:]) }

func (d Dents) setPlace(p uint64) { binary.NativeEndian.PutUint64(d[placeAt:], p) }

// Kind is the type (DT_REG and so on).
func (d Dents) Kind() byte { return d[kindAt] }

// Name is the entry's name, a part of d. (It is one expression, so that the compiler inlines it.)
func (d Dents) Name() []byte { return d[nameAt : nameAt+max(bytes.IndexByte(d[nameAt:], 0), 0)] }

// Path is Name in the form that system calls take. It ends in NUL.
func (d Dents) Path() *byte { return &d[nameAt] }

// Dot reports whether the name is ".".
func (d Dents) Dot() bool { return d[nameAt] == '.' && d[nameAt+1] == 0 }

// DotDot reports whether the name is "..".
func (d Dents) DotDot() bool {
	return d[nameAt] == '.' && d[nameAt+1] == '.' && d[nameAt+2] == 0
}

// Rest is the entries behind the first one.
func (d Dents) Rest() Dents { return d[d.size():] }

func (d Dents) first() Dents { return d[:d.size()] }

func (d Dents) size() int { return int(binary.NativeEndian.Uint16(d[sizeAt:])) }

// Read reads entries of the directory fd, from its position on, into b: as many as fit, none at the
// end. It may block. The result is a part of b.
func Read(fd int, b []byte) (Dents, unix.Errno) {
	n, errno := kernel.Call(
		unix.SYS_GETDENTS64,
		uintptr(fd),
		uintptr(unsafe.Pointer(&b[0])),
		uintptr(len(b)),
		0,
		0,
		0,
	)
	if errno != 0 {
		return nil, errno
	}
	return b[:n], 0
}

// seek moves fd to a place.
func seek(fd int, place uint64) bool {
	at, errno := kernel.Call(unix.SYS_LSEEK, uintptr(fd), uintptr(place), unix.SEEK_SET, 0, 0, 0)
	return errno == 0 && uint64(at) == place
}

// First reads the first entries of the directory that the descriptor dir stands for; an O_PATH
// descriptor is enough. It reads with the thread's rights, and returns no entries if that fails. It
// may block.
func First(dir int) Dents {
	fd, errno := reopen(dir)
	if errno != 0 {
		return nil
	}
	defer kernel.CloseFD(fd)
	d, errno := Read(fd, make([]byte, pieceBytes))
	if errno != 0 {
		return nil
	}
	return d
}

var dot = [...]byte{'.', 0}

// reopen opens the directory dir for reading, with a position of its own.
func reopen(dir int) (int, unix.Errno) {
	return kernel.Openat(dir, &dot[0], unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}
