package drc

import "time"

// Config sizes a Cache. A zero value means the default, which stands at the end of each comment.
type Config struct {
	// EntriesMax is the most kept replies: 16384.
	EntriesMax int
	// BytesMax is the most bytes in kept replies: 8 MiB.
	BytesMax int
	// PerPeerMax is the most kept replies of one household: a quarter of EntriesMax.
	PerPeerMax int
	// TTL is how long a reply is kept at least after it was last asked for, as far as the
	// bounds allow. Clients send a call again after 60 s by TCP (Linux, timeo=600). Default:
	// 120 s.
	TTL time.Duration
	// Shards is the number of parts with a lock each, a power of two: 16.
	Shards int
	// Now is the clock; it need not be monotonic: time.Now.
	Now func() time.Time
}

// Verdict is what Begin finds a call to be.
type Verdict uint8

// The verdicts of Begin.
const (
	// First: the call has not been seen. The caller of Begin owns the entry and must Finish or
	// Abandon it.
	First Verdict = iota
	// Replay: the call has been answered; the reply is returned.
	Replay
	// Busy: the call, or one that may be the same, is in progress. The Caller will be told when
	// that ends.
	Busy
	// Doubt: nobody can tell yet whether the call has been answered. It must Begin again a
	// little later.
	Doubt

	// unjudged: begin must know what the Caller says of some entries.
	unjudged
)

// Stats is what a cache holds and what it has done since it was made.
type Stats struct {
	Entries    int // in progress or answered
	InProgress int
	Bytes      int    // in kept replies
	Replays    uint64 // duplicates answered from the cache
	Waits      uint64 // calls that were told Busy
	Doubts     uint64 // calls that were told Doubt
	Strangers  uint64 // calls that ran although they looked like others
	Evicted    uint64 // replies dropped to make room
	Expired    uint64 // replies dropped because of their age
}

// Ticket is the right to end a call for which Begin returned First. It is used once.
type Ticket struct {
	s *shard
	e *entry
}

// Valid reports whether Begin returned t.
func (t Ticket) Valid() bool { return t.e != nil }

// Cache is a duplicate request cache. See the package comment.
type Cache struct {
	now    func() time.Time
	shards []shard
}

// New returns an empty cache. It panics if cfg.Shards is not a power of two.
func New(cfg Config) *Cache {
	cfg.setDefaults()
	if cfg.Shards&(cfg.Shards-1) != 0 {
		panic("drc: the number of shards is not a power of two")
	}
	c := &Cache{now: cfg.Now, shards: make([]shard, cfg.Shards)}
	part := func(n int) int { return (n + cfg.Shards - 1) / cfg.Shards }
	for i := range c.shards {
		c.shards[i].init(limits{
			entries: part(cfg.EntriesMax),
			bytes:   part(cfg.BytesMax),
			perPeer: part(cfg.PerPeerMax),
			ttl:     cfg.TTL,
		})
	}
	return c
}

func (cfg *Config) setDefaults() {
	for _, d := range []struct {
		v   *int
		def int
	}{
		{&cfg.EntriesMax, 16384},
		{&cfg.BytesMax, 8 << 20},
		{&cfg.Shards, 16},
	} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	if cfg.PerPeerMax <= 0 {
		cfg.PerPeerMax = (cfg.EntriesMax + 3) / 4
	}
	if cfg.TTL <= 0 {
		cfg.TTL = 120 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
}

func (c *Cache) shard(k *Key) *shard {
	return &c.shards[k.hash()&uint32(len(c.shards)-1)]
}

// Begin looks up k for the call from. If from is no retransmission of a call in the cache, Begin
// makes an entry. With First it returns the ticket to end the call with. With Replay it returns the
// reply, which is shared and immutable; when the reply has been queued, [Cache.Sent] must be
// called. With Busy it keeps from until the other call ends, and then tells from. Begin blocks no
// longer than from.Judge.
func (c *Cache) Begin(k Key, from Caller) (Verdict, Ticket, []byte) {
	k = k.normal()
	s := c.shard(&k)
	var judged []judgement
	for {
		a := s.begin(&k, from, judged, c.now())
		switch a.verdict {
		case First:
			return First, Ticket{s, a.e}, nil
		case unjudged:
			judged = a.open
			judge(from, judged)
		default:
			return a.verdict, Ticket{}, a.reply
		}
	}
}

// Finish ends a call for which Begin returned First. It keeps a copy of reply and gives the copy to
// the duplicates that wait; the copy is shared and immutable. reply is borrowed. end is the reply's
// place on the connection that the call came by: see [Answer]. Finish must be called before reply
// can reach the peer.
func (c *Cache) Finish(t Ticket, end uint64, reply []byte) {
	kept := append(make([]byte, 0, len(reply)), reply...)
	for _, w := range t.s.finish(t.e, end, kept, c.now()) {
		w.tell(kept)
	}
}

// Abandon ends a call for which Begin returned First and that has no reply worth keeping: it was
// not carried out, or its connection ended before it was. Abandon tells the duplicates that wait;
// the next one to Begin is First.
func (c *Cache) Abandon(t Ticket) {
	for _, w := range t.s.abandon(t.e) {
		w.tell(nil)
	}
}

// Sent says where the reply to a duplicate ends on by, the connection that the duplicate came by.
// It is called before the reply can reach the peer.
func (c *Cache) Sent(k Key, by Wire, end uint64) {
	k = k.normal()
	c.shard(&k).sent(&k, by, end)
}

// Stats returns the present figures. It reads the shards one after the other.
func (c *Cache) Stats() Stats {
	var t Stats
	for i := range c.shards {
		c.shards[i].addTo(&t)
	}
	return t
}
