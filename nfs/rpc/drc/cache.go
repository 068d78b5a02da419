package drc

import "time"

// Config sizes a Cache. Zero values are replaced by the defaults named here.
type Config struct {
	// EntriesMax bounds the entries. It and PerPeerMax should exceed the number of
	// calls that can be in progress, which need an entry each. 16384.
	EntriesMax int
	// BytesMax bounds the bytes of the kept replies. 8 MiB.
	BytesMax int
	// PerPeerMax bounds the entries of one peer address. A quarter of EntriesMax.
	PerPeerMax int
	// WaitersMax bounds the duplicates that wait for one call. 8.
	WaitersMax int
	// TTL is how long a reply is kept at least after it was last asked for, as
	// far as the bounds allow. Clients send a call again after 60 s by TCP (Linux,
	// timeo=600). 120 s.
	TTL time.Duration
	// Shards is the number of parts with a lock each, a power of two. 16.
	Shards int
	// Now is the clock; it need not be monotonic. time.Now.
	Now func() time.Time
}

// Verdict is what a call turned out to be.
type Verdict uint8

// The verdicts of Begin.
const (
	// First: the call has not been seen. The caller owns it and must Finish or
	// Abandon it.
	First Verdict = iota
	// Replay: the call has been answered; the reply is returned.
	Replay
	// Busy: the call is in progress. The waiter will be told.
	Busy
	// Full: the call can be neither tracked nor waited for, because everything
	// that could make room is in progress, or too many wait already. The caller
	// drops it without a reply; the client will send it again.
	Full
)

// Waiter waits for the reply of a call in progress.
type Waiter interface {
	// Replay is called once, from the goroutine that finishes the call. reply is
	// shared and immutable; it is nil when the call was abandoned. It must not
	// block.
	Replay(reply []byte)
}

// Stats is what a cache holds and what it has done since it was made.
type Stats struct {
	Entries    int // in progress or answered
	InProgress int
	Bytes      int    // in kept replies
	Replays    uint64 // duplicates answered from the cache
	Waits      uint64 // duplicates that were told Busy
	Refused    uint64 // calls that were told Full
	Evicted    uint64 // replies that went to make room
	Expired    uint64 // replies that went because of their age
}

// Cache is a duplicate request cache. See the package comment.
type Cache struct {
	now    func() time.Time
	shards []shard
}

// New returns an empty cache. It panics when cfg.Shards is no power of two.
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
			waiters: cfg.WaitersMax,
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
		{&cfg.WaitersMax, 8},
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

// Begin looks k up and makes an entry if there is none. With Replay it returns
// the reply, which is shared and immutable. With Busy, w is kept until the call
// ends and is then told, unless it is nil. Begin does not block.
func (c *Cache) Begin(k Key, w Waiter) (Verdict, []byte) {
	k = k.normal()
	return c.shard(&k).begin(&k, w, c.now())
}

// Finish ends a call that Begin called First, keeps a copy of reply and gives it
// to the duplicates that wait; the copy is shared and immutable. reply is
// borrowed. A k that is not in progress is ignored.
func (c *Cache) Finish(k Key, reply []byte) {
	k = k.normal()
	kept := append(make([]byte, 0, len(reply)), reply...)
	for _, w := range c.shard(&k).finish(&k, kept, c.now()) {
		w.Replay(kept)
	}
}

// Abandon ends a call that Begin called First and that has no reply worth
// keeping: it was not carried out, or its connection ended before it was. Duplicates
// that wait are told; the next one is a first one. A k that is not in progress is
// ignored.
func (c *Cache) Abandon(k Key) {
	k = k.normal()
	for _, w := range c.shard(&k).abandon(&k) {
		w.Replay(nil)
	}
}

// Stats returns the present figures. The shards are read one after the other.
func (c *Cache) Stats() Stats {
	var t Stats
	for i := range c.shards {
		c.shards[i].addTo(&t)
	}
	return t
}
