package main

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
)

// chainMax is how many replies one chain of linked entries answers.
const chainMax = 8

// Kinds of entries, in the lowest byte of their user data; an index stands above it.
const (
	isHead = iota
	isData
	isFill
)

func tag(kind, index int) uint64 { return uint64(index)<<8 | uint64(kind) }

// queueHead queues the header of a reply, which the data follows.
func (t *thread) queueHead(c *conn) {
	e := t.ring.SQE()
	e.PrepSend(c.fd, t.head, unix.MSG_MORE|unix.MSG_WAITALL)
	e.AddFlags(uring.Link)
	e.SetUserData(tag(isHead, 0))
}

// ringCopying answers up to chainMax calls with one chain: read, header, data, one reply after the
// other through one registered buffer.
func ringCopying(t *thread) (replier, error) {
	bufs, err := buffers(1, t.Size)
	if err != nil {
		return nil, err
	}
	if err := t.newRing(bufs...); err != nil {
		return nil, err
	}
	b := bufs[0]
	return inChains(chainMax, func(c *conn, n int) error {
		for i := range n {
			off, err := t.next(c)
			if err != nil {
				return err
			}
			e := t.ring.SQE()
			e.PrepReadFixed(t.file, b, uint64(off), 0, 0)
			e.AddFlags(uring.Link)
			e.SetUserData(tag(isFill, 0))
			t.queueHead(c)
			e = t.ring.SQE()
			e.PrepSend(c.fd, b, unix.MSG_WAITALL)
			e.SetUserData(tag(isData, 0))
			if i < n-1 {
				e.AddFlags(uring.Link)
			}
		}
		return t.await(3*n, nil)
	}), nil
}

