package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/bufring"
	"github.com/ringnfs/ringnfs/uring"
)

// Unfit is a feature that the kernel has and that the server must not use, because it failed its
// trial or could not be tried.
type Unfit struct {
	Feature uring.Feature
	Why     string
}

// TryRing passes numbered bytes through rings like those of lanes with receiveBytes of receive
// memory. It returns the features that must not be used because the bytes did not come out as they
// went in. Kernels from 6.13.11 to at least 6.14.11 receive bundles out of order, and no feature
// bit tells.
//
// TryRing has tried the remaining features together: a server must do without the features that
// without names and those returned. TryRing fails when no way to receive is right, or when there is
// no ring. It takes milliseconds, and seconds if the kernel never completes what it began.
func TryRing(without uring.Feature, receiveBytes int) ([]Unfit, error) {
	t := trial{
		newRing:  newKernelRing,
		connect:  func(ring) (*line, error) { return dialSelf() },
		patience: 5 * time.Second,
	}
	return t.run(without, receiveBytes)
}

// trial is how a ring is tried. Tests script the ring and what feeds it.
type trial struct {
	newRing  func(uring.Feature) (ring, error)
	connect  func(ring) (*line, error)
	patience time.Duration // how long the kernel may complete nothing
	zeroCopy bool          // set by run: the ring has zero-copy sends
}

// line is a stream with one end for the ring.
type line struct {
	fd int
	// notTCP is why the line is no TCP connection, nil if it is one.
	notTCP error
	// send passes bytes to the other end without waiting. It returns how many the other end
	// took.
	send func([]byte) (int, error)
	// receive takes from the other end what is there, without waiting.
	receive func([]byte) (int, error)
	// end ends the stream that send feeds.
	end   func()
	close func()
}

const (
	// trialLines is how many connections share the receive buffers of a trial.
	trialLines = 2
	// trialBuffers is how many buffers a trial has: few, so that they run out.
	trialBuffers = 8
	// trialSmall is the size of buffers of which a short receive takes several.
	trialSmall = bufring.PageSize
	// trialSmallBytes and trialBytes are how many bytes each connection carries.
	trialSmallBytes = 96 << 10
	trialBytes      = 384 << 10
	trialSendBytes  = 32 << 10
)

// misdeed is what the kernel did wrong. Other errors are not about the kernel.
type misdeed string

func (m misdeed) Error() string { return string(m) }

// why says why a feature is not used.
func (m misdeed) why() string { return "this kernel has it wrong: when it was tried, " + string(m) }

// misdeedOf returns what the kernel did wrong, if err says that.
func misdeedOf(err error) (m misdeed, ok bool) {
	ok = errors.As(err, &m)
	return m, ok
}

// failure is what failed in a trial without being certain to be the kernel's fault.
type failure string

func (f failure) Error() string { return "transport: a trial of io_uring: " + string(f) }

// why says why a feature is not used.
func (f failure) why() string { return "when it was tried, " + string(f) }

// combination is a way to receive.
type combination struct{ bundle, incremental bool }

// run tries the ways to receive in order of preference until one is right, and then zero-copy
// sends.
func (t *trial) run(without uring.Feature, receiveBytes int) (unfit []Unfit, err error) {
	runtime.LockOSThread() // the rings belong to this thread
	defer runtime.UnlockOSThread()
	r, err := t.newRing(without)
	if err != nil {
		return nil, err
	}
	bundle, incremental := r.Has(uring.Bundle), r.Has(uring.IncBufRing)
	t.zeroCopy = r.Has(uring.SendZC) && r.Has(uring.SendMsgZC)
	if err := r.Close(); err != nil {
		return nil, err
	}
	wrong := make(map[combination]misdeed)
	for _, c := range []combination{{true, true}, {false, true}, {true, false}, {}} {
		if c.bundle && !bundle || c.incremental && !incremental {
			continue
		}
		err := t.receives(without, c, receiveBytes)
		if err == nil {
			zc, err := t.sends(without)
			return append(rejected(c, bundle, incremental, wrong), zc...), err
		}
		m, ok := misdeedOf(err)
		if !ok {
			return nil, err
		}
		wrong[c] = m
	}
	return nil, fmt.Errorf(
		"transport: io_uring of this kernel receives wrongly in each way that was tried (%w): use another kernel",
		wrong[combination{}],
	)
}

// rejected returns the features that the kernel has and that the server does not use, because c was
// the first way that was right.
func rejected(c combination, bundle, incremental bool, wrong map[combination]misdeed) (unfit []Unfit) {
	for _, f := range []struct {
		feature   uring.Feature
		has, used bool
		alone     combination
	}{
		{uring.Bundle, bundle, c.bundle, combination{true, c.incremental}},
		{uring.IncBufRing, incremental, c.incremental, combination{c.bundle, true}},
	} {
		if !f.has || f.used {
			continue
		}
		m := wrong[f.alone]
		if m == "" {
			m = wrong[combination{true, true}]
		}
		unfit = append(unfit, Unfit{f.feature, m.why()})
	}
	return unfit
}

