package state

import (
	"hash/maphash"

	"github.com/ringnfs/ringnfs/nfs/state/internal/ident"
	"github.com/ringnfs/ringnfs/uring/futex"
)

// Table is all that is remembered of clients. See the package comment.
type Table struct {
	// immutable
	cfg   Config
	now   func() uint32
	seed  maphash.Seed
	sizes sizes

	mint     ident.Minter
	clients  ident.Index[Client]
	sessions ident.Index[Session]
	conns    conns
	budget   budget

	grace grace

	recalled bool // Overgrown's: memory was short when it looked last

	mu futex.Mutex
	// guarded by mu
	confirmed map[string]*Client // by owner; lapsed ones, too
	fresh     freshList
}

// New returns an empty table. It panics when cfg has no clock, no randomness, or more clients
// than a client ID can number.
func New(cfg Config) *Table {
	cfg.setDefaults()
	if cfg.Now == nil || cfg.Random == nil {
		panic("state: a table needs a clock and randomness")
	}
	if cfg.ClientsMax+cfg.UnconfirmedMax > indexMask {
		panic("state: more clients than their IDs can number")
	}
	t := &Table{
		cfg:       cfg,
		now:       cfg.Now,
		seed:      maphash.MakeSeed(),
		sizes:     makeSizes(int(cfg.KeptMax)),
		confirmed: make(map[string]*Client),
	}
	t.mint.Init(cfg.Epoch, cfg.Random)
	t.clients.Init(cfg.ClientsMax + cfg.UnconfirmedMax)
	t.sessions.Init(cfg.ClientsMax * cfg.SessionsMax)
	t.conns.of = make(map[uint64][]*Session)
	t.budget.max = cfg.MemoryMax
	t.budget.least = int64(sessionBytes + groupBytes + int(cfg.KeptMax))
	t.fresh.byOwner = make(map[string]*Client)
	return t
}

// Server returns what EXCHANGE_ID tells of the server.
func (t *Table) Server() Server { return t.cfg.Server }

// LeaseSeconds returns how long a client may be silent.
func (t *Table) LeaseSeconds() uint32 { return t.cfg.LeaseSeconds }

// Counts is how much a table holds.
type Counts struct {
	Clients     int // confirmed
	Courteous   int // of these, with a lease that has ended
	Unconfirmed int
	Sessions    int
	SlotsBusy   int
	Bytes       int64 // of sessions, slots and kept replies
	Conns       int   // that are bound to sessions
}

// Counts counts. It looks at each slot and locks the table and each client for a moment.
func (t *Table) Counts() Counts {
	var n Counts
	t.mu.Lock()
	n.Clients, n.Unconfirmed = len(t.confirmed), t.fresh.n
	for _, c := range t.confirmed {
		if c.Courteous() {
			n.Courteous++
		}
	}
	t.mu.Unlock()
	t.sessions.All(func(s *Session) {
		n.Sessions++
		n.SlotsBusy += s.busySlots()
	})
	n.Bytes = t.budget.used.Load()
	t.conns.mu.Lock()
	n.Conns = len(t.conns.of)
	t.conns.mu.Unlock()
	return n
}

// client returns the client with an ID, nil if there is none.
func (t *Table) client(id ClientID) *Client {
	if c := t.clients.At(id.index()); c != nil && c.id == id {
		return c
	}
	return nil
}

// freshList is the unconfirmed clients, at most one of an owner, by age.
type freshList struct {
	byOwner        map[string]*Client
	oldest, newest *Client
	n              int
}

func (l *freshList) add(c *Client) {
	l.byOwner[c.owner] = c
	c.older = l.newest
	if l.newest != nil {
		l.newest.newer = c
	} else {
		l.oldest = c
	}
	l.newest = c
	l.n++
}

func (l *freshList) remove(c *Client) {
	delete(l.byOwner, c.owner)
	if c.older != nil {
		c.older.newer = c.newer
	} else {
		l.oldest = c.newer
	}
	if c.newer != nil {
		c.newer.older = c.older
	} else {
		l.newest = c.older
	}
	c.older, c.newer = nil, nil
	l.n--
}
