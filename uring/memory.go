package uring

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Map returns n zeroed bytes outside the Go heap, aligned to a page, for memory whose address the
// kernel keeps. Only Unmap gives them back; the collector does not.
func Map(n int) ([]byte, error) {
	p, err := unix.MmapPtr(-1, 0, nil, uintptr(n),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		errno, _ := err.(unix.Errno)
		return nil, mapError(n, errno)
	}
	return unsafe.Slice((*byte)(p), n), nil
}

// mapError says why there is no memory of n bytes, and what to do.
func mapError(n int, errno unix.Errno) error {
	e := &SetupError{Op: fmt.Sprintf("map %d bytes", n), Errno: errno}
	if errno == unix.ENOMEM {
		e.Kind = ErrMemory
		e.Cause = "the machine has not that much memory to give, or a limit is reached"
		e.Remedy = "use less memory, or raise RLIMIT_AS and RLIMIT_DATA (ulimit -v, -d; LimitAS=, LimitDATA=)"
	}
	return e
}

// Unmap gives back exactly what Map returned. The kernel must have done with the memory.
func Unmap(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if err := unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b))); err != nil {
		return fmt.Errorf("uring: unmap %d bytes: %w", len(b), err)
	}
	return nil
}

// MapSlice is Map for n values of T. T must hold no Go pointers, because the collector does not
// look into this memory.
func MapSlice[T any](n int) ([]T, error) {
	var t T
	b, err := Map(n * int(unsafe.Sizeof(t)))
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n), nil
}

// UnmapSlice gives back exactly what MapSlice returned.
func UnmapSlice[T any](s []T) error {
	if len(s) == 0 {
		return nil
	}
	n := len(s) * int(unsafe.Sizeof(s[0]))
	return Unmap(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), n))
}
