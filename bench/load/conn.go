package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

const (
	// headMax is how many bytes of a reply are kept when its data is discarded: more than come
	// before the data of a READ.
	headMax = 192
	// receiveSize is the size of a connection's receive buffer.
	receiveSize = 256 << 10
	// discardLeast is the least number of bytes for which discarding is worth a system call.
	discardLeast = 16 << 10
	// vectorMax is the most pieces in one sendmsg.
	vectorMax = 256
)

// conn is a connection and its slots. It belongs to one thread.
type conn struct {
	fd    int
	index int    // among all connections of the run
	place int    // among the connections of its thread
	party *party // the client of version 4 that it belongs to
	slots []slot
	free  []uint16 // slots that make no call
	seq   uint64   // blocks that were given out to sequential tasks

	// sending
	queue    []uint16 // slots whose calls are to be sent, in order
	sent     int      // bytes of the first one that have gone
	vector   []unix.Iovec
	msg      unix.Msghdr
	blocked  bool     // the socket takes no more: waiting for EPOLLOUT
	stamping int      // calls at the queue's end that have no start yet
	resting  []uint16 // slots whose server wants their calls later

	// receiving
	begin    time.Time // of the run's clock
	now      int64     // when the last bytes had been read
	buf      []byte
	limit    int  // bytes of buf that one recv fills
	have     int  // bytes in buf: fewer than a record mark has
	keep     bool // whole replies are needed
	discards bool // large data is left in the kernel
	head     []byte
	record   int  // bytes of the present record that have arrived
	fragment int  // bytes of its present fragment still to come
	last     bool // the fragment is the record's last one
	within   bool // a record mark has been read, and its fragment is not over
}

func newConn(
	fd, index, depth int,
	begin time.Time,
	v Version,
	cred client.OpaqueAuth,
	keep, discards bool,
) *conn {
	c := &conn{
		fd: fd, index: index, begin: begin, keep: keep, discards: discards && !keep,
		slots: make([]slot, depth), free: make([]uint16, 0, depth), queue: make([]uint16, 0, depth),
		vector: make([]unix.Iovec, 0, vectorMax), buf: make([]byte, receiveSize), limit: receiveSize,
		head: make([]byte, 0, 4096),
	}
	if c.discards {
		c.limit = 4 + headMax // so that the next data is not copied
	}
	for i := range c.slots {
		c.slots[i] = newSlot(i, v, cred)
		c.free = append(c.free, uint16(depth-1-i))
	}
	return c
}

// receive reads what is there and passes replies to done, until the socket is empty or it has read
// a bounded number of times. It reports whether anything arrived.
func (c *conn) receive(done func(c *conn, s *slot, res []byte, total int) error) (bool, error) {
	came := false
	for range 64 {
		var (
			n    int
			err  error
			full bool
		)
		if c.discards && c.within && len(c.head) >= headMax && c.fragment >= discardLeast {
			n, err = recv(c.fd, c.buf[:1], c.fragment, unix.MSG_TRUNC)
			if n > 0 {
				c.now = int64(time.Since(c.begin))
				full = n == c.fragment
				c.record += n
				c.fragment -= n
				if err := c.endOfFragment(done); err != nil {
					return came, err
				}
			}
		} else {
			n, err = recv(c.fd, c.buf[c.have:], c.limit-c.have, 0)
			if n > 0 {
				c.now = int64(time.Since(c.begin))
				full = n == c.limit-c.have
				if err := c.consume(c.buf[:c.have+n], done); err != nil {
					return came, err
				}
			}
		}
		switch {
		case n > 0:
			came = true
			if !full {
				return true, nil // most likely empty now; epoll tells if it is not
			}
		case n == 0 && err == nil:
			return came, errors.New("the server closed the connection")
		case errors.Is(err, unix.EAGAIN):
			return came, nil
		case errors.Is(err, unix.EINTR):
		default:
			return came, fmt.Errorf("recv: %w", err)
		}
	}
	return came, nil
}

// consume parses bytes as they arrived, and keeps an incomplete mark.
func (c *conn) consume(b []byte, done func(*conn, *slot, []byte, int) error) error {
	for {
		if !c.within {
			if len(b) < 4 {
				c.have = copy(c.buf, b)
				return nil
			}
			mark := binary.BigEndian.Uint32(b)
			c.fragment, c.last, c.within = int(mark&^(1<<31)), mark>>31 == 1, true
			b = b[4:]
			if c.record == 0 && c.last && len(b) >= c.fragment { // the whole record is in b
				n := c.fragment
				c.within = false
				if err := c.reply(b[:n], n, done); err != nil {
					return err
				}
				b = b[n:]
				continue
			}
			if c.record+c.fragment > replyMax {
				return fmt.Errorf("a reply of more than %d bytes", replyMax)
			}
		}
		n := min(len(b), c.fragment)
		if c.keep {
			c.head = append(c.head, b[:n]...)
		} else if room := headMax - len(c.head); room > 0 {
			c.head = append(c.head, b[:min(n, room)]...)
		}
		c.record += n
		c.fragment -= n
		b = b[n:]
		if c.fragment > 0 {
			c.have = 0
			return nil
		}
		if err := c.endOfFragment(done); err != nil {
			return err
		}
	}
}

