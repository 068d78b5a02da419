// Package bufring owns the memory that the kernel reads from and writes to:
// provided-buffer groups for receiving, slabs for sending, and the type that
// says who may touch a buffer and when it may be used again.
//
// # Ownership
//
// A [Buffer] is counted. Whoever holds a count may read it; exactly one holder
// writes it. [Buffer.Clone] adds a holder, [Buffer.Release] ends one, and the
// last Release gives the memory back to where it came from: to the kernel's
// provided-buffer ring, or to the slab it was cut from. An operation that has
// been submitted to a ring is a holder until its last completion, which for a
// zero-copy send is the notification.
//
// A [Segment] is a view of bytes together with the Buffer that keeps them. A
// plain []byte that a function receives is borrowed until it returns.
//
// # Threads
//
// All memory of a lane belongs to that lane's thread: counts are plain integers.
// A worker may read or write the bytes of a buffer that a parked call holds,
// between the hand-over and the call's return; it never changes a count.
//
// # Running dry
//
// A [Group] without free buffers makes receives end with ENOBUFS. They are armed
// again when buffers come back ([Group.Available] tells), not by a timer. The last ones
// are the owner's to give out ([Group.Take]), and [Scraps] never run out. A
// slab pool that is empty returns nil and calls nobody: the owner keeps a queue
// of its own and serves it when a Buffer is released.
//
// With the checks build tag a Buffer that is released too often panics, and
// released memory is overwritten, so that a use after the end is seen.
package bufring
