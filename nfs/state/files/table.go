package files

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/ringnfs/ringnfs/nfs/state/internal/ident"
	"github.com/ringnfs/ringnfs/nfs/state/ranges"
	"github.com/ringnfs/ringnfs/uring/futex"
)

// What things cost in bytes, with their share of the tables that lead to them. A test compares
// them with what the collector says.
const (
	stateBytes  = 112 // stateid: size class 96, its place in the index
	fileBytes   = 128 // size class 112, its bucket
	ownerBytes  = 128 // with its place in a map; without its name
	legacyBytes = 176 // more for an owner of 4.0; without the kept reply
	lockBytes   = 48  // a range, of 40 bytes, with room for more
	waiterBytes = 128 // without the owner's name
	clientBytes = 192
)

// Table is all that clients hold of files. See the package comment.
type Table struct {
	// immutable
	cfg  Config
	now  func() uint32
	seed maphash.Seed

	mint  ident.Minter
	index ident.Index[state]
	files [shards]shard
	plans sync.Pool // *ranges.Plan

	// atomic
	denials atomic.Int64 // opens that deny something, once for each way
	used    atomic.Int64 // bytes
	known   atomic.Int64 // files, in all shards
	states  atomic.Int64 // places of the index that are taken
	members atomic.Int64 // clients

	clients [clientShards]clientShard

	mu futex.Mutex
	// guarded by mu
	expired []*client // whose dead stateids are kept, oldest first

	waiting struct {
		mu futex.Mutex
		// guarded by mu
		files map[*file]struct{}
	}
}

// New returns an empty table. It panics when cfg has no clock or no randomness.
func New(cfg Config) *Table {
	cfg.setDefaults()
	if cfg.Now == nil || cfg.Random == nil {
		panic("files: a table needs a clock and randomness")
	}
	t := &Table{cfg: cfg, now: cfg.Now, seed: maphash.MakeSeed()}
	t.mint.Init(cfg.Epoch, cfg.Random)
	t.index.Init(cfg.StatesMax)
	t.plans.New = func() any { return new(ranges.Plan) }
	t.waiting.files = make(map[*file]struct{})
	return t
}

// Any reports whether anybody has any file open. It takes no lock.
func (t *Table) Any() bool { return t.known.Load() > 0 }

// Counts is how much a table holds.
type Counts struct {
	Clients int // that have not expired
	Files   int // open, or pinned
	Opens   int
	Locks   int   // lock stateids
	Ranges  int   // byte ranges that they have locked
	Dead    int   // stateids that only answer why they are no more
	Owners  int   // open owners and lock owners
	Waiters int   // for locks
	Bytes   int64 // about
}

// Counts counts. It locks each client and each file with waiters for a moment.
func (t *Table) Counts() Counts {
	n := Counts{Bytes: t.used.Load()}
	for i := range t.files {
		sh := &t.files[i]
		sh.mu.Lock()
		n.Files += sh.n
		sh.mu.Unlock()
	}
	for _, c := range t.allClients() {
		c.mu.Lock()
		if c.gone == OK {
			n.Clients++
		}
		n.Opens += c.opens
		n.Locks += c.locks
		n.Ranges += c.ranges
		n.Dead += c.dead
		n.Owners += len(c.owners[openOwner]) + len(c.owners[lockOwner])
		n.Waiters += int(c.waiters.Load())
		c.mu.Unlock()
	}
	return n
}

// CountsOf counts what a client holds: its opens, its lock stateids and the ranges that these have
// locked. It locks the client for a moment.
func (t *Table) CountsOf(id uint64) (opens, locks, ranges int) {
	c := t.client(id)
	if c == nil {
		return 0, 0, 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opens, c.locks, c.ranges
}

// take counts n bytes, and reports false when they may not be had.
func (t *Table) take(n int) bool {
	if t.used.Add(int64(n)) <= t.cfg.MemoryMax {
		return true
	}
	t.used.Add(int64(-n))
	return false
}

func (t *Table) give(n int) { t.used.Add(int64(-n)) }

// bounded says whether a client that has n states, or n owners, may have more. A half of the room
// is for whoever comes first. Of the other half each client has an equal share, so that one that
// hoards meets its own limit and not that of others. Needs c.mu.
func (t *Table) bounded(c *client, n, most int) Status {
	switch {
	case n >= most:
		return full(c.legacy)
	case !t.scarce() || int64(n) <= t.share(int64(t.cfg.StatesMax)) && t.withinShare(c, 0):
		return OK
	case t.oldestExpired() != nil:
		return crowded
	}
	return full(c.legacy)
}

// scarce reports whether more than a half of the room is taken.
func (t *Table) scarce() bool {
	return t.states.Load() > int64(t.cfg.StatesMax)/2 || t.used.Load() > t.cfg.MemoryMax/2
}

// share returns what a client may have of most while room is scarce.
func (t *Table) share(most int64) int64 { return most / 2 / max(t.members.Load(), 1) }

// withinShare reports whether a client that gets n bytes more has no more than its share of the
// memory. Needs c.mu.
func (t *Table) withinShare(c *client, n int) bool {
	return int64(c.bytes()+n) <= t.share(t.cfg.MemoryMax)
}

// placed makes a state of an owner, at a place of its own: see birth. Needs file.mu and client.mu.
func (t *Table) placed(f *file, o *owner, open *state) (*state, Status) {
	c := o.client
	if st := t.bounded(c, c.opens+c.locks+c.dead, t.cfg.ClientStatesMax); st != OK {
		return nil, st
	}
	if !t.take(stateBytes) {
		return nil, crowded
	}
	i, ok := t.index.Take()
	if !ok {
		t.give(stateBytes)
		return nil, crowded
	}
	t.states.Add(1)
	s := t.birth(i, f, o, open)
	if s == nil {
		t.vacate(i)
		return nil, Delay
	}
	return s, OK
}

// vacate gives back a place in the index, and a state's memory.
func (t *Table) vacate(i uint32) {
	t.index.Give(i)
	t.give(stateBytes)
	t.states.Add(-1)
}

// attempt runs an operation until it gets an answer that more room does not change. The operation
// says crowded while it lacks room. Who is brief makes none: MustWait.
func (t *Table) attempt(legacy, brief bool, run func() Status) Status {
	st := run()
	if st == crowded && brief {
		return MustWait
	}
	if st == crowded && t.relieve() {
		st = run()
	}
	if st == crowded {
		return full(legacy)
	}
	return st
}