// await reaps until the results of n entries have come. It passes notifications to notified.
func (t *thread) await(n int, notified func(c *uring.CQE)) error {
	for n > 0 {
		err := t.reap(func(q *uring.CQE) error {
			if q.Notif() {
				notified(q)
				return nil
			}
			n--
			want := t.Size
			if q.UserData&0xff == isHead {
				want = small
			}
			return complete("linked operation", q, want)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// inChains passes n calls to f in portions of at most most.
func inChains(most int, f replier) replier {
	return func(c *conn, n int) error {
		for n > 0 {
			k := min(n, most)
			if err := f(c, k); err != nil {
				return err
			}
			n -= k
		}
		return nil
	}
}

// Ways of a zero-copy send.
const (
	fixedZC  = iota // SEND_ZC of a registered buffer, filled by pread
	msgZC           // SENDMSG_ZC of a buffer, filled by pread
	mappedZC        // SEND_ZC of the file's mapping
)

// ringZeroCopy sends without a copy, as far as the route allows: on loopback the kernel copies when
// it delivers. It fills buffers again after the notification.
func ringZeroCopy(t *thread, how int) (replier, error) {
	var bufs [][]byte
	var file []byte
	var err error
	if how == mappedZC {
		file, err = mapped(t, unix.PROT_READ, unix.MADV_POPULATE_READ)
	} else {
		bufs, err = buffers(rotating, t.Size)
	}
	if err != nil {
		return nil, err
	}
	registered := bufs
	if how != fixedZC {
		registered = nil
	}
	if err := t.newRing(registered...); err != nil {
		return nil, err
	}
	msgs, err := uring.MapSlice[unix.Msghdr](rotating)
	if err != nil {
		return nil, err
	}
	iovs, err := uring.MapSlice[unix.Iovec](rotating)
	if err != nil {
		return nil, err
	}
	var busy [rotating]bool // until the notification; nothing else completes then
	notified := func(q *uring.CQE) { busy[q.UserData>>8] = false }
	turn := 0
	// A filled buffer should be sent before many others are filled.
	portion := min(max(1<<20/t.Size, 1), rotating)
	return inChains(portion, func(c *conn, n int) error {
		// Do this before anything is queued: reaping submits, which would cut the chain.
		for i := range n {
			for busy[(turn+i)%rotating] {
				if err := t.reap(func(q *uring.CQE) error { notified(q); return nil }); err != nil {
					return err
				}
			}
		}
		for i := range n {
			off, err := t.next(c)
			if err != nil {
				return err
			}
			k := turn % rotating
			turn++
			var b []byte
			if how == mappedZC {
				b = file[off:][:t.Size]
			} else {
				b = bufs[k]
				if err := pread(t.file, b, off); err != nil {
					return err
				}
			}
			t.queueHead(c)
			e := t.ring.SQE()
			switch how {
			case fixedZC:
				e.PrepSendZCFixed(c.fd, b, uint16(k), unix.MSG_WAITALL)
			case msgZC:
				iovs[k] = unix.Iovec{Base: unsafe.SliceData(b), Len: uint64(len(b))}
				msgs[k] = unix.Msghdr{Iov: &iovs[k], Iovlen: 1}
				e.PrepSendMsgZC(c.fd, &msgs[k], unix.MSG_WAITALL)
			case mappedZC:
				e.PrepSendZC(c.fd, b, unix.MSG_WAITALL)
			}
			e.SetUserData(tag(isData, k))
			busy[k] = true
			if i < n-1 {
				e.AddFlags(uring.Link)
			}
		}
		return t.await(2*n, notified)
	}), nil
}

// ringSpliceLinked answers up to chainMax calls with one chain through one pipe.
func ringSpliceLinked(t *thread) (replier, error) {
	pipe, err := newPipe(t.Size)
	if err != nil {
		return nil, err
	}
	if err := t.newRing(); err != nil {
		return nil, err
	}
	return inChains(chainMax, func(c *conn, n int) error {
		for i := range n {
			off, err := t.next(c)
			if err != nil {
				return err
			}
			t.queueFill(pipe, off, isData).AddFlags(uring.Link)
			t.queueHead(c)
			if e := t.queueDrain(pipe, c); i < n-1 {
				e.AddFlags(uring.Link)
			}
		}
		return t.await(3*n, nil)
	}), nil
}

func (t *thread) queueFill(pipe [2]int, off int64, kind int) *uring.SQE {
	e := t.ring.SQE()
	e.PrepSplice(t.file, uint64(off), pipe[1], uring.CurrentOffset, uint32(t.Size), unix.SPLICE_F_MOVE)
	e.SetUserData(tag(kind, 0))
	return e
}

func (t *thread) queueDrain(pipe [2]int, c *conn) *uring.SQE {
	e := t.ring.SQE()
	e.PrepSplice(pipe[0], uring.CurrentOffset, c.fd, uring.CurrentOffset, uint32(t.Size), unix.SPLICE_F_MOVE)
	e.SetUserData(tag(isData, 0))
	return e
}

// ringSplicePipes fills up to eight pipes at the same time, and empties them into the socket in
// order.
func ringSplicePipes(t *thread) (replier, error) {
	pipes, err := newPipes(rotating, t.Size)
	if err != nil {
		return nil, err
	}
	if err := t.newRing(); err != nil {
		return nil, err
	}
	return func(c *conn, n int) error {
		filling, sent, sending := 0, 0, false
		var full [rotating]bool
		for sent < n {
			for filling < n && filling-sent < rotating {
				off, err := t.next(c)
				if err != nil {
					return err
				}
				k := filling % rotating
				t.queueFill(pipes[k], off, isFill).SetUserData(tag(isFill, k))
				filling++
			}
			if k := sent % rotating; full[k] && !sending {
				t.queueHead(c)
				t.queueDrain(pipes[k], c)
				sending, full[k] = true, false
			}
			err := t.reap(func(q *uring.CQE) error {
				switch q.UserData & 0xff {
				case isHead:
					return complete("send", q, small)
				case isFill:
					full[q.UserData>>8] = true
				case isData:
					sent++
					sending = false
				}
				return complete("splice", q, t.Size)
			})
			if err != nil {
				return err
			}
		}
		return nil
	}, nil
}
