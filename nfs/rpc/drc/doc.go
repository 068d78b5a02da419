// Package drc is the duplicate request cache: it makes sure that a call which
// must not run twice does not, however often its client sends it, also over a
// new connection.
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
// # Bounds
//
// Entries and bytes are bounded, and so is each peer's part of the entries.
// Room is made at the expense of whoever holds more than the peer that
// needs it, or of that peer itself: one that floods the cache loses its own
// replies, not those of others.
//
// # Concurrency
//
// Everything may be called from any goroutine. The cache is divided by the key's
// hash into shards with a lock each, which is held for a map look-up and a copy of
// a reply; no lock is held while another is taken or while a Waiter is called.
// The bounds are divided too, so each is reached in a shard of its own, and a
// cache retains a little less than its nominal bounds.
package drc
