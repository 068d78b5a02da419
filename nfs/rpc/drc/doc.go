// Package drc is the duplicate request cache. A call that must not run twice runs
// once, even if its client sends it again over a new connection. Two calls that only
// look the same both run.
//
// # Life of an entry
//
// [Cache.Begin] makes an entry for a call that is new; it is then in progress,
// and its one owner ends that by [Cache.Finish], which keeps the reply, or by
// [Cache.Abandon], which forgets the call. A duplicate that comes in between is
// told [Busy] and waits for the first one's reply; one that comes later gets the
// kept reply. A kept reply goes when it has not been asked for during TTL, or
// when room is needed; an entry in progress never does.
//
// # What is a duplicate
//
// A call with an equal [Key] that comes by a connection which the entry's reply was or
// will be sent by is one. By any other connection it is one only if that connection
// has taken the place of those: [Caller.Judge] says so, from what the transport knows
// of them. Else the call has an entry of its own, beside the other one.
//
// # Bounds
//
// Kept replies and their bytes are bounded, and so is each household's part of the
// replies. Room is made at the expense of whoever holds more than the household that
// needs it, or of that household itself: one that floods the cache loses its own
// replies, not those of others. Entries in progress and duplicates that wait are not
// bounded here. Each is a call that the transport has read, and it bounds those.
//
// # Concurrency
//
// Everything may be called from any goroutine. The cache is divided by the key's
// hash into shards with a lock each, which is held for a map look-up and a copy of
// a reply; no lock is held while another is taken or while a Caller is called.
// The bounds are divided too, so each is reached in a shard of its own, and a
// cache retains a little less than its nominal bounds.
package drc
