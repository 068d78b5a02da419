package transport

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/bufring"
	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// ReadPath is how the data of large READs leaves.
type ReadPath uint8

// The paths.
const (
	// PathAuto is zero-copy where notifications say that nothing is copied, and
	// splice elsewhere. It is the default.
	PathAuto ReadPath = iota
	// PathCopy reads into a slab and sends it plainly.
	PathCopy
	// PathSplice moves the pages of the file to the socket.
	PathSplice
	// PathZeroCopy reads into a slab that is sent without a copy, and used again
	// when the notification says that the peer has acknowledged it.
	PathZeroCopy
)

// Splices reports whether the path may need pipes.
func (p ReadPath) Splices() bool { return p == PathSplice || p == PathAuto }

var readPathNames = [...]string{PathAuto: "auto", PathCopy: "copy", PathSplice: "splice", PathZeroCopy: "zc"}

// String returns the word that ParseReadPath takes.
func (p ReadPath) String() string {
	if int(p) < len(readPathNames) {
		return readPathNames[p]
	}
	return "unknown"
}

// ParseReadPath reads copy, splice, zc or auto.
func ParseReadPath(word string) (ReadPath, error) {
	for p, name := range readPathNames {
		if word == name {
			return ReadPath(p), nil
		}
	}
	return 0, fmt.Errorf("transport: read path %q is none of copy, splice, zc, auto", word)
}

// zcSend is a zero-copy send: a holder of what it sends until the notification.
type zcSend struct {
	conn   *conn
	owners []*bufring.Buffer
	vector *vector
	pinned pinned
	begun  time.Time
	moved  bool // the send has sent something
	next   *zcSend
}

// Complete implements loop.Handler. The first completion is the send's result;
// the last one is the notification, or the same when the send has failed.
func (z *zcSend) Complete(_ loop.ID, _ loop.Kind, res int32, flags uint32, last bool) {
	cn := z.conn
	l := cn.lane
	c := uring.CQE{Res: res, Flags: flags}
	if !c.Notif() {
		z.moved = res > 0
		cn.ops--
		if res >= 0 {
			l.stats.sent.add(time.Since(z.begun))
		}
		if z.vector != nil {
			l.releaseVector(z.vector)
			z.vector = nil
		}
		switch unix.Errno(-res) {
		case unix.ENOMEM, unix.ENOBUFS:
			// A plain send takes less, and is tried at once.
			cn.zc.pause = pauseSends
			res = 0
		case unix.EOPNOTSUPP:
			// Not on this kind of socket: what was to be sent goes plainly.
			cn.zc.unable = true
			res = 0
		}
		cn.sent(res)
	} else if z.moved {
		// Of a send that has failed it tells nothing about the peer.
		l.stats.ack.add(time.Since(z.begun))
		copied := l.reportUsage && c.Copied()
		if copied {
			l.stats.copied.Add(1)
		}
		cn.zc.heard(copied)
	}
	if last {
		for i, b := range z.owners {
			b.Release()
			z.owners[i] = nil
		}
		cn.zc.pinned -= z.pinned.sum()
		cn.zc.sends--
		l.pinned.add(&z.pinned, -1)
		l.stats.pin(l.pinned.sum())
		*z = zcSend{owners: z.owners[:0], next: l.zcFree}
		l.zcFree = z
	}
	cn.touch()
}

// sendZC begins a zero-copy send of the first n pieces, all of which are slabs.
// slabs is what they lie in.
func (cn *conn) sendZC(n int, slabs pinned, flags uint32) {
	l := cn.lane
	z := l.zcFree
	if z == nil {
		z = new(zcSend)
	} else {
		l.zcFree = z.next
	}
	z.conn, z.pinned, z.begun, z.next = cn, slabs, time.Now(), nil
	for i := range cn.out[:n] {
		z.owners = append(z.owners, cn.out[i].owner.Clone())
	}
	cn.zc.pinned += slabs.sum()
	cn.zc.sends++
	l.pinned.add(&slabs, 1)
	l.stats.pin(l.pinned.sum())
	l.stats.zeroCopy.Add(1)
	_, sqe := l.loop.Begin(z, 0)
	cn.ops++
	if n == 1 {
		p := &cn.out[0]
		if index, ok := p.owner.Fixed(); ok {
			sqe.PrepSendZCFixed(cn.fd, p.data, uint16(index), flags)
		} else {
			sqe.PrepSendZC(cn.fd, p.data, flags)
		}
	} else {
		// The vector that send has taken goes along.
		z.vector, cn.vector = cn.vector, nil
		sqe.PrepSendMsgZC(cn.fd, z.vector.fill(cn.out[:n]), flags)
	}
	if l.reportUsage {
		sqe.AddRecvSendFlags(uring.ReportUsage)
	}
}

