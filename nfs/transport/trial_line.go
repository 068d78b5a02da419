package transport

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// selfRoom is the receive buffer of a trial's connection in bytes (the kernel doubles it). It is
// less than the buffers of a ring hold together, so that more arrives while the kernel receives: in
// this situation bundles went wrong.
const selfRoom = 64 << 10

// dialSelf makes a TCP connection to itself over loopback. It uses TCP, as peers do, because for
// other sockets the kernel does not know of bytes that wait, on which bundles depend. Where there
// is no loopback, peers cannot connect over it either; then a pair of local sockets takes its
// place.
func dialSelf() (*line, error) {
	near, far, notTCP := tcpPair()
	if notTCP != nil {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("transport: sockets for a trial of io_uring: %w", err)
		}
		near, far = pair[0], pair[1]
		if err := unix.SetNonblock(far, true); err != nil {
			closeAll(near, far)
			return nil, err
		}
	}
	return &line{
		fd:      near,
		notTCP:  notTCP,
		send:    func(b []byte) (int, error) { return moved(unix.SendmsgN(far, b, nil, nil, unix.MSG_NOSIGNAL)) },
		receive: func(b []byte) (int, error) { return moved(unix.Read(far, b)) },
		end:     func() { _ = unix.Shutdown(far, unix.SHUT_WR) },
		close:   func() { closeAll(near, far) },
	}, nil
}

// moved turns the error of a call that would have to wait into nothing moved.
func moved(n int, err error) (int, error) {
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	return max(n, 0), err
}

// tcpPair returns two connected sockets. far never waits.
func tcpPair() (near, far int, err error) {
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, -1, err
	}
	defer closeAll(listener)
	_ = unix.SetsockoptInt(listener, unix.SOL_SOCKET, unix.SO_RCVBUF, selfRoom)
	here := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if err = unix.Bind(listener, here); err != nil {
		return -1, -1, err
	}
	if err = unix.Listen(listener, 8); err != nil {
		return -1, -1, err
	}
	at, err := unix.Getsockname(listener)
	if err != nil {
		return -1, -1, err
	}
	if far, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return -1, -1, err
	}
	if err = unix.Connect(far, at); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		closeAll(far)
		return -1, -1, err
	}
	_ = unix.SetsockoptInt(far, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if near, err = acceptFrom(listener, far); err != nil {
		closeAll(far)
		return -1, -1, err
	}
	return near, far, nil
}

// selfPatience is how long a connection to itself may take to be made: a filter may drop its
// packets.
const selfPatience = time.Second

// acceptFrom accepts the connection whose other end is far, and no other.
func acceptFrom(listener, far int) (int, error) {
	for start := time.Now(); time.Since(start) < selfPatience; {
		fds := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, int(selfPatience/time.Millisecond)); err != nil &&
			!errors.Is(err, unix.EINTR) {
			return -1, err
		}
		fd, from, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		if err != nil {
			continue
		}
		peer := sockAddr(from, nil)
		if own := sockAddr(unix.Getsockname(far)); own.IsValid() && own == peer {
			return fd, nil
		}
		closeAll(fd)
	}
	return -1, unix.ETIMEDOUT
}

func closeAll(fds ...int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}
