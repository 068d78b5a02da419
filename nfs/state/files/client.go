package files

import (
	"slices"
	"sync/atomic"

	"github.com/ringnfs/ringnfs/uring/futex"
)

// Caller is who sends an operation. In version 4.0 only the stateid says that, and Client is 0.
type Caller struct {
	Client uint64
	Minor  uint8
	// Brief says that the operation may not wait. What might write to the store of clients, because
	// somebody is to lose what he holds, is not done; the answer is [MustWait], and nothing has
	// changed.
	Brief bool
}

// Kinds of owners and of states.
const (
	openOwner = iota
	lockOwner
)

type kind = uint8

// client is one incarnation of a client.
type client struct {
	// immutable
	id     uint64
	legacy bool // of version 4.0

	waiters atomic.Int32
	waiting atomic.Int64 // bytes of its waiters

	mu futex.Mutex
	// guarded by mu
	gone   Status // not OK: nothing may be added any more, and this is why
	since  uint32 // when it became Expired
	owners [2]map[string]*owner
	opens  int
	locks  int // stateids
	ranges int
	dead   int
	named  int       // bytes of its owners, with what is kept for those of 4.0
	idle   ownerList // of 4.0: open owners without opens, and not confirmed ones, oldest first
	undone *undone   // OPENs; see Table.Undo
}

// bytes returns about how much memory the client has, each of its files counted as its own. Needs
// c.mu.
func (c *client) bytes() int {
	return (c.opens+c.locks+c.dead)*stateBytes + c.opens*fileBytes + c.ranges*lockBytes + c.named +
		int(c.waiting.Load())
}

// owner is an open owner or a lock owner.
type owner struct {
	// immutable
	client *client
	name   string
	kind   kind

	// guarded by client.mu
	gone   bool // no longer the client's
	n      int  // states, the dead ones included
	held   int  // ranges that a lock owner has locked
	states *state
	seq    *sequence // of 4.0
}

// clientShards is how many parts the table of clients has, each with a lock of its own.
const clientShards = 16

type clientShard struct {
	mu futex.Mutex
	// guarded by mu
	byID map[uint64]*client
	_    [48]byte // its own cache line
}

func (t *Table) clientShard(id uint64) *clientShard {
	return &t.clients[(id^id>>32)%clientShards]
}

// AddClient makes a client known: it has been confirmed. Minor is 0 for one of version 4.0. A
// client that is known already stays as it is, unless it has expired.
func (t *Table) AddClient(id uint64, minor uint8) {
	if c := t.client(id); c != nil && c.isExpired() {
		t.forget(c)
	}
	sh := t.clientShard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.byID[id] != nil {
		return
	}
	if sh.byID == nil {
		sh.byID = make(map[uint64]*client)
	}
	sh.byID[id] = &client{id: id, legacy: minor == 0}
	t.used.Add(clientBytes)
	t.members.Add(1)
}

func (c *client) isExpired() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone == Expired
}

func (t *Table) client(id uint64) *client {
	sh := t.clientShard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.byID[id]
}

func (t *Table) allClients() []*client {
	var all []*client
	for i := range t.clients {
		sh := &t.clients[i]
		sh.mu.Lock()
		for _, c := range sh.byID {
			all = append(all, c)
		}
		sh.mu.Unlock()
	}
	return all
}

// HasState reports whether a client holds anything: DESTROY_CLIENTID is then CLIENTID_BUSY, and
// the client is courteous after the end of its lease.
func (t *Table) HasState(id uint64) bool {
	c := t.client(id)
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opens+c.locks > 0
}

// DropClient ends a client and all that it held: it has expired, or destroyed itself, or another
// incarnation has taken its place. Stateids of 4.0 are EXPIRED for a lease time; others are BAD.
func (t *Table) DropClient(id uint64) {
	c := t.client(id)
	switch {
	case c == nil:
	case c.legacy:
		t.Revoke(id, Expired)
	default:
		t.forget(c)
	}
}

// forget ends a client without a trace.
func (t *Table) forget(c *client) {
	sh := t.clientShard(c.id)
	sh.mu.Lock()
	known := sh.byID[c.id] == c
	if known {
		delete(sh.byID, c.id)
	}
	sh.mu.Unlock()
	if !known {
		return
	}
	c.mu.Lock()
	if c.gone == Expired {
		t.mu.Lock()
		t.expired = slices.DeleteFunc(t.expired, func(o *client) bool { return o == c })
		t.mu.Unlock()
	} else {
		t.members.Add(-1)
	}
	c.gone = StaleClientID
	c.mu.Unlock()
	for _, s := range c.all() {
		t.end(s, OK)
	}
	c.mu.Lock()
	for k := range c.owners {
		for _, o := range c.owners[k] {
			t.dropOwner(o)
		}
	}
	c.mu.Unlock()
	t.used.Add(-clientBytes)
}

