package main

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
)

// streamWays are the ways of WRITE that take the stream as it comes, in buffers that the kernel
// picks, as a server does.
var streamWays = map[string]func(t *thread) (func() error, error){
	"provided-64k": func(t *thread) (func() error, error) { return multishot(t, 64<<10, 128, false) },
	"inc-256k":     func(t *thread) (func() error, error) { return multishot(t, 256<<10, 32, true) },
	"inc-4m":       func(t *thread) (func() error, error) { return multishot(t, 4<<20, 4, true) },
}

// stream is a connection whose bytes lie in pieces of provided buffers.
type stream struct {
	*conn
	pieces []piece
	iov    []unix.Iovec
	have   int
	armed  bool
	ended  bool
}

type piece struct {
	data []byte
	id   uring.BufferID
}

// pool is the provided buffers of one thread.
type pool struct {
	ring    *uring.BufRing
	bufs    [][]byte
	filled  []int  // how far an incremental buffer is filled
	pieces  []int  // how many pieces of the buffer are held
	filling []bool // the kernel goes on filling the buffer
}

func newPool(r *uring.Ring, size, n int, incremental bool) (*pool, error) {
	bufs, err := buffers(n, size)
	if err != nil {
		return nil, err
	}
	ring, err := r.NewBufRing(0, n, incremental)
	if err != nil {
		return nil, err
	}
	p := &pool{ring: ring, bufs: bufs, filled: make([]int, n), pieces: make([]int, n), filling: make([]bool, n)}
	for i, b := range bufs {
		ring.Add(b, uring.BufferID(i))
	}
	ring.Advance()
	return p, nil
}

// take makes a piece of the bytes of a completion.
func (p *pool) take(id uring.BufferID, n int, more bool) piece {
	at := p.filled[id]
	p.filled[id] += n
	p.pieces[id]++
	p.filling[id] = more
	return piece{p.bufs[id][at:][:n], id}
}

// drop gives a piece up. With its last piece a buffer goes back to the kernel.
func (p *pool) drop(id uring.BufferID) {
	if p.pieces[id]--; p.pieces[id] == 0 && !p.filling[id] {
		p.filled[id] = 0
		p.ring.Add(p.bufs[id], id)
		p.ring.Advance()
	}
}

// multishot receives with one multishot operation for each connection. When all of a record's data
// has come, it writes the data from where it lies.
func multishot(t *thread, size, n int, incremental bool) (func() error, error) {
	if err := t.newRing(); err != nil {
		return nil, err
	}
	p, err := newPool(t.ring, size, n, incremental)
	if err != nil {
		return nil, err
	}
	streams := make([]*stream, len(t.conns))
	for i, c := range t.conns {
		streams[i] = &stream{conn: c}
	}
	return func() error {
		live := len(streams)
		for live > 0 {
			for i, s := range streams {
				if s.armed || s.ended {
					continue
				}
				e := t.ring.SQE()
				e.PrepRecvMultishot(s.fd, 0, false)
				e.SetUserData(uint64(i))
				s.armed = true
			}
			err := t.reap(func(q *uring.CQE) error {
				s := streams[q.UserData]
				s.armed = q.More()
				if errno := q.Errno(); errno == unix.ENOBUFS {
					return nil // armed again when records have been written
				} else if errno != 0 {
					return failed("recv", errno)
				}
				id, ok := q.BufferID()
				if q.Res > 0 && ok {
					s.pieces = append(s.pieces, p.take(id, int(q.Res), q.BufMore()))
					s.have += int(q.Res)
				} else {
					s.ended = true
					live--
				}
				return t.writeRecords(s, p)
			})
			if err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// writeRecords writes the data of all records that are complete.
func (t *thread) writeRecords(s *stream, p *pool) error {
	for s.have >= small+t.Size {
		off, err := t.next(s.conn)
		if err != nil {
			return err
		}
		s.skip(small, p)
		s.list(t.Size)
		if len(s.iov) == 1 {
			err = pwrite(t.file, unsafe.Slice(s.iov[0].Base, t.Size), off)
		} else {
			err = pwritev(t.file, s.iov, t.Size, off)
		}
		if err != nil {
			return err
		}
		s.have -= small + t.Size
		s.skip(t.Size, p)
		if err := t.written(s.conn); err != nil {
			return err
		}
	}
	return nil
}

// list makes vectors of the first n bytes.
func (s *stream) list(n int) {
	s.iov = s.iov[:0]
	for _, x := range s.pieces {
		k := min(n, len(x.data))
		if k == 0 {
			break
		}
		s.iov = append(s.iov, unix.Iovec{Base: unsafe.SliceData(x.data), Len: uint64(k)})
		n -= k
	}
}

// skip gives up the first n bytes.
func (s *stream) skip(n int, p *pool) {
	i := 0
	for n > 0 {
		x := &s.pieces[i]
		if n < len(x.data) {
			x.data = x.data[n:]
			break
		}
		n -= len(x.data)
		p.drop(x.id)
		i++
	}
	s.pieces = append(s.pieces[:0], s.pieces[i:]...)
}
