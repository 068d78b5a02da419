package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// A server may believe only root of another machine. It recognizes root by a port below 1024, which
// other users cannot have (exports(5), secure). If this process may use such a port, it calls from
// one, as long as there are free ones; otherwise it does not try.
const (
	reservedLow  = 512
	reservedHigh = 1023
)

// errNoReserved says that all reserved ports are taken.
var errNoReserved = errors.New(
	"no port below 1024 is left on this machine (one stays taken for a minute after its connection has ended)",
)

// fromReserved calls try with one reserved port after the other, beginning with any, as long as the
// error says that the port is the reason. If this process may not use reserved ports, it calls try
// with 0. It returns errNoReserved when no port is left.
func fromReserved(try func(port int) error) error {
	const ports = reservedHigh - reservedLow + 1
	first := rand.IntN(ports)
	for i := range ports {
		err := try(reservedLow + (first+i)%ports)
		switch {
		case errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM):
			return try(0)
		case errors.Is(err, unix.EADDRINUSE) || errors.Is(err, unix.EADDRNOTAVAIL):
		default:
			return err
		}
	}
	return errNoReserved
}

// dial makes a TCP connection, and takes no longer than patience. If no reserved port is left it
// takes another one, which the server may accept.
func dial(ctx context.Context, addr string) (nc net.Conn, err error) {
	err = fromReserved(func(port int) error {
		nc, err = dialFrom(ctx, port, addr)
		return err
	})
	if errors.Is(err, errNoReserved) {
		return dialFrom(ctx, 0, addr)
	}
	return nc, err
}

// dialFrom is dial from a port; 0 lets the kernel choose.
func dialFrom(ctx context.Context, port int, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	d := net.Dialer{}
	if port != 0 {
		d.LocalAddr = &net.TCPAddr{Port: port}
	}
	return d.DialContext(ctx, "tcp", addr)
}

// connect makes a connection for a measurement. Over loopback it uses an ordinary port if the
// server accepts that, since there the server can know callers by other means. Elsewhere it uses
// one only if no reserved port is left and the server accepts that.
func (s *Session) connect(ctx context.Context, addr unix.Sockaddr) (int, error) {
	if loopback(addr) && s.ordinary(ctx) == nil {
		return connectFrom(ctx, 0, addr)
	}
	fd, err := connect(ctx, addr)
	if !errors.Is(err, errNoReserved) {
		return fd, err
	}
	if err := s.ordinary(ctx); err != nil {
		return -1, fmt.Errorf(
			"%w, and the server refuses others (%w): use fewer --conns or wait for a minute, "+
				"or have the server take calls from any port (ringnfs serve --insecure)",
			errNoReserved,
			err,
		)
	}
	return connectFrom(ctx, 0, addr)
}

// ordinary returns why the server refuses calls from ordinary ports, nil if it accepts them. The
// first time it finds out by a call from one.
func (s *Session) ordinary(ctx context.Context) error {
	if s.asked {
		return s.refuses
	}
	nc, err := dialFrom(ctx, 0, s.addr)
	if err != nil {
		return err
	}
	c := newControl(nc, s.cred)
	s.speak(c)
	defer c.quit()
	defer c.until(ctx)()
	if err = c.establish(); err == nil {
		err = c.getattr(s.root)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.asked, s.refuses = true, err
	return err
}

func loopback(addr unix.Sockaddr) bool {
	switch a := addr.(type) {
	case *unix.SockaddrInet4:
		return a.Addr[0] == 127
	case *unix.SockaddrInet6:
		return net.IP(a.Addr[:]).IsLoopback()
	}
	return false
}

// connect makes a connection that sends at once and never waits. It takes at most patience for each
// port; ctx ends it early, with its error.
func connect(ctx context.Context, addr unix.Sockaddr) (fd int, err error) {
	err = fromReserved(func(port int) error {
		fd, err = connectFrom(ctx, port, addr)
		return err
	})
	return fd, err
}

// connectFrom is connect from a port; 0 lets the kernel choose. When the connection is closed its
// port is free at once, because there are few reserved ones; bytes that are still on the way are
// lost.
func connectFrom(ctx context.Context, port int, addr unix.Sockaddr) (int, error) {
	family, from := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: port})
	if _, ok := addr.(*unix.SockaddrInet6); ok {
		family, from = unix.AF_INET6, &unix.SockaddrInet6{Port: port}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	if port != 0 {
		err = unix.Bind(fd, from)
	}
	if err == nil {
		if err = unix.Connect(fd, addr); errors.Is(err, unix.EINPROGRESS) || errors.Is(err, unix.EINTR) {
			err = connected(ctx, fd)
		}
	}
	if err == nil {
		err = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if err != nil {
		_ = unix.Close(fd) // err says why
		return -1, fmt.Errorf("connect: %w", err)
	}
	return fd, nil
}

// connectTick is how often a connection that is being made checks whether it shall end.
const connectTick = 50 * time.Millisecond

// connected waits until the connection fd is made, or has failed.
func connected(ctx context.Context, fd int) error {
	for waited := time.Duration(0); waited < patience; waited += connectTick {
		if err := ctx.Err(); err != nil {
			return err
		}
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(fds, int(connectTick/time.Millisecond))
		switch {
		case errors.Is(err, unix.EINTR), err == nil && n == 0:
			continue
		case err != nil:
			return err
		}
		if failed, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || failed != 0 {
			return cmp.Or(err, error(unix.Errno(failed)))
		}
		return nil
	}
	return fmt.Errorf("no answer within %v", patience)
}
