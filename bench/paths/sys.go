package main

import (
	"fmt"
	"io"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls below are raw: the scheduler of Go is not told, so a blocked thread
// keeps its processor (of which there are enough) and a call costs what it costs
// in C. Signals of Go's scheduler interrupt them now and then: EINTR means again.
//
// Addresses are converted in the call itself, and what they point to is kept on the
// heap meanwhile.
//
//go:uintptrescapes
func raw(trap, a, b, c, d, e, f uintptr) (int, unix.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(trap, a, b, c, d, e, f)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

func failed(what string, errno unix.Errno) error { return fmt.Errorf("%s: %w", what, errno) }

// send sends all of b.
func send(fd int, b []byte, flags int) error {
	for len(b) > 0 {
		n, errno := raw(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(flags), 0, 0)
		if errno != 0 {
			return failed("send", errno)
		}
		b = b[n:]
	}
	return nil
}

// recv receives what is there. It returns io.EOF at the end of the stream.
func recv(fd int, b []byte, flags int) (int, error) {
	n, errno := raw(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(flags), 0, 0)
	if errno != 0 {
		return 0, failed("recv", errno)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// recvAll fills b. If the stream ends in the middle, it returns io.ErrUnexpectedEOF.
func recvAll(fd int, b []byte) error {
	for got := 0; got < len(b); {
		n, err := recv(fd, b[got:], unix.MSG_WAITALL)
		if err == io.EOF && got > 0 {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		got += n
	}
	return nil
}

// discard discards up to n received bytes without copying them.
func discard(fd, n int) (int, error) {
	got, errno := raw(unix.SYS_RECVFROM, uintptr(fd), 0, uintptr(n), unix.MSG_TRUNC, 0, 0)
	if errno != 0 {
		return 0, failed("recv", errno)
	}
	if got == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return got, nil
}

func pread(fd int, b []byte, off int64) error {
	n, errno := raw(unix.SYS_PREAD64, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(off), 0, 0)
	return whole("pread", n, len(b), errno)
}

func pwrite(fd int, b []byte, off int64) error {
	n, errno := raw(unix.SYS_PWRITE64, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(off), 0, 0)
	return whole("pwrite", n, len(b), errno)
}

func pwritev(fd int, iov []unix.Iovec, size int, off int64) error {
	n, errno := raw(unix.SYS_PWRITEV, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(iov))), uintptr(len(iov)), uintptr(off), 0, 0)
	return whole("pwritev", n, size, errno)
}

// whole returns an error for a short result: here only a fault makes results short.
func whole(what string, n, want int, errno unix.Errno) error {
	if errno != 0 {
		return failed(what, errno)
	}
	if n != want {
		return fmt.Errorf("%s: %d bytes instead of %d", what, n, want)
	}
	return nil
}

// splice moves up to n bytes; a nil offset stands for a pipe or socket.
func splice(in int, inOff *int64, out int, outOff *int64, n, flags int) (int, error) {
	got, errno := raw(unix.SYS_SPLICE, uintptr(in), uintptr(unsafe.Pointer(inOff)), uintptr(out), uintptr(unsafe.Pointer(outOff)),
		uintptr(n), uintptr(flags))
	if errno != 0 {
		return 0, failed("splice", errno)
	}
	if got == 0 {
		return 0, io.EOF
	}
	return got, nil
}

func sendfile(out, in int, off *int64, n int) error {
	for n > 0 {
		got, errno := raw(unix.SYS_SENDFILE, uintptr(out), uintptr(in), uintptr(unsafe.Pointer(off)), uintptr(n), 0, 0)
		if errno != 0 {
			return failed("sendfile", errno)
		}
		if got == 0 {
			return fmt.Errorf("sendfile: %w", io.ErrUnexpectedEOF)
		}
		n -= got
	}
	return nil
}

func ftruncate(fd int, size int64) error {
	_, errno := raw(unix.SYS_FTRUNCATE, uintptr(fd), uintptr(size), 0, 0, 0, 0)
	return whole("ftruncate", 0, 0, errno)
}

func fallocate(fd int, off, size int64) error {
	_, errno := raw(unix.SYS_FALLOCATE, uintptr(fd), 0, uintptr(off), uintptr(size), 0, 0)
	return whole("fallocate", 0, 0, errno)
}

func fdatasync(fd int) error {
	_, errno := raw(unix.SYS_FDATASYNC, uintptr(fd), 0, 0, 0, 0, 0)
	return whole("fdatasync", 0, 0, errno)
}

// mapFile maps a range of a file, shared.
func mapFile(fd int, off int64, size int, prot int) ([]byte, error) {
	p, err := unix.MmapPtr(fd, off, nil, uintptr(size), prot, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mmap: %w", err)
	}
	return unsafe.Slice((*byte)(p), size), nil
}

// cpuOf returns the processor time that a process has used so far, in seconds, its io_uring workers
// included. It reads the process's CPU clock, whose number is made of the process id
// (clock_getcpuclockid(3); CPUCLOCK_SCHED is 2). The time is exact while the process sleeps.
func cpuOf(pid int) (float64, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|2, &ts); err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return float64(ts.Nano()) / 1e9, nil
}
