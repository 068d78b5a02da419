package state

import "sync/atomic"

// budget is the memory of sessions, slots and kept replies, in bytes, for all clients.
//
// Up to a half of it is for whoever comes first. Of the other half each client has an equal
// share, but at least what one session with eight slots and one kept reply need. So a client
// that hoards replies meets its own limit and not that of others. Shares shrink as clients come,
// and what was taken stays taken: the last quarter is for those that have no more than the least
// share, so that whoever comes late finds it.
//
// A request whose reply could not be kept is told DELAY before it runs; it may come again when
// the client has used fewer slots, as sr_target_highest_slotid asks it to (RFC 8881 section
// 2.10.6.1).
type budget struct {
	max     int64        // immutable
	least   int64        // immutable: the least share
	clients atomic.Int64 // confirmed ones
	used    atomic.Int64
	level   atomic.Uint32 // of need: see pressure; stored only when it changes
}

// The levels of need.
const (
	plenty uint32 = iota // at most a half is used
	scarce               // at most three quarters: slots that nobody uses are to go
	dire                 // more: slots beyond the first eight are to go
)

// take counts n bytes for c, and reports false when they may not be had.
func (b *budget) take(c *Client, n int) bool {
	if n <= 0 {
		return true
	}
	used, mine := b.used.Add(int64(n)), c.memory.Add(int64(n))
	if used > b.max || used > b.max/2 && mine > b.share() || used > b.max/4*3 && mine > b.least {
		b.give(c, n)
		return false
	}
	b.see(used)
	return true
}

// give counts n bytes of c back.
func (b *budget) give(c *Client, n int) {
	if n <= 0 {
		return
	}
	c.memory.Add(int64(-n))
	b.see(b.used.Add(int64(-n)))
}

// share is what a client may have when more than a half is used.
func (b *budget) share() int64 { return max(b.max/2/max(b.clients.Load(), 1), b.least) }

func (b *budget) see(used int64) {
	level := plenty
	if used > b.max/2 {
		level = scarce
	}
	if used > b.max/4*3 {
		level = dire
	}
	if b.level.Load() != level {
		b.level.Store(level)
	}
}

// Sizes of the pieces that replies are kept in. Most replies of OPEN have some 430 bytes; a
// LOCK that is denied tells of an owner of up to 1,024.
const classes = 6

// sizes maps a class to bytes. Class 0 is no memory; the last one is Config.KeptMax.
type sizes [classes]int

func makeSizes(most int) sizes {
	s := sizes{0, 256, 512, 1024, 2048, 0}
	for i := range s {
		s[i] = min(s[i], most)
	}
	s[classes-1] = most
	return s
}

// class returns the least class that holds n bytes; n is at most the last one's.
func (s *sizes) class(n int) int {
	for i, size := range s {
		if n <= size {
			return i
		}
	}
	return classes - 1
}
