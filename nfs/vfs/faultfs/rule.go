package faultfs

import (
	"slices"
	"sync"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Threads chooses calls by the thread they are made on.
type Threads uint8

// Kinds of threads.
const (
	AnyThread  Threads = iota
	LaneOnly           // threads that may not wait
	WorkerOnly         // threads that may
)

// Rule says which calls to interfere with, and how. The zero value applies to all calls and does
// nothing.
type Rule struct {
	// Ops are the operations that the rule is for. None means all.
	Ops []Op
	// Name is the entry's name that the rule is for: Lookup's, Create's, a Rename's source,
	// Walk's path. "" means any, also for operations without a name.
	Name string
	// Threads are the threads that the rule is for.
	Threads Threads

	// Skip is how many calls pass before the rule applies.
	Skip int
	// Count is how many calls the rule applies to before it ends. 0 means that it does not end.
	Count int
	// OneIn makes the rule apply to one call in so many, by chance. 0 and 1 mean all.
	OneIn int

	// Gate makes the call wait. On a thread that may not wait, the call returns Again instead.
	Gate *Gate
	// Status is what the call returns. OK does not interfere. A call returns Again only on a
	// thread that may not wait.
	Status vfs.Status
	// AfterDone makes the call do its work before it returns Status.
	AfterDone bool
	// Short is the most bytes that a Read, Splice or Write does. 0 does not interfere.
	Short int
}

// Fault is a rule in force.
type Fault struct {
	f    *FS
	r    Rule
	seen int // calls that the rule was for, guarded by FS.mu
	hits int // calls that the rule interfered with, guarded by FS.mu
}

// Hits returns how many calls the rule has applied to.
func (x *Fault) Hits() int {
	x.f.mu.Lock()
	defer x.f.mu.Unlock()
	return x.hits
}

// Remove ends the rule. Calls that wait at its gate continue to wait.
func (x *Fault) Remove() {
	x.f.mu.Lock()
	defer x.f.mu.Unlock()
	x.f.rules = slices.DeleteFunc(x.f.rules, func(y *Fault) bool { return y == x })
}

// applies decides whether the rule applies to this call. FS.mu is held.
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

// NewGate returns a closed gate. A test that closes a gate must open it before it stops the server.
func NewGate() *Gate {
	return &Gate{open: make(chan struct{}), entered: make(chan struct{}, gateCalls)}
}

// Entered yields one value for each call that has come to the gate.
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
