package faultfs

import (
	"slices"
	"sync"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Threads chooses calls by the thread they are made on.
type Threads uint8

// The kinds of threads.
const (
	AnyThread  Threads = iota
	LaneOnly           // those that may not wait
	WorkerOnly         // those that may
)

// Rule says which calls are interfered with, and how. The zero value applies to
// all calls and does nothing.
type Rule struct {
	// Ops are the operations it is for. None means all.
	Ops []Op
	// Name is the entry's name it is for: Lookup's, Create's, a Rename's source,
	// Walk's path. "" means any, also for operations without a name.
	Name string
	// Threads are the threads it is for.
	Threads Threads

	// Skip lets the first calls pass.
	Skip int
	// Count is how many calls it applies to, after which it is over. 0 means no
	// end.
	Count int
	// OneIn makes it apply to one of so many calls by chance. 0 and 1 mean all.
	OneIn int

	// Gate makes the call wait. Where it may not wait, it returns Again instead.
	Gate *Gate
	// Status is what the call returns. OK does not interfere. Again is returned
	// only where the thread may not wait.
	Status vfs.Status
	// AfterDone lets the call do its work first, and only then return Status.
	AfterDone bool
	// Short is the most bytes that a Read, Splice or Write does. 0 does not interfere.
	Short int
}

// Fault is a rule in force.
type Fault struct {
	f    *FS
	r    Rule
	seen int // calls that it was for, guarded by FS.mu
	hits int // calls that it interfered with, guarded by FS.mu
}

// Hits returns how many calls the rule has applied to.
func (x *Fault) Hits() int {
	x.f.mu.Lock()
	defer x.f.mu.Unlock()
	return x.hits
}

// Remove ends the rule. Calls that wait at its gate go on waiting.
func (x *Fault) Remove() {
	x.f.mu.Lock()
	defer x.f.mu.Unlock()
	x.f.rules = slices.DeleteFunc(x.f.rules, func(y *Fault) bool { return y == x })
}

// applies decides whether the rule is for this call. FS.mu is held.
func (x *Fault) applies(op Op, name string, mayWait bool) bool {
	r := &x.r
	switch {
	case len(r.Ops) > 0 && !slices.Contains(r.Ops, op),
		r.Name != "" && r.Name != name,
		r.Threads == LaneOnly && mayWait,
		r.Threads == WorkerOnly && !mayWait,
		r.Status == vfs.Again && mayWait,
		r.Short > 0 && op != Read && op != Write && op != Splice:
		return false
	}
	x.seen++
	if x.seen <= r.Skip || r.Count > 0 && x.hits >= r.Count {
		return false
	}
	if r.OneIn > 1 && x.f.chance.IntN(r.OneIn) != 0 {
		return false
	}
	x.hits++
	return true
}

// Gate is where calls wait until it is opened.
type Gate struct {
	once    sync.Once
	open    chan struct{}
	entered chan struct{}
}

// gateCalls is how many arrivals a gate remembers.
const gateCalls = 4096

// NewGate returns a closed gate. Whoever closes a gate opens it before the
// server is stopped.
func NewGate() *Gate {
	return &Gate{open: make(chan struct{}), entered: make(chan struct{}, gateCalls)}
}

// Entered gives one value for each call that has come to the gate.
func (g *Gate) Entered() <-chan struct{} { return g.entered }

// Open lets all calls through, now and later. It may be called again.
func (g *Gate) Open() { g.once.Do(func() { close(g.open) }) }

// IsOpen reports whether the gate has been opened.
func (g *Gate) IsOpen() bool {
	select {
	case <-g.open:
		return true
	default:
		return false
	}
}

// pass waits until the gate is open.
func (g *Gate) pass() {
	select {
	case g.entered <- struct{}{}:
	default:
	}
	<-g.open
}
