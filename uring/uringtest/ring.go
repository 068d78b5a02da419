package uringtest

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ringnfs/ringnfs/uring"
)

// Driver is what code that drives a ring needs of it; *uring.Ring implements it. Consumers declare
// an interface of their own.
type Driver interface {
	SQE() *uring.SQE
	Submit() (int, error)
	Wait(min uint32, timeout time.Duration) error
	Harvest(dst []uring.CQE) int
	Close() error
}

var (
	_ Driver = (*uring.Ring)(nil)
	_ Driver = (*Ring)(nil)
)

// ErrStuck is what Wait returns instead of waiting without end: nothing is queued, and nothing in
// the test can bring a completion.
var ErrStuck = errors.New("uringtest: waiting for ever")

// Options of a Ring. With the zero value the fake makes no faults and leaves the answers to the
// test.
type Options struct {
	Entries   int // of the submission queue; default 64
	CQEntries int // of the completion queue; default 256

	// Script sees every operation when it starts, on the goroutine that submitted the operation
	// or completed the one before it in its chain. True means that the script has answered the
	// operation or will.
	Script func(*Op) bool
	// Idle is called by Wait when too few completions are there. It may answer operations or
	// feed sockets, and returns false when it has nothing more to give.
	Idle   func(*Ring) bool
	Seed   uint64 // of the faults; with zero, chance picks one
	Faults *Faults
}

// Ring is the fake ring, made by New.
type Ring struct {
	t   testing.TB // immutable, as is opt
	opt Options

	mu     sync.Mutex // guards all below
	rng    *rand.Rand
	sqes   []uring.SQE
	queued int
	live   []*Op // operations without their final completion
	loose  []*Op // operations whose final completion is not harvested
	cq     []event
	over   []event // overflowed
	late   []event // held back by a fault
	notifs []*Op   // whose notification a fault holds back
	groups map[uring.GroupID]*Group
	socks  map[int]*Socket
	closed bool
	count  int // of operations started
}

// event is a completion on its way.
type event struct {
	cqe uring.CQE
	op  *Op
}

// New makes a ring for one test, and fails the test if operations are left when it ends.
func New(t testing.TB, opt Options) *Ring {
	t.Helper()
	if opt.Entries == 0 {
		opt.Entries = 64
	}
	if opt.CQEntries == 0 {
		opt.CQEntries = 256
	}
	if opt.Seed == 0 {
		opt.Seed = rand.Uint64() | 1
	}
	r := &Ring{
		t: t, opt: opt, rng: rand.New(rand.NewPCG(opt.Seed, 0)),
		sqes:   make([]uring.SQE, opt.Entries),
		groups: map[uring.GroupID]*Group{}, socks: map[int]*Socket{},
	}
	if opt.Faults != nil {
		t.Logf("uringtest: seed %d", opt.Seed)
	}
	t.Cleanup(r.checkDone)
	return r
}

// SQE returns the next free entry, zeroed, or nil when the queue is full.
func (r *Ring) SQE() *uring.SQE {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mustBeOpen("SQE")
	if r.queued == len(r.sqes) {
		return nil
	}
	s := &r.sqes[r.queued]
	*s = uring.SQE{}
	r.queued++
	return s
}

// Pending returns how many entries wait for Submit.
func (r *Ring) Pending() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.queued
}

// Submit starts what is queued. With a fault it takes only the first entries, or none and returns
// uring.ErrBusy.
func (r *Ring) Submit() (int, error) {
	r.mu.Lock()
	r.mustBeOpen("Submit")
	n := r.queued
	if n > 0 && r.fault(func(f *Faults) float64 { return f.Busy }) {
		r.mu.Unlock()
		return 0, uring.ErrBusy
	}
	if n > 1 && r.fault(func(f *Faults) float64 { return f.PartialSubmit }) {
		n = 1 + r.rng.IntN(n-1)
		for n < r.queued && linked(&r.sqes[n-1]) {
			n++ // the kernel takes a chain as a whole
		}
	}
	var started []*Op
	var last *Op
	for i := range n {
		o := decode(r, &r.sqes[i])
		r.count++
		r.mustBeUnique(o)
		r.live = append(r.live, o)
		if last != nil {
			last.next, o.chain = o, last.chain
		} else {
			o.state = opRunning
			started = append(started, o)
		}
		last = nil
		if linked(&r.sqes[i]) {
			last = o
		}
	}
	copy(r.sqes, r.sqes[n:r.queued])
	r.queued -= n
	r.mu.Unlock()
	for _, o := range started {
		r.start(o)
	}
	r.releaseNotifs(false)
	r.mu.Lock()
	r.flush(0)
	r.mu.Unlock()
	return n, nil
}

// Wait submits, and returns when min completions can be harvested, when the timeout is over, or
// because of a fault without a reason. The fake has no clock: a timeout is over as soon as Idle has
// nothing to give. Without a timeout Wait then returns ErrStuck.
func (r *Ring) Wait(min uint32, timeout time.Duration) error {
	if _, err := r.Submit(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	want := int(min)
	if want > r.opt.CQEntries {
		want = r.opt.CQEntries
	}
	r.flush(want)
	if timeout == 0 || r.fault(func(f *Faults) float64 { return f.SpuriousWake }) {
		return nil
	}
	if len(r.cq) < want && len(r.notifs) > 0 {
		r.mu.Unlock()
		r.releaseNotifs(true)
		r.mu.Lock()
		r.flush(want)
	}
	for len(r.cq) < want && r.opt.Idle != nil {
		r.mu.Unlock()
		more := r.opt.Idle(r)
		r.mu.Lock()
		r.flush(want)
		if !more {
			break
		}
	}
	if len(r.cq) < want && timeout < 0 {
		return ErrStuck
	}
	return nil
}

// Harvest moves completions to dst and returns how many.
func (r *Ring) Harvest(dst []uring.CQE) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mustBeOpen("Harvest")
	n := min(len(dst), len(r.cq))
	for i, e := range r.cq[:n] {
		dst[i] = e.cqe
		if e.op != nil {
			e.op.unread--
		}
	}
	r.cq = append(r.cq[:0], r.cq[n:]...)
	r.loose = keep(r.loose, func(o *Op) bool { return o.unread > 0 || o.held > 0 })
	return n
}

// Close ends the ring. As with the kernel, all operations should be over before.
func (r *Ring) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return uring.ErrClosed
	}
	r.closed = true
	return nil
}

func linked(s *uring.SQE) bool {
	return flagsOf(s)&(uring.Link|uring.Hardlink) != 0
}

func keep[T any](list []T, want func(T) bool) []T {
	out := list[:0]
	for _, v := range list {
		if want(v) {
			out = append(out, v)
		}
	}
	clear(list[len(out):])
	return out
}
