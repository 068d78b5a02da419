package transport

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring"
)

// sends tries zero-copy sends, if the ring has them. It returns them if they are wrong or fail.
func (t *trial) sends(without uring.Feature) ([]Unfit, error) {
	if !t.zeroCopy {
		return nil, nil
	}
	err := t.sendZeroCopy(without)
	var reason interface{ why() string }
	if errors.As(err, &reason) {
		return []Unfit{{uring.SendZC, reason.why()}, {uring.SendMsgZC, reason.why()}}, nil
	}
	return nil, err
}

// sendZeroCopy sends numbered bytes in one piece and in two, and checks whether they arrive and the
// notifications come. If it fails, the kernel may still read the memory; then that stays mapped.
func (t *trial) sendZeroCopy(without uring.Feature) (err error) {
	r, err := t.newRing(without)
	if err != nil {
		return err
	}
	var l *line
	var mem []byte
	var vec []vector
	defer func() {
		if l != nil {
			l.close()
		}
		if err = errors.Join(err, r.Close()); err == nil {
			err = errors.Join(uring.Unmap(mem), uring.UnmapSlice(vec))
		}
	}()
	if l, err = t.connect(r); err != nil {
		return err
	}
	if l.notTCP != nil { // other sockets have no zero-copy sends
		return failure(
			fmt.Sprintf("this machine could not connect to itself (127.0.0.1: %v); is the interface lo up?", l.notTCP),
		)
	}
	if mem, err = uring.Map(trialSendBytes); err != nil {
		return err
	}
	if vec, err = uring.MapSlice[vector](1); err != nil {
		return err
	}
	want := numbered(len(mem))
	copy(mem, want)
	third := len(mem) / 3
	fixed := r.RegisterBuffer(0, mem) == nil
	got := make([]byte, 0, len(mem)+1)
	const flags = unix.MSG_NOSIGNAL | unix.MSG_WAITALL
	sqe := r.SQE()
	if fixed {
		sqe.PrepSendZCFixed(l.fd, mem[:third], 0, flags)
	} else {
		sqe.PrepSendZC(l.fd, mem[:third], flags)
	}
	if got, err = t.sent(r, l, got, third); err != nil {
		return err
	}
	msg := vec[0].fill([]piece{{data: mem[third : 2*third]}, {data: mem[2*third:]}})
	r.SQE().PrepSendMsgZC(l.fd, msg, flags)
	if got, err = t.sent(r, l, got, len(mem)-third); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return misdeed("sent bytes were wrong")
	}
	return nil
}

// sent waits for a zero-copy send of n bytes and for its notification. Meanwhile it receives, and
// appends what arrives to got.
func (t *trial) sent(r ring, l *line, got []byte, n int) ([]byte, error) {
	var cqes [4]uring.CQE
	sum, over := len(got)+n, false
	for heard := time.Now(); !over || len(got) < sum; {
		if err := r.Wait(1, time.Millisecond); err != nil && !errors.Is(err, uring.ErrBusy) {
			return got, err
		}
		k := r.Harvest(cqes[:])
		for i := range cqes[:k] {
			c := &cqes[i]
			over = !c.More()
			switch {
			case c.Notif():
			case c.Res < 0:
				return got, failure("a send failed: " + c.Errno().Error())
			case int(c.Res) != n:
				return got, misdeed("a send was short")
			}
		}
		m, err := l.receive(got[len(got):cap(got)])
		if err != nil {
			return got, err
		}
		if got = got[:len(got)+m]; len(got) > sum {
			return got, misdeed("more arrived than was sent")
		}
		switch {
		case k > 0 || m > 0:
			heard = time.Now()
		case time.Since(heard) > t.patience:
			return got, misdeed("a send or its notification did not come")
		}
	}
	return got, nil
}
