// Package drc is the duplicate request cache. A call that must not run twice runs once, even if its
// client sends it again over a new connection. Two calls that only look the same both run.
//
// # Life of an entry
//
// [Cache.Begin] makes an entry for a call that is new. The entry is then in progress. Its one owner
// ends that by [Cache.Finish], which keeps the reply, or by [Cache.Abandon], which forgets the
// call. A duplicate that comes in between is told [Busy] and waits for the first call's reply; a
// later duplicate gets the kept reply. The cache drops a kept reply when nobody has asked for it
// during TTL, or when it needs room. It never drops an entry in progress.
//
// # What is a duplicate
//
// Two calls with an equal [Key] look the same. If the later one comes by a connection that the
// entry's reply was or will be sent by, it is a duplicate. If it comes by any other connection, it
// is a duplicate only if that connection has taken the place of those: [Caller.Judge] says so, from
// what the transport knows of them. Otherwise the call gets an entry of its own, beside the other
// one.
//
// # Bounds
//
// The number of kept replies and of their bytes is bounded, and so is each household's part of the
// replies. To make room for a household, the cache drops replies of a household that holds more, or
// of that household itself. So a household that floods the cache loses its own replies, not those
// of others. Entries in progress and duplicates that wait are not bounded here. Each is a call that
// the transport has read, and the transport bounds those.
//
// # Concurrency
//
// Any goroutine may call anything. The key's hash divides the cache into shards with a lock each,
// which is held for a map look-up and a copy of a reply. No lock is held while another is taken or
// while a Caller is called. The bounds are divided among the shards, too, and each shard keeps to
// its own; so the cache keeps a little less than its nominal bounds.
package drc
