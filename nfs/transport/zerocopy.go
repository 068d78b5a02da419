package transport

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/bufring"
	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// zcSend is a zero-copy send. It holds what it sends until the notification.
type zcSend struct {
	out    *output
	owners []*bufring.Buffer
	vector *vector
	pinned pinned
	begun  time.Time
	moved  bool // the send has sent something
	next   *zcSend
}

// Complete implements loop.Handler. The first completion is the send's result. The last one is the
// notification; if the send has failed, the first may be the last.
func (z *zcSend) Complete(_ loop.ID, _ loop.Kind, res int32, flags uint32, last bool) {
	o := z.out
	l := o.conn.lane
	c := uring.CQE{Res: res, Flags: flags}
	if !c.Notif() {
		z.moved = res > 0
		o.conn.ops--
		if res >= 0 {
			l.stats.sent.add(time.Since(z.begun))
		}
		if z.vector != nil {
			l.putVector(z.vector)
			z.vector = nil
		}
		switch unix.Errno(-res) {
		case unix.ENOMEM, unix.ENOBUFS:
			// A plain send needs less memory; try it at once.
			o.zc.pause = pauseSends
			res = 0
		case unix.EOPNOTSUPP:
			// This kind of socket has no zero-copy sends; send the bytes plainly.
			o.zc.unable = true
			res = 0
		}
		o.sent(res)
	} else if z.moved {
		// The notification of a send that has failed tells nothing about the peer.
		l.stats.ack.add(time.Since(z.begun))
		copied := l.reportUsage && c.Copied()
		if copied {
			l.stats.copied.Add(1)
		}
		o.zc.heard(copied)
	}
	if last {
		for i, b := range z.owners {
			b.Release()
			z.owners[i] = nil
		}
		o.zc.pinned -= z.pinned.sum()
		o.zc.sends--
		l.pinned.add(&z.pinned, -1)
		l.stats.pin(l.pinned.sum())
		*z = zcSend{owners: z.owners[:0], next: l.zcFree}
		l.zcFree = z
	}
	o.conn.touch()
}

// sendZC begins a zero-copy send of the first n pieces, all of which lie in slabs. slabs is the
// memory of these.
func (o *output) sendZC(n int, slabs pinned, flags uint32) {
	l := o.conn.lane
	z := l.zcFree
	if z == nil {
		z = new(zcSend)
	} else {
		l.zcFree = z.next
	}
	z.out, z.pinned, z.begun, z.next = o, slabs, time.Now(), nil
	for i := range o.out[:n] {
		z.owners = append(z.owners, o.out[i].owner.Clone())
	}
	o.zc.pinned += slabs.sum()
	o.zc.sends++
	l.pinned.add(&slabs, 1)
	l.stats.pin(l.pinned.sum())
	l.stats.zeroCopy.Add(1)
	_, sqe := l.loop.Begin(z, 0)
	o.conn.ops++
	if n == 1 {
		p := &o.out[0]
		if index, ok := p.owner.Fixed(); ok {
			sqe.PrepSendZCFixed(o.conn.fd, p.data, uint16(index), flags)
		} else {
			sqe.PrepSendZC(o.conn.fd, p.data, flags)
		}
	} else {
		// The send now owns the vector.
		z.vector, o.vector = o.vector, nil
		sqe.PrepSendMsgZC(o.conn.fd, z.vector.fill(o.out[:n]), flags)
	}
	if l.reportUsage {
		sqe.AddRecvSendFlags(uring.ReportUsage)
	}
}

// pinned is a number of bytes of slabs for each class.
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

// slabBytes returns how much memory a send of the first n pieces keeps: whole slabs, however little
// of them is sent.
func (o *output) slabBytes(n int) (p pinned) {
	for i := range o.out[:n] {
		if b := o.out[i].owner; b != nil && (i == 0 || o.out[i-1].owner != b) {
			class, _ := o.conn.lane.slabs.ClassFor(len(b.Bytes()))
			p[class] += len(b.Bytes())
		}
	}
	return p
}

// mayZC reports whether a send of the first n pieces goes without a copy, and how much memory it
// then keeps.
func (o *output) mayZC(n, bytes int) (slabs pinned, ok bool) {
	l := o.conn.lane
	cfg := &l.srv.cfg
	if bytes < cfg.ZeroCopyFrom || !l.ring.Has(uring.SendZC) || n > 1 && !l.ring.Has(uring.SendMsgZC) {
		return slabs, false
	}
	if cfg.ReadPath == PathAuto && !o.zc.on() || o.way() != wayZeroCopy {
		return slabs, false
	}
	if o.zc.pause > 0 {
		o.zc.pause--
		return slabs, false
	}
	slabs = o.slabBytes(n)
	if o.zc.pinned+slabs.sum() > cfg.PinnedMax {
		return slabs, false
	}
	for c, bytes := range slabs {
		// The other half of each class is for copies: without a slab there is no reply of
		// either kind.
		if bytes > 0 && l.pinned[c]+bytes > l.slabs.Share(bufring.Class(c))/2 {
			return slabs, false
		}
	}
	for i := range o.out[:n] {
		if o.out[i].owner == nil {
			return slabs, false // padding
		}
	}
	return slabs, true
}

// zcPolicy decides for one connection whether large sends go without a copy. Where the bytes stay
// on the machine (loopback, veth, tap) the kernel copies after all, and a plain send is cheaper;
// notifications tell.
type zcPolicy struct {
	local   bool // the peer is on this machine: never zero-copy
	off     bool
	strikes int  // notifications in a row that told of a copy
	unable  bool // the socket has no zero-copy sends
	hushed  int  // large sends and spliced replies since zero-copy went off
	after   int  // how many of these until the next trial
	pause   int  // sends to make plainly, after the kernel was short of memory
	pinned  int  // bytes of slabs in sends that have not been notified
	sends   int
}

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
	// This is one more trial: a single notification of a copy ends it.
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

// due reports whether zero-copy has been off for long enough.
func (z *zcPolicy) due() bool { return z.hushed >= z.after }

// spliced counts a reply that was spliced.
func (z *zcPolicy) spliced() { z.hushed++ }