// endOfFragment passes on the record that the fragment may have completed.
func (c *conn) endOfFragment(done func(*conn, *slot, []byte, int) error) error {
	if c.fragment > 0 {
		return nil
	}
	c.within = false
	if !c.last {
		return nil
	}
	head, n := c.head, c.record
	c.head, c.record = c.head[:0], 0
	return c.reply(head, n, done)
}

// reply finds the slot that a reply belongs to and checks the reply's header and status.
func (c *conn) reply(b []byte, total int, done func(*conn, *slot, []byte, int) error) error {
	if len(b) < 4 {
		return client.ErrShortReply
	}
	xid := binary.BigEndian.Uint32(b)
	index := int(xid & 0xffff)
	if index >= len(c.slots) || !c.slots[index].busy || c.slots[index].xid != xid {
		return fmt.Errorf("a reply to a call that is not under way (xid %#x)", xid)
	}
	s := &c.slots[index]
	res, err := openReply(b, xid)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name(), err)
	}
	switch {
	case s.compound.n > 0:
		var status nfs4.Nfsstat4
		if res, status, err = s.results(res); err != nil {
			return err
		}
		if status != nfs4.NFS4_OK {
			if c.now-s.start > int64(graceMax) {
				return fmt.Errorf("%s: the server answers %v for %v", s.name(), status, graceMax)
			}
			c.resting = append(c.resting, uint16(index))
			return nil
		}
	case s.proc != nfs3.NFSPROC3_NULL:
		if len(res) < 4 {
			return fmt.Errorf("%s: %w", s.name(), client.ErrShortReply)
		}
		if status := binary.BigEndian.Uint32(res); status != 0 {
			return statusError(s.proc, status)
		}
	}
	total -= len(b) - len(res)
	if err := s.task.done(s, res, total); err != nil {
		return fmt.Errorf("%s: %w", s.name(), err)
	}
	s.busy = false
	c.free = append(c.free, uint16(index))
	return done(c, s, res, total)
}

// rested makes the calls again that the server wanted later.
func (c *conn) rested() {
	for _, index := range c.resting {
		s := &c.slots[index]
		s.task.next(s)
		c.queue = append(c.queue, index)
		c.stamping++ // which leaves the start that the call has
	}
	c.resting = c.resting[:0]
}

// issue makes the next call of a free slot and queues it. start is the time at which the call was
// due; 0 lets flush stamp the call.
func (c *conn) issue(start int64) {
	index := c.free[len(c.free)-1]
	c.free = c.free[:len(c.free)-1]
	s := &c.slots[index]
	s.task.next(s)
	s.busy, s.start = true, start
	c.queue = append(c.queue, index)
	if start == 0 {
		c.stamping++
	}
}

// flush sends the queue until the socket takes no more. It stamps with now the calls that have no
// start yet.
func (c *conn) flush(now int64) error {
	for _, index := range c.queue[len(c.queue)-c.stamping:] {
		if c.slots[index].start == 0 {
			c.slots[index].start = now
		}
	}
	c.stamping = 0
	for len(c.queue) > 0 {
		v, skip := c.vector[:0], c.sent
		for _, index := range c.queue {
			if len(v)+3 > vectorMax {
				break
			}
			s := &c.slots[index]
			v = appendVector(v, s.rec[:s.cut], &skip)
			v = appendVector(v, s.payload, &skip)
			v = appendVector(v, s.rec[s.cut:], &skip)
		}
		c.msg.Iov = &v[0]
		c.msg.SetIovlen(len(v))
		r, _, errno := unix.RawSyscall(
			unix.SYS_SENDMSG,
			uintptr(c.fd),
			uintptr(unsafe.Pointer(&c.msg)),
			unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT,
		)
		runtime.KeepAlive(c)
		switch errno {
		case 0:
			c.advance(int(r))
		case unix.EINTR:
		case unix.EAGAIN:
			c.blocked = true
			return nil
		default:
			return fmt.Errorf("sendmsg: %w", errno)
		}
	}
	c.blocked = false
	return nil
}

// advance takes n sent bytes off the queue.
func (c *conn) advance(n int) {
	n += c.sent
	k := 0
	for ; k < len(c.queue); k++ {
		s := &c.slots[c.queue[k]]
		size := len(s.rec) + len(s.payload)
		if n < size {
			break
		}
		n -= size
	}
	c.sent = n
	c.queue = c.queue[:copy(c.queue, c.queue[k:])]
}

// appendVector appends b without its first *skip bytes.
func appendVector(v []unix.Iovec, b []byte, skip *int) []unix.Iovec {
	if *skip >= len(b) {
		*skip -= len(b)
		return v
	}
	b = b[*skip:]
	*skip = 0
	x := unix.Iovec{Base: &b[0]}
	x.SetLen(len(b))
	return append(v, x)
}

// recv is one recv that does not wait. With MSG_TRUNC a TCP socket discards up to size bytes and
// does not touch b (tcp(7)).
func recv(fd int, b []byte, size, flags int) (int, error) {
	r, _, errno := unix.RawSyscall6(
		unix.SYS_RECVFROM,
		uintptr(fd),
		uintptr(unsafe.Pointer(&b[0])),
		uintptr(size),
		uintptr(flags|unix.MSG_DONTWAIT),
		0,
		0,
	)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}