// Revoke takes all that a client holds, without its consent. Why is Expired after the end of its
// lease: then nothing can be added any more either. Or it is AdminRevoked. Stateids go on
// answering that until they are freed (FREE_STATEID), the client is dropped, or the room is
// needed. Sweep forgets an expired client after a lease time.
func (t *Table) Revoke(id uint64, why Status) {
	c := t.client(id)
	if c == nil {
		return
	}
	var oldest *client
	c.mu.Lock()
	if why == Expired && c.gone == OK {
		c.gone, c.since = Expired, t.now()
		t.members.Add(-1)
		t.mu.Lock()
		t.expired = append(t.expired, c)
		if len(t.expired) > expiredMax {
			oldest = t.expired[0]
		}
		t.mu.Unlock()
	}
	c.mu.Unlock()
	for _, s := range c.all() {
		t.end(s, why)
	}
	if why == Expired && !c.remembers() {
		t.forget(c)
	}
	if oldest != nil {
		t.forget(oldest)
	}
}

// expiredMax bounds the clients that are kept to be told that they have expired.
const expiredMax = 1024

// remembers reports whether a client has dead stateids.
func (c *client) remembers() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead > 0
}

// expire revokes the state of clients whose leases have ended, unless self is among them, for an
// operation that else answers denied. It answers OK if each was such, and MustWait if that is not
// for who is brief.
func (t *Table) expire(who []*client, self *client, brief bool, denied Status) Status {
	for _, c := range who {
		if c == self || !t.cfg.Courteous(c.id) {
			return denied
		}
	}
	if brief && len(who) > 0 {
		return MustWait
	}
	for _, c := range who {
		if !t.cfg.Expire(c.id) {
			return denied
		}
		t.Revoke(c.id, Expired)
	}
	if len(who) == 0 {
		return denied
	}
	return OK
}

// relieve makes room when a bound for all is reached: clients that have expired go first. It
// reports whether there may be room now.
func (t *Table) relieve() bool {
	if c := t.oldestExpired(); c != nil {
		t.forget(c)
		return true
	}
	if !t.cfg.Relieve() {
		return false
	}
	if c := t.oldestExpired(); c != nil { // who had to go leaves stateids that say so
		t.forget(c)
	}
	return true
}

// oldestExpired returns the client that expired first of those that are kept to be told so.
func (t *Table) oldestExpired() *client {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.expired) == 0 {
		return nil
	}
	return t.expired[0]
}

// forgetExpired forgets clients that expired a lease time ago.
func (t *Table) forgetExpired(now uint32) {
	for {
		c := t.oldestExpired()
		if c == nil {
			return
		}
		c.mu.Lock()
		kept := int32(now-c.since) <= int32(t.cfg.LeaseSeconds)
		c.mu.Unlock()
		if kept {
			return
		}
		t.forget(c)
	}
}

// all returns the states of a client, the dead ones included.
func (c *client) all() []*state {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*state, 0, c.opens+c.locks+c.dead)
	for k := range c.owners {
		for _, o := range c.owners[k] {
			for s := o.states; s != nil; s = s.ownNext {
				all = append(all, s)
			}
		}
	}
	return all
}

// owner returns the client's owner of that name, and makes it if there is none. Needs c.mu.
func (t *Table) owner(c *client, k kind, name []byte) (*owner, Status) {
	if o := c.owners[k][string(name)]; o != nil {
		return o, OK
	}
	if c.gone != OK {
		return nil, c.gone
	}
	n := len(c.owners[openOwner]) + len(c.owners[lockOwner])
	if st := t.bounded(c, n, t.cfg.ClientOwnersMax); st != OK && !t.dropIdle(c) {
		return nil, st
	}
	o := &owner{client: c, name: string(name), kind: k}
	if !t.take(o.bytes()) {
		return nil, crowded
	}
	if c.legacy {
		if !t.take(legacyBytes) {
			t.give(o.bytes())
			return nil, crowded
		}
		o.seq = new(sequence)
		c.named += legacyBytes
	}
	c.named += o.bytes()
	if c.owners[k] == nil {
		c.owners[k] = make(map[string]*owner)
	}
	c.owners[k][o.name] = o
	return o, OK
}

func (o *owner) bytes() int { return ownerBytes + len(o.name) }

// dropOwner forgets an owner that has no states. Needs client.mu.
func (t *Table) dropOwner(o *owner) {
	if o.gone {
		return
	}
	c := o.client
	t.dropSequence(o)
	o.gone = true
	delete(c.owners[o.kind], o.name)
	t.give(o.bytes())
	c.named -= o.bytes()
}

// unused drops an owner when nothing is left that needs it. Needs client.mu.
func (t *Table) unused(o *owner) {
	if o.n > 0 || o.gone {
		return
	}
	if o.seq != nil && o.kind == openOwner && o.seq.known {
		o.client.idle.add(o, t.now()) // its last CLOSE may be asked for again
		return
	}
	if o.seq != nil && o.seq.busy {
		return // End drops it
	}
	t.dropOwner(o)
}
