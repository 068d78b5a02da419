package transport

import (
	"fmt"
	"math/bits"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/bufring"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// pipePool is a lane's pipes. The lane makes them before its thread gives up CAP_SYS_RESOURCE.
// Without that capability a pipe cannot be larger than fs.pipe-max-size, by default 1 MiB.
type pipePool struct {
	free []*pipe
	made int // pipes that exist
	// null is /dev/null, where unwanted bytes go. It is open when there are pipes.
	null int
}

// pipe is a pipe. It is empty while it is in the pool.
type pipe struct {
	vfs.Pipe
	account *account // the account that it is charged to while it is out of the pool
	inside  int32    // where the kernel writes the number for bytes
}

const (
	// PipeDescriptors is how many descriptors a pipe takes. A lane with pipes has one more, for
	// /dev/null.
	PipeDescriptors = 2
	// LaneDescriptors is how many descriptors a lane takes beside pipes: its ring and the
	// eventfd that wakes it.
	LaneDescriptors = 2
)

// open makes up to count pipes that hold n bytes. If the kernel refuses, the pipes are smaller or
// fewer, or there are none; a reply that finds no pipe is copied.
func (pp *pipePool) open(n, count int) {
	null, err := unix.Open("/dev/null", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	// A range that does not begin at a page boundary needs one slot more.
	size := n + unix.Getpagesize()
	for len(pp.free) < count {
		p, err := newPipe(size)
		if err == nil {
			pp.free = append(pp.free, p)
			continue
		}
		// Without CAP_SYS_RESOURCE fs.pipe-max-size is the limit, and the user may have a
		// limit, too.
		if size = 1 << (bits.Len(uint(size-1)) - 1); len(pp.free) > 0 || size < pipeLeast {
			break
		}
	}
	if pp.made = len(pp.free); pp.made == 0 {
		_ = unix.Close(null)
		return
	}
	pp.null = null
}

func newPipe(n int) (*pipe, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, fmt.Errorf("transport: pipe: %w", err)
	}
	got, err := unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, n)
	if err != nil {
		_ = unix.Close(fds[0])
		_ = unix.Close(fds[1])
		return nil, fmt.Errorf("transport: a pipe of %d bytes: %w", n, err)
	}
	return &pipe{Pipe: vfs.Pipe{ReadFD: fds[0], WriteFD: fds[1], Room: got}}, nil
}

// take lends a pipe to the account a. It returns nil when there is none, or when a has its share.
func (pp *pipePool) take(a *account) *pipe {
	if !(bufring.Share{Free: len(pp.free), All: pp.made}).Allows(a.pipes, a.house.pipes) {
		return nil
	}
	p := pp.free[len(pp.free)-1]
	pp.free = pp.free[:len(pp.free)-1]
	p.charge(a)
	return p
}

// charge charges the pipe to a instead of its present account.
func (p *pipe) charge(a *account) {
	if p.account != nil {
		p.account.pipes--
		p.account.house.pipes--
	}
	if p.account = a; a != nil {
		a.pipes++
		a.house.pipes++
	}
}

// put takes back an empty pipe.
func (pp *pipePool) put(p *pipe) {
	p.charge(nil)
	pp.free = append(pp.free, p)
}