// receives tries one way to receive, with small buffers and with those of a lane.
func (t *trial) receives(without uring.Feature, c combination, receiveBytes int) error {
	lane := groupConfig(receiveBytes, c.incremental).Size
	if err := t.receive(without, c, trialSmall, trialSmallBytes); err != nil {
		return err
	}
	return t.receive(without, c, lane, trialBytes)
}

// numbered returns n bytes in which every eight bytes are a different number.
func numbered(n int) []byte {
	b := make([]byte, 0, n+8)
	for i := uint64(1); len(b) < n; i++ {
		b = binary.LittleEndian.AppendUint64(b, i*0x9e3779b97f4a7c15)
	}
	return b[:n]
}

// stream is one of the connections that a trial receives from.
type stream struct {
	*line
	fed, want []byte // what remains to be sent, and to be received
	armed     bool
	over      bool // the end has been received
	kept      bufring.Segment
}

// receive passes total bytes by each connection through buffers of size bytes. If it fails, the
// kernel may still write to the buffers; then they stay mapped.
func (t *trial) receive(without uring.Feature, c combination, size, total int) (err error) {
	r, err := t.newRing(without)
	if err != nil {
		return err
	}
	var group *bufring.Group
	var lines [trialLines]*stream
	defer func() {
		for _, s := range lines {
			if s != nil {
				s.line.close()
			}
		}
		err = errors.Join(err, r.Close())
		if err == nil {
			err = group.Close()
		}
	}()
	config := bufring.GroupConfig{Count: trialBuffers, Size: size, Incremental: c.incremental}
	if group, err = bufring.NewGroup(config); err != nil {
		return err
	}
	bufs, err := r.Provide(groupID, trialBuffers, c.incremental)
	if err != nil {
		return err
	}
	group.Fill(bufs)
	for i := range lines {
		l, err := t.connect(r)
		if err != nil {
			return err
		}
		all := numbered(total + trialLines*8)[i*8:][:total]
		lines[i] = &stream{line: l, fed: all, want: all}
	}
	return t.pass(r, group, c, lines[:])
}

// pass moves everything from one end of the lines to the other. Pieces of uneven lengths go in
// while others come out. Half of the bytes go in at first, which is more than the receiving socket
// holds.
func (t *trial) pass(r ring, group *bufring.Group, c combination, lines []*stream) error {
	var cqes [32]uring.CQE
	random := uint32(1)
	for turn, heard := 0, time.Now(); ; turn++ {
		left := false
		for i, s := range lines {
			for n := 0; len(s.fed) > 0 && (n < 2 || turn == 0 && len(s.fed) > len(s.want)/2); n++ {
				random = random*1664525 + 1013904223
				k, err := s.send(s.fed[:min(len(s.fed), 1+int(random>>8)%(8<<10<<(3*(n&1))))])
				if err != nil {
					return err
				}
				if s.fed = s.fed[k:]; len(s.fed) == 0 {
					s.end()
				}
				if k == 0 {
					break
				}
			}
			if !s.armed && !s.over {
				s.armed = true
				sqe := r.SQE()
				sqe.PrepRecvMultishot(s.fd, groupID, c.bundle)
				sqe.SetUserData(uint64(i))
			}
			left = left || !s.over
		}
		if !left {
			return nil
		}
		if err := r.Wait(1, 100*time.Millisecond); err != nil && !errors.Is(err, uring.ErrBusy) {
			return err
		}
		n := r.Harvest(cqes[:])
		for i := range cqes[:n] {
			if err := lines[cqes[i].UserData].take(group, &cqes[i]); err != nil {
				return err
			}
		}
		group.Publish()
		switch {
		case n > 0:
			heard = time.Now()
		case time.Since(heard) > t.patience:
			return misdeed("received bytes did not arrive")
		}
	}
}

// take checks whether a completion brings the bytes that come next. It holds the last piece of each
// for a while, so that buffers do not come back in order.
func (s *stream) take(group *bufring.Group, c *uring.CQE) error {
	s.armed = c.More()
	switch errno := c.Errno(); {
	case errno == unix.ENOBUFS:
		return nil
	case errno != 0:
		return misdeed("a receive failed: " + errno.Error())
	case c.Res == 0:
		if s.over = true; len(s.want) > 0 {
			return misdeed("received bytes were missing")
		}
		return nil
	}
	id, ok := c.BufferID()
	if !ok {
		return misdeed("a receive named no buffer")
	}
	segs, err := group.Consume(nil, id, int(c.Res), c.BufMore())
	if err != nil {
		return misdeed("a receive named a buffer that was not the kernel's")
	}
	if s.kept.Owner != nil {
		s.kept.Release()
	}
	for i := range segs {
		d := segs[i].Data
		if len(d) > len(s.want) || !bytes.Equal(d, s.want[:len(d)]) {
			return misdeed("received bytes were out of order")
		}
		s.want = s.want[len(d):]
		if s.kept = segs[i]; i < len(segs)-1 || len(s.want) == 0 {
			s.kept.Release()
			s.kept = bufring.Segment{}
		}
	}
	return nil
}
