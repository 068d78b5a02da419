package transport

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/bufring"
)

// Calls that wait for a file system keep the receive buffers that their records lie in. However
// many such calls there are, the lane still reads from other connections (design record 0030): it
// receives carefully from a connection whose household has its share, and from every connection
// when few buffers are left.
//
// For a careful receive the lane waits on the ring until there is something to read. It then reads
// with a system call into a scrap, memory that no operation of the ring names. It runs or parks
// short records from there. A long record goes on in a receive buffer, if the connection may have
// one, and otherwise waits for one. The last receive buffers are given out in no other way.

const (
	// floorPart is the part of the receive buffers that only careful receives get: an eighth.
	floorPart = 8
	// scrapRecordMax is the length in bytes of the longest record that is received in scraps.
	scrapRecordMax = 8 << 10
	// scrapsMax is how many scraps the calls of a lane may keep. When they keep more, each
	// connection has one call at a time.
	scrapsMax = 4096
)

// keep is a receive buffer of which a connection keeps pieces.
type keep struct {
	buffer *bufring.Buffer
	pieces int
}

// keep counts a piece of b. A buffer counts once for the connection and its household, however
// short the pieces are: the buffer cannot be used again while one piece is kept.
func (cn *conn) keep(b *bufring.Buffer) {
	if !b.Provided() {
		return
	}
	// Pieces of one buffer come one after the other, except where many connections share it.
	for i := len(cn.kept) - 1; i >= 0; i-- {
		if cn.kept[i].buffer == b {
			cn.kept[i].pieces++
			return
		}
		if !cn.lane.group.Incremental() {
			break
		}
	}
	cn.kept = append(cn.kept, keep{b, 1})
	cn.account.house.kept++
}

// unkeep takes a piece of b off the count. Pieces usually go in the order in which they came.
func (cn *conn) unkeep(b *bufring.Buffer) {
	if !b.Provided() {
		return
	}
	for i := range cn.kept {
		k := &cn.kept[i]
		if k.buffer != b {
			continue
		}
		if k.pieces--; k.pieces == 0 {
			cn.kept = append(cn.kept[:i], cn.kept[i+1:]...)
			cn.account.house.kept--
		}
		return
	}
	panic("transport: a piece is taken off that was not counted")
}

// mayKeep reports whether the connection may have one more receive buffer.
func (cn *conn) mayKeep() bool {
	g := cn.lane.group
	s := bufring.Share{Free: g.Available(), All: g.Count()}
	return s.Allows(len(cn.kept), cn.account.house.kept)
}

// full reports whether the connection has its share of receive memory while calls of its own are in
// progress, which will give some back.
func (cn *conn) full() bool {
	return cn.calls > 0 && (len(cn.kept) > 0 || cn.spill != nil) && cn.beyond()
}

func (cn *conn) beyond() bool { return len(cn.kept) >= cn.lane.keptMax || !cn.mayKeep() }

// long reports whether the record that is being received is too long for scraps.
func (cn *conn) long() bool {
	r := &cn.records
	return cn.spill == nil && !r.Between() && r.Size()+r.Pending() > scrapRecordMax
}

// mustWait reports whether there is no memory even for the careful receive.
func (cn *conn) mustWait() bool {
	l := cn.lane
	switch {
	case cn.life >= lifeDraining, cn.spill != nil:
		return false // a scrap is enough for bytes that are dropped, or copied to the slab
	case !cn.long():
		return cn.calls > 0 && l.scraps.Outstanding() >= scrapsMax
	case cn.reading != nil && cn.reading.Provided():
		return false
	}
	return cn.full() || !cn.mayKeep() || !l.group.Spare()
}

// armCareful waits on the ring until there is something to read.
func (cn *conn) armCareful() {
	if cn.mustWait() {
		cn.starve()
		return
	}
	id, sqe := cn.lane.loop.Begin(cn, kindReadable)
	sqe.PrepPollAdd(cn.fd, unix.POLLIN|unix.POLLRDHUP, false)
	cn.receive, cn.intake = id, intakeCareful
	cn.ops++
}

// readable handles the completion of armCareful's wait.
func (cn *conn) readable(res int32) {
	cn.intake = intakeNone
	if res < 0 {
		switch errno := unix.Errno(-res); errno {
		case unix.ECANCELED, unix.EINTR, unix.EAGAIN, unix.ENOMEM:
		default:
			cn.kill("receive: " + errno.Error())
		}
		return
	}
	switch {
	case cn.life >= lifeDead:
	case cn.life >= lifeDraining:
		b := cn.lane.scraps.Take()
		cn.read(b.Bytes())
		b.Release()
	case cn.blocked() || cn.behind():
		// Read later. The bytes stay in the socket until then.
	case cn.lane.group.Open() && !cn.full():
		// The multishot receive finds the bytes.
	default:
		cn.take()
	}
}

// take reads once, and parses what it has read.
func (cn *conn) take() {
	l := cn.lane
	b, at := cn.reading, cn.readAt
	cn.reading = nil
	if b != nil && b.Provided() != cn.long() {
		b.Release()
		b = nil
	}
	if b == nil {
		if cn.mustWait() {
			return
		}
		if at = 0; cn.long() {
			b = l.group.Take()
		} else {
			b = l.scraps.Take()
		}
	}
	room := b.Bytes()[at:]
	if n := cn.records.Pending(); b.Provided() && n > 0 {
		room = room[:min(n, len(room))] // the careful receive reads later records into a scrap
	}
	if n := cn.read(room); n > 0 {
		cn.mayHaveHeard(n)
		at += n
		cn.parse(bufring.Segment{Data: room[:n:n], Owner: b.Clone()})
	}
	if n := len(cn.held); n > 0 && cn.held[n-1].Owner == b && at < len(b.Bytes()) {
		cn.reading, cn.readAt = b, at // the record goes on behind these bytes
		return
	}
	b.Release()
}

// read reads into b without waiting, and returns the number of bytes.
func (cn *conn) read(b []byte) int {
	n, _, err := unix.Recvfrom(cn.fd, b, unix.MSG_DONTWAIT)
	switch errno, _ := err.(unix.Errno); {
	case err == nil && n == 0:
		cn.endOfInput()
	case err == nil:
		return n
	case errno == unix.EAGAIN, errno == unix.EINTR, errno == unix.ENOMEM:
	default:
		cn.kill("receive: " + err.Error())
	}
	return 0
}

// dropReading releases the buffer that the careful receive fills.
func (cn *conn) dropReading() {
	if cn.reading != nil {
		cn.reading.Release()
		cn.reading = nil
	}
}

// starvingForInput reports whether a connection waits for receive memory although it keeps none: it
// waits for what other connections keep.
func (l *lane) starvingForInput() bool {
	for _, cn := range l.starved {
		if len(cn.kept) == 0 {
			return true
		}
	}
	return false
}
