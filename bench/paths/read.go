package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
)

// rotating is how many buffers a way has that does not use a buffer again at once. 8 of 1 MiB are
// more than a core's own cache.
const rotating = 8

// replier answers n calls of a connection with a header and data each.
type replier func(c *conn, n int) error

// readWays are the ways of READ by name.
var readWays = map[string]func(t *thread) (replier, error){
	"copy":           func(t *thread) (replier, error) { return copying(t, 1) },
	"copy-cold":      func(t *thread) (replier, error) { return copying(t, rotating) },
	"sendfile":       sendfiling,
	"splice":         func(t *thread) (replier, error) { return splicing(t, 1) },
	"splice-x16":     func(t *thread) (replier, error) { return splicing(t, 2*rotating) },
	"map-send":       sendingMapped,
	"ring-copy":      ringCopying,
	"ring-zc":        func(t *thread) (replier, error) { return ringZeroCopy(t, fixedZC) },
	"ring-msg-zc":    func(t *thread) (replier, error) { return ringZeroCopy(t, msgZC) },
	"ring-map-zc":    func(t *thread) (replier, error) { return ringZeroCopy(t, mappedZC) },
	"ring-splice":    ringSpliceLinked,
	"ring-splice-x8": ringSplicePipes,
}

// each answers n calls one after the other.
func each(t *thread, one func(c *conn, off int64) error) replier {
	return func(c *conn, n int) error {
		for range n {
			off, err := t.next(c)
			if err != nil {
				return err
			}
			if err := send(c.fd, t.head, unix.MSG_MORE); err != nil {
				return err
			}
			if err := one(c, off); err != nil {
				return err
			}
		}
		return nil
	}
}

func buffers(n, size int) ([][]byte, error) {
	bufs := make([][]byte, n)
	for i := range bufs {
		b, err := uring.Map(size)
		if err != nil {
			return nil, err
		}
		bufs[i] = b
	}
	return bufs, nil
}

func copying(t *thread, n int) (replier, error) {
	bufs, err := buffers(n, t.Size)
	if err != nil {
		return nil, err
	}
	turn := 0
	return each(t, func(c *conn, off int64) error {
		b := bufs[turn%n]
		turn++
		if err := pread(t.file, b, off); err != nil {
			return err
		}
		return send(c.fd, b, 0)
	}), nil
}

func sendfiling(t *thread) (replier, error) {
	at := new(int64)
	return each(t, func(c *conn, off int64) error {
		*at = off
		return sendfile(c.fd, t.file, at, t.Size)
	}), nil
}

// newPipe makes a pipe that holds the data of a call, even if none of its pages is full.
func newPipe(size int) (p [2]int, err error) {
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return p, err
	}
	size = max(size, os.Getpagesize())
	if _, err := unix.FcntlInt(uintptr(p[1]), unix.F_SETPIPE_SZ, size); err != nil {
		return p, fmt.Errorf("a pipe of %d bytes: %w", size, err)
	}
	return p, nil
}

func newPipes(n, size int) ([][2]int, error) {
	pipes := make([][2]int, n)
	for i := range pipes {
		p, err := newPipe(size)
		if err != nil {
			return nil, err
		}
		pipes[i] = p
	}
	return pipes, nil
}

func splicing(t *thread, n int) (replier, error) {
	pipes, err := newPipes(n, t.Size)
	if err != nil {
		return nil, err
	}
	at := new(int64)
	turn := 0
	return each(t, func(c *conn, off int64) error {
		*at = off
		pipe := pipes[turn%n]
		turn++
		for left := t.Size; left > 0; {
			n, err := splice(t.file, at, pipe[1], nil, left, unix.SPLICE_F_MOVE)
			if err != nil {
				return err
			}
			left -= n
			more := 0
			if left > 0 {
				more = unix.SPLICE_F_MORE
			}
			for n > 0 {
				m, err := splice(pipe[0], nil, c.fd, nil, n, unix.SPLICE_F_MOVE|more)
				if err != nil {
					return err
				}
				n -= m
			}
		}
		return nil
	}), nil
}

// mapped maps the whole file with all its pages present, as in a mapping that has existed for long.
func mapped(t *thread, prot, populate int) ([]byte, error) {
	m, err := mapFile(t.file, 0, int(t.FileSize), prot)
	if err != nil {
		return nil, err
	}
	if t.Grow {
		return m, nil // the file is empty
	}
	if err := unix.Madvise(m, populate); err != nil {
		return nil, fmt.Errorf("madvise: %w", err)
	}
	return m, nil
}

func sendingMapped(t *thread) (replier, error) {
	m, err := mapped(t, unix.PROT_READ, unix.MADV_POPULATE_READ)
	if err != nil {
		return nil, err
	}
	return each(t, func(c *conn, off int64) error {
		return send(c.fd, m[off:][:t.Size], 0)
	}), nil
}

// newRing gives the thread its ring, with buffers registered in order.
func (t *thread) newRing(bufs ...[]byte) error {
	r, err := uring.New(uring.Config{Entries: 128, CQEntries: 1024})
	if err != nil {
		return err
	}
	t.ring = r
	if len(bufs) == 0 {
		return nil
	}
	if err := r.RegisterBufferTable(len(bufs)); err != nil {
		return err
	}
	return r.UpdateBuffers(0, bufs...)
}

// reap submits what is queued and passes all completions that are there, at least one, to f.
func (t *thread) reap(f func(c *uring.CQE) error) error {
	if _, err := t.ring.Submit(); err != nil {
		return err
	}
	n := t.ring.Harvest(t.cqes[:])
	if n == 0 {
		if err := t.ring.Wait(1, uring.Forever); err != nil {
			return err
		}
		n = t.ring.Harvest(t.cqes[:])
	}
	for i := range t.cqes[:n] {
		if err := f(&t.cqes[i]); err != nil {
			return err
		}
	}
	return nil
}

// complete returns an error if a completion is not the expected one.
func complete(what string, c *uring.CQE, want int) error {
	if errno := c.Errno(); errno == unix.EPIPE || errno == unix.ECONNRESET {
		return io.EOF
	} else if errno != 0 {
		return failed(what, errno)
	}
	return whole(what, int(c.Res), want, 0)
}
