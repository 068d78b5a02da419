package main

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
)

// taker receives one WRITE, header and data, and puts the data into the file at off. io.EOF means
// that the connection has ended between two WRITEs.
type taker func(c *conn, off int64) error

// writeWays are the ways of WRITE that receive one record after the other and know its length. This
// makes them a little cheaper than a server could be.
var writeWays = map[string]func(t *thread) (taker, error){
	"copy":          receiving,
	"splice":        splicingIn,
	"map":           func(t *thread) (taker, error) { return receivingMapped(t, nil) },
	"map-ftruncate": func(t *thread) (taker, error) { return receivingMapped(t, growByTruncate) },
	"map-fallocate": func(t *thread) (taker, error) { return receivingMapped(t, growByAllocate) },
	"map-each":      mappingEach,
}

func receiving(t *thread) (taker, error) {
	b, err := uring.Map(small + t.Size)
	if err != nil {
		return nil, err
	}
	return func(c *conn, off int64) error {
		if err := recvAll(c.fd, b); err != nil {
			return err
		}
		return pwrite(t.file, b[small:], off)
	}, nil
}

func splicingIn(t *thread) (taker, error) {
	// A slot of the pipe takes one fragment of the received data, however short.
	pipe, err := newPipe(max(t.Size, 1<<20))
	if err != nil {
		return nil, err
	}
	at := new(int64)
	return func(c *conn, off int64) error {
		if err := recvAll(c.fd, t.head); err != nil {
			return err
		}
		*at = off
		for left := t.Size; left > 0; {
			n, err := splice(c.fd, nil, pipe[1], nil, left, unix.SPLICE_F_MOVE)
			if err != nil {
				return err
			}
			left -= n
			for n > 0 {
				m, err := splice(pipe[0], nil, t.file, at, n, unix.SPLICE_F_MOVE)
				if err != nil {
					return err
				}
				n -= m
			}
		}
		return nil
	}, nil
}

func growByTruncate(t *thread, off int64) error { return ftruncate(t.file, off+int64(t.Size)) }
func growByAllocate(t *thread, off int64) error { return fallocate(t.file, off, int64(t.Size)) }

// receivingMapped receives into a mapping of the whole file that is kept.
func receivingMapped(t *thread, grow func(t *thread, off int64) error) (taker, error) {
	m, err := mapped(t, unix.PROT_READ|unix.PROT_WRITE, unix.MADV_POPULATE_WRITE)
	if err != nil {
		return nil, err
	}
	return func(c *conn, off int64) error {
		if err := recvAll(c.fd, t.head); err != nil {
			return err
		}
		if grow != nil {
			if err := grow(t, off); err != nil {
				return err
			}
		}
		return torn(recvAll(c.fd, m[off:][:t.Size]))
	}, nil
}

// mappingEach maps the range for each WRITE, like a server that keeps no mapping.
func mappingEach(t *thread) (taker, error) {
	return func(c *conn, off int64) error {
		if err := recvAll(c.fd, t.head); err != nil {
			return err
		}
		p, errno := raw(unix.SYS_MMAP, 0, uintptr(t.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, uintptr(t.file), uintptr(off))
		if errno != 0 {
			return failed("mmap", errno)
		}
		for got := 0; got < t.Size; {
			n, errno := raw(unix.SYS_RECVFROM, uintptr(c.fd), uintptr(p+got), uintptr(t.Size-got), unix.MSG_WAITALL, 0, 0)
			if errno != 0 {
				return failed("recv into a mapping", errno)
			}
			if n == 0 {
				return io.ErrUnexpectedEOF
			}
			got += n
		}
		if _, errno := raw(unix.SYS_MUNMAP, uintptr(p), uintptr(t.Size), 0, 0, 0, 0); errno != 0 {
			return failed("munmap", errno)
		}
		return nil
	}, nil
}

// torn says that the stream ended within a record.
func torn(err error) error {
	if err == io.EOF {
		return fmt.Errorf("recv: %w", io.ErrUnexpectedEOF)
	}
	return err
}
