// Package bufring owns the memory that the kernel reads from and writes to: provided-buffer groups
// for receiving, and slabs for sending. Its type [Buffer] says who may touch a piece of memory and
// when the memory may be used again.
//
// # Ownership
//
// A [Buffer] is counted. Every holder of a count may read the memory; exactly one holder writes it.
// [Buffer.Clone] adds a holder, [Buffer.Release] ends one. The last Release gives the memory back
// to where it came from: the kernel's provided-buffer ring, or a slab pool. An operation that has
// been submitted to a ring is a holder until its last completion, which for a zero-copy send is the
// notification.
//
// A [Segment] is a view of bytes together with the Buffer that keeps them. A plain []byte that a
// function receives is borrowed until the function returns.
//
// # Threads
//
// All memory of a lane belongs to that lane's thread, so the counts are plain integers. A worker
// may read or write the bytes of a buffer that a parked call holds, between the hand-over and the
// call's return; it never changes a count.
//
// # Running dry
//
// When a [Group] has no free buffers, receives end with ENOBUFS. The owner arms them again when
// buffers come back ([Group.Available] tells), not by a timer. The kernel never gets the last few
// buffers: the owner gives them out ([Group.Take]). [Scraps] never run out.
//
// A slab pool that is empty returns nil and calls nobody. The owner keeps a queue of its own and
// serves it when a Buffer is released.
//
// With the checks build tag a Buffer that is released too often panics, and released memory is
// overwritten, so that a use after the end shows.
package bufring