// drain takes back a pipe with bytes in it that nobody wants any more. It gives up a pipe that
// cannot be emptied: a page that was truncated and lost meanwhile stays in such a pipe for good.
func (pp *pipePool) drain(p *pipe) {
	for {
		n, err := unix.Splice(p.ReadFD, nil, pp.null, nil, 1<<30, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		switch {
		case err == unix.EAGAIN:
			pp.put(p)
			return
		case err != nil && err != unix.EINTR, err == nil && n == 0:
			p.charge(nil)
			p.close()
			pp.made--
			return
		}
	}
}

func (p *pipe) close() {
	_ = unix.Close(p.ReadFD)
	_ = unix.Close(p.WriteFD)
}

// bytes returns how many bytes are in the pipe.
func (p *pipe) bytes() int {
	p.inside = -1
	_, _, _ = unix.RawSyscall(
		unix.SYS_IOCTL,
		uintptr(p.ReadFD),
		unix.TIOCINQ,
		uintptr(unsafe.Pointer(&p.inside)),
	)
	return int(p.inside)
}

// outstanding returns how many pipes are in use.
func (pp *pipePool) outstanding() int { return pp.made - len(pp.free) }

// close closes the pipes that are not in use.
func (pp *pipePool) close() error {
	if pp.made == 0 {
		return nil
	}
	n := pp.outstanding()
	for _, p := range pp.free {
		p.close()
	}
	pp.free, pp.made = nil, 0
	_ = unix.Close(pp.null)
	if n != 0 {
		return fmt.Errorf("transport: %d pipes are still in use", n)
	}
	return nil
}

// queueTail queues the pipe that follows a call's reply, if there is one, and its padding.
func (o *output) queueTail(c *call) {
	p := c.pipes.pipe
	c.pipes.pipe = nil
	t := piece{pipe: p, left: c.Tail.Len}
	if o.conn.life >= lifeDead {
		t.release(o.conn.lane)
		return
	}
	o.queueBatch()
	o.out = append(o.out, t)
	if c.Tail.Pad > 0 {
		o.out = append(o.out, piece{data: padding[:c.Tail.Pad]})
	}
	o.put(c.Tail.Size())
}

// splice moves the pipe at the head of the output to the socket, as far as the socket takes it
// without waiting, and then waits for room on the ring. A socket that has room and takes nothing is
// short of memory; a wait for room would then be no pause, so splice rests instead. Whether the
// call may wait, the kernel decides by the socket's O_NONBLOCK, not by SPLICE_F_NONBLOCK.
func (o *output) splice() {
	p := &o.out[0]
	before := p.left
	flags := uintptr(unix.SPLICE_F_MOVE | unix.SPLICE_F_NONBLOCK)
	if len(o.out) > 1 {
		flags |= unix.SPLICE_F_MORE
	}
	for p.left > 0 {
		r, _, errno := unix.RawSyscall6(
			unix.SYS_SPLICE,
			uintptr(p.pipe.ReadFD),
			0,
			uintptr(o.conn.fd),
			0,
			uintptr(p.left),
			flags,
		)
		switch {
		case errno == unix.EINTR:
		case errno == unix.EAGAIN:
			if o.idled = p.left == before; o.idled && o.state == outputRoomy {
				o.rest()
			} else {
				o.awaitRoom()
			}
			return
		case errno != 0:
			o.conn.kill("splice: " + errno.Error())
			return
		case r == 0:
			// The pipe has fewer bytes than were put in, which cannot be; the record
			// cannot be completed.
			o.conn.kill("splice: the pipe is empty")
			return
		default:
			p.left -= int(r)
			o.unsent -= int(r)
		}
	}
	o.idled = false
	o.now(outputReady)
	o.zc.spliced()
	o.conn.lane.stats.spliced.Add(1)
	p.release(o.conn.lane)
	o.out = slices.Delete(o.out, 0, 1)
}

// callPipes implements rpc.Pipes for one call. The pipe stays with the call, also on a worker,
// until it becomes part of the reply or the call ends.
type callPipes struct {
	account *account
	lane    *lane // nil while the call is with a worker, which must not touch the pool
	pipe    *pipe
	lent    bool // the procedure has had the pipe
	// from is the least number of bytes for which a pipe is lent.
	from int
}

func (cp *callPipes) Pipe(n int) *vfs.Pipe {
	if n < cp.from {
		return nil
	}
	if cp.pipe == nil && cp.lane != nil {
		cp.pipe = cp.lane.pipes.take(cp.account)
	}
	if cp.pipe == nil || n > cp.pipe.Room {
		return nil
	}
	cp.lent = true
	return &cp.pipe.Pipe
}

// holds reports whether tail is the pipe that was lent to the call and holds exactly as many bytes
// as tail says. Fewer would cut the reply short; more would be sent at the head of somebody else's.
func (cp *callPipes) holds(tail *rpc.Tail) bool {
	return cp.pipe != nil && tail.Pipe == &cp.pipe.Pipe && tail.Len > 0 && uint(tail.Pad) < 4 &&
		cp.pipe.bytes() == tail.Len
}

// end gives back a pipe that has not become part of the reply. A pipe that was lent may have bytes
// in it, whatever the procedure says; end makes sure that they do not become part of somebody
// else's reply.
func (cp *callPipes) end(l *lane) {
	if cp.lent {
		l.pipes.drain(cp.pipe)
	} else {
		l.pipes.put(cp.pipe)
	}
}
