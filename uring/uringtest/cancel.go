package uringtest

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

// cancel does what a cancel, or the removal of a poll or timeout, asks for. No
// lock is held.
func (r *Ring) cancel(c *Op) {
	r.mu.Lock()
	flags := uint32(0)
	if c.raw.Opcode == abi.OpAsyncCancel {
		flags = c.OpFlags
	} else if c.OpFlags != 0 {
		// An update changes nothing that a fake without a clock could show.
		found := r.match(c, 0)
		r.mu.Unlock()
		c.Complete(result(len(found), false))
		return
	}
	found := r.match(c, flags)
	all := flags&abi.AsyncCancelAll != 0
	if !all && len(found) > 1 {
		found = found[:1]
	}
	if !all && len(found) == 1 && r.fault(func(f *Faults) float64 { return f.Already }) {
		r.mu.Unlock()
		c.Fail(unix.EALREADY) // the operation stays for the test to answer
		return
	}
	r.mu.Unlock()
	for _, o := range found {
		o.Cancel()
	}
	c.Complete(result(len(found), all))
}

func result(n int, all bool) int32 {
	switch {
	case n == 0:
		return -int32(unix.ENOENT)
	case all:
		return int32(n)
	}
	return 0
}

// match lists what a cancel finds. The lock is held.
func (r *Ring) match(c *Op, flags uint32) []*Op {
	var found []*Op
	for _, o := range r.live {
		if o == c || o.state != opRunning || o.owedZC {
			continue
		}
		ok := o.UserData == c.Target()
		switch {
		case flags&abi.AsyncCancelAny != 0:
			ok = true
		case flags&abi.AsyncCancelFD != 0:
			fixed := flags&abi.AsyncCancelFDFixed != 0
			ok = hasFile(o) && o.FD == c.FD && o.Fixed == fixed
		}
		if ok {
			found = append(found, o)
		}
	}
	return found
}

// hasFile says that the operation works on a descriptor.
func hasFile(o *Op) bool {
	switch o.raw.Opcode {
	case abi.OpNop, abi.OpTimeout, abi.OpTimeoutRemove, abi.OpLinkTimeout, abi.OpAsyncCancel,
		abi.OpPollRemove, abi.OpClose:
		return false
	}
	return true
}

// Cancel ends the operation as cancelled, as if the kernel had found it.
func (o *Op) Cancel() {
	o.ring.mu.Lock()
	s := o.ring.socks[o.FD]
	o.ring.mu.Unlock()
	if s != nil {
		s.forget(o)
	}
	o.Fail(unix.ECANCELED)
	o.ring.mu.Lock()
	o.dropped = true
	o.ring.mu.Unlock()
}

// Expire lets time pass for the operation: a timeout completes with ETIME; one
// that has a linked timeout behind it is cancelled by that.
func (o *Op) Expire() {
	r := o.ring
	if o.raw.Opcode == abi.OpTimeout {
		o.Fail(unix.ETIME)
		return
	}
	r.mu.Lock()
	timeout := o.next
	if timeout == nil || timeout.raw.Opcode != abi.OpLinkTimeout {
		r.mu.Unlock()
		r.t.Errorf("uringtest: %v has no timeout", o)
		return
	}
	o.next = nil
	timeout.state = opRunning
	r.mu.Unlock()
	o.Cancel()
	timeout.Fail(unix.ETIME)
}

// CancelAll ends every operation that has started and is not over, as a loop
// that gives up would ask the kernel to; it also sends the notifications that
// are owed.
func (r *Ring) CancelAll() {
	for _, o := range r.Ops() {
		if o.owes() {
			o.Notify(false)
		} else {
			o.Cancel()
		}
	}
}

func (o *Op) owes() bool {
	o.ring.mu.Lock()
	defer o.ring.mu.Unlock()
	return o.owedZC
}
