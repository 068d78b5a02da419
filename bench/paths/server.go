package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
)

// small is the size of a call of READ, of the header of a READ's reply, of the header of a WRITE,
// and of a WRITE's reply.
const small = 128

// spec says what one server process does.
type spec struct {
	Way      string
	Write    bool
	Size     int    // of the data of one call
	Threads  int    // serving threads; connections are dealt out to them
	Conns    int    //
	File     string // exists and is in the page cache
	FileSize int64  // each connection goes round in its own part of the file
	Grow     bool   // the file is emptied before each round, so WRITEs extend it
	Sync     int64  // an fdatasync after so many bytes; 0 means never
}

// conn is one connection, and where in the file its calls go.
type conn struct {
	fd         int
	have       int // bytes of calls received and not answered
	first, end int64
	off        int64
}

// thread is one serving thread, locked to its OS thread.
type thread struct {
	spec
	file  int
	conns []*conn
	head  []byte // 128 bytes whose content the client ignores
	ring  *uring.Ring
	cqes  [64]uring.CQE
	since int64 // bytes written since the last fdatasync
}

// next returns the place in the file of a connection's next call.
func (t *thread) next(c *conn) (int64, error) {
	if c.off+int64(t.Size) > c.end {
		c.off = c.first
		if t.Grow {
			if err := ftruncate(t.file, 0); err != nil {
				return 0, err
			}
		}
	}
	off := c.off
	c.off += int64(t.Size)
	return off, nil
}

// serve is the whole life of a server process. It writes to standard output where it listens, takes
// its connections, and ends when they have been closed.
func serve(text string) error {
	var s spec
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	// A thread that is blocked in a raw call never stops for the collector, and keeps its
	// processor.
	debug.SetGCPercent(-1)
	runtime.GOMAXPROCS(s.Threads + 2)
	fds, err := accepted(s.Conns)
	if err != nil {
		return err
	}
	threads := make([]*thread, s.Threads)
	for i := range threads {
		head, err := uring.Map(os.Getpagesize())
		if err != nil {
			return err
		}
		fd, err := unix.Open(s.File, unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		threads[i] = &thread{spec: s, file: fd, head: head[:small]}
	}
	part := s.FileSize / int64(s.Conns) / int64(s.Size) * int64(s.Size)
	for i, fd := range fds {
		t := threads[i%s.Threads]
		c := &conn{fd: fd, first: int64(i) * part, end: int64(i+1) * part}
		c.off = c.first
		if s.Grow {
			c.off = c.end // so that the first call cuts the file
		}
		t.conns = append(t.conns, c)
	}
	done := make(chan error, len(threads))
	for _, t := range threads {
		go func() { done <- t.run() }()
	}
	for range threads {
		if err := <-done; err != nil {
			return err
		}
	}
	return nil
}

// unpace frees a socket from the pacing that the machine's congestion control may do. On loopback
// its timers cost more than the data (docs/design/0012), and the server does without them, too.
func unpace(fd int) error {
	return os.NewSyscallError("setsockopt TCP_CONGESTION", unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno"))
}

// accepted listens on loopback, writes where, and returns the sockets of n peers.
func accepted(n int) ([]int, error) {
	ls, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(unpace(ls), unix.Bind(ls, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(ls, n)); err != nil {
		return nil, err
	}
	name, err := unix.Getsockname(ls)
	if err != nil {
		return nil, err
	}
	fmt.Println(name.(*unix.SockaddrInet4).Port)
	fds := make([]int, n)
	for i := range fds {
		if fds[i], _, err = unix.Accept4(ls, unix.SOCK_CLOEXEC); err != nil {
			return nil, err
		}
		if err := unix.SetsockoptInt(fds[i], unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return nil, err
		}
	}
	return fds, unix.Close(ls)
}

func (t *thread) run() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if t.Write {
		return t.serveWrites()
	}
	start, ok := readWays[t.Way]
	if !ok {
		return fmt.Errorf("no way %q", t.Way)
	}
	answer, err := start(t)
	if err != nil {
		return err
	}
	in := make([]byte, 64*small)
	return t.eachReady(func(c *conn, flags int) error {
		n, err := recv(c.fd, in, flags)
		if err != nil {
			return err
		}
		c.have += n
		calls := c.have / small
		c.have %= small
		return answer(c, calls)
	})
}

func (t *thread) serveWrites() error {
	if start, ok := streamWays[t.Way]; ok {
		run, err := start(t)
		if err != nil {
			return err
		}
		return run()
	}
	start, ok := writeWays[t.Way]
	if !ok {
		return fmt.Errorf("no way %q", t.Way)
	}
	take, err := start(t)
	if err != nil {
		return err
	}
	return t.eachReady(func(c *conn, _ int) error {
		off, err := t.next(c)
		if err != nil {
			return err
		}
		if err := take(c, off); err != nil {
			if err == io.EOF {
				c.off = off
			}
			return err
		}
		return t.written(c)
	})
}

// written ends a WRITE.
func (t *thread) written(c *conn) error {
	if t.Sync > 0 {
		if t.since += int64(t.Size); t.since >= t.Sync {
			t.since = 0
			if err := fdatasync(t.file); err != nil {
				return err
			}
		}
	}
	return send(c.fd, t.head, 0)
}

// eachReady calls f for connections that have something to receive, until all have come to their
// end. If there is only one connection, it receives from it at once without asking.
func (t *thread) eachReady(f func(c *conn, flags int) error) error {
	fds := make([]unix.PollFd, len(t.conns))
	for i, c := range t.conns {
		fds[i] = unix.PollFd{Fd: int32(c.fd), Events: unix.POLLIN}
	}
	live, flags := len(fds), 0
	for live > 0 {
		if len(fds) > 1 {
			flags = unix.MSG_DONTWAIT
			_, errno := raw(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fds[0])), uintptr(len(fds)), 0, 0, 0, 0)
			if errno != 0 {
				return failed("ppoll", errno)
			}
		}
		for i, c := range t.conns {
			if len(fds) > 1 && fds[i].Revents == 0 {
				continue
			}
			err := f(c, flags)
			if err == io.EOF {
				live--
				fds[i].Fd = -1
				continue
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
