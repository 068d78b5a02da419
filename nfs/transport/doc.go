// Package transport moves RPC messages between sockets and programs: listeners,
// connections, lanes and workers. It drives package rpc over uring/loop and
// bufring, and knows nothing of NFS.
//
// # Threads
//
// A lane is a goroutine locked to its thread, with a ring, a loop, the receive
// and send memory, and the connections that were given to it. Nothing of that is
// shared. Workers are goroutines locked to their threads that run the calls
// which may sleep. The reserve lane, which waits for no file system (reserve.go), or
// without one the first lane accepts connections and deals them out,
// each to the lane that has the fewest. Datagrams have a goroutine per socket
// and use no lane. When descriptors run out a goroutine (runShed) has some closed.
//
// # Life of a call
//
//	received -> parsed -> run on the lane -> reply queued -> sent
//	                          |      ^
//	                 would wait      | posted back
//	                          v      |
//	                          worker-+
//
// A reply that is made on the lane is encoded straight into the connection's
// send batch, READ data included. A call that goes to a worker takes a buffer of
// its own along, and a copy of the received bytes that it was parsed from or, if there
// are many, those themselves; both come back with it. Replies leave in whatever order
// they are ready, and all that are ready at the end of a turn leave in one send.
//
// # Limits
//
// A connection that has too many calls in progress, too much unsent output or
// too much unprocessed input is not read from until it has less. When the
// receive memory of a lane runs short, connections in the middle of a record
// copy what they have into send slabs and give their receive buffers back; when
// there are none to spare, the connection that has waited longest in the middle
// of a record is closed. A part of the slabs is never used for that, so that calls
// which keep receive buffers and wait for a slab go on. A connection that has its share of
// receive memory, and every one when little is left, is read from in small pieces that
// keep none of it (careful.go). A call whose reply finds no memory waits, and so does one whose
// connection or household has its share (share.go); calls of others go past it. A peer
// that does not take its replies is dropped at a deadline, early when others wait
// for the memory that it pins.
//
// # States
//
// A connection has three states with names. Its life says how far it has come: from dealt
// out over open to closed (life.go). Its intake says what is under way to receive. Its
// output, which has fields and methods of its own, says what the sends wait for (output.go).
// Each changes in one place or few, and the tables beside them say which state may follow;
// with the build tag checks any other change panics. How the data of a READ leaves is
// chosen in way.go.
//
// What the workers know of a call is its job (job.go): the queue, brief calls and the
// patrol pass jobs on, and touch neither calls nor connections.
//
// # End of a connection
//
// Its socket is shut down at once, and closed only when no operation on it is in
// flight, so that a descriptor number cannot be used for a new connection while
// an old operation still names it. Calls that are with a worker run to their end
// and their replies are kept for a retransmission where the procedure asks for it. The
// wire of such a connection outlives it: it says what the peer has heard. A call
// that the peer gets no reply to ends its connection.
//
// # Locks
//
// The workers' queue and each loop's mailbox have a mutex each; neither is held
// while the other is taken.
package transport
