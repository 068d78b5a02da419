package uringtest

import "golang.org/x/sys/unix"

// cancel carries out a cancel operation. No lock is held.
func (r *Ring) cancel(c *Op) {
	r.mu.Lock()
	o := r.match(c)
	if o != nil && r.fault(func(f *Faults) float64 { return f.Already }) {
		r.mu.Unlock()
		c.Fail(unix.EALREADY) // the operation stays for the test to answer
		return
	}
	r.mu.Unlock()
	if o == nil {
		c.Fail(unix.ENOENT)
		return
	}
	o.Cancel()
	c.Complete(0)
}

// match returns the operation that a cancel means, nil for none. The lock is held.
func (r *Ring) match(c *Op) *Op {
	for _, o := range r.live {
		if o != c && o.state == opRunning && !o.owedZC && o.UserData == c.Target() {
			return o
		}
	}
	return nil
}

// Cancel ends the operation as the kernel does when a cancel has found it.
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

// CancelAll ends every operation that has started and is not over, as a loop that gives up would
// ask the kernel to. It also sends the notifications that are owed.
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
