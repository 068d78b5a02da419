package uringtest

import "github.com/ringnfs/ringnfs/uring"

// Ops returns the operations that have started and are not over, oldest first.
func (r *Ring) Ops() []*Op {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []*Op
	for _, o := range r.live {
		if o.state == opRunning {
			list = append(list, o)
		}
	}
	return list
}

// Find returns the oldest started operation with that code, or nil.
func (r *Ring) Find(code string) *Op {
	for _, o := range r.Ops() {
		if o.Code == code {
			return o
		}
	}
	return nil
}

// Started returns how many operations were submitted so far.
func (r *Ring) Started() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// Post adds a completion that belongs to no operation, as a message from
// another ring does.
func (r *Ring) Post(c uring.CQE) {
	r.mu.Lock()
	r.deliver(event{cqe: c})
	r.mu.Unlock()
}

// Overflowed says that completions wait outside of the full queue.
func (r *Ring) Overflowed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.over) > 0
}