// pinned is bytes of slabs, by class.
type pinned [classes]int

func (p *pinned) sum() (n int) {
	for _, bytes := range p {
		n += bytes
	}
	return n
}

// add adds q to p, times its sign.
func (p *pinned) add(q *pinned, sign int) {
	for c := range p {
		p[c] += sign * q[c]
	}
}

// slabBytes returns how much memory a send of the first n pieces keeps: whole
// slabs, however little of them is sent.
func (cn *conn) slabBytes(n int) (p pinned) {
	for i := range cn.out[:n] {
		if b := cn.out[i].owner; b != nil && (i == 0 || cn.out[i-1].owner != b) {
			class, _ := cn.lane.slabs.ClassFor(len(b.Bytes()))
			p[class] += len(b.Bytes())
		}
	}
	return p
}

// mayZC reports whether a send of the first n pieces goes without a copy, and how
// much memory it keeps then.
func (cn *conn) mayZC(n, bytes int) (slabs pinned, ok bool) {
	l := cn.lane
	cfg := &l.srv.cfg
	if bytes < cfg.ZeroCopyFrom || !l.ring.Has(uring.SendZC) || n > 1 && !l.ring.Has(uring.SendMsgZC) {
		return slabs, false
	}
	if cfg.ReadPath != PathZeroCopy && (cfg.ReadPath != PathAuto || !cn.zc.on()) {
		return slabs, false
	}
	if cn.zc.unable {
		return slabs, false
	}
	if cn.zc.pause > 0 {
		cn.zc.pause--
		return slabs, false
	}
	slabs = cn.slabBytes(n)
	if cn.zc.pinned+slabs.sum() > cfg.PinnedMax {
		return slabs, false
	}
	for c, bytes := range slabs {
		// The other half of each class is for copies: without a slab there is no
		// reply of either kind.
		if bytes > 0 && l.pinned[c]+bytes > l.slabs.Share(bufring.Class(c))/2 {
			return slabs, false
		}
	}
	for i := range cn.out[:n] {
		if cn.out[i].owner == nil {
			return slabs, false // padding
		}
	}
	return slabs, true
}

// zcPolicy decides for one connection whether large sends go without a copy. The
// kernel copies after all where the bytes stay on the machine (loopback, veth,
// tap), and then a plain send is cheaper; notifications tell.
type zcPolicy struct {
	local   bool // the peer is on this machine: never
	off     bool
	strikes int  // notifications in a row that told of a copy
	unable  bool // the socket cannot
	hushed  int  // large sends and spliced replies since it went off
	after   int  // how many of them until the next trial
	pause   int  // sends to make plainly, after the kernel was short of memory
	pinned  int  // bytes of slabs in sends that have not been notified
	sends   int
}

const (
	// strikesMax notifications of a copy in a row switch zero-copy off.
	strikesMax = 8
	// trialAfter is how many large sends it is then off; each failed trial doubles it.
	trialAfter    = 1024
	trialAfterMax = 1 << 20
	// pauseSends is how many sends are plain after ENOMEM or ENOBUFS: the memory
	// limit for pinned pages, most likely.
	pauseSends = 64
)

func (z *zcPolicy) on() bool {
	if z.local {
		return false
	}
	if !z.off {
		return true
	}
	if z.hushed++; !z.due() {
		return false
	}
	// One more trial: a single copied notification ends it.
	z.off, z.strikes, z.hushed = false, strikesMax-1, 0
	return true
}

func (z *zcPolicy) heard(copied bool) {
	if !copied {
		z.strikes, z.after = 0, 0
		return
	}
	if z.strikes++; z.strikes >= strikesMax && !z.off {
		z.off, z.hushed = true, 0
		z.after = min(max(2*z.after, trialAfter), trialAfterMax)
	}
}

// due reports whether it has been off for long enough.
func (z *zcPolicy) due() bool { return z.hushed >= z.after }

// spliced counts a reply that was spliced.
func (z *zcPolicy) spliced() { z.hushed++ }

// splices reports whether the data of the connection's large READs is spliced.
func (cn *conn) splices() bool {
	switch cn.lane.srv.cfg.ReadPath {
	case PathSplice:
		return true
	case PathAuto:
		return cn.zc.local || cn.zc.unable || cn.zc.off && !cn.zc.due()
	default:
		return false
	}
}
